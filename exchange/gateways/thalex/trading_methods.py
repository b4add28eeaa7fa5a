"""Orders: insert, amend, cancel and the bulk cancels."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from exchange.core.instrument import Leg
from exchange.core.orders import (
    Collar,
    DeleteReason,
    NewOrder,
    Order,
    OrderType,
    Side,
    StpAction,
    StpLevel,
    TimeInForce,
)
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import payloads, wire
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session

CLIENT_ORDER_ID_MAX = 2**64 - 1
LABEL = re.compile(r"[A-Za-z0-9<>|_-]{0,64}")

Number = int | float


class LegParams(Struct):
    instrument_name: str
    quantity: int


class OrderParams(Struct):
    instrument_name: str | None = None
    amount: Number | None = None
    price: Number | None = None
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce | None = None
    client_order_id: int | None = None
    label: str | None = None
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    collar: Collar | None = None
    stp_level: StpLevel = StpLevel.CUSTOMER
    stp_action: StpAction = StpAction.CANCEL_AGGRESSIVE_PARTIAL_FILL
    legs: list[LegParams] | None = None


class InsertParams(OrderParams, kw_only=True):
    direction: Side


class OrderIdParams(Struct):
    order_id: str | None = None
    client_order_id: int | None = None


class AmendParams(OrderIdParams, kw_only=True):
    price: Number
    amount: Number
    collar: Collar | None = None


def insert(session: Session, params: InsertParams) -> bytes:
    return _insert(session, params, params.direction)


def buy(session: Session, params: OrderParams) -> bytes:
    return _insert(session, params, Side.BUY)


def sell(session: Session, params: OrderParams) -> bytes:
    return _insert(session, params, Side.SELL)


def amend(session: Session, params: AmendParams) -> bytes:
    order = _find(session, params)
    market = session.context.engine.market(order.instrument.name)
    update = market.amend(order, wire_decimal(params.price), wire_decimal(params.amount), params.collar)
    return wire.encode(payloads.order_status(update))


def cancel(session: Session, params: OrderIdParams) -> bytes:
    order = _find(session, params)
    return wire.encode(payloads.order_status(session.context.engine.market(order.instrument.name).cancel(order)))


def cancel_all(session: Session, params: NoParams) -> bytes:
    """Cancel every order of the account, whatever its session; answer how many."""
    assert session.account is not None
    orders = list(session.account.open_orders.values())
    cancelled = session.context.engine.cancel_orders(orders, DeleteReason.CLIENT_BULK_CANCEL)
    return wire.encode(len(cancelled))


def cancel_session(session: Session, params: NoParams) -> bytes:
    if not session.cod_timeout_ns:
        raise RequestError(ErrorCode.PERSISTENT_SESSION, "persistent session: call set_cancel_on_disconnect first")
    session.context.engine.cancel_orders(session.own_orders(), DeleteReason.SESSION_END)
    session.context.engine.quotes.end_session(session.session_id)
    return wire.encode(None)


def open_orders(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    return wire.encode([payloads.existing_order(order) for order in session.account.open_orders.values()])


def _insert(session: Session, params: OrderParams, side: Side) -> bytes:
    assert session.account is not None
    _check_params(params)
    engine = session.context.engine
    new = NewOrder(
        account=session.account,
        session_id=session.session_id,
        side=side,
        amount=None if params.amount is None else wire_decimal(params.amount),
        price=None if params.price is None else wire_decimal(params.price),
        order_type=params.order_type,
        time_in_force=params.time_in_force,
        client_order_id=params.client_order_id,
        label=params.label,
        post_only=params.post_only,
        reject_post_only=params.reject_post_only,
        reduce_only=params.reduce_only,
        collar=params.collar,
        stp_level=params.stp_level,
        stp_action=params.stp_action,
        persistent=not session.cod_timeout_ns,
    )
    if params.legs is not None:
        legs = [Leg(leg.instrument_name, leg.quantity) for leg in params.legs]
        return wire.encode(payloads.order_status(engine.combinations.insert(new, legs)))
    assert params.instrument_name is not None
    return wire.encode(payloads.order_status(engine.market(params.instrument_name).insert(new)))


def _check_params(params: OrderParams) -> None:
    if (params.instrument_name is None) == (params.legs is None):
        raise _invalid("expected exactly one of instrument_name and legs")
    check_client_order_id(params.client_order_id)
    check_label(params.label)


def check_client_order_id(client_order_id: int | None) -> None:
    """Raise code 6 for a client order id out of range."""
    if client_order_id is not None and not 0 <= client_order_id <= CLIENT_ORDER_ID_MAX:
        raise _invalid(f"client_order_id {client_order_id}, expected 0 to 2^64-1")


def check_label(label: str | None) -> None:
    """Raise code 6 for a label that the venue would not take."""
    if label is not None and not LABEL.fullmatch(label):
        raise _invalid(f"label {label[:80]!r}, expected at most 64 of A-Z a-z 0-9 < > | _ -")


def _find(session: Session, params: OrderIdParams) -> Order:
    """Return the working order that is meant; client order ids are of this session alone."""
    assert session.account is not None
    if (params.order_id is None) == (params.client_order_id is None):
        raise _invalid("expected exactly one of order_id and client_order_id")
    if params.order_id is not None:
        order = session.account.open_orders.get(params.order_id)
    else:
        assert params.client_order_id is not None
        order = session.account.by_client_order_id.get((session.session_id, params.client_order_id))
    if order is None:
        raise RequestError(ErrorCode.ORDER_NOT_FOUND, "order not found")
    return order


def _invalid(detail: str) -> RequestError:
    return RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {detail}")


def _order_method(handler: Any, params: type[Struct], bucket: str | None, *, is_logged: bool = False) -> Method:
    return Method(handler, msgspec.json.Decoder(params), needs_login=True, bucket=bucket, is_logged=is_logged)


METHODS: Methods = {
    "private/insert": _order_method(insert, InsertParams, "order"),
    "private/buy": _order_method(buy, OrderParams, "order"),
    "private/sell": _order_method(sell, OrderParams, "order"),
    "private/amend": _order_method(amend, AmendParams, "order"),
    "private/cancel": _order_method(cancel, OrderIdParams, "cancel"),
    "private/cancel_all": _order_method(cancel_all, NoParams, "cancel", is_logged=True),
    "private/cancel_session": _order_method(cancel_session, NoParams, "cancel", is_logged=True),
    "private/open_orders": _order_method(open_orders, NoParams, None),
}
