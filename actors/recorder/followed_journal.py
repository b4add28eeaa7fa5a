"""Follows execution's journal while it is written: whole entries, each once, from a place that is kept."""

from __future__ import annotations

import os
from pathlib import Path

from actors.execution.journal_format import (
    FRAME_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    Entry,
    read_header,
    read_on,
)

BYTES_AT_ONCE = 1 << 20
assert BYTES_AT_ONCE > FRAME_BYTES + PAYLOAD_BYTES_MAX


class FollowedJournal:
    """Reads what is new. An entry that is torn or still being written waits: what is damaged is execution's to cut."""

    def __init__(self, path: Path, number: int = 0, offset: int = 0) -> None:
        """Go on where an earlier reader was: `number` and `offset` of its `place`."""
        self._path = path
        self._file_id: int | None = None
        self.go_to(number, offset)

    @property
    def place(self) -> tuple[int, int]:
        """Number of the entry to be read next, and the byte at which it begins."""
        return self._number, self._offset

    def go_to(self, number: int, offset: int) -> None:
        """Read from a place on; (0, 0) = from the beginning."""
        self._number, self._offset = (number, offset) if offset else (1, HEADER_BYTES)

    def read(self) -> list[tuple[int, Entry]]:
        """Return entries after the place, each with the byte at which it begins, at most a megabyte of them."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            if self._file_id is None:
                self._file_id = read_header(os.pread(fd, HEADER_BYTES, 0))
            if self._file_id is None:
                return []
            content = os.pread(fd, BYTES_AT_ONCE, self._offset)
        finally:
            os.close(fd)
        found: list[tuple[int, Entry]] = []
        begin = self._offset
        for entry, end in read_on(content, self._file_id, 0, self._number):
            found.append((self._offset, entry))
            self._number += 1
            self._offset = begin + end
        return found
