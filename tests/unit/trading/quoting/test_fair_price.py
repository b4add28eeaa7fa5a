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
