"""Stop loss, take profit and trailing stop of one position, net of what it cost and of what closing it costs."""

from __future__ import annotations

import math

import pytest

from trading.risk.config import RiskConfig
from trading.risk.exits import ExitWatch, OpenPosition
from trading.risk.states import Cause

CONFIG = RiskConfig(stop_loss_bps=100, take_profit_bps=50, exit_fee_bps=5)


def position(mark: float, size: float = 1.0, *, costs: float = 0.0, funding: float = 0.0) -> OpenPosition:
    return OpenPosition(size, 10_000.0, mark, costs, funding)


@pytest.mark.parametrize(
    ("held", "cause"),
    [
        (position(10_000.0), None),
        (position(9_905.1), None),  # -94.9 - 4.95 = -99.85
        (position(9_904.9), Cause.STOP_LOSS),
        (position(10_094.0, -1.0), None),
        (position(10_096.0, -1.0), Cause.STOP_LOSS),
        (position(9_950.0, costs=45.1), Cause.STOP_LOSS),  # what was paid counts
        (position(10_055.0), None),  # 55 - 5.03 = 49.97
        (position(10_055.1), Cause.TAKE_PROFIT),
        (position(10_055.1, costs=1.0), None),
        (position(10_050.0, funding=6.0), Cause.TAKE_PROFIT),
        (position(9_944.0, -1.0), Cause.TAKE_PROFIT),
        (position(math.nan), None),
        (OpenPosition(0.0, math.nan, 10_000.0), None),
    ],
)
def test_the_net_result_decides(held: OpenPosition, cause: Cause | None) -> None:
    due = ExitWatch().look(held, CONFIG)
    assert (due.cause if due else None) is cause


def test_zero_switches_a_rule_off() -> None:
    off = RiskConfig(stop_loss_bps=0, take_profit_bps=0, trailing_stop_bps=0)
    watch = ExitWatch()
    assert all(watch.look(position(mark), off) is None for mark in (20_000.0, 1.0, 20_000.0))


def test_a_trailing_stop_follows_the_best_result_of_this_position_only() -> None:
    # Given a trailing stop of 30 bps and a position that has gained 100
    config = RiskConfig(stop_loss_bps=0, trailing_stop_bps=30, exit_fee_bps=0)
    watch = ExitWatch()
    assert watch.look(position(10_100.0), config) is None
    # If it gives back less than 30 bps, I expect nothing; from 30 on, an exit with the numbers
    assert watch.look(position(10_070.5), config) is None
    due = watch.look(position(10_070.0), config)
    assert due is not None
    assert due.cause is Cause.TRAILING_STOP
    assert due.text == (
        "net 70.00 = 70.0 bps of 10000.00 entry notional, 30.0 bps below its best, trailing stop 30 bps"
    )
    # and nothing of it in the position on the other side that follows
    assert watch.look(position(10_070.0, -1.0), config) is None


def test_a_trailing_stop_waits_for_a_gain() -> None:
    config = RiskConfig(stop_loss_bps=0, trailing_stop_bps=30, exit_fee_bps=0)
    watch = ExitWatch()
    assert watch.look(position(9_990.0), config) is None
    assert watch.look(position(9_900.0), config) is None
