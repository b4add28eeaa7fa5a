"""grid and levels: resting orders at fixed prices, each fill answered by an order that would close it."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import NamedTuple

from exchange.core.bots.bot import Bot, StopReason
from exchange.core.bots.terms import GridTerms, LadderTerms, LevelsTerms
from exchange.core.orders import OPPOSITE, DeleteReason, Order, OrderUpdate, Side


class Rung(NamedTuple):
    """An order that should stand: its side and price."""

    side: Side
    price: Decimal


class Ladder(Bot):
    """Keeps an order standing for each rung; beyond an exit price it trades back to the base and ends."""

    terms: LadderTerms

    def begin(self, rungs: list[Rung]) -> None:
        self._step_lots = self.market.instrument.grid.lots(self.terms.step_size) or 0
        self._standing: dict[str, Rung] = {}
        self._missing = rungs

    @abstractmethod
    def answer(self, filled: Rung) -> Rung | None:
        """Return what should stand now that a rung has been filled."""

    def on_second(self) -> None:
        mark, terms = self.market.mark.mark_price, self.terms
        above = terms.upside_exit_price is not None and mark > terms.upside_exit_price
        below = terms.downside_exit_price is not None and mark < terms.downside_exit_price
        if above or below:
            self._exit()
            return
        self._place()

    def on_closed(self, update: OrderUpdate) -> None:
        rung = self._standing.pop(update.order.order_id, None)
        if rung is None:
            return
        filled = update.delete_reason is DeleteReason.FILLED
        wanted = self.answer(rung) if filled else rung  # cancelled by hand: it is put back
        if wanted is not None:
            self._missing.append(wanted)
        if filled:
            self._place()

    def _place(self) -> None:
        missing, self._missing = self._missing, []
        for rung in missing:
            order: Order | None = self.rest(rung.side, rung.price, self._step_lots)
            if order is None:
                self._missing.append(rung)
            else:
                self._standing[order.order_id] = rung

    def _exit(self) -> None:
        base_lots = self.market.instrument.grid.lots(self.terms.base_position) or 0
        self._standing.clear()
        self.cancel_orders()
        self.trade_to(base_lots)
        self.stop(StopReason.STRATEGY)


class GridBot(Ladder):
    """Asks above the mean price, bids below it; a bid that is filled is offered one level up, and so on."""

    terms: GridTerms

    def open(self) -> None:
        self._levels = sorted(self.terms.grid)
        mean = self.terms.target_mean_price
        rungs = [Rung(Side.BUY if price < mean else Side.SELL, price) for price in self._levels if price != mean]
        self.begin(rungs)

    def answer(self, filled: Rung) -> Rung | None:
        index = self._levels.index(filled.price) + (1 if filled.side is Side.BUY else -1)
        return Rung(OPPOSITE[filled.side], self._levels[index]) if 0 <= index < len(self._levels) else None


class LevelsBot(Ladder):
    """Bids and asks of their own; what is filled is closed at the mean price, then quoted again."""

    terms: LevelsTerms

    def open(self) -> None:
        self._opened: dict[Side, list[Rung]] = {side: [] for side in Side}
        bids, asks = ([Rung(side, price) for price in prices] for side, prices in self._quoted())
        self.begin([*bids, *asks])

    def answer(self, filled: Rung) -> Rung | None:
        opened = self._opened[OPPOSITE[filled.side]]
        if filled.price == self.terms.target_mean_price and opened:
            return opened.pop(0)
        self._opened[filled.side].append(filled)
        return Rung(OPPOSITE[filled.side], self.terms.target_mean_price)

    def _quoted(self) -> tuple[tuple[Side, tuple[Decimal, ...]], ...]:
        return ((Side.BUY, self.terms.bids), (Side.SELL, self.terms.asks))
