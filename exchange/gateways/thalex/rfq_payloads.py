"""Requests for quote and the quotes on them as the protocol's objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from exchange.core.orders import OPPOSITE, Side
from exchange.core.rfq import Rfq, RfqQuote, RfqTrade
from exchange.core.units import plain
from exchange.gateways.thalex.payloads import seconds


class LegObject(Struct):
    instrument_name: str
    quantity: int
    fee_quantity: int


class LevelObject(Struct):
    price: Decimal
    amount: Decimal


class RfqObject(Struct):
    rfq_id: str
    amount: Decimal
    create_time: float
    legs: list[LegObject]
    label: str | UnsetType = UNSET
    insert_reason: str | UnsetType = UNSET
    delete_reason: str | UnsetType = UNSET
    volume_tick_size: Decimal | UnsetType = UNSET
    quoted_bid: LevelObject | UnsetType = UNSET
    quoted_ask: LevelObject | UnsetType = UNSET
    trade_price: Decimal | UnsetType = UNSET
    trade_amount: Decimal | UnsetType = UNSET
    close_time: float | UnsetType = UNSET
    event: str | UnsetType = UNSET


class QuoteObject(Struct):
    rfq_id: str
    order_id: str
    client_order_id: int | UnsetType
    direction: str
    price: Decimal
    amount: Decimal
    label: str | UnsetType
    trade_price: Decimal | UnsetType
    trade_amount: Decimal | UnsetType
    delete_reason: str | UnsetType
    event: str | UnsetType


def for_maker(rfq: Rfq) -> RfqObject:
    """Return what makers see: what is asked for, and in which steps it may be quoted."""
    found = _asked(rfq)
    found.volume_tick_size = plain(rfq.terms.step)
    return found


def for_requester(rfq: Rfq, event: str | None = None) -> RfqObject:
    """Return all of it; `event` on the subscription alone."""
    found = for_maker(rfq)
    found.label = UNSET if rfq.label is None else rfq.label
    found.insert_reason = "client_request"
    if rfq.delete_reason is not None and rfq.delete_reason.value in ("client_cancel", "filled"):
        found.delete_reason = rfq.delete_reason.value
    found.quoted_bid, found.quoted_ask = _level(rfq, Side.BUY), _level(rfq, Side.SELL)
    _add_trade(found, rfq)
    if rfq.close_time_ns is not None:
        found.close_time = seconds(rfq.close_time_ns)
    found.event = UNSET if event is None else event
    return found


def for_public(rfq: Rfq) -> RfqObject:
    """Return a traded request as everybody sees it."""
    found = _asked(rfq)
    _add_trade(found, rfq)
    return found


def quote_object(quote: RfqQuote, event: str | None = None) -> QuoteObject:
    return QuoteObject(
        rfq_id=quote.rfq.rfq_id,
        order_id=quote.order_id,
        client_order_id=UNSET if quote.client_order_id is None else quote.client_order_id,
        direction=quote.side.value,
        price=plain(quote.price),
        amount=plain(quote.amount),
        label=UNSET if quote.label is None else quote.label,
        trade_price=UNSET if quote.trade_price is None else plain(quote.trade_price),
        trade_amount=UNSET if quote.trade_amount is None else plain(quote.trade_amount),
        delete_reason=UNSET if quote.delete_reason is None else quote.delete_reason.value,
        event=UNSET if event is None else event,
    )


def trade_object(trade: RfqTrade) -> dict[str, Any]:
    """Return what `trade_rfq` answers."""
    legs = [
        {
            "instrument_name": leg.instrument.name,
            "direction": (trade.side if leg.quantity > 0 else OPPOSITE[trade.side]).value,
            "amount": plain(abs(leg.quantity) * trade.amount),
        }
        for leg in trade.rfq.terms.legs
    ]
    return {
        "rfq_id": trade.rfq.rfq_id,
        "direction": trade.side.value,
        "price": plain(trade.price),
        "amount": plain(trade.amount),
        "legs": legs,
    }


def _asked(rfq: Rfq) -> RfqObject:
    legs = [LegObject(leg.instrument.name, leg.quantity, abs(leg.quantity)) for leg in rfq.terms.legs]
    return RfqObject(rfq.rfq_id, plain(rfq.terms.amount), seconds(rfq.create_time_ns), legs)


def _add_trade(found: RfqObject, rfq: Rfq) -> None:
    if rfq.trade_price is not None and rfq.trade_amount is not None:
        found.trade_price, found.trade_amount = plain(rfq.trade_price), plain(rfq.trade_amount)


def _level(rfq: Rfq, side: Side) -> LevelObject | UnsetType:
    best = rfq.best(side)
    return UNSET if best is None else LevelObject(plain(best[0]), plain(best[1]))
