"""Index, mark price, collar and funding of one instrument, once a second.

Mark: index + a 30-second exponential average (weight 2/31 a second) of the premium, which is the clamped
mid of a fixed depth minus the index; without enough depth the premium of that second is 0.
Funding: p = (mark - index) / index, dampened by 2.5 bp, is the rate for 8 hours; it accrues every second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.core.book import Book, BookSide
from exchange.core.instrument import Instrument, InstrumentType

PRICE_STEP = Decimal("0.01")
RATE_STEP = Decimal("0.0000000001")
FUNDING_STEP = Decimal("0.00000001")
FUNDING_INTERVAL_S = 8 * 3600
MINUTE_NS = 60 * 1_000_000_000
MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class MarkParameters:
    depth_amount: Decimal = Decimal(1)
    ema_weight: float = 2 / 31
    premium_ratio_max: float = 0.005
    funding_dampener: Decimal = Decimal("0.00025")
    collar_ratio: Decimal = Decimal("0.01")
    option_collar_ratio: Decimal = Decimal("0.25")
    vol: float = 0.5
    vol_smile: float = 0.2


class FundingDay:
    """Funding of the last 24 hours, in minutes: what accrued for one long contract, and the average rate."""

    def __init__(self) -> None:
        self.accrued = Decimal(0)
        self._rate_sum = Decimal(0)
        self._updates = 0
        self._minutes: deque[list[Any]] = deque()  # minute, accrued, sum of rates, updates

    @property
    def average_rate(self) -> Decimal:
        return (self._rate_sum / self._updates).quantize(RATE_STEP) if self._updates else Decimal(0)

    def add(self, now_ns: int, accrued: Decimal, rate: Decimal) -> None:
        minute = now_ns // MINUTE_NS
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, Decimal(0), Decimal(0), 0])
        while self._minutes[0][0] <= minute - MINUTES_PER_DAY:
            _, old_accrued, old_rate_sum, old_updates = self._minutes.popleft()
            self._count(-old_accrued, -old_rate_sum, -old_updates)
        current = self._minutes[-1]
        current[1] += accrued
        current[2] += rate
        current[3] += 1
        self._count(accrued, rate, 1)

    def _count(self, accrued: Decimal, rate: Decimal, updates: int) -> None:
        self.accrued += accrued
        self._rate_sum += rate
        self._updates += updates


class Mark:
    """The venue's own prices of an instrument. `index_price` and `mark_price` are 0 until the first update."""

    def __init__(self, instrument: Instrument, parameters: MarkParameters) -> None:
        self.instrument = instrument
        self.parameters = parameters
        self.index_price = Decimal(0)
        self.mark_price = Decimal(0)
        self.mark_time_ns = 0
        self.funding_rate = Decimal(0)
        self.forced_rate: Decimal | None = None  # set by hand: it stands whatever the premium is
        self.funding_mark = Decimal(0)
        self.collar_low_ticks = 0
        self.collar_high_ticks = 0
        self.funding_day = FundingDay()
        self.accrued = Decimal(0)
        self._premium: float | None = None

    def update(self, book: Book, index_price: Decimal, elapsed_s: float, now_ns: int) -> None:
        """Take the second's index and book; `elapsed_s` is the market time since the last update."""
        self.index_price = index_price.quantize(PRICE_STEP)
        premium = self._book_premium(book)
        if self._premium is None:
            self._premium = premium
        self._premium += self.parameters.ema_weight * (premium - self._premium)
        mark = self.index_price + Decimal(self._premium).quantize(PRICE_STEP)
        self._set_mark(mark, now_ns)
        if self.instrument.type is InstrumentType.PERPETUAL:
            self._accrue(elapsed_s)

    def settle(self) -> None:
        self.funding_mark = Decimal(0)

    def history_extra(self) -> Decimal:
        """Return what the history keeps beside the price: for a perpetual, the funding of the last update."""
        return self.accrued

    def scenario_change(self, spot_ratio: float, vol_change: float) -> Decimal:
        """Return how far the price would move if the spot moved by `spot_ratio` and volatility by `vol_change`."""
        return self.index_price * Decimal(str(spot_ratio))

    def shift(self, change: Decimal, now_ns: int) -> None:
        """Move index and mark at once, as a jump of the whole market does."""
        self.index_price += change
        self._set_mark(self.mark_price + change, now_ns)

    @property
    def forward(self) -> Decimal:
        return self.mark_price

    @property
    def delta(self) -> float:
        return 1.0

    def _collar_width(self, mark: Decimal) -> Decimal:
        return mark * self.parameters.collar_ratio

    def _set_mark(self, mark: Decimal, now_ns: int) -> None:
        grid, width = self.instrument.grid, self._collar_width(mark)
        self.mark_price = mark
        self.mark_time_ns = now_ns
        self.collar_low_ticks = grid.ticks_ceil(mark - width)
        self.collar_high_ticks = grid.ticks_floor(mark + width)

    def _book_premium(self, book: Book) -> float:
        bid, ask = self._depth_price(book.bids), self._depth_price(book.asks)
        if bid is None or ask is None:
            return 0.0
        index = float(self.index_price)
        bound = self.parameters.premium_ratio_max * index
        return max(-bound, min(bound, (bid + ask) / 2 - index))

    def _depth_price(self, side: BookSide) -> float | None:
        """Return the average price of trading the fixed depth against `side`, or None when it is too thin."""
        grid = self.instrument.grid
        wanted = max(1, int(self.parameters.depth_amount / grid.lot_size))
        if side.total_lots < wanted:
            return None
        left, cost_ticks = wanted, 0
        for price_ticks, lots in side.walk():
            taken = min(left, lots)
            cost_ticks += taken * price_ticks
            left -= taken
            if not left:
                break
        return cost_ticks / wanted * float(grid.tick_size)

    def _accrue(self, elapsed_s: float) -> None:
        premium = (self.mark_price - self.index_price) / self.index_price
        dampener = self.parameters.funding_dampener
        rate = Decimal(0)
        if self.forced_rate is not None:
            rate = self.forced_rate
        elif premium > dampener:
            rate = premium - dampener
        elif premium < -dampener:
            rate = premium + dampener
        self.funding_rate = rate.quantize(RATE_STEP)
        accrued = -self.funding_rate * self.index_price * Decimal(elapsed_s) / FUNDING_INTERVAL_S
        accrued = accrued.quantize(FUNDING_STEP)
        self.accrued = accrued
        self.funding_mark += accrued
        self.funding_day.add(self.mark_time_ns, accrued, self.funding_rate)
