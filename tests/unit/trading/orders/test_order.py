"""What an order remembers of itself: few things, and not for ever."""

from __future__ import annotations

from domain.order import Side
from trading.orders.order import FEW_FILLS, LEFT_BEHIND_MAX, Order


def an_order() -> Order:
    return Order(client_order_id=1, instrument=0, side=Side.BUY, price_ticks=100, size_lots=5)


def test_it_knows_every_fill_however_many_there_are() -> None:
    order = an_order()
    keys = [(f"t{number}", "v1", 0) for number in range(3 * FEW_FILLS)]
    for count, key in enumerate(keys, 1):
        order.note_fill(key)
        assert len(order.fill_keys) == count
    assert all(key in order.fill_keys for key in keys)


def test_it_remembers_the_last_terms_that_it_left_and_none_that_it_came_back_to() -> None:
    # Given an order that has moved often
    order = an_order()
    for ticks in range(101, 121):
        assert order.adopt((ticks, 5))
    left = tuple((ticks, 5) for ticks in range(120 - LEFT_BEHIND_MAX, 120))
    assert order.left_behind == left
    # If it goes back, I expect those terms not to be left behind, and those that it comes from to be
    assert order.adopt(left[-2])
    assert order.left_behind == (*left[1:-2], left[-1], (120, 5))
    assert not order.adopt(left[-2])
