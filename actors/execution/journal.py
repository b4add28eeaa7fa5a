"""An append-only journal of what was sent and what was filled: JSON lines, written off the order path.

The loop only appends to a list; a thread encodes and writes every so often. Nothing is synced to disk on the loop.
A process that is started again goes on with the file that the one before it left: without its torn last line, and
without a fill that it tells already, for the venue's history tells them all again.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import msgspec

ENTRIES_WAITING_MAX = 100_000
FILL = "FILL"

FillKey = tuple[str, str, int]


class Journal:
    """One file. `note` is cheap; `take` and `write` move what has gathered to the disk.

    Attributes:
        dropped: entries lost because the disk did not take them for too long.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._waiting: list[tuple[Any, ...]] = []
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._filled = self._read_back()
        self.dropped = 0

    def note(self, *entry: Any) -> None:
        """Remember one entry: realtime ns, what happened, and its values."""
        if len(self._waiting) < ENTRIES_WAITING_MAX:
            self._waiting.append(entry)
        else:
            self.dropped += 1

    def note_fill(self, realtime_ns: int, key: FillKey, *values: Any) -> None:
        """Remember a fill (trade_id, venue_order_id, leg_index), unless this or an earlier process has."""
        if key not in self._filled:
            self._filled.add(key)
            self.note(realtime_ns, FILL, *key, *values)

    def take(self) -> list[tuple[Any, ...]]:
        """Return what waits to be written, and wait for more."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def put_back(self, entries: list[tuple[Any, ...]]) -> None:
        """Have entries that could not be written wait again, before those that came since."""
        self._waiting = entries + self._waiting

    def write(self, entries: list[tuple[Any, ...]]) -> None:
        """Append entries to the file, whole lines at once; may run in a thread. OSError when the disk refuses."""
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with self._writing:
            while lines:
                lines = lines[os.write(self._fd, lines) :]

    def _read_back(self) -> set[FillKey]:
        """Cut off a line that was never finished, and return the fills that are told."""
        content = Path(f"/proc/self/fd/{self._fd}").read_bytes()
        whole, newline, torn = content.rpartition(b"\n")
        if torn:
            os.ftruncate(self._fd, len(whole) + len(newline))
        entries = [msgspec.json.decode(line) for line in whole.splitlines() if f'"{FILL}"'.encode() in line]
        return {(entry[2], entry[3], entry[4]) for entry in entries if entry[1] == FILL}

    def close(self) -> None:
        """Write the rest, sync and close, once a thread that still writes is done."""
        try:
            self.write(self.take())
            os.fsync(self._fd)
        finally:
            with self._writing:
                os.close(self._fd)
