"""History of index and marks, in minutes: open, high, low, close, and what goes with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from exchange.core.accounts import ZERO
from exchange.core.scheduler import NS_PER_S

MINUTE_S = 60
Top = tuple[int | float | None, ...]  # best bid: price and amount, best ask: price and amount
MINUTES_KEPT_MAX = 7 * 24 * 60
RESOLUTIONS_S = {"1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "1d": 86_400, "1w": 604_800}


@dataclass(slots=True)
class Candle:
    """`extra` is the funding accrued in the time (a perpetual), or the last volatility (an option)."""

    start_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    extra: Decimal = ZERO
    top: Top | None = None  # at the start

    def take(self, price: Decimal) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price


class Candles:
    """One series. `extra_adds` says whether the extra value sums up over minutes or the last one holds."""

    def __init__(self, *, extra_adds: bool = True, minutes_kept_max: int = MINUTES_KEPT_MAX) -> None:
        self._minutes: deque[Candle] = deque(maxlen=minutes_kept_max)
        self._extra_adds = extra_adds

    def add(self, now_ns: int, price: Decimal, extra: Decimal = ZERO, top: Callable[[], Top] | None = None) -> None:
        """Take the second's price; `top` tells the best levels and is asked when a minute begins."""
        start_s = now_ns // NS_PER_S // MINUTE_S * MINUTE_S
        if not self._minutes or self._minutes[-1].start_s != start_s:
            self._minutes.append(Candle(start_s, price, price, price, price, top=top() if top else None))
        candle = self._minutes[-1]
        candle.take(price)
        candle.extra = candle.extra + extra if self._extra_adds else extra

    def begins_before(self, time_s: float) -> bool:
        """Return whether there is anything at all before that time."""
        return bool(self._minutes) and self._minutes[0].start_s < time_s

    def read(self, resolution_s: int, from_s: float, to_s: float) -> list[Candle]:
        """Return the candles that start in [from, to), oldest first."""
        found: list[Candle] = []
        for minute in self._minutes:
            start_s = minute.start_s // resolution_s * resolution_s
            if not from_s <= start_s < to_s:
                continue
            if not found or found[-1].start_s != start_s:
                top = minute.top if resolution_s == MINUTE_S else None
                found.append(Candle(start_s, minute.open, minute.open, minute.open, minute.open, top=top))
            candle = found[-1]
            candle.take(minute.high)
            candle.take(minute.low)
            candle.close = minute.close
            candle.extra = candle.extra + minute.extra if self._extra_adds else minute.extra
        return found
