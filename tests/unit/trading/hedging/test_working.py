"""The next step of a hedge, seen from one moment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import Side
from trading.hedging.working import (
    CROSS_PAUSE_NS,
    DONE,
    TIME_IS_UP,
    Finish,
    Place,
    Plan,
    Resting,
    View,
    Wait,
    Withdraw,
    next_step,
)

BEGAN_NS = 100 * NS_PER_S
SELL = Plan(Side.SELL, BEGAN_NS + 5 * NS_PER_S, BEGAN_NS + 8 * NS_PER_S, 250 * NS_PER_MS)
BUY = SELL._replace(side=Side.BUY)
TOUCH, CROSSING = 1000, 990
RESTING = Resting(TOUCH, 30, is_passive=True, is_busy=False, sent_time_ns=BEGAN_NS)


def view(after_s: float = 0.0, **changes: Any) -> View:
    seen = View(
        now_ns=BEGAN_NS + round(after_s * NS_PER_S), needed_lots=30, order_lots_min=1, resting=None, touch_ticks=TOUCH,
        crossing_ticks=CROSSING, crossed_time_ns=0,
    )  # fmt: skip
    return seen._replace(**changes)


def test_it_rests_at_the_touch_first_and_crosses_when_its_patience_has_ended() -> None:
    assert next_step(SELL, view()) == Place(TOUCH, 30, is_passive=True)
    assert next_step(SELL, view(5.0)) == Place(CROSSING, 30, is_passive=False)


def test_without_patience_it_crosses_at_once() -> None:
    assert next_step(SELL._replace(passive_until_ns=BEGAN_NS), view()) == Place(CROSSING, 30, is_passive=False)


@pytest.mark.parametrize(("after_s", "unknown"), [(0.0, {"touch_ticks": 0}), (5.0, {"crossing_ticks": 0})])
def test_without_a_price_it_waits(after_s: float, unknown: dict[str, int]) -> None:
    assert next_step(SELL, view(after_s, **unknown)) == Wait()


def test_what_crossed_and_was_not_filled_is_tried_again_after_a_pause() -> None:
    crossed_ns = BEGAN_NS + 5 * NS_PER_S
    assert next_step(SELL, view(5.1, crossed_time_ns=crossed_ns)) == Wait()
    again = view(5.0, crossed_time_ns=crossed_ns)._replace(now_ns=crossed_ns + CROSS_PAUSE_NS)
    assert isinstance(next_step(SELL, again), Place)


@pytest.mark.parametrize(("lots", "reason"), [(0, DONE), (-5, DONE), (4, DONE), (30, TIME_IS_UP)])
def test_it_ends_when_nothing_is_needed_or_its_time_is_up(lots: int, reason: str) -> None:
    assert next_step(SELL, view(8.0, needed_lots=lots, order_lots_min=5)) == Finish(reason)


def test_a_resting_order_stays_while_it_is_right() -> None:
    assert next_step(SELL, view(4.9, resting=RESTING)) == Wait()
    assert next_step(SELL, view(4.9, resting=RESTING, touch_ticks=TOUCH + 5)) == Wait(), "we are the touch, or better"


@pytest.mark.parametrize(
    ("plan", "touch_ticks", "after_s", "expected"),
    [
        (SELL, TOUCH - 1, 0.3, Withdraw()),
        (SELL, TOUCH - 1, 0.1, Wait()),
        (BUY, TOUCH + 1, 0.3, Withdraw()),
        (BUY, TOUCH - 1, 0.3, Wait()),
        (SELL, 0, 0.3, Wait()),
    ],
)
def test_a_touch_that_moved_away_is_followed_no_more_often_than_configured(
    plan: Plan, touch_ticks: int, after_s: float, expected: object
) -> None:
    assert next_step(plan, view(after_s, resting=RESTING, touch_ticks=touch_ticks)) == expected


@pytest.mark.parametrize("needed_lots", [29, 0, -10])
def test_an_order_that_could_fill_more_than_is_needed_is_withdrawn_at_once(needed_lots: int) -> None:
    assert next_step(SELL, view(0.01, resting=RESTING, needed_lots=needed_lots)) == Withdraw()


def test_patience_that_ends_withdraws_before_anything_crosses() -> None:
    assert next_step(SELL, view(5.0, resting=RESTING)) == Withdraw()


@pytest.mark.parametrize("changes", [{"is_busy": True}, {"is_passive": False}])
def test_an_order_whose_fate_is_not_known_is_waited_for_whatever_else(changes: dict[str, bool]) -> None:
    for needed_lots in (30, 0, -5):
        assert next_step(SELL, view(20.0, resting=RESTING._replace(**changes), needed_lots=needed_lots)) == Wait()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_hedge_never_passes_its_target_nor_grows_the_net(data: st.DataObject) -> None:
    """Given any market and any fills, the position only ever moves towards the target and stops there."""
    net_lots = data.draw(st.integers(1, 200), "net")
    size_max = data.draw(st.integers(1, 200), "largest hedge")
    done, order, crossed_ns, now_ns = 0, None, 0, BEGAN_NS
    for _ in range(60):
        now_ns += data.draw(st.integers(1, 600), "ms") * NS_PER_MS
        needed = min(net_lots, size_max - done)
        step = next_step(
            SELL,
            View(now_ns, needed, data.draw(st.sampled_from([1, 3])), order, data.draw(st.sampled_from([0, 999, 1000])),
                 data.draw(st.sampled_from([0, CROSSING])), crossed_ns),
        )  # fmt: skip
        if isinstance(step, Finish):
            assert order is None
            break
        if isinstance(step, Withdraw):
            order = None
        if isinstance(step, Place):
            assert order is None, "one order at a time"
            assert 0 < step.size_lots <= needed
            order = Resting(step.price_ticks, step.size_lots, step.is_passive, False, now_ns)
            crossed_ns = crossed_ns if step.is_passive else now_ns
        if order is not None:
            filled = data.draw(st.integers(0, order.remaining_lots), "filled")
            net_lots, done = net_lots - filled, done + filled
            left = order.remaining_lots - filled
            order = order._replace(remaining_lots=left) if left and order.is_passive else None
        assert net_lots >= 0, "past the target"
        assert done <= size_max
    assert now_ns < SELL.ends_ns or order is None or order.is_passive
