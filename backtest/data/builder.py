"""Collects messages of price-size pairs and turns them into raw rows at once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain

import numpy as np

from backtest.data.events import ASK, BID, FINAL, RAW, RawEvents

CHUNK_ROWS = 1 << 16
Pairs = Sequence[tuple[float, float]]  # (price, size)
_BOTH = BID | ASK
_COLUMNS = ("count", "flags", "exchange_time_ns", "local_time_ns", "venue_id", "source")


class RowBuilder:
    """Rows of one or more price-size pairs with common flags, times and ids.

    A group added with FINAL gives the flag to its last row alone.
    """

    __slots__ = ("_groups", "_numbers", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._numbers = array("d")
        self._groups = array("q")  # _COLUMNS, one after the other

    def add(self, flags: int, exchange_ns: int, local_ns: int, venue_id: int, source: int, pairs: Pairs) -> None:
        """Add one row for each pair."""
        count = len(pairs)
        if count:
            self._numbers.extend(chain.from_iterable(pairs))
            self._groups.extend((count, flags, exchange_ns, local_ns, venue_id, source))
            self.rows += count

    def add_sides(self, kind: int, stamps: tuple[int, int, int, int], bids: Pairs, asks: Pairs) -> None:
        """Add both sides of one message; its last row is FINAL. `stamps`: exchange, local, venue id, source."""
        self.add(kind | BID | (0 if asks else FINAL), *stamps, bids)
        self.add(kind | ASK | FINAL, *stamps, asks)

    def add_best(
        self, kind: int, exchange_ns: int, local_ns: int, venue_id: int, source: int,
        best: tuple[float, float, float, float],
    ) -> None:  # fmt: skip
        """Add one row of each side; `best`: bid price and size, ask price and size. The ask is FINAL."""
        self._numbers.extend(best)
        self._groups.extend((2, kind | _BOTH | FINAL, exchange_ns, local_ns, venue_id, source))
        self.rows += 2

    def is_full(self) -> bool:
        return self.rows >= CHUNK_ROWS

    def take(self) -> RawEvents:
        """Return what was added, as RAW rows, and begin anew."""
        groups = np.frombuffer(self._groups, np.int64).reshape(-1, len(_COLUMNS))
        counts, flags = groups[:, 0], groups[:, 1]
        rows = np.empty(self.rows, RAW)
        rows["flags"] = np.repeat(flags & ~FINAL, counts)
        last_rows = np.cumsum(counts) - 1
        rows["flags"][last_rows] |= flags & FINAL
        asks = last_rows[flags & _BOTH == _BOTH]  # of add_best: bid, then ask
        rows["flags"][asks] &= ~BID
        rows["flags"][asks - 1] &= ~ASK
        pairs = np.frombuffer(self._numbers, np.float64).reshape(-1, 2)
        rows["price"] = pairs[:, 0]
        rows["size"] = pairs[:, 1]
        for column, name in enumerate(_COLUMNS[2:], 2):
            rows[name] = np.repeat(groups[:, column], counts)
        self.rows = 0
        self._numbers = array("d")
        self._groups = array("q")
        return rows
