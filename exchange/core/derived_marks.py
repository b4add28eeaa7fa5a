"""Marks that follow others: an option from its future, a roll from its legs."""

from __future__ import annotations

import math
from decimal import Decimal

from exchange.core import black76
from exchange.core.book import Book
from exchange.core.instrument import Instrument
from exchange.core.marks import PRICE_STEP, Mark, MarkParameters
from exchange.core.scheduler import NS_PER_S

VOL_MIN = 0.05


class OptionMark(Mark):
    """Black-76 on the mark of the future that expires with the option; volatility by a fixed smile."""

    def __init__(self, instrument: Instrument, parameters: MarkParameters, future: Mark) -> None:
        super().__init__(instrument, parameters)
        self._future = future
        self.vol = parameters.vol
        self._years = 0.0

    @property
    def forward(self) -> Decimal:
        return self._future.mark_price

    @property
    def delta(self) -> float:
        return black76.delta(*self._terms(), is_call=self.instrument.is_call)

    def history_extra(self) -> Decimal:
        return Decimal(str(round(self.vol, 6)))

    def update(self, book: Book, index_price: Decimal, elapsed_s: float, now_ns: int) -> None:
        self.index_price = index_price.quantize(PRICE_STEP)
        assert self.instrument.expiry_time is not None
        self._years = max(0.0, self.instrument.expiry_time - now_ns / NS_PER_S) / black76.SECONDS_PER_YEAR
        forward, strike, _, _ = self._terms()
        self.vol = self.parameters.vol + self.parameters.vol_smile * math.log(strike / forward) ** 2
        value = black76.value(*self._terms(), is_call=self.instrument.is_call)
        self._set_mark(Decimal(value).quantize(PRICE_STEP), now_ns)

    def shift(self, change: Decimal, now_ns: int) -> None:
        """Follow a jump of the market; the future has jumped already."""
        self.update(Book(), self.index_price + change, 0.0, now_ns)

    def scenario_change(self, spot_ratio: float, vol_change: float) -> Decimal:
        forward, strike, vol, years = self._terms()
        moved = forward * (1 + spot_ratio), strike, max(VOL_MIN, vol + vol_change), years
        is_call = self.instrument.is_call
        now = black76.value(forward, strike, vol, years, is_call=is_call)
        return Decimal(black76.value(*moved, is_call=is_call) - now).quantize(PRICE_STEP)

    def _collar_width(self, mark: Decimal) -> Decimal:
        return max(mark * self.parameters.option_collar_ratio, 10 * self.instrument.grid.tick_size)

    def _terms(self) -> tuple[float, float, float, float]:
        assert self.instrument.strike_price is not None
        return float(self._future.mark_price), float(self.instrument.strike_price), self.vol, self._years


class RollMark(Mark):
    """The far leg's mark less the near one's; the collar is as wide as that of a leg."""

    def __init__(self, instrument: Instrument, parameters: MarkParameters, far: Mark, near: Mark) -> None:
        super().__init__(instrument, parameters)
        self.far = far
        self.near = near

    def update(self, book: Book, index_price: Decimal, elapsed_s: float, now_ns: int) -> None:
        self.index_price = index_price.quantize(PRICE_STEP)
        self._set_mark(self.far.mark_price - self.near.mark_price, now_ns)

    def shift(self, change: Decimal, now_ns: int) -> None:
        """Follow a jump, which moves both legs alike."""
        self.index_price += change
        self._set_mark(self.mark_price, now_ns)

    def _collar_width(self, mark: Decimal) -> Decimal:
        return self.index_price * self.parameters.collar_ratio
