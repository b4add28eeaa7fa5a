"""Attach to a running session from any process, also from outside the repository. Read-only.

import shm
session = shm.attach("local")
for tick in session.tickers.follow():
    print(tick["mark_price"][0])
"""

from __future__ import annotations

import os
from typing import Literal

from domain.codes import SegmentKind
from domain.records import DIRECTORY, INSTRUMENT
from shm import layout
from shm.errors import SegmentError, SessionClosedError, SessionNotFoundError
from shm.record import TableReader
from shm.ring import RingReader
from shm.segment import Segment, list_segments, open_segment

DIRECTORY_SEGMENT = "directory"


class Session:
    """A read-only view of everything that a session shares.

    Every segment is an attribute or an item: `session.books`, `session["latency.strategy"]`. Rings give a
    `RingReader` that starts at the newest record, tables a `TableReader`.
    """

    def __init__(self, name: str, uid: int) -> None:
        self.name = name
        self._uid = uid
        self._directory = self._open(DIRECTORY_SEGMENT)
        self._readers: dict[str, RingReader | TableReader] = {}
        self.segments: dict[str, SegmentKind] = self._listed()

    def ring(self, segment: str, start: Literal["newest", "oldest"] | int = "newest") -> RingReader:
        """Return a new reader of a ring, starting at the newest record, the oldest kept, or a position."""
        return RingReader(self._open(self._known(segment, SegmentKind.RING)), start)

    def table(self, segment: str) -> TableReader:
        """Return a new reader of a table."""
        return TableReader(self._open(self._known(segment, SegmentKind.TABLE)))

    @property
    def is_closed(self) -> bool:
        """True once the session has ended."""
        return self._directory.is_closed

    def instrument_names(self) -> list[str]:
        """Return the instruments in row order; empty until the venue has confirmed the first."""
        reader = self.table("instruments")
        is_ready = INSTRUMENT.word("is_ready")
        return [
            reader.latest["name"][0].decode()
            for row in range(reader.rows)
            if reader.load(row) and reader.ints[is_ready]
        ]

    def __getitem__(self, segment: str) -> RingReader | TableReader:
        if segment not in self._readers:
            kind = self.segments.get(segment)
            self._readers[segment] = self.ring(segment) if kind is SegmentKind.RING else self.table(segment)
        return self._readers[segment]

    def __getattr__(self, segment: str) -> RingReader | TableReader:
        if segment.startswith("_") or segment not in self.segments:
            raise AttributeError(f"session {self.name} has no segment `{segment}`: {', '.join(self.segments)}")
        return self[segment]

    def _known(self, segment: str, kind: SegmentKind) -> str:
        if self.segments.get(segment) is not kind:
            names = ", ".join(name for name, of in self.segments.items() if of is kind)
            raise SegmentError(f"session {self.name} has no {kind.name.lower()} `{segment}`; it has {names or 'none'}")
        return segment

    def _open(self, segment: str) -> Segment:
        name = layout.segment_file_name(self.name, segment, self._uid)
        try:
            return open_segment(name)
        except FileNotFoundError:
            if segment == DIRECTORY_SEGMENT:
                raise SessionNotFoundError(_not_found(self.name, self._uid)) from None
            raise SessionClosedError(f"session {self.name} has ended: segment {segment} is gone") from None
        except PermissionError:
            raise SegmentError(
                f"session {self.name} belongs to another user (uid {self._uid}): attach as that user"
            ) from None

    def _listed(self) -> dict[str, SegmentKind]:
        reader = TableReader(self._directory)
        segments = {}
        for row in range(reader.rows):
            if reader.load(row):
                name = reader.latest["segment"][0].decode()
                segments[name] = SegmentKind(int(reader.ints[DIRECTORY.word("kind")]))
        return segments


def attach(session: str, *, uid: int | None = None) -> Session:
    """Attach to the session of that name, read-only.

    Nothing that the reader does, crashing included, unlinks or changes the segments.

    Raises:
        SessionNotFoundError: no such session; the text lists those that run.
        LayoutMismatchError: the session runs another version of this package.
        SegmentError: it belongs to another user.
    """
    return Session(session, os.getuid() if uid is None else uid)


def list_sessions(uid: int | None = None) -> list[str]:
    """Return the names of the sessions of a user (ours by default) whose segments exist."""
    prefix = f"ringmaker.{os.getuid() if uid is None else uid}."
    suffix = f".{DIRECTORY_SEGMENT}"
    names = list_segments(prefix)
    return [name[len(prefix) : -len(suffix)] for name in names if name.endswith(suffix)]


def _not_found(session: str, uid: int) -> str:
    running = list_sessions(uid)
    known = f"running: {', '.join(running)}" if running else "no session is running; start one with `make run`"
    return f"no session named `{session}`: {known}"
