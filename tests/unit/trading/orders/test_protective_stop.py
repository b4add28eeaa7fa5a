"""Which stop stands for a position."""

from __future__ import annotations

from decimal import Decimal

from domain.order import Side
from trading.orders.protective_stop import StandingStop, Stop, StopPlan, StopRule, plan_stop

FIXED = StopRule(is_trailing=False, distance_bps=100.0, resize_lots=2)
TRAILING = StopRule(is_trailing=True, distance_bps=100.0, resize_lots=2)
RATE = Decimal("0.01")


def standing(name: str, side: Side, size: int, ticks: int = 99_000, rate: Decimal | None = None) -> StandingStop:
    return StandingStop(name, side, size, ticks, rate)


def plan(rule: StopRule | None, position: int, *stops: StandingStop, entry: float = 100_000, mark: float = 101_000,
         former: StandingStop | None = None) -> StopPlan:  # fmt: skip
    return plan_stop(rule, position, entry, mark, stops, 1, former)


def test_a_long_is_sold_below_its_entry_and_a_short_bought_above() -> None:
    assert plan(FIXED, 5) == StopPlan([], Stop(Side.SELL, 5, 99_000, None))
    assert plan(FIXED, -5) == StopPlan([], Stop(Side.BUY, 5, 101_000, None))


def test_a_trailing_stop_starts_off_the_mark_and_says_its_distance() -> None:
    assert plan(TRAILING, 5) == StopPlan([], Stop(Side.SELL, 5, 99_990, RATE))
    assert plan(TRAILING, -5) == StopPlan([], Stop(Side.BUY, 5, 102_010, RATE))


def test_one_that_serves_stays_while_its_size_is_near_enough() -> None:
    for position in (3, 5, 7):
        assert plan(FIXED, position, standing("a", Side.SELL, 5)) == StopPlan([], None)


def test_one_that_does_not_serve_goes_and_the_right_one_is_named() -> None:
    for wrong in (
        standing("a", Side.SELL, 2),
        standing("a", Side.BUY, 5),
        standing("a", Side.SELL, 5, rate=RATE),
    ):
        assert plan(FIXED, 5, wrong) == StopPlan(["a"], Stop(Side.SELL, 5, 99_000, None))


def test_a_fixed_stop_follows_the_entry_by_more_than_a_tenth_of_its_distance() -> None:
    # Given a stop 1 % below an entry of 100,000: it may be 100 ticks off
    stop = standing("a", Side.SELL, 5)
    for entry in (99_900, 100_000, 100_100):
        assert plan(FIXED, 5, stop, entry=entry) == StopPlan([], None)
    assert plan(FIXED, 5, stop, entry=100_200) == StopPlan(["a"], Stop(Side.SELL, 5, 99_198, None))
    assert plan(FIXED, 5, stop, entry=99_800) == StopPlan(["a"], Stop(Side.SELL, 5, 98_802, None))
    # When the entry is not known it stays: it is not to follow the market
    assert plan(FIXED, 5, stop, entry=0, mark=120_000) == StopPlan([], None)
    # nor does one so near that a tenth of the distance is less than a tick
    assert plan(FIXED, 5, standing("a", Side.SELL, 5, ticks=100), entry=102) == StopPlan([], None)
    # and the venue moves a trailing one itself
    assert plan(TRAILING, 5, standing("a", Side.SELL, 5, rate=RATE), entry=200_000) == StopPlan([], None)


def test_of_two_the_second_goes() -> None:
    stops = (standing("a", Side.SELL, 5), standing("b", Side.SELL, 5))
    assert plan(FIXED, 5, *stops) == StopPlan(["b"], None)


def test_without_a_position_or_a_rule_none_stands() -> None:
    stop = standing("a", Side.SELL, 5)
    assert plan(FIXED, 0, stop) == plan(None, 5, stop) == StopPlan(["a"], None)


def test_a_trailing_stop_that_is_replaced_takes_nothing_back() -> None:
    gained = standing("a", Side.SELL, 5, ticks=100_500, rate=RATE)
    assert plan(TRAILING, 9, former=gained).create == Stop(Side.SELL, 9, 100_500, RATE)
    lost = standing("a", Side.SELL, 5, ticks=99_000, rate=RATE)
    assert plan(TRAILING, 9, former=lost).create == Stop(Side.SELL, 9, 99_990, RATE)
    short = standing("a", Side.BUY, 5, ticks=101_500, rate=RATE)
    assert plan(TRAILING, -9, former=short).create == Stop(Side.BUY, 9, 101_500, RATE)
    assert plan(TRAILING, 9, former=short).create == Stop(Side.SELL, 9, 99_990, RATE)


def test_without_a_price_nothing_is_touched() -> None:
    assert plan(TRAILING, 9, standing("a", Side.SELL, 5, rate=RATE), mark=0) == StopPlan([], None)
    assert plan(FIXED, 5, entry=0).create == Stop(Side.SELL, 5, 99_990, None)
