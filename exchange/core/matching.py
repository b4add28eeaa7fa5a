"""Price-time matching of an incoming order against one book, with self-trade prevention and post-only.

Liquidity is either orders (the background flow's are ordinary orders of no account) or recorded sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.core.accounts import Account
from exchange.core.blotter import Blotter
from exchange.core.book import Book, BookSide, Level
from exchange.core.ids import Ids
from exchange.core.instrument import Instrument
from exchange.core.orders import (
    OPPOSITE,
    SIGN,
    ChangeReason,
    DeleteReason,
    Fill,
    Order,
    StpAction,
    StpLevel,
    TimeInForce,
)

OnFilled = Callable[[Account], None]  # a position of the account has changed


class Matcher:
    """Executes orders against a book; what happens to them goes through the blotter."""

    def __init__(self, instrument: Instrument, book: Book, blotter: Blotter, ids: Ids, on_filled: OnFilled) -> None:
        self._instrument = instrument
        self._book = book
        self._blotter = blotter
        self._ids = ids
        self._on_filled = on_filled

    def execute(self, order: Order) -> tuple[Fill, ...]:
        """Match an incoming order and return its fills; afterwards it is closed, or open and fit to rest."""
        if order.post_only:
            self._step_back(order)
            return ()
        before = len(order.fills)
        if not self._blocked_by_own_order(order):
            self._match(order)
        if order.is_open and not order.remaining_lots:
            self._blotter.close(order, DeleteReason.FILLED)
        elif order.is_open and order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            self._blotter.close(order, DeleteReason.IMMEDIATE_CANCEL)
        return tuple(order.fills[before:])

    def fill_maker(self, maker: Order, lots: int, trade_id: str) -> None:
        """Fill a resting order; its account and its listeners are told at once."""
        fill = Fill(trade_id, maker.price_ticks, lots, self._blotter.realtime_ns(), is_maker=True)
        side = self._book.side(maker.side)
        side.reduce(maker, lots)
        maker.filled_lots += lots
        if not maker.remaining_lots:
            side.remove(maker)
            self._blotter.close(maker, DeleteReason.FILLED)
        if maker.account is not None:
            maker.fills.append(fill)
            self._blotter.report(maker, ChangeReason.FILL, (fill,))
            self._book_fill(maker, fill)

    # -- before matching -----------------------------------------------------------------------

    def _step_back(self, order: Order) -> None:
        """Move a post-only order that would trade to one tick outside the best opposite price, or close it."""
        opposite = self._book.side(OPPOSITE[order.side])
        if not opposite.crosses(order.price_ticks):
            return
        best = opposite.best_ticks()
        assert best is not None
        outside = best - SIGN[order.side]
        if order.reject_post_only or (outside <= 0 and not self._instrument.may_be_negative):
            self._blotter.close(order, DeleteReason.IMMEDIATE_CANCEL)
        else:
            order.price_ticks = outside

    def _blocked_by_own_order(self, order: Order) -> bool:
        """Close an order whose prevention wants no fill at all when an own order lies in its way."""
        if order.account is None or order.stp_level is StpLevel.DISABLED:
            return False
        if order.stp_action is not StpAction.CANCEL_AGGRESSIVE_NO_FILL:
            return False
        if not self._reaches_own_order(order):
            return False
        self._blotter.close(order, DeleteReason.SELF_TRADE_PREVENTION)
        return True

    def _reaches_own_order(self, order: Order) -> bool:
        opposite, left = self._book.side(OPPOSITE[order.side]), order.remaining_lots
        for price_ticks, _ in opposite.walk():
            if (order.price_ticks - price_ticks) * SIGN[order.side] < 0 or left <= 0:
                return False
            level = opposite.levels[price_ticks]
            for resting in level.orders.values():
                left -= _ambient_before(level, resting)
                if left <= 0:
                    return False
                if resting.account is order.account:
                    return True
                left -= resting.remaining_lots
            left -= level.ambient_lots if not level.orders else 0
        return False

    # -- matching ------------------------------------------------------------------------------

    def _match(self, taker: Order) -> None:
        opposite = self._book.side(OPPOSITE[taker.side])
        while taker.remaining_lots and opposite.crosses(taker.price_ticks):
            level = opposite.best_level()
            assert level is not None
            maker = level.head()
            ambient = _ambient_before(level, maker)
            if ambient:
                self._trade_ambient(taker, opposite, level, min(ambient, taker.remaining_lots))
            elif maker is not None and _prevented(taker, maker):
                self._blotter.close(taker, DeleteReason.SELF_TRADE_PREVENTION)
                return
            else:
                assert maker is not None
                self._trade(taker, maker)

    def _trade(self, taker: Order, maker: Order) -> None:
        lots, price_ticks = min(taker.remaining_lots, maker.remaining_lots), maker.price_ticks
        trade_id = self._ids.trade_id()
        self.fill_maker(maker, lots, trade_id)
        self._fill_taker(taker, price_ticks, lots, trade_id)

    def _trade_ambient(self, taker: Order, opposite: BookSide, level: Level, lots: int) -> None:
        price_ticks = level.price_ticks
        for resting in level.orders.values():
            resting.queue_ahead_lots = max(0.0, resting.queue_ahead_lots - lots)
        opposite.set_ambient(price_ticks, level.ambient_lots - lots)
        self._fill_taker(taker, price_ticks, lots, self._ids.trade_id())

    def _fill_taker(self, taker: Order, price_ticks: int, lots: int, trade_id: str) -> None:
        taker.filled_lots += lots
        self._blotter.print_trade(price_ticks, lots, taker.side)
        if taker.account is not None:
            fill = Fill(trade_id, price_ticks, lots, self._blotter.realtime_ns(), is_maker=False)
            taker.fills.append(fill)
            self._book_fill(taker, fill)

    def _book_fill(self, order: Order, fill: Fill) -> None:
        self._blotter.book(order, fill)
        assert order.account is not None
        self._on_filled(order.account)


def _ambient_before(level: Level, order: Order | None) -> int:
    """Return how much recorded liquidity stands in front of `order` (all of it when there is none)."""
    if order is None:
        return level.ambient_lots
    return min(level.ambient_lots, round(order.queue_ahead_lots)) if level.ambient_lots else 0


def _prevented(taker: Order, maker: Order) -> bool:
    if taker.account is None or taker.stp_level is StpLevel.DISABLED:
        return False
    return maker.account is taker.account
