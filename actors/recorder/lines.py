"""Follows a file of JSON lines that another process appends to: whole lines, each once, from a place that is kept.

A file that goes on in a new one (runtime/continued.py) is followed there: an offset is one in the whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from runtime.continued import HEADING, read_on

BYTES_AT_ONCE = 1 << 20


class Line(NamedTuple):
    """A line: the byte at which it begins, and what it says; None when it is no JSON."""

    offset: int
    content: Any


class Skipped(NamedTuple):
    """Bytes of the whole that were gone before they were read."""

    offset: int
    size_bytes: int


class Follower:
    """Reads what is new in a file. The caller keeps `offset` with what it made of the lines.

    Attributes:
        offset: byte after the last line returned.
        skipped: what was passed over; the caller clears it.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.skipped: list[Skipped] = []

    def read(self) -> list[Line]:
        """Return the whole lines after `offset`, at most a megabyte of them; a line without its end waits."""
        lines: list[Line] = []
        place, content = read_on(self.path, self.offset, BYTES_AT_ONCE)
        if place > self.offset:
            self.skipped.append(Skipped(self.offset, place - self.offset))
        self.offset = place
        for raw in content.splitlines(keepends=True):
            if not raw.endswith(b"\n"):
                break
            if not raw.startswith(HEADING):
                lines.append(Line(self.offset, _decoded(raw)))
            self.offset += len(raw)
        return lines


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
