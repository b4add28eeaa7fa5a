"""Where liquidation is, how much of the way is left, and how much margin is in use."""

from __future__ import annotations

import math

import pytest

from trading.risk.margin import UNKNOWN_MARGIN, AccountMargin, distance_left, liquidation_price


def test_liquidation_leaves_the_maintenance_margin_of_the_account() -> None:
    # Given 600 $ of equity, 200 $ of it maintenance margin of all that is held
    spare = 600.0 - 200.0
    # If 4 are held long at a mark of 500, I expect the loss down to liquidation to leave just the 200
    price = liquidation_price(500.0, 4.0, spare, 0.1)
    assert 600.0 - 4.0 * (500.0 - price) == pytest.approx(200.0)
    # and of a short as much as its maintenance has grown to at that price
    price = liquidation_price(500.0, -4.0, spare, 0.1)
    assert 600.0 - 4.0 * (price - 500.0) == pytest.approx(200.0 + 0.1 * 4.0 * (price - 500.0))
    # and none below zero
    assert liquidation_price(500.0, 0.5, spare, 0.1) == 0.0


def test_a_small_position_beside_a_large_one_is_far_from_its_own_liquidation() -> None:
    # Given 1,000 $ spare; by its margin alone a position of 0.1 at 500 could fall to nothing
    assert liquidation_price(500.0, 0.1, 1000.0, 0.1) == 0.0
    # If 40 are held instead, I expect liquidation 25 $ away
    assert liquidation_price(500.0, 40.0, 1000.0, 0.1) == pytest.approx(475.0)


@pytest.mark.parametrize(("mark", "left"), [(100.0, 1.0), (85.0, 0.0), (88.0, 0.2), (115.0, 2.0), (70.0, -1.0)])
def test_the_distance_left_is_a_part_of_the_distance_at_entry(mark: float, left: float) -> None:
    assert distance_left(100.0, mark, 85.0, True) == pytest.approx(left)
    assert distance_left(100.0, 200.0 - mark, 115.0, False) == pytest.approx(left)


@pytest.mark.parametrize(("entry", "mark"), [(100.0, 100.0), (99.0, 120.0), (99.0, 90.0)])
def test_a_position_entered_at_or_beyond_its_liquidation_has_no_distance(entry: float, mark: float) -> None:
    assert distance_left(entry, mark, 100.0, True) <= 0.0
    assert math.isnan(distance_left(math.nan, 100.0, 90.0, True))
    assert math.isnan(distance_left(100.0, 100.0, math.nan, False))


def test_margin_in_use() -> None:
    assert AccountMargin(1000.0, 250.0).use(0.2) == 0.25
    assert AccountMargin(-1.0, 250.0).use(0.2) == math.inf
    assert math.isnan(UNKNOWN_MARGIN.use(0.2))


def test_margin_that_others_orders_ask_for_is_not_given_to_ours() -> None:
    # Given 600 $ required for 1,000 $ held and orders for 2,000 more, half of those orders not ours
    margin = AccountMargin(1000.0, 600.0, held_notional=1000.0, ordered_notional=2000.0, foreign_notional=1000.0)
    # I expect our share alone to be taken away
    assert margin.required_beside_ours(0.1) == pytest.approx(400.0)
    # ... and nothing of what only a foreign order asks for
    manual = AccountMargin(10_000.0, 8_000.0, ordered_notional=40_000.0, foreign_notional=40_000.0)
    assert manual.use(0.2) == pytest.approx(0.8)
    assert manual.room(0.8, 0.2) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("required", "held", "ordered", "by_held"),
    [
        (300.0, 1000.0, 500.0, 200.0),  # two thirds of the exposure
        (300.0, 0.0, 1500.0, 0.0),  # orders alone
        (300.0, 1500.0, 0.0, 300.0),  # positions alone
        (120.0, 1000.0, 500.0, 120.0),  # less than the rate of what is held: orders may count for nothing
        (600.0, 1000.0, 500.0, 400.0),  # more than the rate
        (300.0, math.nan, 500.0, 300.0),  # not known: all of it
        (300.0, 1000.0, math.nan, 300.0),
    ],
)
def test_what_positions_need_is_their_share_and_not_less_than_the_rate(
    required: float, held: float, ordered: float, by_held: float
) -> None:
    assert AccountMargin(1000.0, required, held, ordered).required_beside_ours(0.2) == pytest.approx(by_held)


def test_margin_leaves_room_for_so_much_notional() -> None:
    # Given 1,000 $, of which 800 may be used and 250 are
    assert AccountMargin(1000.0, 250.0).room(0.8, 0.2) == pytest.approx(2_750.0)
    assert AccountMargin(1000.0, 900.0).room(0.8, 0.2) == pytest.approx(-500.0)
    assert math.isnan(UNKNOWN_MARGIN.room(0.8, 0.2))


def test_what_may_be_added_leaves_the_way_to_liquidation() -> None:
    # Given 1,000 $ behind 4,000 $ of notional, with 300 $ required, half of it for maintenance
    margin = AccountMargin(1000.0, 300.0)
    # If so much is added that everything may still move by 10 %
    room = margin.room_to_liquidation(4_000.0, 0.1, 0.5, 0.2)
    # I expect that move to leave exactly the maintenance margin of all of it
    lost = 0.1 * (4_000.0 + room)
    assert 1000.0 - lost == pytest.approx(0.5 * (300.0 + 0.2 * room))
    assert AccountMargin(1000.0, 300.0).room_to_liquidation(9_000.0, 0.1, 0.5, 0.2) < 0.0
    # If part of it was bought since the venue told the margin, I expect its maintenance to be counted too
    room = margin.room_to_liquidation(4_500.0, 0.1, 0.5, 0.2, grown=500.0)
    assert 1000.0 - 0.1 * (4_500.0 + room) == pytest.approx(0.5 * (300.0 + 0.2 * (500.0 + room)))
    assert math.isnan(UNKNOWN_MARGIN.room_to_liquidation(0.0, 0.1, 0.5, 0.2))
