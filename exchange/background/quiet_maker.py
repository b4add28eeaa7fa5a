"""A quiet market: one maker with a bid and an ask around the mark, for options and rolls."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from exchange.core.market import Market
from exchange.core.orders import OPPOSITE, SIGN, Order, Side

REFRESH_S_MEAN = 5.0
RETRY_S = 0.2
SPREAD_RATIO = Decimal("0.01")
TICKS_MIN = 2
LOTS_MEAN = 20.0
TAKE_RATIO = 0.05


class QuietMaker:
    """Refreshes both sides now and then; rarely, somebody takes a part. The same face as a `Flow`."""

    def __init__(self, market: Market, rng: np.random.Generator) -> None:
        self.market = market
        self.running = True
        self._rng = rng
        self._orders: dict[Side, Order] = {}

    def open_market(self) -> None:
        """Nothing yet: the maker quotes around a mark, which comes with the first second."""

    def step(self) -> float:
        """Act once; return the seconds of market time until the next step."""
        if not self.running or not self.market.mark.mark_time_ns:
            return RETRY_S
        for side in Side:
            self._refresh(side)
        if self._rng.random() < TAKE_RATIO:
            self._take(Side.BUY if self._rng.random() < 0.5 else Side.SELL)
        return float(self._rng.exponential(REFRESH_S_MEAN))

    def _refresh(self, side: Side) -> None:
        old = self._orders.pop(side, None)
        if old is not None:
            self.market.cancel_anonymous(old)
        instrument, mark = self.market.instrument, self.market.mark.mark_price
        half_ticks = max(TICKS_MIN, int(abs(mark) * SPREAD_RATIO / instrument.grid.tick_size))
        sign = SIGN[side]
        middle = instrument.grid.ticks_floor(mark) if sign > 0 else instrument.grid.ticks_ceil(mark)
        price_ticks = middle - sign * half_ticks
        best = self.market.book.side(OPPOSITE[side]).best_ticks()
        if best is not None:
            price_ticks = sign * min(sign * price_ticks, sign * best - 1)
        if price_ticks <= 0 and not instrument.may_be_negative:
            return
        lots = instrument.order_size_lots_min + int(self._rng.exponential(LOTS_MEAN))
        order = self.market.rest_anonymous(side, price_ticks, lots)
        if order is not None:
            self._orders[side] = order

    def _take(self, side: Side) -> None:
        level = self.market.book.side(OPPOSITE[side]).best_level()
        if level is not None:
            self.market.take_anonymous(side, max(1, level.total_lots // 4), level.price_ticks)
