"""The event file (`.events`): 4,096 bytes of header (magic, JSON), then rows of EVENT to the end of the file.

A file is written beside its final name and renamed when it is whole, so that a conversion that was killed leaves
nothing that looks like data. Readers map it: a week of data needs no more memory than the rows being read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np

from backtest.data.events import EVENT, Events
from backtest.data.findings import DataError

MAGIC = b"RMEVENTS"
VERSION = 1
HEADER_BYTES = 4096
SUFFIX = ".events"


class Header(msgspec.Struct, kw_only=True, frozen=True):
    """What the rows mean and where they came from.

    Attributes:
        instrument: its name, from the files' names or given.
        tick_size: quote currency for a tick.
        lot_size: size units for a lot.
        rows: number of rows.
        clock_shift_ns: what was added to every local time of the source.
        sources: names of the files read, in order.
        repairs: repairs used, with how often.
        begin_ns, end_ns: first and last local time.
    """

    instrument: str
    tick_size: float
    lot_size: float
    contract_multiplier: float = 1.0
    rows: int = 0
    clock_shift_ns: int = 0
    sources: list[str] = []
    repairs: dict[str, int] = {}
    begin_ns: int = 0
    end_ns: int = 0
    version: int = VERSION


class EventFile:
    """A mapped event file: `header` and `rows` (read-only, shape (n,), dtype EVENT).

    What was read of `rows` stays resident as long as nothing else wants the memory; who reads all of them takes
    `blocks`, each mapped for itself, and keeps one block.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = read_header(path)
        if self.header.rows:
            self.rows: Events = np.memmap(path, EVENT, "r", HEADER_BYTES, (self.header.rows,)).view(np.ndarray)
        else:
            self.rows = np.zeros(0, EVENT)

    def block(self, first: int, count: int) -> Events:
        """Return up to `count` rows from `first` on, mapped for themselves: their pages go when they do."""
        count = min(count, self.header.rows - first)
        if count <= 0:
            return np.zeros(0, EVENT)
        offset = HEADER_BYTES + first * EVENT.itemsize
        return np.memmap(self.path, EVENT, "r", offset, (count,)).view(np.ndarray)

    def blocks(self, count: int, first: int = 0, last: int | None = None) -> Iterator[Events]:
        """Yield the rows from `first` to `last` (all) in blocks of `count`."""
        last = self.header.rows if last is None else last
        for place in range(first, last, count):
            yield self.block(place, min(count, last - place))


def read_header(path: Path) -> Header:
    """Return the header of an event file.

    Raises:
        DataError: when it is not one, is of another version, or has not the rows that it promises.
    """
    try:
        with path.open("rb") as file:
            block = file.read(HEADER_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from None
    if not block.startswith(MAGIC) or len(block) < HEADER_BYTES:
        raise DataError(f"{path}: not an event file; make one with `python -m backtest.data convert`")
    try:
        header = msgspec.json.decode(block[len(MAGIC) :].rstrip(b"\0"), type=Header)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path}: damaged header ({error}); convert the source again") from None
    if header.version != VERSION:
        raise DataError(f"{path}: layout version {header.version}, expected {VERSION}; convert the source again")
    expected = HEADER_BYTES + header.rows * EVENT.itemsize
    if size != expected:
        raise DataError(f"{path}: {size} bytes, expected {expected} for {header.rows} rows; convert the source again")
    return header


def is_event_file(first_bytes: bytes) -> bool:
    return first_bytes.startswith(MAGIC)


class EventWriter:
    """Writes an event file, block by block; used as a context. An error on the way leaves no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self.rows = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w+b")
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
        self._file.write(bytes(HEADER_BYTES))

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None) -> None:
        if not self._file.closed:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    def write(self, rows: Events) -> None:
        """Append rows."""
        assert rows.dtype == EVENT
        self._file.write(np.ascontiguousarray(rows).view(np.uint8).data)
        self.rows += len(rows)

    def shift_local_times(self, shift_ns: int) -> None:
        """Add `shift_ns` to the local time of every row written, in place, in constant memory."""
        self._file.flush()
        for first in range(0, self.rows, 1 << 20):
            count = min(1 << 20, self.rows - first)
            block = np.memmap(self._partial, EVENT, "r+", HEADER_BYTES + first * EVENT.itemsize, (count,))
            block["local_time_ns"] += shift_ns
            block.flush()

    def finish(self, header: Header) -> None:
        """Write the header and give the file its name."""
        header = msgspec.structs.replace(header, rows=self.rows)
        block = MAGIC + msgspec.json.encode(header)
        if len(block) > HEADER_BYTES:  # hundreds of sources: their number must do
            header = msgspec.structs.replace(header, sources=[f"{len(header.sources)} files"])
            block = MAGIC + msgspec.json.encode(header)
        self._file.seek(0)
        self._file.write(block.ljust(HEADER_BYTES, b"\0"))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._path)
