"""Conditional orders on Thalex's wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from domain.errors import ProtocolError
from domain.order import Side
from venues.conditional import ConditionalOrderReport, NewConditionalOrder
from venues.thalex.wire import readable

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class _ConditionalOrder(msgspec.Struct, gc=False):
    order_id: str
    instrument_name: str
    direction: str
    amount: Decimal
    stop_price: Decimal
    status: str
    target: str = "last"
    limit_price: Decimal | None = None
    bracket_price: Decimal | None = None
    trailing_stop_callback_rate: Decimal | None = None
    reduce_only: bool = False
    label: str | None = None
    reject_reason: str | None = None


_decode_one = readable(msgspec.json.Decoder(_ConditionalOrder).decode)
_decode_all = readable(msgspec.json.Decoder(list[_ConditionalOrder]).decode)


def create_params(order: NewConditionalOrder) -> dict[str, object]:
    """Return the parameters of private/create_conditional_order.

    Raises:
        ValueError: for a combination that the venue does not offer.
    """
    kinds = (order.limit_price, order.bracket_price, order.callback_rate)
    if sum(kind is not None for kind in kinds) > 1:
        raise ValueError("at most one of limit price, bracket price and callback rate")
    optional = {
        "limit_price": order.limit_price,
        "bracket_price": order.bracket_price,
        "trailing_stop_callback_rate": order.callback_rate,
        "label": order.label or None,
        "stp_level": order.stp.level,
        "stp_action": order.stp.action,
    }
    return {
        "direction": "buy" if order.side is Side.BUY else "sell",
        "instrument_name": order.instrument_name,
        "amount": order.size,
        "stop_price": order.stop_price,
        "target": order.target,
        "reduce_only": order.reduce_only,
        **{name: value for name, value in optional.items() if value is not None},
    }


def decode_conditional_order(payload: Any) -> ConditionalOrderReport:
    """Return the answer of private/create_conditional_order."""
    return _report(_decode_one(payload))


def decode_conditional_orders(payload: Any) -> list[ConditionalOrderReport]:
    """Return a list of conditional orders; ProtocolError when any of them is unreadable (see order_lists.py)."""
    return [_report(order) for order in _decode_all(payload)]


def _report(order: _ConditionalOrder) -> ConditionalOrderReport:
    side = _SIDES.get(order.direction)
    if side is None:
        raise ProtocolError(f"direction {order.direction!r} of a conditional order is neither buy nor sell")
    if not (order.amount.is_finite() and order.stop_price.is_finite()):
        raise ProtocolError(f"conditional order {order.order_id}: {order.amount} at {order.stop_price}")
    return ConditionalOrderReport(
        order_id=order.order_id,
        instrument_name=order.instrument_name,
        side=side,
        size=order.amount,
        stop_price=order.stop_price,
        limit_price=order.limit_price,
        bracket_price=order.bracket_price,
        callback_rate=order.trailing_stop_callback_rate,
        target=order.target,
        status=order.status,
        reduce_only=order.reduce_only,
        label=order.label or "",
        reject_reason=order.reject_reason or "",
    )
