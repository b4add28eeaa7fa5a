"""Prices for orders that no wish prices, a flattening's and a hedge's: the touch, the worst acceptable, the mark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from actors.execution.desk import Desk
from actors.execution.ports import Shared
from domain.order import Side
from domain.records import BOOK, LIMITS
from domain.reports import PositionReport
from domain.units import ask_ticks, bid_ticks, nearest_ticks
from shm.errors import RecordBusyError

BPS = 10_000
_MARK = LIMITS.word("mark_price")
_COLLAR_LOW = LIMITS.word("collar_low")
_COLLAR_HIGH = LIMITS.word("collar_high")
_BID, _ASK, _IS_VALID = BOOK.word("bid_price"), BOOK.word("ask_price"), BOOK.word("is_valid")


class Prices:
    """Reads books and limits. `venue_positions` is the venue's last word on each position, by instrument."""

    def __init__(self, shared: Shared, venue_positions: Mapping[str, PositionReport]) -> None:
        self._shared = shared
        self._venue_positions = venue_positions

    def touch_ticks(self, desk: Desk, side: Side) -> int | None:
        """Return the best price of the side that an order of `side` would join; None without a valid book."""
        book = self._shared.book_table
        try:
            if not book.load(desk.row) or not book.ints[_IS_VALID]:
                return None
        except RecordBusyError:
            return None
        price = book.floats[_BID if side is Side.BUY else _ASK]
        return nearest_ticks(price, float(desk.instrument.tick_size)) if price > 0 else None

    def crossing_ticks(self, desk: Desk, side: Side, collar_bps: float) -> int | None:
        """Return the worst price at which an order of `side` would cross; None when there is no mark price."""
        mark = self.mark_price(desk)
        if mark is None:
            return None
        price = float(mark) * (1 + side * collar_bps / BPS)
        low, high = self._collars(desk)
        tick_size = float(desk.instrument.tick_size)
        return ask_ticks(max(price, low), tick_size) if side is Side.SELL else bid_ticks(min(price, high), tick_size)

    def mark_price(self, desk: Desk) -> Decimal | None:
        """Return the newest mark price that risk knows, or else the venue's last word on the position."""
        try:
            if self._shared.limits.load(desk.row):
                mark = self._shared.limits.floats[_MARK]
                if math.isfinite(mark) and mark > 0:
                    return Decimal(repr(mark))
        except RecordBusyError:
            pass
        report = self._venue_positions.get(desk.name)
        return report.mark_price if report is not None and report.mark_price > 0 else None

    def _collars(self, desk: Desk) -> tuple[float, float]:
        try:
            if self._shared.limits.load(desk.row):
                low, high = self._shared.limits.floats[_COLLAR_LOW], self._shared.limits.floats[_COLLAR_HIGH]
                if math.isfinite(low) and math.isfinite(high) and 0 < low < high:
                    return low, high
        except RecordBusyError:
            pass
        return 0.0, math.inf
