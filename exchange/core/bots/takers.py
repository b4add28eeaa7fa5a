"""sgsl, dhedge and dfollow: bots that trade aggressively towards a position."""

from __future__ import annotations

from abc import abstractmethod
from decimal import ROUND_HALF_EVEN, Decimal

from exchange.core.bots.bot import Bot
from exchange.core.bots.signals import signal_price
from exchange.core.bots.terms import DeltaTerms, FollowerTerms, HedgerTerms, SignalTerms
from exchange.core.instrument import Instrument
from exchange.core.scheduler import NS_PER_S


class SignalBot(Bot):
    """One position above the entry price, another below the exit price, and in between whatever it has."""

    terms: SignalTerms

    def on_second(self) -> None:
        price = signal_price(self.market, self.terms.signal)
        if price is None:
            return
        lots = self.market.instrument.grid.lots
        if price > self.terms.entry_price:
            self.trade_to(lots(self.terms.target_position) or 0)
        elif price < self.terms.exit_price:
            self.trade_to(lots(self.terms.exit_position) or 0)


class DeltaBot(Bot):
    """Trades a delta back to its target once it has been outside the threshold for a period."""

    terms: DeltaTerms

    def open(self) -> None:
        self._outside_since_ns: int | None = None

    @abstractmethod
    def excess(self) -> Decimal:
        """Return how much delta there is too much."""

    def on_second(self) -> None:
        excess, now_ns = self.excess(), self.engine.scheduler.realtime_ns()
        if abs(excess) <= self.terms.threshold:
            self._outside_since_ns = None
            return
        if self._outside_since_ns is None:
            self._outside_since_ns = now_ns
        waited_s = (now_ns - self._outside_since_ns) / NS_PER_S
        is_urgent = self.terms.tolerance is not None and abs(excess) > self.terms.tolerance
        if waited_s < self.terms.period and not is_urgent:
            return
        delta = Decimal(str(round(self.market.mark.delta, 6)))
        if delta:
            exact = -excess / delta / self.market.instrument.grid.lot_size
            self.trade_to(self.position_lots + int(exact.to_integral_value(ROUND_HALF_EVEN)))

    def delta_of(self, instrument: Instrument) -> Decimal:
        """Return the delta of the account's position in an instrument."""
        mark = self.engine.markets[instrument.name].mark
        return instrument.grid.amount(self.account.position_lots(instrument)) * Decimal(str(round(mark.delta, 6)))


class HedgerBot(DeltaBot):
    """Of the whole underlying, or of one position and what it is hedged with."""

    terms: HedgerTerms

    def excess(self) -> Decimal:
        hedge, only = self.market.instrument, self.terms.position
        held = [position.instrument for position in self.account.positions.values() if position.lots]
        if only is not None:
            counted = {hedge.name, only}
            return sum((self.delta_of(i) for i in held if i.name in counted), Decimal(0)) - self.terms.target_delta
        mine = [instrument for instrument in held if instrument.underlying == hedge.underlying]
        return sum((self.delta_of(instrument) for instrument in mine), Decimal(0)) - self.terms.target_delta


class FollowerBot(DeltaBot):
    """The position's delta follows that of an amount of options."""

    terms: FollowerTerms

    def excess(self) -> Decimal:
        target = self.engine.markets.get(self.terms.target_instrument)
        if target is None:
            return Decimal(0)
        wanted = self.terms.target_amount * Decimal(str(round(target.mark.delta, 6)))
        return self.delta_of(self.market.instrument) - wanted
