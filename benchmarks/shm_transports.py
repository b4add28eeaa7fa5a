"""One way between two processes: our ring, spinning and with a doorbell, multiprocessing.Queue, ZeroMQ ipc.

A message is 64 bytes with the sender's monotonic stamp; the receiver, a process of its own, notes how old the
stamp is once it has the content. `hot` is ping-pong over the same transport, so that nothing queues. With a gap
the sender sleeps, and for the last 200 µs of it decodes frames, as market_data does before it publishes: what is
measured is a receiver that has been idle for the whole gap, not a sender whose caches are cold.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.reduction
import os
import tempfile
import time
from abc import abstractmethod
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import zmq

from benchmarks.processes import BenchmarkError
from domain.codes import SegmentKind
from domain.records import TRADE
from shm.doorbell import Doorbell
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, open_segment, unlink_segment

STAMP = TRADE.word("exchange_time_ns")
PADDING = bytes(56)
DEADLINE_S = 60.0
AT_WORK_S = 200e-6
FRAME = json.dumps(
    {side: [[price + level, 0.5] for level in range(5)] for side, price in (("bids", 90), ("asks", 100))}
)


class Series(NamedTuple):
    """Messages one after another. `gap_s` 0 = hot: the next goes when the last was answered."""

    name: str
    gap_s: float
    messages: int


class Transport:
    """Two directions between two processes. Made by the sender; `open(is_sender)` in each of the two."""

    name: ClassVar[str]

    @abstractmethod
    def open(self, *, is_sender: bool) -> None:
        """Connect this end."""

    @abstractmethod
    def send(self) -> None:
        """Send the present time."""

    @abstractmethod
    def receive(self) -> int:
        """Wait for the next message and return its stamp."""

    def remove(self) -> None:
        """Remove what `__init__` made; called in the sender."""


class Rings(Transport):
    """Two rings of ours, one for each direction."""

    def __init__(self) -> None:
        self._names = [f"ringmaker.bench{os.getpid()}.{self.name}{way}" for way in range(2)]
        for name in self._names:
            create_segment(name, SegmentKind.RING, TRADE, 1024)

    def open(self, *, is_sender: bool) -> None:
        there, back = self._names if is_sender else reversed(self._names)
        self._writer = RingWriter(open_segment(there, writable=True))
        self._reader = RingReader(open_segment(back))

    def remove(self) -> None:
        for name in self._names:
            unlink_segment(name)


class Spin(Rings):
    name = "spin"

    def send(self) -> None:
        self._writer.ints[STAMP] = time.monotonic_ns()
        self._writer.publish()

    def receive(self) -> int:
        load_next = self._reader.load_next
        while not load_next():
            pass
        return self._reader.ints[STAMP]


class Block(Rings):
    name = "block"

    def __init__(self) -> None:
        super().__init__()
        self._bells = [Doorbell.create() for _ in range(2)]

    def __getstate__(self) -> dict[str, Any]:
        bells = [multiprocessing.reduction.DupFd(bell.fd) for bell in self._bells]
        return {"_names": self._names, "_bells": bells}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._names = state["_names"]
        self._bells = [Doorbell(bell.detach()) for bell in state["_bells"]]

    def open(self, *, is_sender: bool) -> None:
        super().open(is_sender=is_sender)
        self._theirs, self._ours = self._bells if is_sender else reversed(self._bells)

    def send(self) -> None:
        self._writer.ints[STAMP] = time.monotonic_ns()
        self._writer.publish()
        self._theirs.ring()

    def receive(self) -> int:
        while not self._reader.load_next():
            self._ours.wait(1.0)
        return self._reader.ints[STAMP]

    def remove(self) -> None:
        super().remove()
        for bell in self._bells:
            bell.close()


class Queue(Transport):
    name = "queue"

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ways: list[Any] = [context.Queue(), context.Queue()]

    def open(self, *, is_sender: bool) -> None:
        self._there, self._back = self._ways if is_sender else reversed(self._ways)

    def send(self) -> None:
        self._there.put(time.monotonic_ns().to_bytes(8, "little") + PADDING)

    def receive(self) -> int:
        return int.from_bytes(self._back.get(timeout=DEADLINE_S)[:8], "little")

    def remove(self) -> None:
        for way in self._ways:
            way.cancel_join_thread()
            way.close()


class Zmq(Transport):
    name = "zmq"

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="rmbench-")
        self._address = f"ipc://{self._folder}/pair"

    def open(self, *, is_sender: bool) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PAIR)
        self._socket.linger = 0
        self._socket.rcvtimeo = int(DEADLINE_S * 1000)
        if is_sender:
            self._socket.bind(self._address)
        else:
            self._socket.connect(self._address)

    def send(self) -> None:
        self._socket.send(time.monotonic_ns().to_bytes(8, "little") + PADDING)

    def receive(self) -> int:
        return int.from_bytes(self._socket.recv()[:8], "little")

    def remove(self) -> None:
        self._context.destroy(linger=0)
        (Path(self._folder) / "pair").unlink(missing_ok=True)
        Path(self._folder).rmdir()


TRANSPORTS: tuple[type[Transport], ...] = (Spin, Block, Queue, Zmq)


def one_way_us(kind: type[Transport], series: Sequence[Series]) -> dict[str, float]:
    """Return the median one-way latency of each series, in µs.

    Raises:
        BenchmarkError: the receiver died or did not answer in time.
    """
    context = multiprocessing.get_context("spawn")
    transport = kind()
    ours, theirs = context.Pipe()
    receiver = context.Process(target=_receive, args=(transport, tuple(series), theirs), daemon=True)
    try:
        receiver.start()
        transport.open(is_sender=True)
        _expect(ours, kind.name)
        for one in series:
            ours.send(one.name)
            _expect(ours, kind.name)
            for _ in range(one.messages):
                if one.gap_s:
                    _pass(one.gap_s)
                transport.send()
                if not one.gap_s:
                    transport.receive()
            _expect(ours, kind.name)
        medians: dict[str, float] = _expect(ours, kind.name)
    finally:
        receiver.kill()
        receiver.join()
        transport.remove()
    return medians


def _pass(gap_s: float) -> None:
    due = time.monotonic() + gap_s
    time.sleep(gap_s - AT_WORK_S)
    while time.monotonic() < due:
        book = json.loads(FRAME)
        assert max(book["bids"]) < min(book["asks"])


def _expect(pipe: Connection, name: str) -> Any:
    if not pipe.poll(DEADLINE_S):
        raise BenchmarkError(f"{name}: the receiver said nothing for {DEADLINE_S:g} s")
    try:
        return pipe.recv()
    except EOFError:
        raise BenchmarkError(f"{name}: the receiver died") from None


def _receive(transport: Transport, series: Sequence[Series], pipe: Connection) -> None:
    transport.open(is_sender=False)
    pipe.send("open")
    medians = {}
    for one in series:
        assert pipe.recv() == one.name
        ages_ns = np.zeros(one.messages, dtype=np.int64)
        pipe.send("go")
        for number in range(one.messages):
            stamp_ns = transport.receive()
            ages_ns[number] = time.monotonic_ns() - stamp_ns
            if not one.gap_s:
                transport.send()
        pipe.send("done")
        medians[one.name] = float(np.median(ages_ns[one.messages // 10 :])) / 1000
    pipe.send(medians)
