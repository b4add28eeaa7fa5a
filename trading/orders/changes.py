"""What the order book says has happened, to whoever books and tells it."""

from __future__ import annotations

from typing import NamedTuple

from domain.codes import OrderEventKind
from domain.reports import FillReport, OrderReport
from trading.orders.order import Order


class Change(NamedTuple):
    """Something that happened to one of our orders, in the order in which it happened.

    Attributes:
        reason: of a cancel: the venue's word for it.
    """

    kind: OrderEventKind
    order: Order
    fill: FillReport | None = None
    venue_code: int = 0
    exchange_time_ns: int = 0
    reason: str = ""


class OpenOrdersResult(NamedTuple):
    """What a query of open orders brought to light.

    Attributes:
        changes: what it changed in our book.
        untracked: open orders that the book does not know as open; whose they are, their label says.
    """

    changes: list[Change]
    untracked: list[OrderReport]
