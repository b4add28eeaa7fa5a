"""When a position is to be closed for what it has gained or lost: stop loss, take profit, trailing stop.

Each is judged on the unrealised result net of what was paid for the open part (fees, funding) and of what
closing it will cost, in bps of the notional at entry.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from trading.risk.config import RiskConfig
from trading.risk.states import Cause

_BPS = 1e-4


class OpenPosition(NamedTuple):
    """What is held in one instrument.

    Attributes:
        position: base units, signed; 0 = flat.
        entry_price, mark_price: quote currency; NaN when unknown.
        open_costs: fees paid less funding received for it, quote currency.
        unrealised_funding: accrued and not yet booked, received is positive.
    """

    position: float
    entry_price: float
    mark_price: float
    open_costs: float = 0.0
    unrealised_funding: float = 0.0

    @property
    def entry_notional(self) -> float:
        return abs(self.position) * self.entry_price

    def net_result(self, exit_fee_bps: float) -> float:
        """Return what closing at the mark would leave, all costs paid, quote currency."""
        exit_fee = abs(self.position) * self.mark_price * exit_fee_bps * _BPS
        gross = self.position * (self.mark_price - self.entry_price)
        return gross - self.open_costs - exit_fee + self.unrealised_funding


class Exit(NamedTuple):
    """Which rule wants the position closed, and the numbers."""

    cause: Cause
    text: str


class Trail(msgspec.Struct, frozen=True):
    """The best result so far of an open position, as it is kept on disk."""

    is_long: bool
    best_bps: float


class ExitWatch:
    """The exits of one instrument; remembers the best result of the open position for the trailing stop."""

    def __init__(self, trail: Trail | None = None) -> None:
        """Go on from what a predecessor kept of the position, if it is still that one."""
        self._best_bps = trail.best_bps if trail else -math.inf
        self._is_long = trail.is_long if trail else False

    @property
    def trail(self) -> Trail | None:
        """What must survive a restart while the position is open; None when there is nothing yet."""
        return Trail(self._is_long, self._best_bps) if math.isfinite(self._best_bps) else None

    def look(self, held: OpenPosition, config: RiskConfig) -> Exit | None:
        """Return the exit that is due now, or None; what is not finite decides nothing (other causes do)."""
        notional = held.entry_notional
        is_long = held.position > 0
        if not held.position or is_long != self._is_long:
            self._best_bps = -math.inf
            self._is_long = is_long
        if not notional > 0.0 or not math.isfinite(notional):
            return None
        result = held.net_result(config.exit_fee_bps)
        result_bps = result / notional / _BPS
        if not math.isfinite(result_bps):
            return None
        self._best_bps = max(self._best_bps, result_bps)
        numbers = f"net {result:.2f} = {result_bps:.1f} bps of {notional:.2f} entry notional"
        if config.stop_loss_bps and result_bps <= -config.stop_loss_bps:
            return Exit(Cause.STOP_LOSS, f"{numbers}, stop loss {config.stop_loss_bps:g} bps")
        if config.take_profit_bps and result_bps >= config.take_profit_bps:
            return Exit(Cause.TAKE_PROFIT, f"{numbers}, take profit {config.take_profit_bps:g} bps")
        fallen_bps = self._best_bps - result_bps
        if config.trailing_stop_bps and self._best_bps > 0.0 and fallen_bps >= config.trailing_stop_bps:
            return Exit(
                Cause.TRAILING_STOP,
                f"{numbers}, {fallen_bps:.1f} bps below its best, trailing stop {config.trailing_stop_bps:g} bps",
            )
        return None
