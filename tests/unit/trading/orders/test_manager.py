"""The book of our orders, one message at a time."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from domain.codes import OrderEventKind
from domain.errors import VenueError
from domain.instrument import Instrument, InstrumentKind
from domain.order import LiquiditySide, Side, VenueOrderStatus
from domain.reports import FillReport, OrderReport, TradeReport
from trading.orders.changes import Change
from trading.orders.manager import OrderManager
from trading.orders.order import Order
from trading.orders.shelf import CLOSED_KEPT_NS
from trading.orders.states import OrderState

NAME = "BTC-PERPETUAL"
BTC = Instrument(NAME, InstrumentKind.PERPETUAL, "BTCUSD", Decimal(1), Decimal("0.001"), Decimal("0.001"))
TIMEOUT_NS = 1000


def manager_with_order(order_id: int = 7, price: int = 100, size: int = 10) -> tuple[OrderManager, Order]:
    manager = OrderManager({NAME: (0, BTC)}, TIMEOUT_NS)
    order = Order(client_order_id=order_id, instrument=0, side=Side.BUY, price_ticks=price, size_lots=size)
    manager.insert_sent(order, now_ns=1)
    return manager, order


def report(
    price: int = 100,
    size: int = 10,
    filled: int = 0,
    status: VenueOrderStatus = VenueOrderStatus.OPEN,
    reason: str = "insert",
    fills: tuple[FillReport, ...] = (),
    client_order_id: int | None = 7,
    venue_order_id: str = "v1",
) -> OrderReport:
    return OrderReport(
        venue_order_id, client_order_id, NAME, Side.BUY, Decimal(price), BTC.size(size), BTC.size(filled), status,
        fills, reason, "", "rm", 0, 0,
    )  # fmt: skip


def fill(trade_id: str, lots: int) -> FillReport:
    return FillReport(trade_id, "v1", 0, Decimal(100), BTC.size(lots), LiquiditySide.MAKER, 0)


def kinds(changes: list[Change] | None) -> list[OrderEventKind]:
    return [change.kind for change in changes or []]


def test_an_insert_counts_before_it_is_answered_and_works_once_it_is() -> None:
    manager, order = manager_with_order()
    assert (order.state, manager.exposed_lots(0, Side.BUY)) == (OrderState.PENDING_NEW, 10)
    assert kinds(manager.apply_report(report(), 2)) == [OrderEventKind.ACCEPTED]
    assert (order.state, order.venue_order_id, order.is_confirmed_open) == (OrderState.WORKING, "v1", True)
    # The second copy (answer and notification both come) changes nothing
    assert kinds(manager.apply_report(report(), 3)) == []


def test_an_amend_counts_at_the_worse_of_both_terms_until_it_is_confirmed() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.amend_sent(order, (105, 6), 0, 3)
    assert (order.exposed_lots, order.aggressive_price_ticks, order.price_ticks) == (10, 105, 100)
    assert kinds(manager.apply_report(report(105, 6, reason="amend"), 4)) == [OrderEventKind.AMENDED]
    assert (order.terms, order.exposed_lots, order.state) == ((105, 6), 6, OrderState.WORKING)


def test_a_late_report_of_earlier_terms_is_not_taken_for_the_answer() -> None:
    # Given an order amended from 100 to 101, and then on its way to 102
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.amend_sent(order, (101, 10), 0, 3)
    manager.apply_report(report(101, reason="amend"), 4)
    manager.amend_sent(order, (102, 10), 0, 5)
    # If the other copies of the first two states come late
    manager.apply_report(report(101, reason="amend"), 6)
    manager.apply_report(report(100), 7)
    # I expect it still to be on its way, and then to be there
    assert (order.state, order.terms) == (OrderState.PENDING_AMEND, (101, 10))
    manager.apply_report(report(102, reason="amend"), 8)
    manager.apply_report(report(101, reason="amend"), 9)
    assert (order.state, order.terms) == (OrderState.WORKING, (102, 10))


def test_a_post_only_amend_that_the_venue_moved_back_is_confirmed_where_it_is() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.amend_sent(order, (105, 10), 0, 3)
    manager.apply_report(report(103, reason="amend"), 4)
    assert (order.state, order.terms) == (OrderState.WORKING, (103, 10))


def test_an_amend_repriced_to_where_it_was_is_asked_about_sooner() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.amend_sent(order, (105, 10), 0, 3)
    manager.apply_report(report(100, reason="amend"), 4)
    assert order.state is OrderState.PENDING_AMEND
    assert manager.expire(4 + TIMEOUT_NS // 2) == [order]


def test_a_fill_counts_once_and_a_full_one_closes_the_order() -> None:
    manager, order = manager_with_order()
    partial = report(filled=4, status=VenueOrderStatus.PARTIALLY_FILLED, reason="fill", fills=(fill("t1", 4),))
    assert kinds(manager.apply_report(partial, 2)) == [OrderEventKind.ACCEPTED, OrderEventKind.FILLED]
    assert kinds(manager.apply_report(partial, 3)) == []
    full = report(filled=10, status=VenueOrderStatus.FILLED, reason="fill", fills=(fill("t2", 6),))
    assert kinds(manager.apply_report(full, 4)) == [OrderEventKind.FILLED]
    assert (order.state, order.booked_lots, manager.live_count(0)) == (OrderState.FILLED, 10, 0)
    # An older message that comes now does not open it again
    manager.apply_report(report(), 5)
    assert order.state is OrderState.FILLED


def test_a_fill_that_was_never_told_is_missed_and_found_in_the_history() -> None:
    # Given a report that says six lots are filled, and tells of two
    manager, order = manager_with_order()
    manager.apply_report(report(filled=6, status=VenueOrderStatus.PARTIALLY_FILLED, fills=(fill("t2", 2),)), 2)
    assert manager.has_doubt()
    assert order.remaining_lots == 4
    # If the history shows both
    for trade_id, lots in (("t1", 4), ("t2", 2)):
        manager.apply_trade(
            TradeReport(trade_id, "v1", 0, NAME, Side.BUY, Decimal(100), BTC.size(lots), Decimal(0), Decimal(0),
                        Decimal(0), Decimal(0), LiquiditySide.MAKER, "rm", 0)
        )  # fmt: skip
    # I expect nothing to be missed any more
    assert not manager.has_doubt()
    assert order.booked_lots == 6


def test_a_gap_given_up_hides_no_other_one_once_it_has_been_told() -> None:
    # Given two lots filled of which nobody tells, given up
    manager, order = manager_with_order()
    manager.apply_report(report(filled=2), 2)
    assert manager.has_fill_gap()
    manager.give_up_gap(order)
    # If three more are filled and told, the two stay given up
    manager.apply_report(report(filled=5, fills=(fill("t2", 3),)), 3)
    assert not manager.has_fill_gap()
    # If they are told after all, and two others are not, I expect these to be missed
    manager.apply_report(report(filled=5, fills=(fill("t1", 2),)), 4)
    assert not manager.has_fill_gap()
    manager.apply_report(report(filled=7), 5)
    assert (order.filled_lots, order.booked_lots) == (7, 5)
    assert manager.has_fill_gap()


def test_an_order_whose_gap_was_given_up_keeps_no_closed_orders_back() -> None:
    # Given an order that the venue calls filled without ever telling how
    manager, order = manager_with_order()
    manager.apply_report(report(filled=10, status=VenueOrderStatus.FILLED), 2)
    manager.give_up_gap(order)
    # If others close in the minutes after it
    for number in range(8, 14):
        later = Order(client_order_id=number, instrument=0, side=Side.BUY, price_ticks=100, size_lots=5)
        manager.insert_sent(later, number * CLOSED_KEPT_NS)
        manager.apply_rejection("insert", number, VenueError(24, "margin"), number * CLOSED_KEPT_NS)
    # I expect it and them to be forgotten in time
    assert [number for number in range(7, 14) if manager.get(number) is not None] == [12, 13]


def test_silence_makes_an_order_unknown_and_it_still_counts() -> None:
    manager, order = manager_with_order()
    assert manager.expire(TIMEOUT_NS) == []
    assert manager.expire(TIMEOUT_NS + 1) == [order]
    assert (order.state, manager.exposed_lots(0, Side.BUY), manager.has_doubt()) == (OrderState.UNKNOWN, 10, True)


def test_an_order_that_the_venue_never_confirmed_must_be_missing_from_two_lists() -> None:
    manager, order = manager_with_order()
    manager.expire(TIMEOUT_NS + 1)
    manager.apply_open_orders([], asked_time_ns=TIMEOUT_NS + 2, now_ns=TIMEOUT_NS + 3)
    assert order.state is OrderState.UNKNOWN
    result = manager.apply_open_orders([], asked_time_ns=TIMEOUT_NS + 4, now_ns=TIMEOUT_NS + 5)
    assert (order.state, kinds(result.changes)) == (OrderState.ABSENT, [OrderEventKind.CANCELLED])
    # If it turns up after all, it counts again
    manager.apply_report(report(), TIMEOUT_NS + 6)
    assert (order.state, manager.exposed_lots(0, Side.BUY)) == (OrderState.WORKING, 10)


def test_a_list_that_was_asked_for_before_an_order_changed_says_nothing_about_it() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), now_ns=10)
    manager.apply_open_orders([], asked_time_ns=10, now_ns=11)
    assert order.state is OrderState.WORKING


def test_a_working_order_that_a_list_does_not_show_is_asked_about_again() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.apply_open_orders([], asked_time_ns=3, now_ns=4)
    assert order.state is OrderState.UNKNOWN
    manager.apply_open_orders([], asked_time_ns=5, now_ns=6)
    assert order.state is OrderState.ABSENT


def test_a_broken_connection_makes_every_live_order_unknown() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.disconnect(3)
    assert (order.state, order.is_confirmed_open) == (OrderState.UNKNOWN, False)


def test_a_refused_insert_is_rejected_and_one_that_was_shown_before_is_doubted() -> None:
    manager, order = manager_with_order()
    changes = manager.apply_rejection("insert", 7, VenueError(24, "insufficient margin"), 2)
    assert (order.state, changes[0].venue_code, manager.live_count(0)) == (OrderState.REJECTED, 24, 0)
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.apply_rejection("insert", 7, VenueError(2, "duplicate order id"), 3)
    assert order.state is OrderState.UNKNOWN


def test_a_refused_amend_leaves_the_old_terms_and_one_not_found_raises_doubt() -> None:
    manager, order = manager_with_order()
    manager.apply_report(report(), 2)
    manager.amend_sent(order, (105, 10), 0, 3)
    manager.apply_rejection("amend", 7, VenueError(4, "throttle exceeded"), 4)
    assert (order.state, order.terms, order.aggressive_price_ticks) == (OrderState.WORKING, (100, 10), 100)
    manager.amend_sent(order, (105, 10), 0, 5)
    manager.apply_rejection("amend", 7, VenueError(1, "order not found"), 6)
    assert order.state is OrderState.UNKNOWN


def test_orders_that_are_not_ours_are_handed_back() -> None:
    manager, _ = manager_with_order()
    manager.apply_report(report(), 2)
    stranger = report(client_order_id=99, venue_order_id="x1")
    same_number = report(client_order_id=7, venue_order_id="x2")
    result = manager.apply_open_orders([report(), stranger, same_number], asked_time_ns=3, now_ns=4)
    assert result.untracked == [stranger, same_number]
    assert manager.apply_report(same_number, 5) is None


def test_an_order_closed_by_the_venue_and_yet_shown_open_is_handed_back() -> None:
    manager, _ = manager_with_order()
    manager.apply_report(report(status=VenueOrderStatus.CANCELLED, reason="cancel"), 2)
    assert manager.apply_open_orders([report()], asked_time_ns=3, now_ns=4).untracked == [report()]


# ---- mass quotes: the venue tells them without our number ----------------------------------------------


def quoting_manager(*levels: tuple[int, int]) -> tuple[OrderManager, list[Order]]:
    """Return a manager that has just sent these bids in one mass quote."""
    manager = OrderManager({NAME: (0, BTC)}, TIMEOUT_NS, "rm")
    quotes = [
        Order(client_order_id=n, instrument=0, side=Side.BUY, price_ticks=price, size_lots=size, is_quote=True)
        for n, (price, size) in enumerate(levels, 1)
    ]
    for quote in quotes:
        manager.insert_sent(quote, 1)
    return manager, quotes


def quote_report(
    venue_order_id: str, price: int, size: int, status: VenueOrderStatus = VenueOrderStatus.OPEN
) -> OrderReport:
    return report(price, size, status=status, client_order_id=None, venue_order_id=venue_order_id)


def test_a_quote_is_found_by_what_it_says_and_then_by_the_venues_number() -> None:
    manager, (first, second) = quoting_manager((100, 5), (99, 5))
    manager.apply_report(quote_report("v2", 99, 5), 2)
    manager.apply_report(quote_report("v1", 100, 5), 2)
    assert (first.venue_order_id, second.venue_order_id) == ("v1", "v2")
    manager.apply_report(quote_report("v2", 99, 5, status=VenueOrderStatus.CANCELLED), 3)
    assert (first.state, second.state) == (OrderState.WORKING, OrderState.CANCELLED)


def test_a_quote_that_the_venue_moved_back_is_found_where_it_rests() -> None:
    manager, (quote,) = quoting_manager((100, 5))
    assert manager.apply_report(quote_report("v1", 98, 5), 2)
    assert (quote.state, quote.price_ticks) == (OrderState.WORKING, 98)


def test_a_quote_is_never_taken_for_one_at_a_better_price_of_another_size_or_label() -> None:
    manager, (quote,) = quoting_manager((100, 5))
    for told in (
        quote_report("v1", 101, 5),
        quote_report("v1", 100, 4),
        msgspec.structs.replace(quote_report("v1", 100, 5), label="manual"),
        msgspec.structs.replace(quote_report("v1", 100, 5), side=Side.SELL),
    ):
        assert manager.apply_report(told, 2) is None
    assert quote.state is OrderState.PENDING_NEW
