"""Attach to a running session from any process, also from outside the repository. Read-only.

import shm

try:
    for tick in shm.attach("local").tickers.follow():
        print(tick.mark_price)
except shm.Error as error:
    raise SystemExit(str(error))
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from typing import Any

from domain.codes import SegmentKind
from domain.records import DIRECTORY
from shm import layout
from shm.errors import SegmentError, SegmentNotReadyError, SessionClosedError, SessionNotFoundError
from shm.ownership import is_owned
from shm.record import TableReader
from shm.ring import RingReader, Start
from shm.segment import Segment, list_segments, map_fd, open_fd, open_segment

DIRECTORY_SEGMENT = "directory"
START_TIMEOUT_S = 2.0
_LOOK_AGAIN_S = 0.005


class Session:
    """A read-only view of everything that a session shares.

    Every segment is an attribute or an item: `session.books`, `session["latency.strategy"]`. Rings give a
    `RingReader` that starts at the newest record, tables a `TableReader`; asked again, the same one. `ring`
    and `table` give new ones. `dir(session)` and `session.segments` list them.
    """

    def __init__(self, name: str, uid: int, *, is_post_mortem: bool = False) -> None:
        self.name = name
        self._uid = uid
        self._is_post_mortem = is_post_mortem
        self._directory_fd = self._open_directory()
        weakref.finalize(self, os.close, self._directory_fd)
        self._directory, self.segments = self._list_segments()
        self._readers: dict[str, RingReader | TableReader] = {}

    def ring(self, segment: str, start: Start = "newest") -> RingReader:
        """Return a new reader of a ring, starting at the newest record, the oldest kept, or a position.

        Raises:
            SegmentError: there is no such ring; the text lists those that there are.
            SessionClosedError: the session has ended meanwhile.
        """
        return RingReader(self._open(self._known(segment, SegmentKind.RING)), start, is_ended=self._is_ended)

    def table(self, segment: str) -> TableReader:
        """Return a new reader of a table. Errors as for `ring`."""
        return TableReader(self._open(self._known(segment, SegmentKind.TABLE)))

    @property
    def is_closed(self) -> bool:
        """True once the session has ended: its owner said so, or is dead."""
        return self._directory.is_closed or self._is_ended()

    def instrument_names(self) -> list[str]:
        """Return the instruments in row order; empty until the venue has confirmed the first."""
        reader = self.table("instruments")
        rows = (reader.read(row) for row in range(reader.rows))
        return [row.name for row in rows if row is not None]

    def __getitem__(self, segment: str) -> Any:
        if segment not in self._readers:
            kind = self.segments.get(segment)
            self._readers[segment] = self.ring(segment) if kind is SegmentKind.RING else self.table(segment)
        return self._readers[segment]

    def __getattr__(self, segment: str) -> Any:
        if segment.startswith("_") or segment == "segments":
            raise AttributeError(segment)
        if segment not in self.segments:
            raise AttributeError(f"session {self.name} has no segment `{segment}`: {', '.join(self.segments)}")
        return self[segment]

    def __dir__(self) -> Iterator[str]:
        yield from super().__dir__()
        yield from (name for name in self.segments if name.isidentifier())

    def __repr__(self) -> str:
        return f"Session({self.name}: {', '.join(self.segments)})"

    def _is_ended(self) -> bool:
        return not self._is_post_mortem and not is_owned(self._directory_fd)

    def _known(self, segment: str, kind: SegmentKind) -> str:
        if self.segments.get(segment) is not kind:
            names = ", ".join(name for name, of in self.segments.items() if of is kind)
            raise SegmentError(f"session {self.name} has no {kind.name.lower()} `{segment}`; it has {names or 'none'}")
        return segment

    def _open(self, segment: str) -> Segment:
        try:
            return open_segment(layout.segment_file_name(self.name, segment, self._uid))
        except FileNotFoundError:
            raise SessionClosedError(f"session {self.name} has ended: segment {segment} is gone") from None

    def _open_directory(self) -> int:
        try:
            return open_fd(layout.segment_file_name(self.name, DIRECTORY_SEGMENT, self._uid), writable=False)
        except FileNotFoundError:
            raise SessionNotFoundError(_not_found(self.name, self._uid)) from None
        except PermissionError:
            raise SegmentError(
                f"session {self.name} belongs to another user (uid {self._uid}): attach as that user"
            ) from None

    def _list_segments(self) -> tuple[Segment, dict[str, SegmentKind]]:
        """Map the directory and read it, waiting for a session that is just starting."""
        name = layout.segment_file_name(self.name, DIRECTORY_SEGMENT, self._uid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            reason = "it is still starting"
            try:
                directory = map_fd(self._directory_fd, name)
                found = _listed(TableReader(directory))
                if found:
                    if self._is_ended():
                        raise SessionClosedError(
                            f"session {self.name} has ended: its owner died; attach(..., post_mortem=True) reads "
                            "what it left"
                        )
                    return directory, found
            except SegmentNotReadyError as error:
                reason = str(error)
            if time.monotonic() > deadline:
                raise SegmentError(f"session {self.name} is not ready within {START_TIMEOUT_S:g} s: {reason}")
            time.sleep(_LOOK_AGAIN_S)


def attach(session: str = "local", *, uid: int | None = None, post_mortem: bool = False) -> Session:
    """Attach to the session of that name, read-only.

    Nothing that the reader does, crashing included, unlinks, changes or slows the segments.

    Args:
        uid: the user who runs it, you by default.
        post_mortem: read what a session left whose owner was killed; it stays until the next start.

    Raises:
        SessionNotFoundError: no such session; the text lists those that run.
        SessionClosedError: its owner is dead.
        LayoutMismatchError: the session runs another version of this package.
        SegmentError: it belongs to another user, or does not get ready.
    """
    return Session(session, os.getuid() if uid is None else uid, is_post_mortem=post_mortem)


def list_sessions(uid: int | None = None) -> list[str]:
    """Return the names of the running sessions of a user (ours by default)."""
    prefix = f"ringmaker.{os.getuid() if uid is None else uid}."
    suffix = f".{DIRECTORY_SEGMENT}"
    names = [name for name in list_segments(prefix) if name.endswith(suffix)]
    return [name[len(prefix) : -len(suffix)] for name in names if _is_running(name)]


def _is_running(directory: str) -> bool:
    try:
        fd = open_fd(directory, writable=False)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return is_owned(fd)
    finally:
        os.close(fd)


def _listed(reader: TableReader) -> dict[str, SegmentKind]:
    """Return the segments of a directory; none while the last row is not yet written."""
    segments = {}
    for row in range(reader.rows):
        if not reader.load(row):
            return {}
        name = reader.latest["segment"][0].decode()
        segments[name] = SegmentKind(int(reader.ints[DIRECTORY.word("kind")]))
    return segments


def _not_found(session: str, uid: int) -> str:
    running = list_sessions(uid)
    known = f"there are {', '.join(running)}" if running else "none does, start one with `make run`"
    return f"no session named `{session}` is running ({known})"
