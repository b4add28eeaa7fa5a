from __future__ import annotations

import math

import pytest

from domain.clock import NS_PER_S
from domain.codes import ClampFlag
from tests.quoting_case import BARE, Case
from trading.quoting.config import QuotingConfig

HOUR_NS = 3600 * NS_PER_S


def config(**changes: object) -> QuotingConfig:
    return BARE.with_values(changes)


def book(case: Case) -> None:
    case.set_book(100_000.0, 100_010.0, bid_size=3.0, ask_size=1.0)  # mid 100,005, micro 100,007.5


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mid", 100_005.0), ("micro", 100_007.5), ("mark", 100_007.5 + 0.5 * (100_040.0 - 100_007.5))],
)
def test_each_fair_price_is_what_it_says(kind: str, expected: float) -> None:
    case = Case(config(fair_price=kind))
    book(case)
    case.refer(mark=100_040.0)
    view = case.quote()
    assert view["fair_price"] == pytest.approx(expected)
    assert not view["clamp_flags"] & (ClampFlag.REFERENCE_UNKNOWN | ClampFlag.FAIR_BOUNDED)


def test_vamp_of_one_level_is_the_micro_price() -> None:
    case = Case(config(fair_price="vamp", vamp_levels=1))
    book(case)
    assert case.quote()["fair_price"] == pytest.approx(100_007.5)


def test_vamp_weighs_the_levels_average_prices_by_the_opposite_sizes() -> None:
    # Given bids 3 at 100,000 and 1 at 99,998, asks 1 at 100,010 and 3 at 100,014, and more behind
    case = Case(config(fair_price="vamp", vamp_levels=2))
    book(case)
    case.book["bid_price"][0, 1], case.book["bid_size"][0, 1] = 99_998.0, 1.0
    case.book["ask_price"][0, 1], case.book["ask_size"][0, 1] = 100_014.0, 3.0
    # I expect averages of 99,999.5 and 100,013 and, for four on either side, what lies half-way
    assert case.quote()["fair_price"] == pytest.approx(0.5 * (99_999.5 + 100_013.0))
    # If the second ask is 1, I expect the average 100,012 to count twice as much as the bids'
    case.book["ask_size"][0, 1] = 1.0
    assert case.quote()["fair_price"] == pytest.approx((99_999.5 * 2 + 100_012.0 * 4) / 6)


def test_our_own_orders_are_no_part_of_vamp_and_their_levels_do_not_count() -> None:
    without, with_ours = (Case(config(fair_price="vamp", vamp_levels=2)) for _ in range(2))
    for case in (without, with_ours):
        book(case)
    # If an order of ours makes a level of its own before the best bid, and a half of the second ask is ours
    prices, sizes = with_ours.book["bid_price"][0], with_ours.book["bid_size"][0]
    prices[1:], sizes[1:] = prices[:-1].copy(), sizes[:-1].copy()
    prices[0], sizes[0] = 100_001.0, 0.5
    with_ours.book["ask_size"][0, 1] += 0.5
    with_ours.work("bid", (100_001, 500))
    with_ours.work("ask", (100_011, 500))
    assert with_ours.quote()["fair_price"] == pytest.approx(without.quote()["fair_price"], rel=1e-12)


def test_a_lopsided_book_moves_vamp_off_the_micro_price_by_the_bound_alone() -> None:
    case = Case(config(fair_price="vamp", vamp_levels=10, fair_offset_bps_max=0.1))
    book(case)
    view = case.quote()
    assert view["fair_price"] == pytest.approx(100_007.5 * (1 + 0.1e-4))
    assert view["clamp_flags"] & ClampFlag.FAIR_BOUNDED
    assert Case(config(fair_price="vamp")).quote()["fair_price"] == pytest.approx(100_000.5)


def test_a_level_of_nonsense_ends_vamp_before_it() -> None:
    case = Case(config(fair_price="vamp", vamp_levels=10))
    book(case)
    case.book["bid_size"][0, 1] = math.nan
    case.book["ask_price"][0, 1] = math.inf
    assert case.quote()["fair_price"] == pytest.approx(100_007.5)


def test_index_and_basis_follow_the_index_at_once_and_the_premium_slowly() -> None:
    # Given a leg that trades $50 above its index, for long
    case = Case(config(fair_price="index"))
    for _ in range(300):
        case.refer(index=99_950.5)
        case.tick(NS_PER_S)
    assert case.decide()["basis"] == pytest.approx(50.0)
    # If the index moves first, I expect the fair price to follow it before the book does
    case.refer(index=99_960.5)
    assert case.decide()["fair_price"] == pytest.approx(100_010.5)
    # If the leg alone moves, I expect a part of it, by the time constant of 60 s
    case.refer(index=99_950.5)
    case.set_book(100_061.0, 100_062.0)
    case.tick(4 * NS_PER_S)
    assert case.decide()["basis"] == pytest.approx(50.0 + 61.0 * 4 / 64)


@pytest.mark.parametrize("kind", ["mark", "index"])
@pytest.mark.parametrize("fault", ["never sent", "not a number", "old", "zero"])
def test_a_reference_that_is_missing_or_old_leaves_the_micro_price_and_says_so(kind: str, fault: str) -> None:
    case = Case(config(fair_price=kind))
    book(case)
    if fault != "never sent":
        value = {"not a number": math.nan, "zero": 0.0, "old": 100_040.0}[fault]
        case.refer(mark=value, index=value, age_ns=6 * NS_PER_S if fault == "old" else 0)
    view = case.quote()
    assert view["fair_price"] == 100_007.5
    assert view["clamp_flags"] & ClampFlag.REFERENCE_UNKNOWN
    assert view["bids"]


@pytest.mark.parametrize(("mark", "sign"), [(200_000.0, 1), (1.0, -1)])
def test_a_mark_from_nowhere_moves_the_fair_price_by_the_bound_alone(mark: float, sign: int) -> None:
    case = Case(config(fair_price="mark"))
    book(case)
    case.refer(mark=mark)
    view = case.quote()
    assert view["fair_price"] == pytest.approx(100_007.5 * (1 + sign * 10e-4))
    assert view["clamp_flags"] & ClampFlag.FAIR_BOUNDED


def test_a_perpetual_is_worth_less_by_what_a_long_still_pays_in_this_interval() -> None:
    # Given a rate of 1 bp for 8 hours, a mid of 100,005 and six of the eight hours to go
    case = Case(config(funding_in_fair_price=True))
    book(case)
    case.now_ns = 1_700_006_400 * NS_PER_S + 2 * HOUR_NS
    case.refer(funding=1e-4)
    view = case.quote()
    assert view["funding"] == pytest.approx(1e-4 * 100_005.0 * 6 / 8)
    assert view["fair_price"] == pytest.approx(100_007.5 - view["funding"])
    # and more when shorts pay
    case.refer(funding=-1e-4)
    assert case.quote()["fair_price"] > 100_007.5
    # an hour's interval is nearly over at any time
    hourly = Case(config(funding_in_fair_price=True, funding_interval_h=1.0))
    hourly.now_ns = 1_700_006_400 * NS_PER_S + HOUR_NS // 2
    hourly.refer(funding=1e-4)
    assert hourly.quote()["funding"] == pytest.approx(1e-4 * 100_000.5 * 0.5 / 8)


def test_an_unknown_funding_rate_changes_nothing_and_says_so() -> None:
    case = Case(config(funding_in_fair_price=True))
    book(case)
    case.refer(funding=math.nan)
    view = case.quote()
    assert (view["funding"], view["fair_price"]) == (0.0, 100_007.5)
    assert view["clamp_flags"] & ClampFlag.REFERENCE_UNKNOWN
