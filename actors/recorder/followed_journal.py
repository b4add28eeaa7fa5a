"""Follows execution's journal while it is written: whole entries, each once, from a place that is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from actors.execution.journal_files import earlier_files
from actors.execution.journal_format import (
    FRAME_BYTES,
    HEADER_BYTES,
    HEADER_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Entry,
    Start,
    read_header,
    read_on,
)

BYTES_AT_ONCE = 1 << 20
assert BYTES_AT_ONCE > FRAME_BYTES + PAYLOAD_BYTES_MAX


class Skipped(NamedTuple):
    """Entries that were deleted or damaged before they were read: number of the first, and how many, at least."""

    first_number: int
    entries: int


class FollowedJournal:
    """Reads what is new. An entry that is torn or still being written waits: what is damaged is execution's to cut.

    Attributes:
        skipped: what was missed; whoever looks takes it away.
    """

    def __init__(self, path: Path, number: int = 0, place: int = 0) -> None:
        """Go on where an earlier reader was: `number` and `place` of its `place`."""
        self._path = path
        self.skipped: list[Skipped] = []
        self.go_to(number, place)

    @property
    def place(self) -> tuple[int, int]:
        """Number of the entry to be read next, and its place in the row of all entries."""
        return self._number, self._place

    def go_to(self, number: int, place: int) -> None:
        """Read from a place on; (0, 0) = from the beginning."""
        self._number, self._place = (number, place) if place else (1, HEADER_BYTES)

    def read(self) -> list[tuple[int, Entry]]:
        """Return entries after the place, each with its own, at most a megabyte of them; none = there are none now."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            start = read_header(os.pread(fd, HEADER_BYTES_MAX, 0))
            if start is None:
                return []
            if self._place == start.place:
                self._skip_to(start)
            if self._place >= start.place:
                return self._read_of(fd, start)
        finally:
            os.close(fd)
        return self._read_earlier(start)

    # ---- inside --------------------------------------------------------------------------------------

    def _read_earlier(self, present: Start) -> list[tuple[int, Entry]]:
        """Return what the files before the present one still have for us; then, what it has."""
        for file in earlier_files(self._path, present):
            self._skip_to(file.start)
            try:
                fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # the oldest was deleted meanwhile
                continue
            try:
                if found := self._read_of(fd, file.start):
                    return found
            finally:
                os.close(fd)
        self._skip_to(present)
        return self.read()

    def _read_of(self, fd: int, start: Start) -> list[tuple[int, Entry]]:
        content = os.pread(fd, BYTES_AT_ONCE, start.offset_of(self._place))
        found: list[tuple[int, Entry]] = []
        begin = self._place
        for entry, end in read_on(content, start.file_id, 0, self._number):
            found.append((self._place, entry))
            self._number += 1
            self._place = begin + end
        return found

    def _skip_to(self, start: Start) -> None:
        """Go on at the beginning of a file when nothing that is kept comes before it.

        Its number may be one that we have passed: after damage execution does not know of all that we have read.
        """
        if self._place <= start.place:
            if (missed := start.number - self._number) > 0:
                self.skipped.append(Skipped(self._number, missed))
            self._number, self._place = start.number, start.place
