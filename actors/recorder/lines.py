"""Follows a file of JSON lines that another process appends to: whole lines, each once, from a place that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

BYTES_AT_ONCE = 1 << 20


class Line(NamedTuple):
    """A line: the byte at which it begins, and what it says; None when it is no JSON."""

    offset: int
    content: Any


class Follower:
    """Reads what is new in a file. The caller keeps `offset` with what it made of the lines.

    Attributes:
        offset: byte after the last line returned.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def read(self) -> list[Line]:
        """Return the whole lines after `offset`, at most a megabyte of them; a line without its end waits."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                content = file.read(BYTES_AT_ONCE)
        except FileNotFoundError:
            return []
        lines: list[Line] = []
        for raw in content.splitlines(keepends=True):
            if not raw.endswith(b"\n"):
                break
            lines.append(Line(self.offset, _decoded(raw)))
            self.offset += len(raw)
        return lines


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
