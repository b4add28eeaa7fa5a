"""How fast one process publishes and reads: our ring, and iceoryx2's Python binding where it is installed."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from domain.codes import SegmentKind
from domain.records import TRADE
from shm.ring import RingReader, RingWriter
from shm.segment import Segment, create_segment, list_segments, open_segment, unlink_segment

READ_CAPACITY = 65536
READS_A_ROUND = 20
PUBLISHES_A_ROUND = 20_000
NS_PER_S = 1e9
_PRICE = TRADE.word("price")


@contextmanager
def ring(capacity: int, name: str) -> Iterator[Segment]:
    """A ring of 64-byte records for this benchmark alone."""
    segment = create_segment(f"ringmaker.bench{os.getpid()}.{name}", SegmentKind.RING, TRADE, capacity)
    try:
        yield segment
    finally:
        unlink_segment(segment.name)


def publish_ns(rounds: int) -> dict[str, list[float]]:
    """Return ns for one publish of 64 bytes, one number of them set, for each subject and round in turn."""
    found: dict[str, list[float]] = {}
    with ring(4096, "publish") as segment, _iceoryx2_swept():
        writer = RingWriter(segment)

        def ours(count: int) -> None:
            floats, publish = writer.floats, writer.publish
            for number in range(count):
                floats[_PRICE] = number
                publish()

        subjects: dict[str, Callable[[int], None]] = {"ours": ours}
        if importlib.util.find_spec("iceoryx2") is not None:
            subjects["iceoryx2"] = _iceoryx2()
        for number in range(rounds + 1):
            for name, publish_many in subjects.items():
                started = time.perf_counter_ns()
                publish_many(PUBLISHES_A_ROUND)
                took_ns = (time.perf_counter_ns() - started) / PUBLISHES_A_ROUND
                if number:  # the first is for warming up
                    found.setdefault(name, []).append(took_ns)
    return found


def read_rates(rounds: int) -> list[float]:
    """Return records a second of `read()` on a filled ring into fresh NumPy memory, 64 bytes a record."""
    rates = []
    with ring(READ_CAPACITY, "read") as segment:
        writer = RingWriter(segment)
        for number in range(READ_CAPACITY):
            writer.floats[_PRICE] = number
            writer.publish()
        reader = RingReader(open_segment(segment.name), "oldest")
        expected = np.arange(READ_CAPACITY, dtype=float)
        for _ in range(rounds):
            started = time.perf_counter_ns()
            for _ in range(READS_A_ROUND):
                reader.position = 0
                records = reader.read()
            took_ns = time.perf_counter_ns() - started
            assert np.array_equal(records["price"], expected), "the ring gave other records than were published"
            rates.append(READ_CAPACITY * READS_A_ROUND / took_ns * NS_PER_S)
    return rates


class _Payload(ctypes.Structure):
    _fields_ = (("before", ctypes.c_int64 * 5), ("price", ctypes.c_double), ("after", ctypes.c_int64 * 2))


@contextmanager
def _iceoryx2_swept() -> Iterator[None]:
    """Remove what iceoryx2 leaves in shared memory when it ends, unless it was there before."""
    before = set(list_segments("iox2_"))
    try:
        yield
    finally:
        gc.collect()
        for name in set(list_segments("iox2_")) - before:
            unlink_segment(name)


def _iceoryx2() -> Callable[[int], None]:
    """Return what publishes through iceoryx2 to one subscriber that keeps as much as our ring."""
    import iceoryx2 as iox2  # type: ignore[import-untyped,import-not-found,unused-ignore]

    iox2.set_log_level(iox2.LogLevel.Error)
    node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
    service = (
        node.service_builder(iox2.ServiceName.new(f"ringmaker-bench-{os.getpid()}"))
        .publish_subscribe(_Payload)
        .subscriber_max_buffer_size(4096)
        .enable_safe_overflow(True)
        .create()
    )
    publisher = service.publisher_builder().create()
    subscriber = service.subscriber_builder().buffer_size(4096).create()
    payload = _Payload()
    kept = (node, service, subscriber)

    def publish_many(count: int) -> None:
        assert kept
        send = publisher.send_copy  # the fastest of its ways to send from Python
        for number in range(count):
            payload.price = number
            send(payload)

    return publish_many
