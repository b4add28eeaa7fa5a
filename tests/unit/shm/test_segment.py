from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import pytest

from domain.codes import SegmentKind
from domain.records import BOOK, TRADE
from shm import layout
from shm.errors import LayoutMismatchError, SegmentError, SegmentNotReadyError, UnsupportedMachineError
from shm.segment import create_segment, list_segments, open_segment, unlink_segment


def test_a_segment_is_allocated_in_full_and_private(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.RING, BOOK, 64)
    found = Path(layout.SHM_FOLDER, segment.name).stat()
    assert found.st_size == layout.segment_bytes(BOOK, 64)
    assert found.st_blocks * 512 >= found.st_size
    assert found.st_mode & 0o777 == 0o600


def test_a_name_that_is_taken_is_refused(segment_name: Callable[[], str]) -> None:
    name = segment_name()
    create_segment(name, SegmentKind.TABLE, TRADE, 1)
    with pytest.raises(SegmentError, match="exists already"):
        create_segment(name, SegmentKind.TABLE, TRADE, 1)


@pytest.mark.parametrize("capacity", [0, -8, 12])
def test_a_ring_needs_a_power_of_two(segment_name: Callable[[], str], capacity: int) -> None:
    with pytest.raises(SegmentError, match=str(capacity)):
        create_segment(segment_name(), SegmentKind.RING, TRADE, capacity)


def test_a_full_memory_is_one_clear_error_and_leaves_nothing(segment_name: Callable[[], str]) -> None:
    name = segment_name()
    stats = os.statvfs(layout.SHM_FOLDER)
    records = 1 << (2 * stats.f_blocks * stats.f_frsize // TRADE.size_bytes).bit_length()
    with pytest.raises(SegmentError, match=r"no room in /dev/shm .* bytes needed"):
        create_segment(name, SegmentKind.RING, TRADE, records)
    assert list_segments(name) == []


def test_a_reader_cannot_write(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, TRADE, 1)
    reader = open_segment(segment.name)
    with pytest.raises(TypeError, match="read-only"):
        reader.words[layout.WORD_HEAD] = 1


def test_another_layout_is_refused(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, TRADE, 1)
    segment.words[layout.WORD_LAYOUT_HASH] += 1
    with pytest.raises(LayoutMismatchError, match="trade"):
        open_segment(segment.name)
    segment.words[layout.WORD_LAYOUT_VERSION] += 1
    with pytest.raises(LayoutMismatchError, match="version 2"):
        open_segment(segment.name)


def test_something_that_is_no_segment_of_ours_is_refused(segment_name: Callable[[], str]) -> None:
    name = segment_name()
    Path(layout.SHM_FOLDER, name).write_bytes(b"\1" * 4096)
    with pytest.raises(SegmentError, match="wrong magic"):
        open_segment(name)
    Path(layout.SHM_FOLDER, name).write_bytes(b"abc")
    with pytest.raises(SegmentError, match="only 3 bytes"):
        open_segment(name)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096])
def test_a_segment_that_is_just_being_created_says_so(segment_name: Callable[[], str], content: bytes) -> None:
    name = segment_name()
    Path(layout.SHM_FOLDER, name).write_bytes(content)
    with pytest.raises(SegmentNotReadyError, match="just being created"):
        open_segment(name)


def test_the_standard_library_can_attach_to_a_segment(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, TRADE, 1)
    attached = shared_memory.SharedMemory(name=segment.name)
    try:
        assert bytes(attached.buf[:8]) == layout.MAGIC.to_bytes(8, "little")
    finally:
        attached.close()
        resource_tracker.unregister("/" + segment.name, "shared_memory")


@pytest.mark.parametrize("ending", ["pass", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_reader_that_exits_or_is_killed_unlinks_nothing(segment_name: Callable[[], str], ending: str) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, TRADE, 1)
    code = f"from shm.segment import open_segment; s = open_segment({segment.name!r}); {ending}"
    subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert list_segments(segment.name) == [segment.name]


def test_a_machine_that_reorders_stores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_MACHINE", "aarch64")
    with pytest.raises(UnsupportedMachineError, match="aarch64"):
        layout.require_total_store_order()


def test_unlinking_twice_is_no_error(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, TRADE, 1)
    unlink_segment(segment.name)
    unlink_segment(segment.name)
    assert list_segments(segment.name) == []
