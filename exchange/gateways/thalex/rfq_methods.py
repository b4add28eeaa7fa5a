"""Requests for quote by request: of who asks, and of who quotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from exchange.core.orders import Side
from exchange.core.rfq import NewRfqQuote, RfqQuote
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import rfq_payloads, wire
from exchange.gateways.thalex.account_methods import HistoryParams, Row, page_of
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import OrderIdParams, check_client_order_id, check_label

Number = int | float


class RequestedLeg(Struct):
    instrument_name: str
    amount: Number


class CreateParams(Struct):
    legs: list[RequestedLeg]
    label: str | None = None


class RfqIdParams(Struct):
    rfq_id: str


class TradeParams(RfqIdParams, kw_only=True):
    direction: Side
    limit_price: Number


class QuoteParams(RfqIdParams, kw_only=True):
    direction: Side
    price: Number
    amount: Number
    client_order_id: int | None = None
    label: str | None = None


class AmendParams(OrderIdParams, kw_only=True):
    price: Number
    amount: Number


def create(session: Session, params: CreateParams) -> bytes:
    assert session.account is not None
    check_label(params.label)
    legs = [(leg.instrument_name, wire_decimal(leg.amount)) for leg in params.legs]
    rfq = session.context.engine.rfqs.create(session.account, legs, params.label)
    return wire.encode(rfq_payloads.for_requester(rfq))


def cancel(session: Session, params: RfqIdParams) -> bytes:
    assert session.account is not None
    session.context.engine.rfqs.cancel(session.account, params.rfq_id)
    return wire.encode(None)


def trade(session: Session, params: TradeParams) -> bytes:
    assert session.account is not None
    limit = wire_decimal(params.limit_price)
    done = session.context.engine.rfqs.trade(session.account, params.rfq_id, params.direction, limit)
    return wire.encode(rfq_payloads.trade_object(done))


def open_rfqs(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    found = session.context.engine.rfqs.open_of(session.account)
    return wire.encode([rfq_payloads.for_requester(rfq) for rfq in found])


def history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    closed = session.context.engine.rfqs.closed_of(session.account)
    rows = (Row(rfq.sequence, rfq.create_time_ns, "", rfq) for rfq in closed)
    page, bookmark = page_of(rows, params)
    return wire.encode({"rfqs": [rfq_payloads.for_requester(rfq) for rfq in page], "bookmark": bookmark})


def mm_rfqs(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    found = session.context.engine.rfqs.quotable_by(session.account)
    return wire.encode([rfq_payloads.for_maker(rfq) for rfq in found])


def insert_quote(session: Session, params: QuoteParams) -> bytes:
    check_label(params.label)
    check_client_order_id(params.client_order_id)
    new = NewRfqQuote(
        session.account,
        session.session_id,
        params.direction,
        wire_decimal(params.price),
        wire_decimal(params.amount),
        params.client_order_id,
        params.label,
    )
    return wire.encode(rfq_payloads.quote_object(session.context.engine.rfqs.insert_quote(params.rfq_id, new)))


def amend_quote(session: Session, params: AmendParams) -> bytes:
    quote = _find(session, params)
    session.context.engine.rfqs.amend_quote(quote, wire_decimal(params.price), wire_decimal(params.amount))
    return wire.encode(rfq_payloads.quote_object(quote))


def delete_quote(session: Session, params: OrderIdParams) -> bytes:
    session.context.engine.rfqs.delete_quote(_find(session, params))
    return wire.encode(None)


def quotes(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    found = session.context.engine.rfqs.quotes_of(session.account)
    return wire.encode([rfq_payloads.quote_object(quote) for quote in found])


def _find(session: Session, params: OrderIdParams) -> RfqQuote:
    assert session.account is not None
    if (params.order_id is None) == (params.client_order_id is None):
        detail = "expected exactly one of order_id and client_order_id"
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {detail}")
    desk = session.context.engine.rfqs
    return desk.find_quote(session.account, session.session_id, params.order_id, params.client_order_id)


def _method(handler: Callable[[Session, Any], bytes], params: type[Struct], bucket: str | None = None) -> Method:
    return Method(handler, msgspec.json.Decoder(params), needs_login=True, bucket=bucket)


METHODS: Methods = {
    "private/create_rfq": _method(create, CreateParams, "order"),
    "private/cancel_rfq": _method(cancel, RfqIdParams, "cancel"),
    "private/trade_rfq": _method(trade, TradeParams, "order"),
    "private/open_rfqs": _method(open_rfqs, NoParams),
    "private/rfq_history": _method(history, HistoryParams),
    "private/mm_rfqs": _method(mm_rfqs, NoParams),
    "private/mm_rfq_insert_quote": _method(insert_quote, QuoteParams, "order"),
    "private/mm_rfq_amend_quote": _method(amend_quote, AmendParams, "order"),
    "private/mm_rfq_delete_quote": _method(delete_quote, OrderIdParams, "cancel"),
    "private/mm_rfq_quotes": _method(quotes, NoParams),
}
