"""One instrument's market: inserts, amends, cancels, matched by price and then time.

The core of the venue. It knows nothing of sessions or JSON, only of accounts and of what they ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from exchange.core.accounts import Account
from exchange.core.blotter import Blotter, RealtimeNs
from exchange.core.book import Book
from exchange.core.candles import MINUTES_KEPT_MAX, Candles, Top
from exchange.core.events import Event
from exchange.core.execution import FillBooker
from exchange.core.ids import Ids
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.marks import Mark
from exchange.core.matching import Matcher
from exchange.core.order_checks import (
    check_amount,
    check_price,
    check_time_in_force,
    limit_within_collar,
    market_order_limit,
    reducible_lots,
)
from exchange.core.orders import (
    ChangeReason,
    Collar,
    DeleteReason,
    InsertReason,
    NewOrder,
    Order,
    OrderRejected,
    OrderType,
    OrderUpdate,
    Reject,
    Side,
    TimeInForce,
)

OPTION_MINUTES_KEPT_MAX = 24 * 60  # there are many of them
Check = Callable[[Order, int], None]  # raises OrderRejected when an order may not add so many lots


class Market:
    """A book with the rules of the venue around it.

    `events` is the engine's list for this transaction, `touched` its markets whose books have changed.
    """

    def __init__(
        self,
        instrument: Instrument,
        mark: Mark,
        ids: Ids,
        booker: FillBooker,
        events: list[Event],
        realtime_ns: RealtimeNs,
        check: Check,
        touched: dict[str, Market],
    ) -> None:
        self.instrument = instrument
        self.mark = mark
        self.book = Book(lambda: touched.update({instrument.name: self}))
        self._blotter = Blotter(instrument, mark, booker, events, realtime_ns)
        self._matcher = Matcher(instrument, self.book, self._blotter, ids, self._trim_reduce_only)
        self.statistics = self._blotter.statistics
        self.account_orders = self._blotter.working
        self._ids = ids
        self._realtime_ns = realtime_ns
        self._check = check
        is_option = instrument.type is InstrumentType.OPTION
        kept = OPTION_MINUTES_KEPT_MAX if is_option else MINUTES_KEPT_MAX
        self.history = Candles(extra_adds=not is_option, minutes_kept_max=kept)

    def record(self, now_ns: int) -> None:
        """Put the mark into its history."""
        self.history.add(now_ns, self.mark.mark_price, self.mark.history_extra(), self._top)

    def _top(self) -> Top:
        grid = self.instrument.grid
        top: list[int | float | None] = []
        for side in (self.book.bids, self.book.asks):
            level = side.best_level()
            top += [grid.price_number(level.price_ticks), grid.amount_number(level.total_lots)] if level else [None] * 2
        return tuple(top)

    # -- what clients ask for ------------------------------------------------------------------

    def insert(self, new: NewOrder) -> OrderUpdate:
        """Check, match and rest an order; return its state after all that, with the fills it got.

        Raises:
            OrderRejected: when it may not enter the book at all.
        """
        order = self._admit(new)
        new.account.register(order)
        fills = self._matcher.execute(order)
        if order.is_open:
            self._rest(order)
        return self._blotter.report(order, ChangeReason.INSERT, fills)

    def amend(self, order: Order, price: Decimal | None, amount: Decimal | None, collar: Collar | None) -> OrderUpdate:
        """Change price and total amount of a working order.

        Volume-safe: what has been filled counts towards the new amount, and an amount not above it deletes
        the order. Priority is kept only at the same price with a smaller amount.

        Raises:
            OrderRejected: when the new values are refused; the order then stands as it was.
        """
        price_ticks = check_price(self.instrument, price)
        amount_lots = check_amount(self.instrument, amount, minimum_lots=0)
        if amount_lots <= order.filled_lots:
            self._pull(order, DeleteReason.CLIENT_CANCEL)
            return self._blotter.report(order, ChangeReason.AMEND)
        check_amount(self.instrument, amount, minimum_lots=self.instrument.order_size_lots_min)
        if price_ticks != order.price_ticks:
            price_ticks = limit_within_collar(self.mark, order.side, price_ticks, collar)
        if price_ticks == order.price_ticks and amount_lots < order.amount_lots:
            self.book.side(order.side).reduce(order, order.amount_lots - amount_lots)
            order.amount_lots = amount_lots
            return self._blotter.report(order, ChangeReason.AMEND)
        self._check(order, amount_lots - order.amount_lots)
        return self._replace(order, price_ticks, amount_lots)

    def cancel(self, order: Order, reason: DeleteReason = DeleteReason.CLIENT_CANCEL) -> OrderUpdate:
        """Take a working order out of the book."""
        self._pull(order, reason)
        return self._blotter.report(order, ChangeReason.CANCEL)

    def take(self, order: Order) -> None:
        """Match a part of a combination order; its checks are the combination's."""
        self._matcher.execute(order)

    # -- the background flow -------------------------------------------------------------------

    def rest_anonymous(self, side: Side, price_ticks: int, lots: int) -> Order | None:
        """Insert an order of an unknown maker; None when it filled completely on the way in."""
        order = self._anonymous(side, price_ticks, lots, OrderType.LIMIT)
        self._matcher.execute(order)
        if not order.is_open:
            return None
        self.book.side(side).add(order)
        return order

    def cancel_anonymous(self, order: Order) -> None:
        if order.is_open:
            self.book.side(order.side).remove(order)
            self._blotter.close(order, DeleteReason.CLIENT_CANCEL)

    def take_anonymous(self, side: Side, lots: int, limit_ticks: int) -> int:
        """Let an unknown taker trade up to `lots` as far as `limit_ticks`; return the lots it got."""
        order = self._anonymous(side, limit_ticks, lots, OrderType.MARKET)
        self._matcher.execute(order)
        return order.filled_lots

    # -- a replayed market ---------------------------------------------------------------------

    def fill_resting(self, order: Order, lots: int) -> None:
        """Fill a working order because the recorded market says that it would have been filled.

        No public trade is printed: the recording's own tape has it already.
        """
        assert 0 < lots <= order.remaining_lots, f"{lots} of {order.remaining_lots} lots"
        self._matcher.fill_maker(order, lots, self._ids.trade_id())

    def print_trade(self, price_ticks: int, lots: int, aggressor_side: Side) -> None:
        """Put a trade on the tape and into the statistics."""
        self._blotter.print_trade(price_ticks, lots, aggressor_side)

    # -- coming in -----------------------------------------------------------------------------

    def _admit(self, new: NewOrder) -> Order:
        is_market = new.order_type is OrderType.MARKET
        price_ticks = 0 if is_market else check_price(self.instrument, new.price)
        minimum = self.instrument.order_size_lots_min
        amount_lots = check_amount(self.instrument, new.amount, minimum_lots=minimum)
        time_in_force = check_time_in_force(new)
        key = (new.session_id, new.client_order_id)
        if new.client_order_id is not None and key in new.account.by_client_order_id:
            raise OrderRejected(Reject.DUPLICATE_CLIENT_ORDER_ID, f"{new.client_order_id} is working")
        if is_market:
            price_ticks = market_order_limit(self.mark, new.side, new.collar)
        else:
            price_ticks = limit_within_collar(self.mark, new.side, price_ticks, new.collar)
        if new.reduce_only:
            amount_lots = self._reduced(new.account, new.side, amount_lots)
        order = self._make(new, time_in_force, price_ticks, amount_lots)
        if new.insert_reason is not InsertReason.LIQUIDATION:
            self._check(order, amount_lots)
        return order

    def _reduced(self, account: Account, side: Side, lots: int) -> int:
        allowed = reducible_lots(side, account.position_lots(self.instrument))
        if not allowed:
            raise OrderRejected(Reject.NOTHING_TO_REDUCE, f"a reduce_only {side.value} would open a position")
        return min(lots, allowed)

    def _make(self, new: NewOrder, time_in_force: TimeInForce, price_ticks: int, amount_lots: int) -> Order:
        return Order(
            order_id=self._ids.order_id(),
            instrument=self.instrument,
            account=new.account,
            side=new.side,
            order_type=new.order_type,
            time_in_force=time_in_force,
            price_ticks=price_ticks,
            amount_lots=amount_lots,
            create_time_ns=self._realtime_ns(),
            session_id=new.session_id,
            client_order_id=new.client_order_id,
            label=new.label,
            post_only=new.post_only,
            reject_post_only=new.reject_post_only,
            reduce_only=new.reduce_only,
            persistent=new.persistent,
            stp_level=new.stp_level,
            stp_action=new.stp_action,
            is_quote=new.is_quote,
            insert_reason=new.insert_reason,
            conditional_order_id=new.conditional_order_id,
            bot_id=new.bot_id,
        )

    def _anonymous(self, side: Side, price_ticks: int, lots: int, order_type: OrderType) -> Order:
        rests = order_type is OrderType.LIMIT
        tif = TimeInForce.GOOD_TILL_CANCELLED if rests else TimeInForce.IMMEDIATE_OR_CANCEL
        return Order(
            self._ids.order_id(), self.instrument, None, side, order_type, tif, price_ticks, lots, self._realtime_ns()
        )

    def _trim_reduce_only(self, account: Account) -> None:
        """Cut working reduce-only orders to what is left to reduce, each on its own."""
        if not any(order.reduce_only for order in self.account_orders.values()):
            return
        position_lots = account.position_lots(self.instrument)
        for order in list(self.account_orders.values()):
            if not order.reduce_only or order.account is not account:
                continue
            excess = order.remaining_lots - reducible_lots(order.side, position_lots)
            if excess >= order.remaining_lots:
                self.cancel(order, DeleteReason.IMMEDIATE_CANCEL)
            elif excess > 0:
                self.book.side(order.side).reduce(order, excess)
                order.amount_lots -= excess
                self._blotter.report(order, ChangeReason.AMEND)

    # -- resting and leaving -------------------------------------------------------------------

    def _replace(self, order: Order, price_ticks: int, amount_lots: int) -> OrderUpdate:
        if order.reduce_only:
            assert order.account is not None
            left = self._reduced(order.account, order.side, amount_lots - order.filled_lots)
            amount_lots = order.filled_lots + left
        self.book.side(order.side).remove(order)
        del self.account_orders[order.order_id]
        order.price_ticks, order.amount_lots = price_ticks, amount_lots
        fills = self._matcher.execute(order)
        if order.is_open:
            self._rest(order)
        return self._blotter.report(order, ChangeReason.AMEND, fills)

    def _rest(self, order: Order) -> None:
        side = self.book.side(order.side)
        level = side.levels.get(order.price_ticks)
        order.queue_ahead_lots = float(level.ambient_lots) if level else 0.0
        order.traded_since_depth_lots = 0.0
        side.add(order)
        self.account_orders[order.order_id] = order

    def _pull(self, order: Order, reason: DeleteReason) -> None:
        assert order.is_open, f"order {order.order_id} is {order.status.value}"
        self.book.side(order.side).remove(order)
        self._blotter.close(order, reason)
