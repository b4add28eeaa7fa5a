"""What is lost, of the account or of one position, and what the monitor allows from then on."""

from __future__ import annotations

import math
from decimal import Decimal

from domain.clock import NS_PER_S
from domain.codes import RiskReason
from domain.order import TradingState
from tests.monitor_case import BTC, ETH, Scene, position
from trading.risk.config import RiskConfig
from trading.risk.drawdown import Drawdown
from trading.risk.round_trips import RoundTrip


def test_a_loss_from_the_peak_halts_for_good() -> None:
    # Given an equity that rose to 100 USD
    scene = Scene(RiskConfig(loss_from_peak_max_usd=250.0))
    scene.step(equity=100.0)
    # If it falls to 150 below zero, I expect no halt yet, and one cent further a halt
    assert scene.step(equity=-150.0) is TradingState.ACTIVE
    assert scene.step(equity=-150.01) is TradingState.HALTED
    # that stays when the equity comes back
    assert scene.step(equity=100.0) is TradingState.HALTED
    assert scene.reason is RiskReason.LOSS_FROM_PEAK


def test_after_a_resume_losses_count_from_where_the_equity_is() -> None:
    # Given a halt for loss
    scene = Scene()
    scene.step(equity=-300.0)
    # If the operator resumes
    scene.monitor.states.resume(scene.now_ns)
    scene.monitor.drawdown.restart_from_here()
    # I expect recovering, not the same halt again
    assert scene.step(equity=-300.0) is TradingState.RECOVERING


def test_the_peak_and_the_first_equity_of_the_day_are_kept() -> None:
    # Given equity over midnight
    drawdown = Drawdown()
    day_ns = 86_400 * NS_PER_S
    for equity, at_ns in ((5.0, 10), (20.0, day_ns - 1), (12.0, day_ns), (30.0, day_ns + 1)):
        drawdown.update(equity, at_ns)
    # If asked, I expect the highest value and the first of the second day
    assert (drawdown.peak, drawdown.day, drawdown.day_start_equity) == (30.0, 1, 12.0)
    # and that a NaN is seen but spoils nothing
    drawdown.update(math.nan, day_ns + 2)
    assert math.isnan(drawdown.from_peak)
    assert drawdown.peak == 30.0


def test_a_stop_loss_halts_its_instrument_until_it_is_flat_and_the_cooldown_is_over() -> None:
    # Given a long of 0.05 BTC entered at 100,000
    scene = Scene(RiskConfig(cooldown_s=5.0, recovery_step_s=1.0, stop_loss_bps=100))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    assert scene.step() is TradingState.ACTIVE
    # If the mark falls by 1 %, I expect BTC halted and to be closed, and ETH to go on
    scene.monitor.account.on_mark(0, 99_000.0)
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.STOP_LOSS
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    assert list(scene.monitor.positions.exits) == [0]
    # and that to last when the mark comes back while something is held, and for the cool-down after that
    scene.monitor.account.on_mark(0, 100_000.0)
    assert scene.step(milliseconds=20_000) is TradingState.HALTED
    scene.monitor.account.on_positions([position(BTC, "0")], is_snapshot=False)
    assert scene.step() is TradingState.HALTED
    assert scene.monitor.positions.exits == {}
    assert scene.step(milliseconds=4_900) is TradingState.HALTED
    assert scene.step() is TradingState.RECOVERING
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    assert scene.step(milliseconds=3_000) is TradingState.ACTIVE


def test_take_profit_counts_what_the_position_cost() -> None:
    # Given a long of 1 ETH at 4,000 that cost 1.5 $ in fees, and a take profit of 10 bps before an exit for nothing
    scene = Scene(RiskConfig(position_max_base=2.0, take_profit_bps=10, exit_fee_bps=0))
    scene.monitor.account.on_positions([position(ETH, "1", "4000")], is_snapshot=False)
    trip = RoundTrip()
    trip.open_costs = Decimal("1.5")
    scene.monitor.round_trips = {ETH: trip}
    # If the mark gains 4 $, I expect nothing; with 5.5 $, the exit
    scene.monitor.account.on_mark(1, 4_004.0)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.account.on_mark(1, 4_005.5)
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.TAKE_PROFIT


def test_the_loss_of_a_day_halts_until_an_operator_resumes() -> None:
    scene = Scene(RiskConfig(loss_of_day_max_usd=100.0))
    scene.monitor.drawdown.day_start_equity = 60.0  # an earlier run of the day lost as much
    scene.monitor.drawdown.day = 0
    assert scene.step(equity=-40.0) is TradingState.ACTIVE
    assert scene.step(equity=-40.5) is TradingState.HALTED
    assert scene.reason is RiskReason.LOSS_OF_DAY
    assert scene.step(equity=100.0) is TradingState.HALTED


def test_a_losing_streak_halts_for_the_cooldown_and_counts_anew() -> None:
    scene = Scene(RiskConfig(losing_streak_max=3, cooldown_s=5.0, recovery_steps=0))
    trip = RoundTrip()
    scene.monitor.round_trips = {BTC: trip}
    trip.losses = 2
    assert scene.step() is TradingState.ACTIVE
    trip.losses = 3
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.LOSING_STREAK
    assert scene.step(milliseconds=4_000) is TradingState.HALTED
    assert scene.step(milliseconds=5_100) is TradingState.ACTIVE
