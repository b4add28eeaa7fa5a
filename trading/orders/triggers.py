"""What a message of the venue says about an order that we know: its terms, and the trigger of its next state."""

from __future__ import annotations

from domain.errors import OffGridError
from domain.instrument import Instrument
from domain.order import RequestKind, VenueOrderStatus
from domain.reports import OrderReport
from trading.orders.order import Order, Terms
from trading.orders.states import OrderTrigger

CODE_ORDER_NOT_FOUND = 1
CODE_THROTTLED = 4


def terms_of(report: OrderReport, instrument: Instrument, order: Order) -> Terms:
    """Return price and total size; a market order is told without a price and keeps the one we know.

    Raises:
        OffGridError: price or size is no whole number of steps. What is closed keeps the terms that we know.
    """
    try:
        price_ticks = order.price_ticks if report.price is None else instrument.price_ticks(report.price)
        return (price_ticks, instrument.size_lots(report.size))
    except OffGridError:
        if report.status.is_closed:
            return order.terms
        raise


def trigger_of(order: Order, report: OrderReport, terms: Terms) -> OrderTrigger:
    """Return what a report moves `order` by: does it answer what is in flight, or repeat what is known?"""
    if report.status.is_closed:
        is_filled = report.status is VenueOrderStatus.FILLED
        return OrderTrigger.CLOSED_FILLED if is_filled else OrderTrigger.CLOSED_CANCELLED
    if not order.venue_order_id:
        return OrderTrigger.CONFIRMED
    if order.target is None or terms == order.terms:
        return OrderTrigger.OPENED
    # The venue may have moved a post-only price: what it never showed before is the amend's outcome. Terms
    # that were left behind come from a late report, unless they are just what was asked for.
    if terms not in order.left_behind or (terms == order.target and report.change_reason != "insert"):
        return OrderTrigger.CONFIRMED
    return OrderTrigger.OPENED


def trigger_of_rejection(order: Order, kind: RequestKind, code: int) -> OrderTrigger:
    """Return what the refusal of one message moves `order` by."""
    if kind == "insert":
        # The venue has shown the order and refuses it: ask which of the two holds.
        return OrderTrigger.DOUBT if order.venue_order_id else OrderTrigger.INSERT_REJECTED
    if code == CODE_ORDER_NOT_FOUND:
        return OrderTrigger.NOT_FOUND
    return OrderTrigger.AMEND_REFUSED if kind == "amend" else OrderTrigger.CANCEL_REFUSED
