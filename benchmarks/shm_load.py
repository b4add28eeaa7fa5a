"""Rings under load: readers that keep up, readers that are killed, writers that are killed inside a record."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.processes import BenchmarkError
from benchmarks.shm_rates import ring
from domain.codes import SegmentKind
from domain.records import TRADE
from shm import layout
from shm.errors import RecordBusyError
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, list_segments, open_segment, unlink_segment

RATE_PER_S = 20_000
RING_CAPACITY = 4096
READERS = 4
BURST = 20
DEADLINE_S = 60.0
READ_TRIES = 3
_STAMP = TRADE.word("exchange_time_ns")


class Kept(NamedTuple):
    """How readers did: over all of them, records lost, and records neither read nor reported as lost."""

    lost: int
    unaccounted: int


def readers_keep_up(seconds: float) -> Kept:
    """Have one writer publish 20,000 records a second to four readers, each a process that sleeps when idle."""
    context = multiprocessing.get_context("spawn")
    total = int(seconds * RATE_PER_S)
    with ring(RING_CAPACITY, "readers") as segment:
        pipes, readers = [], []
        for _ in range(READERS):
            ours, theirs = context.Pipe()
            readers.append(context.Process(target=_keep_up, args=(segment.name, total, theirs), daemon=True))
            pipes.append(ours)
        try:
            for reader in readers:
                reader.start()
            for pipe in pipes:
                _said(pipe)
            _publish_evenly(RingWriter(segment), total)
            results = [_said(pipe) for pipe in pipes]
        finally:
            for reader in readers:
                reader.kill()
                reader.join()
    return Kept(sum(lost for _, lost in results), sum(total - read - lost for read, lost in results))


def _keep_up(name: str, total: int, pipe: Any) -> None:
    reader = RingReader(open_segment(name))
    pipe.send("ready")
    read = 0
    while reader.position < total:
        records = reader.read()
        read += len(records)
        if not len(records):
            time.sleep(0.001)
    pipe.send((read, reader.lost))


def _publish_evenly(writer: RingWriter, total: int) -> None:
    started = time.monotonic()
    for number in range(total):
        if number % BURST == 0:
            early_s = started + number / RATE_PER_S - time.monotonic()
            if early_s > 0:
                time.sleep(early_s)
        writer.ints[_STAMP] = number
        writer.publish()


class Killed(NamedTuple):
    """What killed readers did to a writer and its segments.

    Attributes:
        slowdowns: the writer's median time for a publish while readers attach and die, over that while as many
            processes are forked and killed that attach to nothing, by round: forking alone costs some percent.
        noise: how far the upper quartile lies above the median without readers, as a share of it.
    """

    slowdowns: list[float]
    noise: float
    readers: int
    segments_lost: int


def killed_readers(rounds: int, readers_a_round: int) -> Killed:
    """Publish while readers attach, read and are SIGKILLed, and while others are that do not attach, in turn.

    One reader stays throughout, as in every session: a slot that nobody has read is a little cheaper to write.
    """
    killed, calm, met = 0, [], []
    with ring(RING_CAPACITY, "killed") as segment:
        before = list_segments(segment.name)
        writer = RingWriter(segment)
        stays = _fork_a_reader_that_stays(segment.name)
        try:
            for _ in range(rounds):
                strangers = _Killers(None, readers_a_round)
                calm.append(_publish_quartiles_ns(writer, strangers.is_busy))
                readers = _Killers(segment.name, readers_a_round)
                met.append(_publish_quartiles_ns(writer, readers.is_busy))
                killed += readers.killed
        finally:
            os.kill(stays, signal.SIGKILL)
            os.waitpid(stays, 0)
        lost = len(set(before) - set(list_segments(segment.name)))
    slowdowns = [with_readers[0] / without[0] for with_readers, without in zip(met, calm, strict=True)]
    noise = float(np.median([upper / median for median, upper in calm])) - 1
    return Killed(slowdowns, noise, killed, lost)


def _fork_a_reader_that_stays(name: str) -> int:
    pid = os.fork()
    if pid == 0:
        reader = RingReader(open_segment(name))
        while True:
            reader.read()
            time.sleep(0.0005)
    return pid


class _Killers:
    """Forks readers one after another from a process of its own; `killed` counts those that died of SIGKILL.

    Without a ring to read they are killed all the same.
    """

    def __init__(self, name: str | None, count: int) -> None:
        self.killed = 0
        self._read_fd, write_fd = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._read_fd)
            _fork_readers(name, count, write_fd)
        os.close(write_fd)
        os.set_blocking(self._read_fd, False)

    def is_busy(self) -> bool:
        try:
            reported = os.read(self._read_fd, 4096)
        except BlockingIOError:
            return True
        self.killed += len(reported)
        if reported:
            return True
        os.close(self._read_fd)
        os.waitpid(self._pid, 0)
        return False


def _fork_readers(name: str | None, count: int, report_fd: int) -> None:
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                if name is not None:
                    RingReader(open_segment(name), "oldest").read()
                os.kill(os.getpid(), signal.SIGKILL)
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL:
                os.write(report_fd, b"k")
    finally:
        os._exit(0)


def _publish_quartiles_ns(writer: RingWriter, is_busy: Callable[[], bool]) -> tuple[float, float]:
    """Publish ten records every 100 µs or so while `is_busy`; return median and upper quartile of a publish."""
    took_ns = []
    while is_busy():
        time.sleep(50e-6)
        for _ in range(10):
            started = time.perf_counter_ns()
            writer.publish()
            took_ns.append(time.perf_counter_ns() - started)
    median, upper = np.quantile(took_ns, (0.5, 0.75))
    return float(median), float(upper)


class Blocked(NamedTuple):
    """How long readers were held up by writers killed inside a record, in µs, the longest of each kind."""

    ring_us: float
    table_us: float
    inside: int


def killed_writers(kills: int) -> Blocked:
    """SIGKILL writers at full speed, until `kills` of them died inside a record, and read what they left."""
    ring_us, table_us, inside = 0.0, 0.0, 0
    table_name = f"ringmaker.bench{os.getpid()}.table"
    table = create_segment(table_name, SegmentKind.TABLE, TRADE, 1)
    try:
        with ring(64, "writers") as segment:
            for _ in range(kills * 50):
                if inside >= kills:
                    break
                _kill_a_writer(segment.name, table_name)
                in_slot = segment.words[_slot_of(int(segment.words[layout.WORD_HEAD]))] == 0
                in_row = bool(table.words[layout.HEADER_BYTES >> 3] & 1)
                inside += in_slot or in_row
                ring_us = max(ring_us, _longest_us(lambda: _ring_reads(segment.name)))
                table_us = max(table_us, _longest_us(lambda: [_table_read(table_name)]))
    finally:
        unlink_segment(table_name)
    if not inside:
        raise BenchmarkError("no writer died inside a record")
    return Blocked(ring_us, table_us, inside)


def _slot_of(position: int) -> int:
    return (layout.HEADER_BYTES + (position & 63) * TRADE.size_bytes) >> 3


def _kill_a_writer(ring_name: str, table_name: str) -> None:
    pid = os.fork()
    if pid == 0:
        writer = RingWriter(open_segment(ring_name, writable=True))
        rows = TableWriter(open_segment(table_name, writable=True))
        while True:
            writer.publish()
            rows.publish(0)
    time.sleep(0.003 + (pid % 97) * 1e-5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _ring_reads(name: str) -> list[Callable[[], object]]:
    reader = RingReader(open_segment(name), "oldest")
    return [reader.load_latest, reader.load_next, lambda: reader.read(), lambda: reader.to_numpy()]


def _table_read(name: str) -> Callable[[], object]:
    reader = TableReader(open_segment(name))

    def read() -> None:
        try:
            reader.load(0)
        except RecordBusyError:
            return

    return read


def _longest_us(new_reads: Callable[[], list[Callable[[], object]]]) -> float:
    """Return the time of the slowest kind of read, the best of tries by new readers: one that only lost its core
    to another process was not held up by the writer."""
    tries = [[_read_us(read) for read in new_reads()] for _ in range(READ_TRIES)]
    best: list[float] = [min(times) for times in zip(*tries, strict=True)]
    return max(best)


def _read_us(read: Callable[[], object]) -> float:
    started_ns = time.perf_counter_ns()
    read()
    return (time.perf_counter_ns() - started_ns) / 1000


def _said(pipe: Any) -> Any:
    if not pipe.poll(DEADLINE_S):
        raise BenchmarkError(f"a reader said nothing for {DEADLINE_S:g} s")
    return pipe.recv()
