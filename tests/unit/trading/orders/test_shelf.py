"""Closed orders are kept for as long as something may still come of them, and not for ever."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_S
from domain.order import Side
from trading.orders import shelf as shelf_module
from trading.orders.order import Order
from trading.orders.shelf import CLOSED_KEPT_NS, OrderShelf


def closed_at(shelf: OrderShelf, number: int, time_ns: int, *, missing_lots: int = 0) -> list[int]:
    """Let an order come and close; return the numbers of those that are forgotten by it."""
    order = Order(client_order_id=number, instrument=0, side=Side.BUY, price_ticks=100, size_lots=5)
    shelf.add(order)
    shelf.name(order, f"v{number}")
    order.changed_time_ns, order.filled_lots = time_ns, missing_lots
    return [forgotten.client_order_id for forgotten in shelf.close(order)]


def test_a_closed_order_is_found_for_two_minutes() -> None:
    shelf = OrderShelf([0])
    assert closed_at(shelf, 1, NS_PER_S) == []
    assert closed_at(shelf, 2, 2 * NS_PER_S) == []
    assert closed_at(shelf, 3, NS_PER_S + CLOSED_KEPT_NS) == []
    assert shelf.get(1) is not None
    assert closed_at(shelf, 4, 3 * NS_PER_S + CLOSED_KEPT_NS) == [1, 2]
    assert (shelf.get(1), shelf.get_by_venue("v2")) == (None, None)
    assert shelf.get(3) is not None


def test_an_order_of_which_a_fill_is_missing_is_kept_with_all_after_it() -> None:
    shelf = OrderShelf([0])
    closed_at(shelf, 1, NS_PER_S, missing_lots=2)
    closed_at(shelf, 2, NS_PER_S)
    assert closed_at(shelf, 3, 10 * CLOSED_KEPT_NS) == []
    order = shelf.get(1)
    assert order is not None
    order.booked_lots = 2
    assert closed_at(shelf, 4, 10 * CLOSED_KEPT_NS) == [1, 2]


def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "CLOSED_KEPT_MAX", 2)
    shelf = OrderShelf([0])
    told = [closed_at(shelf, number, NS_PER_S, missing_lots=1) for number in range(1, 5)]
    assert told == [[], [], [1], [2]]
