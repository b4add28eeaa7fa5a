"""ocq, the one-click quoter: a bid and an ask around a signal, amended as it moves."""

from __future__ import annotations

from decimal import Decimal

from exchange.core.bots.bot import Bot
from exchange.core.bots.signals import signal_price
from exchange.core.bots.terms import QuoterTerms
from exchange.core.orders import SIGN, Order, OrderRejected, Side


class QuoterBot(Bot):
    """Sizes end where the position would leave its range; off target, the exit quote stands nearer."""

    terms: QuoterTerms

    def open(self) -> None:
        self._quotes: dict[tuple[Side, bool], Order] = {}
        self._signal = Decimal(0)

    def on_second(self) -> None:
        signal = signal_price(self.market, self.terms.signal)
        if signal is None:
            return
        # The side that makes room goes first, or the other would meet it.
        sides = (Side.SELL, Side.BUY) if signal > self._signal else (Side.BUY, Side.SELL)
        self._signal = signal
        for side in sides:
            for is_exit in (False, True):
                self._bring(side, is_exit, signal)

    def _bring(self, side: Side, is_exit: bool, signal: Decimal) -> None:
        lots, offset = self._wanted(side, is_exit)
        grid = self.market.instrument.grid
        price = grid.price((grid.ticks_floor if side is Side.BUY else grid.ticks_ceil)(signal + offset))
        order = self._quotes.get((side, is_exit))
        if order is not None and not order.is_open:
            del self._quotes[side, is_exit]
            order = None
        if order is None:
            placed = self.rest(side, price, lots) if lots > 0 else None
            if placed is not None:
                self._quotes[side, is_exit] = placed
        elif lots != order.remaining_lots or price != grid.price(order.price_ticks):
            try:
                self.market.amend(order, price, grid.amount(order.filled_lots + max(0, lots)), None)
            except OrderRejected:
                return  # it stands as it was until the next second

    def _wanted(self, side: Side, is_exit: bool) -> tuple[int, Decimal]:
        """Return the size in lots and the distance from the signal."""
        lots_of, terms, sign = self.market.instrument.grid.lots, self.terms, SIGN[side]
        if is_exit:
            if terms.exit_offset is None or terms.target_position is None:
                return 0, Decimal(0)
            return sign * ((lots_of(terms.target_position) or 0) - self.position_lots), terms.exit_offset
        bound = lots_of(terms.max_position if side is Side.BUY else terms.min_position) or 0
        room = sign * (bound - self.position_lots)
        offset = terms.bid_offset if side is Side.BUY else terms.ask_offset
        return min(lots_of(terms.quote_size) or 0, room), offset
