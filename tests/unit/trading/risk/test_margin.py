"""Where liquidation is, how much of the way is left, and how much margin is in use."""

from __future__ import annotations

import math

import pytest

from trading.risk.margin import UNKNOWN_MARGIN, AccountMargin, distance_left, liquidation_price


def test_liquidation_leaves_the_maintenance_margin() -> None:
    # Given a long entered at 100 with a fifth of its notional as margin and 5 % to maintain
    price = liquidation_price(100.0, True, 5.0, 0.05)
    # I expect the rest of the margin at liquidation to be 5 % of the notional at entry, and a short mirrored
    assert price == pytest.approx(85.0)
    assert 20.0 - (100.0 - price) == pytest.approx(0.05 * 100.0)
    assert liquidation_price(100.0, False, 5.0, 0.05) == pytest.approx(115.0)
    assert liquidation_price(100.0, True, 0.5, 0.05) == 0.0


@pytest.mark.parametrize(("mark", "left"), [(100.0, 1.0), (85.0, 0.0), (88.0, 0.2), (115.0, 2.0), (70.0, -1.0)])
def test_the_distance_left_is_a_part_of_the_distance_at_entry(mark: float, left: float) -> None:
    assert distance_left(100.0, mark, 85.0) == pytest.approx(left)
    assert distance_left(100.0, 200.0 - mark, 115.0) == pytest.approx(left)  # a short


def test_a_position_entered_at_its_liquidation_has_no_distance() -> None:
    assert distance_left(100.0, 100.0, 100.0) == 0.0


def test_margin_in_use() -> None:
    assert AccountMargin(1000.0, 250.0).use == 0.25
    assert AccountMargin(-1.0, 250.0).use == math.inf
    assert math.isnan(UNKNOWN_MARGIN.use)


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
    assert math.isnan(UNKNOWN_MARGIN.room_to_liquidation(0.0, 0.1, 0.5, 0.2))
