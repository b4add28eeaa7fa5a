"""Which instruments exist: one perpetual, the next quarter's future, their roll, and options on that future."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.instrument import (
    BTC_GRID,
    Instrument,
    future_name,
    make_option,
    make_perpetual,
    make_quarter_future,
    make_roll,
    quarter_end_expiry,
)
from exchange.core.scheduler import NS_PER_S

if TYPE_CHECKING:
    from exchange.core.engine import Engine

STRIKE_STEPS_EACH_WAY = 3
STRIKE_STEP_RATIO = 0.05


@dataclass(frozen=True, slots=True)
class Products:
    rolls: bool = True
    options: bool = True


class Listing:
    """Lists what is missing; called at the start, and after each settlement, when something may have expired."""

    def __init__(self, engine: Engine, base: str, products: Products, start_price: float) -> None:
        self._engine = engine
        self._base = base
        self._products = products
        self._start_price = start_price
        self._listed_options: set[str] = set()

    def refresh(self) -> None:
        now_s = self._engine.scheduler.realtime_ns() / NS_PER_S
        create_time = float(int(now_s))
        perpetual = self._ensure(make_perpetual(self._base, BTC_GRID, create_time))
        expiry = quarter_end_expiry(datetime.datetime.fromtimestamp(now_s, datetime.UTC))
        if future_name(self._base, expiry) in self._engine.markets:
            return
        future = self._ensure(make_quarter_future(self._base, BTC_GRID, create_time))
        if self._products.rolls:
            self._ensure(make_roll(future, perpetual, create_time))
        if self._products.options:
            for strike in self._strikes():
                for is_call in (True, False):
                    self._ensure(make_option(future, strike, is_call=is_call, create_time=create_time))

    def _ensure(self, instrument: Instrument) -> Instrument:
        market = self._engine.markets.get(instrument.name) or self._engine.add_market(instrument)
        return market.instrument

    def _strikes(self) -> list[int]:
        """Return strikes around the index, on round numbers about 5 % apart."""
        index = self._engine.index_prices.get(f"{self._base}USD", Decimal(str(self._start_price)))
        digits = Decimal(1).scaleb(max(0, index.adjusted() - 2))
        step = max(digits, (index * Decimal(str(STRIKE_STEP_RATIO)) / digits).quantize(Decimal(1)) * digits)
        centre = (index / step).quantize(Decimal(1)) * step
        around = range(-STRIKE_STEPS_EACH_WAY, STRIKE_STEPS_EACH_WAY + 1)
        return [int(centre + offset * step) for offset in around if centre + offset * step > 0]
