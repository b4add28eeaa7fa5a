"""Trade statistics of the last 24 hours, in buckets of one minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from exchange.core.instrument import Instrument

BUCKET_NS = 60 * 1_000_000_000
BUCKETS_MAX = 24 * 60


@dataclass(slots=True)
class Bucket:
    minute: int
    first_ticks: int
    low_ticks: int
    high_ticks: int
    lots: int = 0
    value: Decimal = Decimal(0)


class TradeStatistics:
    """Volume, value, low, high and change; ticks and lots, None where nothing has traded."""

    def __init__(self) -> None:
        self.last_ticks: int | None = None
        self.low_ticks: int | None = None
        self.high_ticks: int | None = None
        self.volume_lots = 0
        self.value = Decimal(0)
        self._buckets: deque[Bucket] = deque()

    def add(self, instrument: Instrument, price_ticks: int, lots: int, now_ns: int) -> None:
        minute = now_ns // BUCKET_NS
        if not self._buckets or self._buckets[-1].minute != minute:
            self._buckets.append(Bucket(minute, price_ticks, price_ticks, price_ticks))
            self._forget_before(minute - BUCKETS_MAX)
        bucket = self._buckets[-1]
        value = instrument.grid.price(price_ticks) * instrument.grid.amount(lots)
        bucket.low_ticks = min(bucket.low_ticks, price_ticks)
        bucket.high_ticks = max(bucket.high_ticks, price_ticks)
        bucket.lots += lots
        bucket.value += value
        self.last_ticks = price_ticks
        self.volume_lots += lots
        self.value += value
        self.low_ticks = price_ticks if self.low_ticks is None else min(self.low_ticks, price_ticks)
        self.high_ticks = price_ticks if self.high_ticks is None else max(self.high_ticks, price_ticks)

    @property
    def change_ticks(self) -> int | None:
        """Last price minus the first of the window."""
        return None if self.last_ticks is None else self.last_ticks - self._buckets[0].first_ticks

    def _forget_before(self, minute: int) -> None:
        if self._buckets[0].minute > minute:
            return
        while self._buckets[0].minute <= minute:
            old = self._buckets.popleft()
            self.volume_lots -= old.lots
            self.value -= old.value
        self.low_ticks = min(bucket.low_ticks for bucket in self._buckets)
        self.high_ticks = max(bucket.high_ticks for bucket in self._buckets)
