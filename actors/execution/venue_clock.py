"""The venue's time, where only that will do: ours may be an hour off."""

from __future__ import annotations

from domain.clock import CLOCKS_AGREE_NS, Clock
from domain.records import BOOK
from shm.errors import RecordBusyError
from shm.record import TableReader

_EXCHANGE_TIME, _RECEIVE_REALTIME = BOOK.word("exchange_time_ns"), BOOK.word("receive_realtime_ns")


class VenueClock:
    """Reads the stamps of the books.

    Args:
        rows: how many instruments there are.
    """

    def __init__(self, clock: Clock, books: TableReader, rows: int) -> None:
        self._clock = clock
        self._books = books
        self._rows = range(rows)

    def realtime_ns(self) -> int:
        """Return the venue's time, Unix ns: ours, unless its newest stamps say that ours is wrong."""
        found = [ahead_ns for row in self._rows if (ahead_ns := self._ahead_ns(row)) is not None]
        ahead_ns = max(found, default=0)
        return self._clock.realtime_ns() + (ahead_ns if abs(ahead_ns) > CLOCKS_AGREE_NS else 0)

    def _ahead_ns(self, row: int) -> int | None:
        try:
            if not self._books.load(row) or not self._books.ints[_EXCHANGE_TIME]:
                return None
        except RecordBusyError:
            return None
        return int(self._books.ints[_EXCHANGE_TIME] - self._books.ints[_RECEIVE_REALTIME])
