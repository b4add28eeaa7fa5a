"""What each of the six strategies is told, and what makes sense of it.

Limits are those of the venue's documentation, but for the greatest distance of levels: its own example has
levels five times as far apart.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from exchange.core.instrument import InstrumentType
from exchange.core.market import Market
from exchange.core.order_checks import check_price
from exchange.core.orders import OrderRejected, Reject

END_S_MAX = 8 * 86_400  # a week, and a day for clocks
STEP_LOTS_MAX = 100
GRID_LEVELS = (2, 8)
GRID_TICKS_MIN = 5
SIDE_LEVELS_MAX = 5
LEVEL_TICKS_MIN = 2
PERIOD_S = (1, 3_600)
THRESHOLD_MAX = Decimal("0.3")
TARGET_DELTA_MAX = 10
TARGET_AMOUNT = (Decimal("0.1"), Decimal(1_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class BotTerms:
    """Amounts are in contracts, prices in USD, times in seconds since the epoch."""

    strategy: ClassVar[str]
    instrument_name: str
    end_time: Decimal | None
    max_slippage: Decimal | None = None  # percent of the mark
    label: str | None = None

    def check(self, market: Market) -> None:
        """Raise OrderRejected when the terms make no sense for this market."""
        if self.max_slippage is not None and not 0 < self.max_slippage <= 100:
            raise invalid(f"max_slippage {self.max_slippage} %, expected above 0 and at most 100")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTerms(BotTerms):
    """sgsl: hold one position above a price and another below."""

    strategy = "sgsl"
    signal: str
    entry_price: Decimal
    target_position: Decimal
    exit_price: Decimal
    exit_position: Decimal

    def check(self, market: Market) -> None:
        BotTerms.check(self, market)
        for position in (self.target_position, self.exit_position):
            _lots(market, position, "position")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoterTerms(BotTerms):
    """ocq: one bid and one ask around a signal, within a range of positions."""

    strategy = "ocq"
    signal: str
    bid_offset: Decimal
    ask_offset: Decimal
    quote_size: Decimal
    min_position: Decimal
    max_position: Decimal
    exit_offset: Decimal | None = None
    target_position: Decimal | None = None

    def check(self, market: Market) -> None:
        BotTerms.check(self, market)
        if not self.bid_offset < self.ask_offset:
            raise invalid(f"bid_offset {self.bid_offset} must be below ask_offset {self.ask_offset}")
        if not self.min_position < self.max_position:
            raise invalid(f"min_position {self.min_position} must be below max_position {self.max_position}")
        if self.exit_offset is not None and not self.bid_offset <= self.exit_offset <= self.ask_offset:
            raise invalid(f"exit_offset {self.exit_offset} must lie between bid_offset and ask_offset")
        if self.target_position is not None and not self.min_position <= self.target_position <= self.max_position:
            raise invalid(f"target_position {self.target_position} must lie between min_position and max_position")
        for amount in (self.quote_size, self.min_position, self.max_position, self.target_position or Decimal(0)):
            _lots(market, amount, "amount")
        if self.quote_size <= 0:
            raise invalid(f"quote_size {self.quote_size}, expected above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderTerms(BotTerms):
    """What grid and levels share: a step of size, and exits."""

    step_size: Decimal
    base_position: Decimal
    target_mean_price: Decimal
    upside_exit_price: Decimal | None = None
    downside_exit_price: Decimal | None = None

    def check(self, market: Market) -> None:
        BotTerms.check(self, market)
        for price in (self.upside_exit_price, self.downside_exit_price):
            if price is not None and price <= 0 and not market.instrument.may_be_negative:
                raise invalid(f"exit price {price}, expected above 0")
        lots = _lots(market, self.step_size, "step_size")
        if not market.instrument.order_size_lots_min <= lots <= STEP_LOTS_MAX:
            most = market.instrument.grid.amount(STEP_LOTS_MAX)
            raise invalid(f"step_size {self.step_size}, expected at most {most}")
        _lots(market, self.base_position, "base_position")


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTerms(LadderTerms):
    strategy = "grid"
    grid: tuple[Decimal, ...]

    def check(self, market: Market) -> None:
        LadderTerms.check(self, market)
        if not GRID_LEVELS[0] <= len(self.grid) <= GRID_LEVELS[1]:
            raise invalid(f"{len(self.grid)} levels, expected {GRID_LEVELS[0]} to {GRID_LEVELS[1]}")
        _check_levels(market, self.grid, GRID_TICKS_MIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsTerms(LadderTerms):
    strategy = "levels"
    bids: tuple[Decimal, ...]
    asks: tuple[Decimal, ...]

    def check(self, market: Market) -> None:
        LadderTerms.check(self, market)
        if not self.bids and not self.asks:
            raise invalid("there are neither bids nor asks")
        if max(len(self.bids), len(self.asks)) > SIDE_LEVELS_MAX:
            raise invalid(f"{max(len(self.bids), len(self.asks))} levels of a side, at most {SIDE_LEVELS_MAX}")
        _check_levels(market, self.bids, LEVEL_TICKS_MIN)
        _check_levels(market, self.asks, LEVEL_TICKS_MIN)
        if self.bids and self.asks and max(self.bids) >= min(self.asks):
            raise invalid(f"the best bid {max(self.bids)} must be below the best ask {min(self.asks)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaTerms(BotTerms):
    """What hedger and follower share."""

    period: Decimal
    threshold: Decimal = Decimal(0)
    tolerance: Decimal | None = None

    def check(self, market: Market) -> None:
        BotTerms.check(self, market)
        if self.tolerance is not None and self.tolerance < 0:
            raise invalid(f"tolerance {self.tolerance}, expected at least 0")
        if market.instrument.type is InstrumentType.COMBINATION:
            raise invalid(f"{market.instrument.name} is no outright instrument")
        if not PERIOD_S[0] <= self.period <= PERIOD_S[1]:
            raise invalid(f"period {self.period} s, expected {PERIOD_S[0]} to {PERIOD_S[1]}")
        if not 0 <= self.threshold <= THRESHOLD_MAX:
            raise invalid(f"threshold {self.threshold}, expected 0 to {THRESHOLD_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgerTerms(DeltaTerms):
    strategy = "dhedge"
    position: str | None = None
    target_delta: Decimal = Decimal(0)

    def check(self, market: Market) -> None:
        DeltaTerms.check(self, market)
        if abs(self.target_delta) > TARGET_DELTA_MAX:
            raise invalid(f"target_delta {self.target_delta}, expected -{TARGET_DELTA_MAX} to {TARGET_DELTA_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerTerms(DeltaTerms):
    strategy = "dfollow"
    target_instrument: str
    target_amount: Decimal

    def check(self, market: Market) -> None:
        DeltaTerms.check(self, market)
        if not TARGET_AMOUNT[0] <= abs(self.target_amount) <= TARGET_AMOUNT[1]:
            raise invalid(f"target_amount {self.target_amount}, expected {TARGET_AMOUNT[0]} to {TARGET_AMOUNT[1]}")


def invalid(detail: str) -> OrderRejected:
    return OrderRejected(Reject.INVALID_REQUEST, detail)


def _lots(market: Market, amount: Decimal, what: str) -> int:
    lots = market.instrument.grid.lots(amount)
    if lots is None:
        detail = f"{what} {amount.normalize():f}, expected a multiple of {market.instrument.grid.lot_size}"
        raise OrderRejected(Reject.INVALID_AMOUNT, detail)
    return lots


def _check_levels(market: Market, levels: tuple[Decimal, ...], ticks_min: int) -> None:
    ticks = [check_price(market.instrument, price) for price in sorted(levels)]
    for below, above in itertools.pairwise(ticks):
        if above - below < ticks_min:
            raise invalid(f"levels are {above - below} ticks apart, expected at least {ticks_min}")
