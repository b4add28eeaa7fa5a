"""The account as the venue shows it: instruments, positions, marks, margin, and what the market says of their risk.

Facts only; trading/risk/monitor.py concludes from them. The venue is right about the position; execution's own
count is only compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from domain.grid import IN_FORCE, Grid, Off, off_of
from domain.instrument import Instrument
from domain.reports import PositionReport
from trading.risk.holding import Holding
from trading.risk.margin import UNKNOWN_MARGIN, AccountMargin
from trading.risk.margin_rate import LearnedRate

ZERO = Decimal(0)


class Working(NamedTuple):
    """Remaining size of all working orders of an instrument, base units."""

    bought: Decimal = ZERO
    sold: Decimal = ZERO


NO_ORDERS: Mapping[str, Working] = MappingProxyType({})


class AccountView:
    """What risk knows of the account now.

    Attributes:
        names: the session's instruments by row.
        margin: the venue's last word on margin.
        are_positions_known: a snapshot of the positions has come.
        has_unreadable: of instruments that are not ours, something may be held that nobody can read.
    """

    def __init__(self, instrument_names: Sequence[str]) -> None:
        self.names = tuple(instrument_names)
        self.margin: AccountMargin = UNKNOWN_MARGIN
        self.are_positions_known = False
        self.has_unreadable = False
        self._rows = {name: row for row, name in enumerate(instrument_names)}
        self._instruments: dict[str, Instrument] = {}
        self._listed: dict[str, Instrument] | None = None
        self._session_grids: dict[int, tuple[Grid, Off]] = {}
        self._positions: dict[str, PositionReport] = {}
        self._marks: dict[str, float] = {}
        self._margin_marks: dict[str, float] = {}
        self._margin_rate = LearnedRate()
        self._last_prices: dict[str, float] = {}
        self._sigmas: dict[str, float] = {}
        self._correlations: dict[tuple[str, str], float] = {}

    # ---- what is seen --------------------------------------------------------------------------------

    def on_instruments(self, instruments: dict[str, Instrument]) -> None:
        """Take over what the venue lists now; of ours the first definition stays, for all count in its lots."""
        self._listed = instruments
        kept = {name: self._instruments[name] for name in self.names if name in self._instruments}
        self._instruments = {**instruments, **kept}

    def on_session_grid(self, row: int, grid: Grid, told: Off) -> None:
        """Take over what the instruments table says: the session's grid, and whether market_data switched it off."""
        self._session_grids[row] = (grid, told)

    def on_positions(self, reports: Iterable[PositionReport], is_snapshot: bool) -> None:
        """Take over the venue's holdings; what a snapshot leaves out is flat."""
        if is_snapshot:
            self._positions.clear()
            self.are_positions_known = True
        for report in reports:
            self._positions[report.instrument_name] = report
            if report.instrument_name not in self._rows:  # held in the account, not ours to quote
                self._marks[report.instrument_name] = float(report.mark_price) if report.is_marked else math.nan

    def on_margin(
        self,
        margin: float,
        required_margin: float,
        working: Mapping[str, Working] | None = NO_ORDERS,
        of_others: Mapping[str, Working] = NO_ORDERS,
    ) -> None:
        """Take over the venue's word on margin, quote currency, which is of the marks, positions and orders of now.

        Args:
            working: all open orders of the account; None when they are not known.
            of_others: those among them that are not ours.
        """
        ordered = self._addable_notional(working) if working is not None else math.nan
        foreign = self._addable_notional(of_others)
        self.margin = AccountMargin(margin, required_margin, self.gross_notional, ordered, foreign)
        self._margin_marks = dict(self._marks)
        self._margin_rate.learn(self.margin.shown_rate)

    def on_mark(self, row: int, mark_price: float) -> None:
        """Take over a mark price; what is not finite and positive makes it unknown."""
        is_price = math.isfinite(mark_price) and mark_price > 0.0
        self._marks[self.names[row]] = mark_price if is_price else math.nan

    def on_last_price(self, row: int, price: float) -> None:
        """Take over the price of the last public trade; what is not positive makes it unknown."""
        self._last_prices[self.names[row]] = price if math.isfinite(price) and price > 0.0 else math.nan

    def on_sigma(self, row: int, sigma_usd_per_sqrt_s: float) -> None:
        """Take over how much an instrument moves, quote currency per √s; what is not positive makes it unknown."""
        is_sigma = math.isfinite(sigma_usd_per_sqrt_s) and sigma_usd_per_sqrt_s > 0.0
        self._sigmas[self.names[row]] = sigma_usd_per_sqrt_s if is_sigma else math.nan

    def on_correlation(self, row: int, other_row: int, correlation: float) -> None:
        """Take over a measured correlation of returns; what is not within [-1, 1] makes it unknown."""
        pair = (self.names[row], self.names[other_row])
        if -1.0 <= correlation <= 1.0:
            self._correlations[pair] = self._correlations[pair[1], pair[0]] = correlation
        else:
            self._correlations.pop(pair, None)
            self._correlations.pop((pair[1], pair[0]), None)

    # ---- what is known -------------------------------------------------------------------------------

    @property
    def positions(self) -> Mapping[str, PositionReport]:
        """Holdings as the venue told them; an instrument that is missing is flat."""
        return self._positions

    @property
    def marks(self) -> dict[str, float]:
        """Mark prices known, quote currency."""
        return {name: mark for name, mark in self._marks.items() if math.isfinite(mark)}

    def mark(self, name: str) -> float:
        """Return an instrument's mark price, quote currency; NaN when unknown."""
        return self._marks.get(name, math.nan)

    def mark_at_margin(self, name: str) -> float:
        """Return the mark price, quote currency, at which the margin was told; NaN when it was unknown."""
        return self._margin_marks.get(name, math.nan)

    def holding(self, row: int) -> Holding:
        name = self.names[row]
        report = self._positions.get(name)
        position = report.position if report else ZERO
        known = position if self.are_positions_known else None
        return Holding(row, self._instruments.get(name), known, self.mark(name), self._last_prices.get(name, math.nan))

    def held_base(self, name: str) -> float:
        """Return a signed position in base units; 0 when flat or unknown."""
        report = self._positions.get(name)
        return float(report.position * self.multiplier(name)) if report else 0.0

    @property
    def notionals(self) -> dict[str, float]:
        """Signed position × mark of everything held, quote currency; NaN where the mark is unknown. What `unvalued`
        tells is not among it."""
        unvalued = self._unmarked
        return {
            name: self.held_base(name) * self.mark(name)
            for name, report in self._positions.items()
            if report.position and name not in unvalued
        }

    @property
    def unvalued(self) -> str:
        """What is held, in instruments that are not ours, and cannot be valued; empty when all can.

        What is held in all is more than the notionals say. No cause to halt: nobody here makes it more.
        """
        found = [f"{name}, whose mark the venue does not tell" for name in self._unmarked]
        return " and ".join([*found, "what nobody can read"] if self.has_unreadable else found)

    @property
    def _unmarked(self) -> list[str]:
        return [
            name
            for name, report in self._positions.items()
            if report.position and not report.is_marked and name not in self._rows
        ]

    @property
    def gross_notional(self) -> float:
        """Sum of |position| × mark over the account, quote currency; NaN when part of it is unknown."""
        return math.fsum(map(abs, self.notionals.values())) if self.are_positions_known else math.nan

    @property
    def net_notional(self) -> float:
        """The same, signed."""
        return math.fsum(self.notionals.values()) if self.are_positions_known else math.nan

    def margin_rate(self, rate_min: float) -> float:
        """Return what part of its notional new exposure needs as margin: what the venue asked for last, if it is more
        than `rate_min`. What it asked stays known for a while after nothing is held or out (margin_rate.py)."""
        return self._margin_rate.at_least(rate_min)

    def sigma_fraction(self, name: str) -> float:
        """Return how much an instrument moves as a fraction of its mark per √s; NaN when unknown, 0 when it is worth
        nothing: so is its notional, whatever it moves."""
        mark = self.mark(name)
        return self._sigmas.get(name, math.nan) / mark if mark != 0.0 else 0.0

    def correlation(self, name: str, other: str) -> float | None:
        """Return the measured correlation of two instruments' returns; None when unknown."""
        return 1.0 if name == other else self._correlations.get((name, other))

    def underlying(self, name: str) -> str:
        """Return what an instrument follows; its own name while the venue has not told."""
        instrument = self._instruments.get(name)
        return instrument.underlying if instrument else name

    def multiplier(self, name: str) -> Decimal:
        """Return base units for one unit of size."""
        instrument = self._instruments.get(name)
        return instrument.contract_multiplier if instrument else Decimal(1)

    def _addable_notional(self, working: Mapping[str, Working]) -> float:
        """Return what orders may add to the gross notional, should one side of them fill in each instrument."""
        return math.fsum(self._addable_in(name, orders) for name, orders in working.items())

    def _addable_in(self, name: str, orders: Working) -> float:
        report = self._positions.get(name)
        position = report.position if report else ZERO
        added = max(abs(position + orders.bought), abs(position - orders.sold)) - abs(position)
        return float(added * self.multiplier(name)) * self.mark(name) if added else 0.0

    def instrument_off(self, row: int) -> Off:
        """Return why an instrument may not be traded: market data, the venue and risk must agree on its grid.

        It is no cause of the account: the other instruments go on.
        """
        name = self.names[row]
        if row not in self._session_grids or self._listed is None:
            return IN_FORCE  # strategy does not know it either, or risk is still starting
        grid, told = self._session_grids[row]
        found = [told, off_of(grid, self._listed.get(name))]
        if name in self._instruments:
            found.append(off_of(grid, self._instruments[name]))
        return max(found)
