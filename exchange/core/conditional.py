"""Conditional orders: stop, stop-limit, bracket and trailing stop, until they become an order or are cancelled.

A buy triggers at or above its stop price (or at or below its bracket price), a sell the other way around. The
target says which price is watched: the last aggressive trade, the mark or the index. What is triggered becomes
a good-till-cancelled limit order when it has a limit price, a market order otherwise; it belongs to no session.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.core.accounts import Account
from exchange.core.events import ConditionalsChanged, Event, PublicTrade
from exchange.core.instrument import InstrumentType
from exchange.core.order_checks import check_amount, check_price
from exchange.core.orders import (
    SIGN,
    DeleteReason,
    InsertReason,
    NewOrder,
    OrderRejected,
    OrderType,
    Reject,
    Side,
    StpAction,
    StpLevel,
)

if TYPE_CHECKING:
    from exchange.core.engine import Engine
    from exchange.core.market import Market

CONDITIONAL_ID_BASE = 0x00011E5700000000
CLOSED_KEPT_MAX = 1_000
CALLBACK_RATE_MAX = Decimal(1)


class Target(enum.Enum):
    LAST = "last"
    MARK = "mark"
    INDEX = "index"


class ConditionalStatus(enum.Enum):
    CREATED = "created"
    ACTIVE = "active"
    CONVERTED = "converted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class NewConditional:
    """What a client asks for; prices and amount as sent, None = left out."""

    account: Account
    instrument_name: str
    side: Side
    amount: Decimal | None
    stop_price: Decimal | None
    limit_price: Decimal | None = None
    bracket_price: Decimal | None = None
    callback_rate: Decimal | None = None
    target: Target = Target.LAST
    label: str | None = None
    reduce_only: bool = False
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL


@dataclass(slots=True, eq=False)
class ConditionalOrder:
    order_id: str
    sequence: int
    asked: NewConditional
    market: Market
    stop_price: Decimal
    create_time_ns: int
    update_time_ns: int
    status: ConditionalStatus = ConditionalStatus.CREATED
    convert_time_ns: int | None = None
    converted_order_id: str | None = None
    reject_reason: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in (ConditionalStatus.CREATED, ConditionalStatus.ACTIVE)


@dataclass(slots=True)
class _Shelf:
    """One account's conditional orders."""

    open: dict[str, ConditionalOrder] = field(default_factory=dict)
    closed: deque[ConditionalOrder] = field(default_factory=lambda: deque(maxlen=CLOSED_KEPT_MAX))


class ConditionalDesk:
    """All conditional orders of the venue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._shelves: dict[str, _Shelf] = {}

    # -- what clients ask for ------------------------------------------------------------------

    def create(self, asked: NewConditional) -> ConditionalOrder:
        """Accept a conditional order; it becomes active when the transaction ends.

        Raises:
            OrderRejected: for a combination that is not offered, or prices that make no sense.
        """
        market = self._engine.market(asked.instrument_name)
        stop_price = _check(asked, market)
        now_ns = self._engine.scheduler.realtime_ns()
        number = next(self._numbers)
        order_id = f"{CONDITIONAL_ID_BASE + number:016X}"
        order = ConditionalOrder(order_id, number, asked, market, stop_price, now_ns, now_ns)
        self._shelf(asked.account).open[order_id] = order
        self._changed(asked.account)
        return order

    def cancel(self, account: Account, order_id: str) -> None:
        """Cancel one.

        Raises:
            OrderRejected: when the account has no such conditional order working.
        """
        order = self._shelf(account).open.get(order_id)
        if order is None:
            raise OrderRejected(Reject.ORDER_NOT_FOUND)
        self._close(order, ConditionalStatus.CANCELLED)
        self._changed(account)

    def cancel_all(self, account: Account) -> None:
        for order in list(self._shelf(account).open.values()):
            self._close(order, ConditionalStatus.CANCELLED)
        self._changed(account)

    def drop_instrument(self, instrument_name: str) -> None:
        """Cancel what waits on an instrument that is no more."""
        for order in self._all_open():
            if order.asked.instrument_name == instrument_name:
                self._close(order, ConditionalStatus.CANCELLED)
                self._changed(order.asked.account)

    def open_orders(self, account: Account) -> list[ConditionalOrder]:
        return list(self._shelf(account).open.values())

    def closed_orders(self, account: Account) -> list[ConditionalOrder]:
        """Return what was triggered or cancelled, oldest first."""
        return list(self._shelf(account).closed)

    # -- watching prices -----------------------------------------------------------------------

    def on_events(self, events: list[Event]) -> None:
        """Look at the trades of a transaction; orders created in it become active."""
        if not any(shelf.open for shelf in self._shelves.values()):
            return
        for order in self._all_open():
            if order.status is ConditionalStatus.CREATED:
                order.status = ConditionalStatus.ACTIVE
                self._look_at(order, self._price_now(order))
        for event in events:
            if isinstance(event, PublicTrade):
                price = event.instrument.grid.price(event.price_ticks)
                for order in self._all_open():
                    if order.asked.target is Target.LAST and order.market.instrument is event.instrument:
                        self._look_at(order, price)

    def on_second(self) -> None:
        """Look at marks and indices, which have just been updated."""
        for order in self._all_open():
            if order.asked.target is not Target.LAST:
                self._look_at(order, self._price_now(order))

    def _price_now(self, order: ConditionalOrder) -> Decimal | None:
        market = order.market
        if order.asked.target is Target.MARK:
            return market.mark.mark_price
        if order.asked.target is Target.INDEX:
            return market.mark.index_price
        last_ticks = market.statistics.last_ticks
        return None if last_ticks is None else market.instrument.grid.price(last_ticks)

    def _look_at(self, order: ConditionalOrder, price: Decimal | None) -> None:
        if price is None or not order.is_open:
            return
        sign, bracket = SIGN[order.asked.side], order.asked.bracket_price
        if (price - order.stop_price) * sign >= 0 or (bracket is not None and (price - bracket) * sign <= 0):
            self._convert(order)
        elif order.asked.callback_rate is not None:
            self._trail(order, price)

    def _trail(self, order: ConditionalOrder, price: Decimal) -> None:
        sign, grid = SIGN[order.asked.side], order.market.instrument.grid
        assert order.asked.callback_rate is not None
        exact = price * (1 + sign * order.asked.callback_rate)
        stop_price = grid.price(grid.ticks_ceil(exact) if sign > 0 else grid.ticks_floor(exact))
        if (order.stop_price - stop_price) * sign > 0:
            order.stop_price = stop_price
            order.update_time_ns = self._engine.scheduler.realtime_ns()
            self._changed(order.asked.account)

    def _convert(self, order: ConditionalOrder) -> None:
        try:
            update = order.market.insert(_order_of(order))
        except OrderRejected as rejected:
            order.reject_reason = str(rejected)
            self._close(order, ConditionalStatus.REJECTED)
        else:
            order.converted_order_id = update.order.order_id
            order.convert_time_ns = self._engine.scheduler.realtime_ns()
            self._close(order, ConditionalStatus.CONVERTED)
            if update.delete_reason is DeleteReason.IMMEDIATE_CANCEL and not update.filled_lots:
                order.reject_reason = "nothing to trade with within the collar"
        self._changed(order.asked.account)

    # -- keeping -------------------------------------------------------------------------------

    def _all_open(self) -> list[ConditionalOrder]:
        return [order for shelf in self._shelves.values() for order in shelf.open.values()]

    def _shelf(self, account: Account) -> _Shelf:
        return self._shelves.setdefault(account.number, _Shelf())

    def _close(self, order: ConditionalOrder, status: ConditionalStatus) -> None:
        order.status = status
        order.update_time_ns = self._engine.scheduler.realtime_ns()
        shelf = self._shelf(order.asked.account)
        del shelf.open[order.order_id]
        shelf.closed.append(order)

    def _changed(self, account: Account) -> None:
        self._engine.note(ConditionalsChanged(account))


def _check(asked: NewConditional, market: Market) -> Decimal:
    """Return the stop price of a request that makes sense."""
    instrument, sign = market.instrument, SIGN[asked.side]
    for price in (asked.stop_price, asked.limit_price, asked.bracket_price):
        if price is not None or price is asked.stop_price:
            check_price(instrument, price)
    check_amount(instrument, asked.amount, minimum_lots=instrument.order_size_lots_min)
    assert asked.stop_price is not None
    kinds = (asked.limit_price, asked.bracket_price, asked.callback_rate)
    if sum(kind is not None for kind in kinds) > 1:
        detail = "at most one of limit_price, bracket_price and trailing_stop_callback_rate"
        raise OrderRejected(Reject.INVALID_REQUEST, detail)
    if asked.bracket_price is not None and (asked.stop_price - asked.bracket_price) * sign <= 0:
        where = "below" if asked.side is Side.BUY else "above"
        raise OrderRejected(Reject.INVALID_REQUEST, f"the bracket price of a {asked.side.value} lies {where} its stop")
    if asked.callback_rate is not None and not 0 < asked.callback_rate < CALLBACK_RATE_MAX:
        raise OrderRejected(Reject.INVALID_REQUEST, f"callback rate {asked.callback_rate}, expected between 0 and 1")
    if asked.target is Target.INDEX and instrument.type not in (InstrumentType.PERPETUAL, InstrumentType.FUTURE):
        raise OrderRejected(Reject.INVALID_REQUEST, "the index is a target for perpetuals and futures alone")
    return asked.stop_price


def _order_of(order: ConditionalOrder) -> NewOrder:
    asked = order.asked
    return NewOrder(
        account=asked.account,
        session_id="",
        side=asked.side,
        amount=asked.amount,
        price=asked.limit_price,
        order_type=OrderType.MARKET if asked.limit_price is None else OrderType.LIMIT,
        label=asked.label,
        reduce_only=asked.reduce_only,
        stp_level=asked.stp_level,
        stp_action=asked.stp_action,
        insert_reason=InsertReason.CONDITIONAL_ORDER,
        conditional_order_id=order.order_id,
    )
