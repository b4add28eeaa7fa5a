"""What risk counts from flat to flat: costs of the open position, and whether the last round trips lost money.

Only for judging: the exact books are trading/ledger.py. Fed with the venue's trade history, each trade once.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from domain.reports import TradeReport

ZERO = Decimal(0)


class TripState(NamedTuple):
    """All that a round trip has added up: as in `RoundTrip`."""

    position: Decimal
    open_costs: Decimal
    cash: Decimal
    losses: int
    forgiven_ns: int
    last_trade_ns: int
    begun_ns: int = 0


class RoundTrip:
    """One instrument's holdings since it was last flat.

    Attributes:
        position: base units, signed, as the trades add up.
        open_costs: fees paid (rebates negative) less funding received, quote currency, for what is still open.
        losses: round trips in a row that ended below zero, costs included.
        forgiven_ns: losses up to this time of the venue count no more.
        begun_ns: the venue's time of the trade that opened the position; 0 = it was there before.
    """

    def __init__(
        self, multiplier: Decimal = Decimal(1), position: Decimal = ZERO, price: Decimal = ZERO, forgiven_ns: int = 0
    ) -> None:
        self.forgiven_ns = forgiven_ns
        self._last_trade_ns = forgiven_ns
        self._multiplier = multiplier
        self.position = position
        self.open_costs = ZERO
        self.losses = 0
        self.begun_ns = 0
        self._cash = -position * price * multiplier  # of this trip, costs included

    @property
    def state(self) -> TripState:
        return TripState(
            self.position, self.open_costs, self._cash, self.losses, self.forgiven_ns, self._last_trade_ns,
            self.begun_ns,
        )  # fmt: skip

    def resume(self, state: TripState) -> None:
        """Go on from where an earlier one was; what was forgiven since then counts no more."""
        forgiven_ns = self.forgiven_ns
        self.position, self.open_costs, self._cash, self.losses, self.forgiven_ns = state[:5]
        self._last_trade_ns, self.begun_ns = state[5:]
        if forgiven_ns > self.forgiven_ns:
            self.losses, self.forgiven_ns = 0, forgiven_ns
            self._last_trade_ns = max(self._last_trade_ns, forgiven_ns)

    def on_trade(self, trade: TradeReport) -> Decimal | None:
        """Count a trade; return the net result of the round trip that it ends, None while the trip goes on.

        A trade that turns the position round ends one trip and begins the next; its costs are shared by size.
        """
        self._last_trade_ns = max(self._last_trade_ns, trade.time_ns)
        signed = trade.side * trade.size
        costs = trade.fee - trade.funding_pnl
        if self.position * signed >= 0:
            self._add(signed, trade.price, costs, trade.time_ns)
            return None
        closing = -self.position if abs(signed) >= abs(self.position) else signed
        closing_costs = costs * closing / signed
        before = self.position
        self.position += closing
        self._cash -= closing * trade.price * self._multiplier + closing_costs
        self.open_costs *= self.position / before
        if self.position:
            return None
        result, self._cash, self.open_costs = self._cash, ZERO, ZERO
        self.losses = self.losses + 1 if result < 0 and trade.time_ns > self.forgiven_ns else 0
        if signed != closing:
            self._add(signed - closing, trade.price, costs - closing_costs, trade.time_ns)
        return result

    def on_settlement(self, funding: Decimal, position: Decimal, time_ns: int) -> None:
        """Count what a daily settlement paid for `position`, if it is still held; a trip that has ended stays judged.

        What was closed since then takes its part along.
        """
        if position * self.position <= 0 or self.begun_ns >= time_ns:
            return
        self._cash += funding
        self.open_costs -= funding * min(self.position / position, Decimal(1))

    def forgive(self) -> None:
        """Begin to count losses anew: the streak has had its consequence."""
        self.losses, self.forgiven_ns = 0, self._last_trade_ns

    def _add(self, signed: Decimal, price: Decimal, costs: Decimal, time_ns: int) -> None:
        if not self.position:
            self.begun_ns = time_ns
        self.position += signed
        self.open_costs += costs
        self._cash -= signed * price * self._multiplier + costs
