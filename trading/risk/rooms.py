"""What may still be added to the exposure of the whole account, and which limit says so."""

from __future__ import annotations

import math
from typing import NamedTuple

from domain.codes import RiskReason
from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig


class Rooms(NamedTuple):
    """Quote currency; below zero when a limit is broken, NaN when it cannot be judged, which lets nothing be added.

    Attributes:
        gross: to the sum of |position| × mark.
        net_long, net_short: to the sum of position × mark, and taken from it.
        margin: to the same sum as gross, before too much of the margin is asked for.
        liquidation: to the same sum, before liquidation is too near.
    """

    gross: float
    net_long: float
    net_short: float
    margin: float
    liquidation: float

    @property
    def tightest(self) -> tuple[float, RiskReason]:
        """Return the least that may be added to the gross exposure, and the limit behind it."""
        least, reason = self.gross, RiskReason.NOTIONAL_LIMIT
        for room, its_reason in ((self.margin, RiskReason.MARGIN_USE), (self.liquidation, RiskReason.LIQUIDATION_NEAR)):
            if room < least or math.isnan(room):
                least, reason = room, its_reason
        return least, reason

    def scaled(self, config: RiskConfig, scale: float) -> Rooms:
        """Return what recovering leaves: it takes away a part of each whole limit, not of what is left of it."""
        gross, net = config.gross_notional_max_usd * (1.0 - scale), config.net_notional_max_usd * (1.0 - scale)
        return self._replace(gross=self.gross - gross, net_long=self.net_long - net, net_short=self.net_short - net)


def rooms_of(account: AccountView, config: RiskConfig) -> Rooms:
    """Return what the account leaves of each limit."""
    gross, net, margin = account.gross_notional, account.net_notional, account.margin
    rate = account.margin_rate(config.margin_rate)
    grown = gross - margin.held_notional if gross > margin.held_notional else 0.0  # since the margin was told
    move_min, fraction = config.liquidation_move_min, config.maintenance_fraction
    return Rooms(
        gross=config.gross_notional_max_usd - gross,
        net_long=config.net_notional_max_usd - net,
        net_short=config.net_notional_max_usd + net,
        margin=margin.room(config.margin_use_max, rate) - grown,
        liquidation=margin.room_to_liquidation(gross, move_min, fraction, rate, grown),
    )
