"""The market without us: takes our own orders out of a recorded book.

The venue's book holds our orders; a replay of them against it would have them stand behind themselves. At every book
message the lots that we had working at a price, by the exchange's own clock, are taken off the level. A level where
ours changed but the whole did not is told anew. Trades stay: those that filled us are the takers that a replay needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile
from backtest.data.events import ASK, BID, CLEAR, EVENT, EVERY_PRICE, FINAL, KIND_MASK, LEVEL, SNAPSHOT_LEVEL, Events
from domain.codes import OrderEventKind

_ROWS_AT_ONCE = 1 << 18
_Level = tuple[int, int]  # side flag, ticks
_SIDES = {1: BID, -1: ASK}


def without_own(file: EventFile, answers: npt.NDArray[np.void]) -> Iterator[Events]:
    """Yield the rows of a recording without our orders in its book, block by block.

    Args:
        answers: ANSWER rows by exchange time.

    """
    own = _OwnLots(answers)
    totals: dict[_Level, int] = {}
    out: list[tuple[int, ...]] = []
    begun = 0  # where the message in hand begins in `out`
    for rows in file.blocks(_ROWS_AT_ONCE):
        for row in rows.tolist():
            kind, side, ticks = row[2] & KIND_MASK, row[2] & (BID | ASK), row[3]
            if kind in (LEVEL, SNAPSHOT_LEVEL):
                touched = own.at(row[0])
                totals[side, ticks] = row[4]
                touched.discard((side, ticks))
                out.append((*row[:4], max(0, row[4] - own.lots.get((side, ticks), 0)), row[5]))
            elif kind == CLEAR:
                _clear(totals, side, ticks)
                out.append(row)
            else:
                out.append(row)
            if row[2] & FINAL and kind in (LEVEL, SNAPSHOT_LEVEL, CLEAR):
                out[begun:] = _with_changed(out[begun:], own, totals)
            if row[2] & FINAL:
                begun = len(out)
        if begun:
            yield np.array(out[:begun], EVENT)
            out, begun = out[begun:], 0
    if out:
        yield np.array(out, EVENT)


def _with_changed(
    message: list[tuple[int, ...]], own: _OwnLots, totals: dict[_Level, int]
) -> list[tuple[int, ...]]:  # fmt: skip
    """Return a message with a row for every level where only our part of it changed."""
    last = message[-1]
    flags = (last[2] & ~(KIND_MASK | BID | ASK | FINAL)) | LEVEL
    told = {(row[2] & (BID | ASK), row[3]) for row in message}
    extra = [
        (last[0], last[1], flags | side, ticks, max(0, totals[side, ticks] - own.lots.get((side, ticks), 0)), last[5])
        for side, ticks in sorted(own.at(last[0]) - told)
        if (side, ticks) in totals
    ]
    own.touched.clear()
    return [*message[:-1], *extra, last]


def _clear(totals: dict[_Level, int], side: int, ticks: int) -> None:
    for level in list(totals):
        is_side = level[0] & side
        is_gone = ticks == EVERY_PRICE or (level[1] >= ticks if level[0] == BID else level[1] <= ticks)
        if is_side and is_gone:
            del totals[level]


class _OwnLots:
    """What we had working at each level, as the exchange's clock goes on.

    Attributes:
        lots: by level, none of them 0.
        touched: levels where it changed since they were last told.
    """

    def __init__(self, answers: npt.NDArray[np.void]) -> None:
        names = ("exchange_time_ns", "kind", "order_id", "side", "price_ticks", "remaining_lots")
        self._answers = list(zip(*(answers[name].tolist() for name in names), strict=True))
        self._next = 0
        self._orders: dict[int, tuple[_Level, int]] = {}
        self.lots: dict[_Level, int] = {}
        self.touched: set[_Level] = set()

    def at(self, time_ns: int) -> set[_Level]:
        """Go on to a time; returns `touched`."""
        while self._next < len(self._answers) and self._answers[self._next][0] <= time_ns:
            _, kind, order_id, side, ticks, remaining = self._answers[self._next]
            self._next += 1
            if kind in (OrderEventKind.ACCEPTED, OrderEventKind.AMENDED):
                self._set(order_id, (_SIDES[side], ticks), remaining)
            elif order_id in self._orders and (kind != OrderEventKind.REJECTED or remaining == 0):
                level, _ = self._orders[order_id]
                self._set(order_id, level, remaining if kind == OrderEventKind.FILLED else 0)
        return self.touched

    def _set(self, order_id: int, level: _Level, lots: int) -> None:
        before = self._orders.pop(order_id, None)
        if before is not None:
            self._add(before[0], -before[1])
        if lots > 0:
            self._orders[order_id] = level, lots
            self._add(level, lots)

    def _add(self, level: _Level, lots: int) -> None:
        self.touched.add(level)
        left = self.lots.pop(level, 0) + lots
        if left:
            self.lots[level] = left
