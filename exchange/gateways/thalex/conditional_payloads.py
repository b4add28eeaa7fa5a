"""Conditional orders as the protocol's objects."""

from __future__ import annotations

from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from exchange.core.accounts import Account
from exchange.core.conditional import ConditionalOrder
from exchange.core.engine import Engine
from exchange.core.units import plain
from exchange.gateways.thalex.payloads import seconds

LISTED_CLOSED_MAX = 50


class ConditionalObject(Struct):
    order_id: str
    instrument_name: str
    direction: str
    amount: Decimal
    target: str
    stop_price: Decimal
    limit_price: Decimal | UnsetType
    bracket_price: Decimal | UnsetType
    trailing_stop_callback_rate: Decimal | UnsetType
    label: str | UnsetType
    status: str
    create_time: float
    update_time: float
    convert_time: float | UnsetType
    converted_order_id: str | UnsetType
    reject_reason: str | UnsetType
    reduce_only: bool


def conditional_object(order: ConditionalOrder) -> ConditionalObject:
    asked = order.asked
    assert asked.amount is not None
    return ConditionalObject(
        order_id=order.order_id,
        instrument_name=asked.instrument_name,
        direction=asked.side.value,
        amount=plain(asked.amount),
        target=asked.target.value,
        stop_price=plain(order.stop_price),
        limit_price=_given(asked.limit_price),
        bracket_price=_given(asked.bracket_price),
        trailing_stop_callback_rate=_given(asked.callback_rate),
        label=UNSET if asked.label is None else asked.label,
        status=order.status.value,
        create_time=seconds(order.create_time_ns),
        update_time=seconds(order.update_time_ns),
        convert_time=UNSET if order.convert_time_ns is None else seconds(order.convert_time_ns),
        converted_order_id=order.converted_order_id or UNSET,
        reject_reason=order.reject_reason or UNSET,
        reduce_only=asked.reduce_only,
    )


def recent_list(engine: Engine, account: Account) -> list[ConditionalObject]:
    """Return what is active, and what was until lately, oldest first."""
    closed = engine.conditionals.closed_orders(account)[-LISTED_CLOSED_MAX:]
    both = sorted([*closed, *engine.conditionals.open_orders(account)], key=lambda order: order.sequence)
    return [conditional_object(order) for order in both]


def _given(value: Decimal | None) -> Decimal | UnsetType:
    return UNSET if value is None else plain(value)
