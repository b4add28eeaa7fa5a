"""Ten million checked reads: none torn, and every record either read or reported as lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.codes import SegmentKind
from domain.records import TRADE
from shm.ring import RingReader
from shm.segment import Segment, create_segment, open_segment

REPOSITORY = Path(__file__).resolve().parents[2]
READERS = 4
CAPACITY = 256

# Every word of a record is its position, so that any mixture of two records shows.
WRITER = """
import sys
from shm.ring import RingWriter
from shm.segment import open_segment
writer = RingWriter(open_segment(sys.argv[1], writable=True))
ints, publish, words = writer.ints, writer.publish, range(1, 8)
for position in range(writer.position, int(sys.argv[2])):
    for word in words:
        ints[word] = position
    publish()
"""

READER = """
import sys, time
import numpy as np
from shm.ring import RingReader
from shm.segment import open_segment
reader = RingReader(open_segment(sys.argv[1]), 0)
total, read, torn = int(sys.argv[2]), 0, 0
print("ready", flush=True)
while reader.position < total:
    first = reader.position + reader.lost
    records = reader.read()
    if not len(records):
        time.sleep(1e-5)
        continue
    words = records.view(np.int64).reshape(len(records), 8)
    positions = words[:, :1] - 1
    torn += int((words[:, 1:] != positions).any(axis=1).sum())
    assert positions[-1, 0] == reader.position - 1 and (np.diff(positions[:, 0]) == 1).all(), "out of order"
    read += len(records)
print(read, reader.lost, torn)
"""


def start(code: str, segment: str, total: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, segment, str(total)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def checked_reads(segment: Segment, total: int) -> list[tuple[int, int, int]]:
    """Return (read, lost, torn) of four readers of a writer at full speed; the first reader is stopped for a while."""
    readers = [start(READER, segment.name, total) for _ in range(READERS)]
    processes = list(readers)
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        writer = start(WRITER, segment.name, total)
        processes.append(writer)
        readers[0].send_signal(signal.SIGSTOP)
        assert writer.wait(300) == 0
        readers[0].send_signal(signal.SIGCONT)
        results = []
        for reader in readers:
            read, lost, torn = reader.communicate(timeout=60)[0].split()
            results.append((int(read), int(lost), int(torn)))
        return results
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def assert_nothing_is_torn_or_unaccounted(results: list[tuple[int, int, int]], total: int) -> None:
    assert [torn for _, _, torn in results] == [0] * READERS
    assert [read + lost for read, lost, _ in results] == [total] * READERS


def test_reads_of_a_writer_at_full_speed_are_whole_and_accounted_for(segment_name: Callable[[], str]) -> None:
    total = 200_000
    results = checked_reads(create_segment(segment_name(), SegmentKind.RING, TRADE, CAPACITY), total)
    assert_nothing_is_torn_or_unaccounted(results, total)
    assert results[0][1] > 0  # the one that was stopped


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_million_reads_are_whole_and_accounted_for(segment_name: Callable[[], str]) -> None:
    # Given the smallest ring that readers can keep up with at all, so that they are overtaken often
    read = lost = rounds = 0
    started = time.monotonic()
    while read < 10_000_000:
        rounds += 1
        total = 4_000_000
        results = checked_reads(create_segment(segment_name(), SegmentKind.RING, TRADE, CAPACITY), total)
        assert_nothing_is_torn_or_unaccounted(results, total)
        read += sum(result[0] for result in results)
        lost += sum(result[1] for result in results)
        assert rounds < 20, f"only {read:,} reads in {rounds} rounds"
    assert lost > 0
    print(f"{read:,} checked reads, 0 torn, {lost:,} reported as lost, {time.monotonic() - started:.0f} s")


def test_a_writer_stopped_or_killed_inside_a_record_holds_no_reader_up(segment_name: Callable[[], str]) -> None:
    # Given writers that are killed at any moment, until one died inside a slot
    segment = create_segment(segment_name(), SegmentKind.RING, TRADE, 64)
    inside = 0
    longest_s = 0.0
    for _ in range(60):
        writer = start(WRITER, segment.name, 1 << 60)
        time.sleep(0.12)
        begun = segment.words[8]
        while segment.words[8] == begun:
            time.sleep(0.001)
        os.kill(writer.pid, signal.SIGSTOP)
        # If readers of every kind look while it is stopped
        reader = RingReader(open_segment(segment.name), "oldest")
        for read in (reader.load_latest, reader.load_next, reader.read, reader.to_numpy):
            before = time.perf_counter()
            read()
            longest_s = max(longest_s, time.perf_counter() - before)
        head = int(segment.words[8])
        inside += segment.words[(256 + (head & 63) * 64) >> 3] == 0
        writer.kill()
        writer.communicate()
        if inside >= 3:
            break
    # I expect none of them to be held up (benchmarks.shm prints the figure against 1 ms)
    assert inside, "no writer was stopped inside a slot"
    assert longest_s < 0.05
