"""Conditional orders by request: create, cancel, list."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from exchange.core.conditional import NewConditional, Target
from exchange.core.orders import Side, StpAction, StpLevel
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import conditional_payloads, wire
from exchange.gateways.thalex.account_methods import HistoryParams, Row, page_of
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import check_label

Number = int | float


class CreateParams(Struct):
    direction: Side
    instrument_name: str
    amount: Number
    stop_price: Number
    limit_price: Number | None = None
    bracket_price: Number | None = None
    trailing_stop_callback_rate: Number | None = None
    target: Target = Target.LAST
    label: str | None = None
    reduce_only: bool = False
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL


class ConditionalIdParams(Struct):
    order_id: str


def create(session: Session, params: CreateParams) -> bytes:
    assert session.account is not None
    check_label(params.label)
    limit, bracket, rate = params.limit_price, params.bracket_price, params.trailing_stop_callback_rate
    order = session.context.engine.conditionals.create(
        NewConditional(
            account=session.account,
            instrument_name=params.instrument_name,
            side=params.direction,
            amount=wire_decimal(params.amount),
            stop_price=wire_decimal(params.stop_price),
            limit_price=None if limit is None else wire_decimal(limit),
            bracket_price=None if bracket is None else wire_decimal(bracket),
            callback_rate=None if rate is None else wire_decimal(rate),
            target=params.target,
            label=params.label,
            reduce_only=params.reduce_only,
            stp_level=params.stp_level,
            stp_action=params.stp_action,
        )
    )
    return wire.encode(conditional_payloads.conditional_object(order))


def cancel(session: Session, params: ConditionalIdParams) -> bytes:
    assert session.account is not None
    session.context.engine.conditionals.cancel(session.account, params.order_id)
    return wire.encode(None)


def cancel_all(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    session.context.engine.conditionals.cancel_all(session.account)
    return wire.encode(None)


def open_orders(session: Session, params: NoParams) -> bytes:
    """Answer the active ones."""
    assert session.account is not None
    orders = session.context.engine.conditionals.open_orders(session.account)
    return wire.encode([conditional_payloads.conditional_object(order) for order in orders])


def orders(session: Session, params: NoParams) -> bytes:
    """Answer active and formerly active ones, as the deprecated call does."""
    assert session.account is not None
    return wire.encode(conditional_payloads.recent_list(session.context.engine, session.account))


def history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    closed = session.context.engine.conditionals.closed_orders(session.account)
    closed.sort(key=lambda order: order.sequence)
    rows = (Row(order.sequence, order.create_time_ns, order.asked.instrument_name, order) for order in closed)
    page, bookmark = page_of(rows, params)
    found = [conditional_payloads.conditional_object(order) for order in page]
    return wire.encode({"orders": found, "bookmark": bookmark})


METHODS: Methods = {
    "private/create_conditional_order": Method(
        create, msgspec.json.Decoder(CreateParams), needs_login=True, bucket="order"
    ),
    "private/cancel_conditional_order": Method(
        cancel, msgspec.json.Decoder(ConditionalIdParams), needs_login=True, bucket="cancel"
    ),
    "private/cancel_all_conditional_orders": Method(
        cancel_all, msgspec.json.Decoder(NoParams), needs_login=True, bucket="cancel", is_logged=True
    ),
    "private/open_conditional_orders": Method(open_orders, msgspec.json.Decoder(NoParams), needs_login=True),
    "private/conditional_orders": Method(orders, msgspec.json.Decoder(NoParams), needs_login=True),
    "private/conditional_order_history": Method(history, msgspec.json.Decoder(HistoryParams), needs_login=True),
}
