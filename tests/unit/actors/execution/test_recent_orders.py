"""The same order sent twice is seen; what moved on, or is replaced, is none."""

from __future__ import annotations

from actors.execution.recent_orders import SENT_MAX, RecentOrders
from domain.order import Side
from trading.orders.order import Order
from trading.orders.states import OrderState
from trading.risk.gate_kernel import NO_DUPLICATE_NS


def order(number: int, state: OrderState = OrderState.WORKING, price_ticks: int = 100) -> Order:
    made = Order(client_order_id=number, instrument=0, side=Side.BUY, price_ticks=price_ticks, size_lots=5)
    made.state = state
    return made


def recent(*orders: Order) -> RecentOrders:
    """Return the memory of an instrument in which a buy of 5 at 100 was sent under number 1, at time 1,000."""
    known = {one.client_order_id: one for one in orders}
    memory = RecentOrders(known.get)
    memory.note(Side.BUY, 100, 5, 1, 1_000)
    return memory


def test_the_age_of_the_same_order_is_told() -> None:
    # Given an order that was answered, or is closed and forgotten
    for memory in (recent(order(1)), recent(order(1, OrderState.FILLED)), recent()):
        # If the same is to be sent 70 ns later, I expect its age, and nothing for any other terms
        assert memory.age_ns(Side.BUY, 100, 5, (), 1_070) == 70
        others = [(Side.SELL, 100, 5), (Side.BUY, 101, 5), (Side.BUY, 100, 4)]
        assert [memory.age_ns(*terms, (), 1_070) for terms in others] == [NO_DUPLICATE_NS] * 3


def test_an_order_that_was_filled_is_known_from_one_that_ended_otherwise() -> None:
    # Given the same order filled, refused, open, and forgotten
    assert recent(order(1, OrderState.FILLED)).was_filled(Side.BUY, 100, 5)
    for memory in (recent(order(1, OrderState.REJECTED)), recent(order(1)), recent()):
        assert not memory.was_filled(Side.BUY, 100, 5)
    assert not recent(order(1, OrderState.FILLED)).was_filled(Side.SELL, 100, 5)


def test_an_unanswered_order_has_no_age() -> None:
    for state in (OrderState.PENDING_NEW, OrderState.PENDING_AMEND, OrderState.UNKNOWN):
        assert recent(order(1, state)).age_ns(Side.BUY, 100, 5, (), 10**12) == 0
    # Given one on its way out, I expect its age: it has been answered
    assert recent(order(1, OrderState.PENDING_CANCEL)).age_ns(Side.BUY, 100, 5, (), 1_070) == 70


def test_what_is_replaced_or_has_moved_on_is_no_duplicate() -> None:
    # Given the order that is itself amended, and one that is on its way to another price
    assert recent(order(1)).age_ns(Side.BUY, 100, 5, (1,), 1_070) == NO_DUPLICATE_NS
    moving = order(1, OrderState.PENDING_AMEND)
    moving.target = (103, 5)
    assert recent(moving).age_ns(Side.BUY, 100, 5, (), 1_070) == NO_DUPLICATE_NS
    assert recent(order(1, price_ticks=103)).age_ns(Side.BUY, 100, 5, (), 1_070) == NO_DUPLICATE_NS


def test_the_newest_are_remembered() -> None:
    # Given more orders than are remembered, the first of them sent again in between
    memory = recent()
    for number in range(2, SENT_MAX):
        memory.note(Side.BUY, 100 + number, 5, number, 2_000)
    memory.note(Side.BUY, 100, 5, 1, 3_000)
    for number in range(1_000, 1_000 + SENT_MAX // 4):
        memory.note(Side.BUY, number, 5, number, 4_000)
    # If asked, I expect what was sent last, and not the oldest
    assert memory.age_ns(Side.BUY, 100, 5, (), 5_000) == 2_000
    assert memory.age_ns(Side.BUY, 102, 5, (), 5_000) == NO_DUPLICATE_NS
