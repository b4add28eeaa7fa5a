"""Create, open, attach and unlink one named block of shared memory.

The blocks are those of `multiprocessing.shared_memory`: POSIX segments under /dev/shm, opened through the
same C module. Its `SharedMemory` class itself is not used, because up to Python 3.12 it registers every
attachment with a resource tracker that unlinks the segment when any reader exits (cpython#82300), and it maps
readers writable. Anyone may still attach with `SharedMemory(name=...)`; see docs/decisions/0001.
"""

from __future__ import annotations

import _posixshmem  # type: ignore[import-not-found]
import errno
import mmap
import os
import time
from pathlib import Path
from typing import NamedTuple

from domain.codes import SegmentKind
from domain.records import LAYOUT_VERSION, RECORDS_BY_NAME, RecordType
from shm import layout
from shm.errors import LayoutMismatchError, SegmentError, SegmentNotReadyError


class Segment(NamedTuple):
    """A mapped segment.

    Attributes:
        words: the whole segment as int64 words; cursors are loaded and stored through it.
        memory: the whole segment as bytes.
    """

    name: str
    kind: SegmentKind
    record: RecordType
    capacity: int
    memory: memoryview
    words: memoryview
    is_writable: bool

    @property
    def epoch(self) -> int:
        """Writer epoch: grows by one with every process that takes the segment over as its writer."""
        return int(self.words[layout.WORD_EPOCH])

    @property
    def is_closed(self) -> bool:
        return bool(self.words[layout.WORD_CLOSED])

    @property
    def writer(self) -> str:
        return _read_name(self.memory, layout.WRITER_NAME_OFFSET)


def create_segment(name: str, kind: SegmentKind, record: RecordType, capacity: int, *, writer: str = "") -> Segment:
    """Create a segment, allocated in full, and return it mapped.

    Args:
        name: file name under /dev/shm, see `layout.segment_file_name`.
        capacity: slots of a ring (a power of two) or rows of a table.
        writer: name of the actor that will write it.

    Raises:
        SegmentError: if the name is taken or /dev/shm has no room; nothing is left behind.
    """
    layout.require_total_store_order()
    if capacity < 1 or (kind is SegmentKind.RING and capacity & (capacity - 1)):
        raise SegmentError(f"segment {name}: capacity must be a positive power of two, not {capacity}")
    size_bytes = layout.segment_bytes(record, capacity)
    try:
        fd = _posixshmem.shm_open("/" + name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    except FileExistsError:
        raise SegmentError(f"segment {name} exists already in {layout.SHM_FOLDER}") from None
    try:
        os.posix_fallocate(fd, 0, size_bytes)
        memory = memoryview(mmap.mmap(fd, size_bytes))
    except OSError as error:
        unlink_segment(name)
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            raise SegmentError(_no_room(name, size_bytes)) from None
        raise
    finally:
        os.close(fd)
    words = memory.cast("q")
    _write_name(memory, layout.RECORD_NAME_OFFSET, record.name)
    _write_name(memory, layout.WRITER_NAME_OFFSET, writer)
    words[layout.WORD_LAYOUT_VERSION] = LAYOUT_VERSION
    words[layout.WORD_LAYOUT_HASH] = record.layout_hash()
    words[layout.WORD_KIND] = kind
    words[layout.WORD_SLOT_BYTES] = record.size_bytes
    words[layout.WORD_CAPACITY] = capacity
    words[layout.WORD_CREATED] = time.time_ns()
    words[layout.WORD_MAGIC] = layout.MAGIC  # last: an attacher that sees the magic sees the rest
    return Segment(name, kind, record, capacity, memory, words, is_writable=True)


def open_segment(name: str, *, writable: bool = False) -> Segment:
    """Map an existing segment, read-only unless `writable`, and check that we understand it.

    Raises:
        FileNotFoundError: if there is none.
        LayoutMismatchError: if it was made by another layout version or record type.
        SegmentError: if it is not a segment of ours.
        PermissionError: if it belongs to another user.
    """
    fd = open_fd(name, writable=writable)
    try:
        return map_fd(fd, name, writable=writable)
    finally:
        os.close(fd)


def open_fd(name: str, *, writable: bool) -> int:
    """Open the file of a segment; not inherited by children. FileNotFoundError, PermissionError."""
    return int(_posixshmem.shm_open("/" + name, os.O_RDWR if writable else os.O_RDONLY, mode=0o600))


def map_fd(fd: int, name: str, *, writable: bool = False) -> Segment:
    """Map and check an open segment, see `open_segment`; the caller closes `fd`."""
    layout.require_total_store_order()
    size_bytes = os.fstat(fd).st_size
    if size_bytes < layout.HEADER_BYTES:
        error = SegmentError if size_bytes else SegmentNotReadyError
        raise error(f"segment {name} is no Ringmaker segment, or is just being created: only {size_bytes} bytes")
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    memory = memoryview(mmap.mmap(fd, size_bytes, prot=protection))
    words = memory.cast("q")
    record = _checked_record(name, words, memory, size_bytes)
    kind = SegmentKind(words[layout.WORD_KIND])
    return Segment(name, kind, record, int(words[layout.WORD_CAPACITY]), memory, words, writable)


def take_over(segment: Segment) -> int:
    """Make this process the segment's writer: raise the epoch and return it."""
    assert segment.is_writable, f"{segment.name} is mapped read-only"
    epoch = segment.epoch + 1
    segment.words[layout.WORD_EPOCH] = epoch
    return epoch


def mark_closed(segment: Segment) -> None:
    """Tell attached readers that the session has ended; call before unlinking."""
    segment.words[layout.WORD_CLOSED] = 1


def unlink_segment(name: str) -> None:
    """Remove the name; processes that have it mapped keep their memory. No error when it is gone."""
    try:
        _posixshmem.shm_unlink("/" + name)
    except FileNotFoundError:
        return


def list_segments(prefix: str) -> list[str]:
    """Return the names under /dev/shm that begin with `prefix`, sorted."""
    try:
        return sorted(name for name in os.listdir(layout.SHM_FOLDER) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def _checked_record(name: str, words: memoryview, memory: memoryview, size_bytes: int) -> RecordType:
    magic = words[layout.WORD_MAGIC]
    if magic != layout.MAGIC:
        if magic == 0:
            raise SegmentNotReadyError(f"segment {name} is just being created (no magic yet)")
        raise SegmentError(f"segment {name} is no Ringmaker segment (wrong magic {magic:#x})")
    version = words[layout.WORD_LAYOUT_VERSION]
    if version != LAYOUT_VERSION:
        raise LayoutMismatchError(
            f"segment {name} has layout version {version}, this package reads {LAYOUT_VERSION}: "
            "install the version that the session runs"
        )
    record_name = _read_name(memory, layout.RECORD_NAME_OFFSET)
    record = RECORDS_BY_NAME.get(record_name)
    if record is None or words[layout.WORD_LAYOUT_HASH] != record.layout_hash():
        raise LayoutMismatchError(
            f"segment {name} holds `{record_name}` records of another layout: install the version that the session runs"
        )
    if size_bytes < layout.segment_bytes(record, words[layout.WORD_CAPACITY]):
        raise SegmentError(f"segment {name} is shorter than its header says: {size_bytes} bytes")
    return record


def _write_name(memory: memoryview, offset: int, text: str) -> None:
    encoded = text.encode()
    assert len(encoded) < layout.NAME_BYTES, f"name too long: {text}"
    memory[offset : offset + layout.NAME_BYTES] = encoded.ljust(layout.NAME_BYTES, b"\0")


def _read_name(memory: memoryview, offset: int) -> str:
    return bytes(memory[offset : offset + layout.NAME_BYTES]).rstrip(b"\0").decode(errors="replace")


def _no_room(name: str, size_bytes: int) -> str:
    stats = os.statvfs(layout.SHM_FOLDER) if Path(layout.SHM_FOLDER).is_dir() else None
    free_bytes = stats.f_bavail * stats.f_frsize if stats else 0
    return (
        f"no room in {layout.SHM_FOLDER} for segment {name}: {size_bytes:,} bytes needed, {free_bytes:,} free; "
        "enlarge it (containers: --shm-size=256m)"
    )
