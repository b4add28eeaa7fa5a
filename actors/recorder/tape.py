"""One ring on its way to the files of its kind: read, put into hours, appended; what was overtaken is told.

A position moves on only when its record is written. While the disk refuses, records wait in their ring; what the ring
overwrites meanwhile is a gap, like everything else that was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.recorder.disk import DISK_ERRORS
from actors.recorder.part import Part
from runtime.recordings.columns import Recorded, Rows, batch_of, schema_of
from runtime.recordings.files import HOUR_NS, PartName, hour_name
from shm.ring import RingReader

ROWS_AT_ONCE = 4096


class Gap(NamedTuple):
    """Records of a ring that were overwritten before they were read."""

    ring: str
    first_position: int
    records: int


class Tape:
    """The recording of one ring.

    Attributes:
        rows: written by this process.
        lost: records that this process found overwritten.
    """

    def __init__(
        self,
        kind: Recorded,
        ring: str,
        actor: str,
        reader: RingReader,
        folder: Path,
        life: int,
        instruments: Sequence[str],
        on_gap: Callable[[Gap], None],
    ) -> None:
        """Prepare to write into `folder` from the reader's position on.

        Args:
            on_gap: keeps a gap for good, before anything that comes after it is written: a recorder that is killed in
                between finds the same gap again. May raise one of DISK_ERRORS.
            actor: the process that writes the ring.
            life: number of this start of the recorder, part of the files' names.
        """
        self.kind = kind
        self.ring = ring
        self.rows = 0
        self.lost = 0
        self._actor = actor
        self._reader = reader
        self._folder = folder
        self._life = life
        self._instruments = instruments
        self._on_gap = on_gap
        self._schema = schema_of(kind)
        self._part: Part | None = None
        self._hour = 0
        self._ended: list[int] = []  # and not told yet
        self._next = reader.position

    @property
    def behind(self) -> int:
        """Records published and not written yet."""
        return self._reader.head - self._reader.position

    @property
    def hour(self) -> int:
        """The hour that is being written; 0 = none yet."""
        return self._hour if self._part is not None else 0

    def write(self) -> list[int]:
        """Write what has come; return the hours that ended with it, or with an earlier try.

        Raises:
            OSError, sqlite3.DatabaseError: the disk refuses, one of DISK_ERRORS; what was not written comes again.
        """
        while True:
            before = self._reader.position
            rows = self._reader.read(ROWS_AT_ONCE)
            if not len(rows):
                ended, self._ended = self._ended, []
                return ended
            try:
                self._write(rows)
            except DISK_ERRORS:
                self._reader.position = max(before, self._next)
                raise

    def begin_hour(self, hour: int) -> int:
        """Let an hour begin although no record of it has come; return the hour that ended so, 0 when none did."""
        ended = self.close() if hour > self._hour else 0
        self._hour = max(self._hour, hour)
        return ended

    def close(self) -> int:
        """Close the part; return its hour, 0 when there is none."""
        if self._part is None:
            return 0
        self._part.close()
        self._part = None
        return self._hour

    def _write(self, rows: Rows) -> None:
        first = int(rows["sequence"][0]) - 1
        if first > self._next:
            self._on_gap(Gap(self.ring, self._next, first - self._next))
            self.lost += first - self._next
            self._next = first
        hours = rows[self.kind.stamp] // HOUR_NS
        while len(rows):
            hour = max(int(hours[0]), self._hour)  # the wall clock may be set back: files go forward
            later = hours > hour
            count = int(later.argmax()) if later.any() else len(rows)
            if hour > self._hour and (closed := self.close()):
                self._ended.append(closed)
            self._hour = hour
            self._append(rows[:count])
            rows, hours = rows[count:], hours[count:]

    def _append(self, rows: Rows) -> None:
        if self._part is None:
            name = PartName(hour_name(self._hour), self._life, self.ring).file_name
            self._part = Part(self._folder / name, self._schema)
        self._part.append(batch_of(self.kind, rows, self._actor, self._instruments, self._schema))
        self.rows += len(rows)
        self._next += len(rows)
