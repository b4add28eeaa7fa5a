"""`book.<instrument>.<grouping>.<levels>.<delay>`: a snapshot, then changes by absolute size, 0 = gone."""

from __future__ import annotations

from typing import Any

from exchange.core.book import Change
from exchange.core.events import PublicTrade
from exchange.core.market import Market
from exchange.core.orders import SIGN, Side
from exchange.core.scheduler import Scheduler
from exchange.gateways.thalex import market_payloads, payloads, wire
from exchange.gateways.thalex.channel import PacedChannel

Levels = dict[int, int]  # price in ticks -> lots
CROSSED_BY_GROUPS = 5


class BookChannel(PacedChannel):
    """Keeps what its listeners have been told, so that each message is the difference to that.

    The whole ungrouped book is followed by its changed levels; a window or a grouped book is built anew
    and compared, for a level can enter it without having changed.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        delay_ns: int,
        market: Market,
        *,
        group_ticks: int,
        levels_max: int | None,
    ) -> None:
        super().__init__(name, scheduler, delay_ns)
        self.instrument_name = market.instrument.name
        self._market = market
        self._group_ticks = group_ticks
        self._levels_max = levels_max
        self._is_whole = levels_max is None and group_ticks == 1
        self._pending: set[Change] = set()
        self._trades: list[PublicTrade] = []
        self._told: dict[Side, Levels] = {side: self._window(side) for side in Side}

    def on_book(self, changes: list[Change]) -> None:
        if self._is_whole:
            self._pending.update(changes)
        self.changed()

    def on_trade(self, trade: PublicTrade) -> None:
        self._trades.append(trade)

    def first_message(self) -> bytes:
        changes = {side: list(self._told[side].items()) for side in Side}
        return wire.notification(self.name, self._payload(changes, []), snapshot=True)

    def crossed_message(self) -> bytes | None:
        """Return a message of a bid above the best ask, which there is not; None without asks. Nobody is told it."""
        asks = list(self._window(Side.SELL).items())
        if not asks:
            return None
        best_ticks, lots = asks[0]
        wrong = {Side.BUY: [(best_ticks + CROSSED_BY_GROUPS * self._group_ticks, lots)], Side.SELL: []}
        return wire.notification(self.name, self._payload(wrong, []))

    def build(self) -> bytes | None:
        changes = {side: self._differences(side) for side in Side}
        self._pending.clear()
        if not (changes[Side.BUY] or changes[Side.SELL] or self._trades):
            return None
        trades, self._trades = self._trades, []
        return self._payload(changes, trades)

    def _differences(self, side: Side) -> list[tuple[int, int]]:
        told = self._told[side]
        if self._is_whole:
            book_side = self._market.book.side(side)
            now = {ticks: book_side.level_lots(ticks) for of, ticks in self._pending if of is side}
        else:
            window = self._window(side)
            now = dict.fromkeys(told, 0) | window
        changes = [(ticks, lots) for ticks, lots in now.items() if told.get(ticks, 0) != lots]
        for ticks, lots in changes:
            if lots:
                told[ticks] = lots
            else:
                told.pop(ticks, None)
        changes.sort(key=lambda change: -SIGN[side] * change[0])
        return changes

    def _window(self, side: Side) -> Levels:
        """Return the levels that this channel shows, best first."""
        book_side = self._market.book.side(side)
        if self._group_ticks == 1:
            return dict(book_side.top(self._levels_max))
        groups: Levels = {}
        for price_ticks, lots in book_side.walk():
            group = self._group(side, price_ticks)
            if group not in groups and len(groups) == self._levels_max:
                break
            groups[group] = groups.get(group, 0) + lots
        return groups

    def _group(self, side: Side, price_ticks: int) -> int:
        """Round away from the other side: bids down, asks up."""
        step = self._group_ticks
        return price_ticks // step * step if side is Side.BUY else -(-price_ticks // step) * step

    def _payload(self, changes: dict[Side, list[tuple[int, int]]], trades: list[PublicTrade]) -> bytes:
        grid, book = self._market.instrument.grid, self._market.book
        price, amount = grid.price_number, grid.amount_number

        def rows(side: Side) -> list[list[Any]]:
            return [[price(ticks), number := amount(lots), number] for ticks, lots in changes[side]]

        return wire.encode(
            {
                "trades": [market_payloads.book_trade(trade) for trade in trades],
                "bid_changes": rows(Side.BUY),
                "ask_changes": rows(Side.SELL),
                "total_bid_amount": amount(book.bids.total_lots),
                "total_ask_amount": amount(book.asks.total_lots),
                "time": payloads.seconds(self._scheduler.realtime_ns()),
            }
        )
