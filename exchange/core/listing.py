"""Which instruments exist: one perpetual an underlying, futures, the rolls between them, options on the futures."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.contracts import CONTRACTS, ContractTable
from exchange.core.instrument import (
    Instrument,
    daily_expiry,
    future_name,
    make_future,
    make_option,
    make_perpetual,
    make_roll,
    quarter_end_expiry,
    weekly_expiry,
)
from exchange.core.scheduler import NS_PER_S

if TYPE_CHECKING:
    from exchange.core.engine import Engine

STRIKE_STEPS_EACH_WAY = 3
STRIKE_STEP_RATIOS = ((3, 0.01), (14, 0.02), (100_000, 0.05))  # days to expiry below which a step is that wide

NextExpiry = Callable[[datetime.datetime], datetime.datetime]
NEXT_EXPIRY: dict[str, NextExpiry] = {
    "daily": daily_expiry,
    "weekly": weekly_expiry,
    "quarterly": quarter_end_expiry,
}


@dataclass(frozen=True, slots=True)
class Products:
    """What is listed beside the perpetuals. `expiries` are keys of NEXT_EXPIRY: one future each."""

    rolls: bool = True
    options: bool = True
    expiries: tuple[str, ...] = ("quarterly",)


class Listing:
    """Lists what is missing; called at the start, and after each settlement, when something may have expired.

    `start_prices` gives an underlying's price in USD for the time before it has an index.
    """

    def __init__(self, engine: Engine, products: Products, start_prices: dict[str, float]) -> None:
        self._engine = engine
        self._products = products
        self._start_prices = start_prices

    def refresh(self) -> None:
        for underlying in self._start_prices:
            self._refresh(CONTRACTS[underlying])

    def _refresh(self, table: ContractTable) -> None:
        now = datetime.datetime.fromtimestamp(self._engine.scheduler.realtime_ns() // NS_PER_S, datetime.UTC)
        create_time = now.timestamp()
        perpetual = self._ensure(make_perpetual(table.base, table.grid, create_time))
        near = perpetual
        for expiry in sorted({NEXT_EXPIRY[name](now) for name in self._products.expiries}):
            name = future_name(table.base, expiry)
            is_new = name not in self._engine.markets
            future = self._ensure(make_future(table.base, table.grid, expiry, create_time))
            if self._products.rolls:
                self._ensure(make_roll(future, perpetual, create_time, table.roll_lots_min))
                if near is not perpetual:
                    self._ensure(make_roll(future, near, create_time, table.roll_lots_min))
            if is_new and self._products.options:
                self._list_options(table, future, (expiry - now).days, create_time)
            near = future

    def _list_options(self, table: ContractTable, future: Instrument, days: int, create_time: float) -> None:
        grid = table.option_grid
        for strike in self._strikes(table.underlying, days):
            for is_call in (True, False):
                self._ensure(make_option(future, strike, is_call=is_call, create_time=create_time, grid=grid))

    def _ensure(self, instrument: Instrument) -> Instrument:
        market = self._engine.markets.get(instrument.name) or self._engine.add_market(instrument)
        return market.instrument

    def _strikes(self, underlying: str, days: int) -> list[int]:
        """Return strikes around the index, on round numbers; the nearer the expiry, the closer together."""
        ratio = next(ratio for below, ratio in STRIKE_STEP_RATIOS if days < below)
        index = self._engine.index_prices.get(underlying, Decimal(str(self._start_prices[underlying])))
        digits = Decimal(1).scaleb(max(0, index.adjusted() - 2))
        step = max(digits, (index * Decimal(str(ratio)) / digits).quantize(Decimal(1)) * digits)
        centre = (index / step).quantize(Decimal(1)) * step
        around = range(-STRIKE_STEPS_EACH_WAY, STRIKE_STEPS_EACH_WAY + 1)
        return [int(centre + offset * step) for offset in around if centre + offset * step > 0]
