"""The sight of one instrument on the segments of a session; its kernels, in sight.py, know addresses alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shm import layout
from shm.record import TableReader
from shm.ring import RingReader
from trading.quoting.sight import SIGHT, blind
from trading.words import WORD_BYTES

_BOOK_POSITION, _EVENT_POSITION = (
    int(SIGHT.fields[name][1]) // WORD_BYTES  # type: ignore[index]
    for name in ("book_position", "event_position")
)


class Segments(NamedTuple):
    """What a sight is of."""

    feed: TableReader
    accounts: TableReader
    limits: TableReader
    tickers: TableReader
    instruments: TableReader
    books: RingReader
    order_events: RingReader


class Sight:
    """One instrument's view of the session, from the newest records on.

    Attributes:
        record: the SIGHT record, shape (1,).
    """

    def __init__(self, row: int, segments: Segments) -> None:
        self.record = blind()
        self._fields = self.record[0]
        self._ints = self.record.view(np.uint8).data.cast("q")
        self._segments = segments  # they must stay mapped
        self._fields["instrument"] = row
        self._fields["feed"] = segments.feed.row_address(0)
        for field, table in (
            ("account", segments.accounts),
            ("limits", segments.limits),
            ("ticker", segments.tickers),
            ("definition", segments.instruments),
        ):
            self._fields[field] = table.row_address(row)
        for field, ring in (("books", segments.books), ("events", segments.order_events)):
            self._fields[f"{field}_head"] = ring.address + layout.WORD_HEAD * WORD_BYTES
            self._fields[field] = ring.address + layout.HEADER_BYTES
            self._fields[f"{field}_mask"] = ring.capacity - 1
        self._fields["event_position"] = segments.order_events.head
        self.skip_books()

    @property
    def has_news(self) -> bool:
        """Whether a book or an order event of whatever instrument is there that was not looked at yet."""
        segments, ints = self._segments, self._ints
        return segments.books.head != ints[_BOOK_POSITION] or segments.order_events.head != ints[_EVENT_POSITION]

    @property
    def lost(self) -> tuple[int, int]:
        """Books and order events that were overwritten before they were read."""
        return int(self._fields["books_lost"]), int(self._fields["events_lost"])

    @property
    def books_taken(self) -> int:
        """Books of the instrument so far."""
        return int(self._fields["books_taken"])

    def skip_books(self) -> int:
        """Take no book that is there already; return the position of the newest of any instrument, 0 without one."""
        head = self._segments.books.head
        self._fields["book_position"] = head
        return max(head - 1, 0)
