"""One side of a mass quote."""

from __future__ import annotations

from trading.orders.mass_quote import SideQuote, quote_side
from trading.orders.reconcile import Hold, Level, LiveOrder


def order(
    number: int, price: int, size: int = 5, filled: int = 0, hold: Hold = Hold.FREE, rests_at: int | None = None
) -> LiveOrder:
    return LiveOrder(number, price, size, filled, price if rests_at is None else rests_at, hold)


def bids(wanted: list[Level], live: list[LiveOrder], threshold: int = 1) -> SideQuote | None:
    return quote_side(
        wanted,
        live,
        is_buy=True,
        amend_threshold_ticks=threshold,
        size_tolerance_permille=200,
        fill_threshold_permille=200,
    )


def test_what_rests_as_wanted_costs_nothing() -> None:
    assert bids([(100, 5), (99, 5)], [order(1, 100), order(2, 99)]) is None


def test_a_moved_level_is_new_and_the_others_are_named_as_they_rest() -> None:
    assert bids([(101, 5), (99, 5)], [order(1, 100), order(2, 99)]) == SideQuote([(101, 5), (99, 5)], [(101, 5)], [1])


def test_an_order_within_the_threshold_is_named_where_it_rests() -> None:
    live = [order(1, 99), order(2, 96)]
    assert bids([(100, 5), (97, 5)], live, threshold=2) is None
    assert bids([(100, 5), (94, 5)], live, threshold=2) == SideQuote([(99, 5), (94, 5)], [(94, 5)], [2])


def test_a_part_filled_order_is_named_with_what_is_left_of_it() -> None:
    live = [order(1, 100, 10, filled=1), order(2, 98)]
    assert bids([(100, 10), (97, 5)], live) == SideQuote([(100, 9), (97, 5)], [(97, 5)], [2])


def test_a_large_fill_is_made_up_for_and_a_size_too_large_is_cut() -> None:
    assert bids([(100, 10)], [order(1, 100, 10, filled=5)]) == SideQuote([(100, 10)], [(100, 10)], [1])
    assert bids([(100, 4)], [order(1, 100, 5)]) == SideQuote([(100, 4)], [(100, 4)], [1])


def test_a_side_with_something_unanswered_waits() -> None:
    for hold in (Hold.BUSY, Hold.LEAVING, Hold.UNKNOWN):
        assert bids([(101, 5)], [order(1, 100, hold=hold), order(2, 99)]) is None


def test_a_side_that_is_off_is_cleared_at_once_of_all_that_may_still_be_told_to_go() -> None:
    live = [order(1, 100), order(2, 99, hold=Hold.BUSY), order(3, 98, hold=Hold.LEAVING)]
    assert bids([], live) == SideQuote([], [], [1, 2])
    assert bids([], [order(3, 98, hold=Hold.LEAVING)]) is None


def test_no_two_levels_have_one_price() -> None:
    # 99 would stay for 100, and 99 is wanted itself
    quote = bids([(100, 5), (99, 5), (97, 5)], [order(1, 99), order(2, 96)], threshold=2)
    assert quote is not None
    assert len({price for price, _ in quote.levels}) == len(quote.levels) == 3


def test_an_order_that_the_venue_moved_back_counts_as_where_it_was_wanted_and_is_named_where_it_rests() -> None:
    live = [order(1, 103, rests_at=101), order(2, 99)]
    assert bids([(103, 5), (99, 5)], live) is None
    assert bids([(103, 5), (98, 5)], live) == SideQuote([(101, 5), (98, 5)], [(98, 5)], [2])


def test_asks_are_best_first_too() -> None:
    quote = quote_side(
        [(103, 5), (105, 5)],
        [order(1, 105)],
        is_buy=False,
        amend_threshold_ticks=1,
        size_tolerance_permille=0,
        fill_threshold_permille=0,
    )
    assert quote == SideQuote([(103, 5), (105, 5)], [(103, 5)], [])


def test_ten_levels_are_the_most() -> None:
    quote = bids([(100 - n, 5) for n in range(12)], [])
    assert quote is not None
    assert [price for price, _ in quote.levels] == list(range(100, 90, -1))
