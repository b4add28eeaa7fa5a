"""Orders and trades as the protocol's objects, for results and notifications.

Fields that are `UNSET` are left out. Prices and amounts are JSON numbers, money is exact decimals.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from exchange.core.accounts import Trade
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.orders import ChangeReason, Fill, Order, OrderType, OrderUpdate, update_of
from exchange.core.scheduler import NS_PER_S
from exchange.core.units import plain

Number = int | float
HISTORY_FILLS_MAX = 8


class FillObject(Struct):
    trade_id: str
    price: Number
    amount: Number
    time: float
    maker_taker: str
    leg_index: int = 0


class OrderLeg(Struct):
    instrument_name: str
    quantity: int
    filled_amount: Number
    remaining_amount: int | UnsetType = UNSET


class OrderStatus(Struct):
    order_id: str
    order_type: str
    time_in_force: str
    instrument_name: str | UnsetType
    legs: list[OrderLeg] | UnsetType
    direction: str
    price: Number | UnsetType
    amount: Number
    filled_amount: Number
    remaining_amount: Number
    label: str | UnsetType
    client_order_id: int | UnsetType
    status: str
    fills: list[FillObject]
    change_reason: str
    delete_reason: str | UnsetType
    insert_reason: str
    create_time: float
    close_time: float | UnsetType
    reduce_only: bool | UnsetType
    persistent: bool
    conditional_order_id: str | UnsetType = UNSET
    bot_id: str | UnsetType = UNSET


class OrderHistory(Struct):
    order_id: str
    order_type: str
    instrument_name: str | UnsetType
    legs: list[OrderLeg] | UnsetType
    direction: str
    price: Number | UnsetType
    amount: Number
    filled_amount: Number
    label: str | UnsetType
    client_order_id: int | UnsetType
    status: str
    fills: list[FillObject]
    delete_reason: str
    insert_reason: str
    create_time: float
    close_time: float
    conditional_order_id: str | UnsetType = UNSET
    bot_id: str | UnsetType = UNSET


class TradeObject(Struct):
    trade_type: str
    trade_id: str
    order_id: str
    instrument_name: str
    direction: str
    price: Decimal
    amount: Number
    label: str | UnsetType
    time: float
    position_after: Decimal
    session_realised_after: Decimal
    position_pnl: Decimal | UnsetType
    perpetual_funding_pnl: Decimal | UnsetType
    fee: Decimal
    fee_rate: Decimal
    fee_basis: Decimal
    index: Decimal
    funding_mark: Decimal | UnsetType
    client_order_id: int | UnsetType
    maker_taker: str
    bot_id: str | UnsetType
    leg_index: int = 0
    liquidation_fee: Decimal | UnsetType = UNSET


def seconds(time_ns: int) -> float:
    return time_ns / NS_PER_S


def fill_object(instrument: Instrument, fill: Fill) -> FillObject:
    return FillObject(
        fill.trade_id,
        instrument.fill_grid.price_number(fill.price_ticks),
        instrument.fill_grid.amount_number(fill.lots),
        seconds(fill.time_ns),
        "maker" if fill.is_maker else "taker",
        fill.leg_index,
    )


def _legs(update: OrderUpdate, remaining: int | UnsetType) -> list[OrderLeg]:
    """Return the legs of a combination order, which never rests."""
    instrument = update.order.instrument
    amounts = [abs(leg.quantity) * instrument.grid.amount(update.filled_lots) for leg in instrument.legs]
    return [
        OrderLeg(leg.instrument_name, leg.quantity, _number_of(amount), remaining)
        for leg, amount in zip(instrument.legs, amounts, strict=True)
    ]


def _number_of(amount: Decimal) -> Number:
    return int(amount) if amount == int(amount) else float(amount)


def _price_of(update: OrderUpdate) -> Number | UnsetType:
    order = update.order
    if order.order_type is OrderType.MARKET:
        return UNSET
    return order.instrument.grid.price_number(update.price_ticks)


def order_status(update: OrderUpdate) -> OrderStatus:
    """Return the update as an OrderStatus; a closed order has nothing remaining."""
    order, instrument = update.order, update.order.instrument
    grid, is_whole = instrument.grid, instrument.leg_grid is None
    closed = update.delete_reason is not None
    return OrderStatus(
        order_id=order.order_id,
        order_type=order.order_type.value,
        time_in_force=order.time_in_force.value,
        instrument_name=instrument.name if is_whole else UNSET,
        legs=UNSET if is_whole else _legs(update, 0),
        direction=order.side.value,
        price=_price_of(update),
        amount=grid.amount_number(update.amount_lots),
        filled_amount=grid.amount_number(update.filled_lots),
        remaining_amount=0 if closed else grid.amount_number(update.amount_lots - update.filled_lots),
        label=UNSET if order.label is None else order.label,
        client_order_id=UNSET if order.client_order_id is None else order.client_order_id,
        status=update.status.value,
        fills=[fill_object(order.instrument, fill) for fill in update.fills],
        change_reason=update.change_reason.value,
        delete_reason=update.delete_reason.value if update.delete_reason else UNSET,
        insert_reason=order.insert_reason.value,
        create_time=seconds(order.create_time_ns),
        close_time=seconds(update.close_time_ns) if closed else UNSET,
        reduce_only=True if order.reduce_only else UNSET,
        persistent=order.persistent,
        conditional_order_id=order.conditional_order_id or UNSET,
        bot_id=order.bot_id or UNSET,
    )


def existing_order(order: Order) -> OrderStatus:
    return order_status(update_of(order, ChangeReason.EXISTING, tuple(order.fills)))


def order_history(update: OrderUpdate) -> OrderHistory:
    order, instrument = update.order, update.order.instrument
    assert update.delete_reason is not None
    return OrderHistory(
        order_id=order.order_id,
        order_type=order.order_type.value,
        instrument_name=instrument.name if instrument.leg_grid is None else UNSET,
        legs=UNSET if instrument.leg_grid is None else _legs(update, UNSET),
        direction=order.side.value,
        price=_price_of(update),
        amount=instrument.grid.amount_number(update.amount_lots),
        filled_amount=instrument.grid.amount_number(update.filled_lots),
        label=UNSET if order.label is None else order.label,
        client_order_id=UNSET if order.client_order_id is None else order.client_order_id,
        status=update.status.value,
        fills=[fill_object(instrument, fill) for fill in order.fills[:HISTORY_FILLS_MAX]],
        delete_reason=update.delete_reason.value,
        insert_reason=order.insert_reason.value,
        create_time=seconds(order.create_time_ns),
        close_time=seconds(update.close_time_ns),
        conditional_order_id=order.conditional_order_id or UNSET,
        bot_id=order.bot_id or UNSET,
    )


def trade_object(trade: Trade) -> TradeObject:
    order, instrument = trade.order, trade.instrument
    is_perpetual = instrument.type is InstrumentType.PERPETUAL
    has_closed = bool(trade.realised.lots)
    return TradeObject(
        trade_type=trade.trade_type,
        trade_id=trade.trade_id,
        order_id=order.order_id,
        instrument_name=instrument.name,
        direction=trade.side.value,
        price=plain(trade.price),
        amount=instrument.grid.amount_number(trade.lots),
        label=UNSET if order.label is None else order.label,
        time=seconds(trade.time_ns),
        position_after=plain(trade.position_after),
        session_realised_after=plain(trade.session_realised_after),
        position_pnl=plain(trade.realised.position_pnl) if has_closed else UNSET,
        perpetual_funding_pnl=plain(trade.realised.funding_pnl) if has_closed and is_perpetual else UNSET,
        fee=plain(trade.fee),
        fee_rate=plain(trade.fee_rate),
        fee_basis=plain(trade.index_price),
        index=plain(trade.index_price),
        funding_mark=plain(trade.funding_mark) if is_perpetual else UNSET,
        client_order_id=UNSET if order.client_order_id is None else order.client_order_id,
        maker_taker="maker" if trade.is_maker else "taker",
        bot_id=order.bot_id or UNSET,
        leg_index=trade.leg_index,
        liquidation_fee=plain(trade.liquidation_fee) if trade.liquidation_fee else UNSET,
    )
