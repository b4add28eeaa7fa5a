"""Reconciling: the fewest messages, nothing in flight touched, no way to meet ourselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from trading.orders.reconcile import Hold, Level, LiveOrder, Plan, Step, StepKind, excess, reconcile


def live(
    order_id: int, price: int, size: int = 10, filled: int = 0, hold: Hold = Hold.FREE, worst: int | None = None
) -> LiveOrder:
    return LiveOrder(order_id, price, size, filled, price if worst is None else worst, hold)


def plan(
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    live_bids: Sequence[LiveOrder] = (),
    live_asks: Sequence[LiveOrder] = (),
    threshold: int = 1,
    tolerance: int = 200,
    fill_threshold: int = 200,
) -> Plan:
    return reconcile(
        bids,
        asks,
        live_bids,
        live_asks,
        amend_threshold_ticks=threshold,
        size_tolerance_permille=tolerance,
        fill_threshold_permille=fill_threshold,
    )


def cancel(order_id: int, is_buy: bool = True) -> Step:
    return Step(StepKind.CANCEL, order_id, is_buy, 0, 0, 0)


def amend(order_id: int, price: int, size: int, open_lots: int, is_buy: bool = True) -> Step:
    return Step(StepKind.AMEND, order_id, is_buy, price, size, open_lots)


def insert(price: int, size: int, is_buy: bool = True) -> Step:
    return Step(StepKind.INSERT, 0, is_buy, price, size, size)


def test_what_rests_where_it_should_costs_no_message() -> None:
    assert plan([(100, 10), (99, 10)], [(102, 10)], [live(1, 99), live(2, 100)], [live(3, 102)]).steps == []


def test_missing_levels_are_inserted_best_first_from_both_sides() -> None:
    steps = plan([(100, 10), (99, 10)], [(102, 5), (103, 5)]).steps
    assert steps == [insert(100, 10), insert(102, 5, False), insert(99, 10), insert(103, 5, False)]


def test_a_ladder_that_moves_by_one_level_costs_one_message() -> None:
    # The lowest of three bids leapfrogs: two stay
    steps = plan([(101, 10), (100, 10), (99, 10)], (), [live(1, 100), live(2, 99), live(3, 98)]).steps
    assert steps == [amend(3, 101, 10, 10)]


def test_an_amend_counts_what_is_filled_into_the_total_size() -> None:
    steps = plan([(105, 10)], (), [live(1, 100, size=10, filled=4)]).steps
    assert steps == [amend(1, 105, 14, 10)]


def test_an_order_within_the_threshold_stays_and_one_at_it_moves_the_whole_way() -> None:
    assert plan([(102, 10)], (), [live(1, 100)], threshold=3).steps == []
    assert plan([(103, 10)], (), [live(1, 100)], threshold=3).steps == [amend(1, 103, 10, 10)]


def test_a_size_that_falls_a_little_short_stays() -> None:
    assert plan([(100, 10)], (), [live(1, 100, size=8)]).steps == []


def test_a_significant_fill_is_made_up_for_at_once_and_a_small_one_is_not() -> None:
    # Given an order of which 2 of 10 are filled, and one that is 2 short of a wish that grew
    filled, small = LiveOrder(1, 100, 10, 2, 100, Hold.FREE), LiveOrder(1, 100, 8, 0, 100, Hold.FREE)
    assert plan([(100, 10)], live_bids=[filled], fill_threshold=200).steps == []
    assert plan([(100, 10)], live_bids=[filled], fill_threshold=199).steps == [amend(1, 100, 12, 10)]
    assert plan([(100, 10)], live_bids=[filled], tolerance=500, fill_threshold=0).steps == [amend(1, 100, 12, 10)]
    assert plan([(100, 10)], live_bids=[small], fill_threshold=0).steps == []


def test_a_size_that_is_too_large_is_cut_however_little() -> None:
    # The wish may have shrunk because the position nears its limit.
    (step,) = plan([(100, 10)], (), [live(1, 100, size=11)]).steps
    assert (step.kind, step.price_ticks, step.open_lots) == (StepKind.AMEND, 100, 10)


def test_a_large_fill_is_made_up_for_at_the_wanted_price() -> None:
    steps = plan([(101, 10)], (), [live(1, 100, size=10, filled=5)], threshold=3).steps
    assert steps == [amend(1, 101, 15, 10)]


def test_a_size_that_shrinks_keeps_its_price_and_its_place_in_the_queue() -> None:
    steps = plan([(101, 5)], (), [live(1, 100, size=10)], threshold=3).steps
    assert steps == [amend(1, 100, 5, 5)]


def test_surplus_orders_are_cancelled_first() -> None:
    steps = plan([(100, 10)], [(103, 10)], [live(1, 100), live(2, 90)], [live(3, 105)]).steps
    assert steps == [cancel(2), amend(3, 103, 10, 10, False)]


def test_a_side_switched_off_cancels_what_rests_and_what_is_in_flight_but_nothing_twice() -> None:
    orders = [
        live(1, 100),
        live(2, 99, hold=Hold.BUSY),
        live(3, 98, hold=Hold.LEAVING),
        live(4, 97, hold=Hold.UNKNOWN),
    ]
    assert plan((), (), orders).steps == [cancel(1), cancel(2)]


def test_an_order_in_flight_is_left_alone_and_holds_its_place() -> None:
    # One order on its way, one wanted: nothing may be sent, wherever it is
    for hold in (Hold.BUSY, Hold.UNKNOWN):
        assert plan([(110, 10)], (), [live(1, 100, hold=hold)]).steps == []
    # With two wanted, only the other one is sent
    assert plan([(100, 10), (99, 10)], (), [live(1, 100, hold=Hold.BUSY)]).steps == [insert(99, 10)]


def test_a_leaving_order_holds_no_place() -> None:
    assert plan([(100, 10)], (), [live(1, 100, hold=Hold.LEAVING)]).steps == [insert(100, 10)]


def test_moves_away_from_the_other_side_go_before_moves_towards_it() -> None:
    # The market rises: asks make room first
    steps = plan([(102, 10)], [(106, 10)], [live(1, 100)], [live(2, 104)]).steps
    assert steps == [amend(2, 106, 10, 10, False), amend(1, 102, 10, 10)]


def test_a_bid_waits_until_our_ask_has_got_out_of_its_way() -> None:
    # Both sides jump by more than the spread
    jump = plan([(105, 10)], [(108, 10)], [live(1, 100)], [live(2, 103)])
    assert jump.steps == [amend(2, 108, 10, 10, False)]
    assert jump.held_back == 1
    # While the ask is in flight it still counts at its old price
    assert plan([(105, 10)], [(108, 10)], [live(1, 100)], [live(2, 108, hold=Hold.BUSY, worst=103)]).held_back == 1
    # Once it is confirmed the bid follows
    assert plan([(105, 10)], [(108, 10)], [live(1, 100)], [live(2, 108)]).steps == [amend(1, 105, 10, 10)]


def test_a_cancelled_order_counts_until_the_venue_has_confirmed_it() -> None:
    held = plan([(105, 10)], (), (), [live(2, 103)])
    assert held.steps == [cancel(2, False)]
    assert held.held_back == 1
    assert plan([(105, 10)], (), (), [live(2, 103, hold=Hold.LEAVING)]).held_back == 1


def test_ladders_that_cross_each_other_never_both_leave() -> None:
    crossed = plan([(105, 10)], [(104, 10)])
    assert crossed.steps == [insert(105, 10)]
    assert crossed.held_back == 1


def test_one_order_and_one_level_a_side_are_treated_as_longer_ladders_are() -> None:
    # An order far off that is on its way out has no say, but makes the sides take the way of longer ladders
    gone_bid, gone_ask = live(8, 1, hold=Hold.LEAVING), live(9, 999, hold=Hold.LEAVING)
    cases = product(range(97, 104), range(103, 111), (5, 8, 10, 12), (0, 4), (0, 1, 2, 3))
    for bid_ticks, ask_ticks, wanted_lots, filled_lots, threshold in cases:
        bids, asks = [(bid_ticks, wanted_lots)], [(ask_ticks, wanted_lots)]
        buy, sell = live(1, 100, filled=filled_lots), live(2, 106, filled=filled_lots)
        short = plan(bids, asks, [buy], [sell], threshold)
        assert short == plan(bids, asks, [buy, gone_bid], [sell, gone_ask], threshold)


def test_what_is_too_much_where_it_rests_is_told_apart_from_what_only_falls_behind() -> None:
    ladder = [live(1, 100, 5), live(2, 99, 10), live(3, 98, 15)]

    def bids_over(*wanted: Level, threshold: int = 1) -> set[int]:
        return excess(wanted, ladder, True, threshold)

    # A ladder that stays, or goes up and trades its levels' sizes on the way, leaves nothing too much
    assert bids_over((100, 5), (99, 10), (98, 15)) == set()
    assert bids_over((101, 5), (100, 10), (99, 15)) == set()
    # One that goes down leaves what no other level takes over, within the threshold that quotes may stand off
    assert bids_over((99, 5), (98, 10), (97, 15)) == {1, 2}
    assert bids_over((99, 10), (98, 15), (97, 5)) == {1}
    assert bids_over((99, 5), (98, 10), (97, 15), threshold=2) == set()
    assert bids_over((90, 5)) == {1, 2, 3}
    # A level that should be smaller is too much, though another takes its place nearer to the market
    assert bids_over((101, 15)) == {3}
    assert bids_over((100, 4), (99, 10), (98, 15)) == {1}


def test_an_ask_that_should_go_up_is_too_much_unless_something_is_on_its_way_to_it() -> None:
    assert excess([(103, 10)], [live(1, 102)], False, 1) == {1}
    assert excess([(101, 10)], [live(1, 102)], False, 1) == set()
    assert excess([(103, 10)], [live(1, 102, 12, filled=2, hold=Hold.BUSY)], False, 1) == set()
    assert excess([(102, 10)], [live(1, 102, 12, filled=2), live(2, 102, hold=Hold.LEAVING)], False, 1) == set()
