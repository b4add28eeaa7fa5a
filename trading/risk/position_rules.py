"""Conditions on single positions: size, exits (stop loss, take profit, trailing stop), distance to liquidation.

An exit halts its instrument until the position is flat, and for the cool-down after that; who owns the monitor has
`exits` flattened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig
from trading.risk.exits import Exit, ExitWatch, OpenPosition, Trail
from trading.risk.margin import distance_left, liquidation_price
from trading.risk.round_trips import RoundTrip
from trading.risk.states import ACCOUNT, FOREVER, Cause, RiskStates, Tell

_TOLERANCE = 1e-9
_EXIT_CAUSES = (Cause.STOP_LOSS, Cause.TAKE_PROFIT, Cause.TRAILING_STOP)


class PositionRules:
    """Watches each position of the session's instruments.

    Attributes:
        exits: positions that are to be closed now, by row.
    """

    def __init__(self, account: AccountView, trails: Mapping[str, Trail] = MappingProxyType({})) -> None:
        self._account = account
        self._watches = [ExitWatch(trails.get(name)) for name in account.names]
        self.exits: dict[int, Exit] = {}

    def take_up(self, states: RiskStates) -> None:
        """Go on closing what a predecessor began to close: its causes still hold."""
        for cause, scope, text, _, until_ns in states.ending_by_time:
            if cause in _EXIT_CAUSES and scope != ACCOUNT and until_ns == FOREVER:
                self.exits[scope] = Exit(cause, text.removeprefix(f"{self._account.names[scope]}: "))

    @property
    def trails(self) -> dict[str, Trail]:
        """Best results of open positions, for a successor."""
        pairs = zip(self._account.names, self._watches, strict=True)
        return {name: watch.trail for name, watch in pairs if watch.trail is not None}

    def tell(self, tell: Tell, config: RiskConfig, trips: Mapping[str, RoundTrip]) -> None:
        """Bring the causes of every position up to date."""
        for row, name in enumerate(self._account.names):
            size = abs(self._account.held_base(name))
            tell(
                Cause.POSITION_LIMIT,
                size > config.position_max_base * (1 + _TOLERANCE),
                f"{name}: position {self._account.held_base(name):.10g}, limit {config.position_max_base} base units",
                row,
            )
            held = self._open_position(name, trips.get(name))
            self._tell_of_exit(tell, row, held, config)
            self._tell_of_liquidation(tell, row, held, config)

    def _open_position(self, name: str, trip: RoundTrip | None) -> OpenPosition:
        report = self._account.positions.get(name)
        if report is None or not report.position:
            return OpenPosition(0.0, math.nan, self._account.mark(name))
        return OpenPosition(
            self._account.held_base(name),
            float(report.average_price),
            self._account.mark(name),
            float(trip.open_costs) if trip else 0.0,
            float(report.unrealised_funding),
        )

    def _tell_of_exit(self, tell: Tell, row: int, held: OpenPosition, config: RiskConfig) -> None:
        is_known = self._account.are_positions_known
        due = self._watches[row].look(held, config) if is_known else None
        if not held.position and is_known:
            self.exits.pop(row, None)
        elif due is not None:
            self.exits.setdefault(row, due)
        wanted = self.exits.get(row)
        for cause in _EXIT_CAUSES:
            is_wanted = wanted is not None and wanted.cause is cause
            tell(cause, is_wanted, f"{self._account.names[row]}: {wanted.text}" if wanted and is_wanted else "", row)

    def _tell_of_liquidation(self, tell: Tell, row: int, held: OpenPosition, config: RiskConfig) -> None:
        """Judge each position behind the margin of the whole account, the other marks staying where they are."""
        if not held.position:
            tell(Cause.LIQUIDATION_NEAR, False, "", row)
            return
        margin, fraction = self._account.margin, config.maintenance_fraction
        rate = self._account.margin_rate(config.margin_rate)
        spare = margin.margin - fraction * margin.required_beside_ours(rate)
        mark_then = self._account.mark_at_margin(self._account.names[row])  # equity is of that moment
        price = liquidation_price(mark_then, held.position, spare, fraction * rate)
        left = distance_left(held.entry_price, held.mark_price, price, held.position > 0)
        tell(
            Cause.LIQUIDATION_NEAR,
            left < config.liquidation_distance_min,
            f"{self._account.names[row]}: mark {held.mark_price:.10g}, liquidation near {price:.10g}: {left:.0%} of "
            f"the distance at entry is left, {config.liquidation_distance_min:.0%} needed",
            row,
        )
