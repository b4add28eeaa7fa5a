"""The queue position model: what trades and cancels do to what stands in front of us."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fills.queue import ahead_after_depth, ahead_after_trade, lots_filled_by_trade

lots = st.floats(0, 1e6)


def test_trades_come_off_the_front() -> None:
    assert ahead_after_trade(10.0, 4.0) == 6.0
    assert ahead_after_trade(10.0, 40.0) == 0.0


def test_a_trade_fills_only_what_it_leaves_behind_the_queue_ahead() -> None:
    assert lots_filled_by_trade(ahead=10.0, remaining=5.0, traded=10.0) == 0.0
    assert lots_filled_by_trade(ahead=10.0, remaining=5.0, traded=12.0) == 2.0
    assert lots_filled_by_trade(ahead=10.0, remaining=5.0, traded=100.0) == 5.0


def test_growth_joins_behind_us() -> None:
    assert ahead_after_depth(10.0, previous=20.0, current=50.0, traded=0.0) == 10.0


def test_a_decrease_that_was_traded_is_not_counted_twice() -> None:
    # Given 10 ahead of us of 20, of which 4 have traded and are taken off already
    # If the level is then recorded as 16, I expect no further move
    assert ahead_after_depth(6.0, previous=20.0, current=16.0, traded=4.0) == 6.0


def test_a_cancel_in_the_middle_of_the_queue_is_shared_evenly() -> None:
    assert ahead_after_depth(10.0, previous=20.0, current=16.0, traded=0.0) == 8.0


def test_the_longer_part_of_the_queue_cancels_more() -> None:
    # 8 ahead, 2 behind: 2^3 / (2^3 + 8^3) of the cancel was behind
    assert ahead_after_depth(8.0, previous=10.0, current=9.0, traded=0.0) == 8.0 - (1 - 8 / 520)
    assert ahead_after_depth(2.0, previous=10.0, current=9.0, traded=0.0) == 2.0 - 8 / 520


def test_with_nobody_behind_every_cancel_was_ahead() -> None:
    assert ahead_after_depth(10.0, previous=10.0, current=7.0, traded=0.0) == 7.0


def test_with_nobody_ahead_we_stay_in_front() -> None:
    assert ahead_after_depth(0.0, previous=10.0, current=7.0, traded=0.0) == 0.0


def test_an_empty_level_leaves_nothing_ahead() -> None:
    assert ahead_after_depth(5.0, previous=9.0, current=0.0, traded=2.0) == 0.0


@given(ahead=lots, previous=lots, current=lots, traded=lots, power=st.floats(0.5, 5.0))
def test_the_estimate_never_grows_and_never_exceeds_the_level(
    ahead: float, previous: float, current: float, traded: float, power: float
) -> None:
    estimate = ahead_after_depth(ahead, previous, current, traded, power)
    assert 0.0 <= estimate <= min(ahead, current)
