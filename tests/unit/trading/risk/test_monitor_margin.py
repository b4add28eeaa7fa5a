"""The margin that the venue asks for, what may still be ordered on it, and how near liquidation is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.codes import RiskReason
from domain.order import TradingState
from tests.monitor_case import BTC, ETH, Scene, position
from trading.risk.account_view import Working
from trading.risk.config import RiskConfig
from trading.risk.margin_rate import RATE_ANSWERS_KEPT
from trading.risk.rooms import rooms_of


def test_margin_and_a_near_liquidation_reduce() -> None:
    # Given a long of 1 ETH at 4,000 with 1,000 $ of margin, 400 required: 280 to maintain
    scene = Scene(RiskConfig(position_max_base=2.0, stop_loss_bps=0, margin_use_max=0.5))
    scene.monitor.account.on_positions([position(ETH, "1", "4000")], is_snapshot=False)
    scene.monitor.account.on_margin(1_000.0, 400.0)
    assert scene.step() is TradingState.ACTIVE
    # If more than half is required, I expect reducing
    scene.monitor.account.on_margin(1_000.0, 501.0)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.MARGIN_USE
    # If a fifth of the 720 $ down to 3,280 is left, too
    scene.monitor.account.on_margin(1_000.0, 400.0)
    scene.monitor.account.on_mark(1, 3_424.5)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.account.on_mark(1, 3_423.5)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.LIQUIDATION_NEAR


def test_orders_that_use_up_the_margin_leave_risk_calm_and_the_gate_no_room() -> None:
    # Given that 5 % of 100,000 $ may be used, a fifth of what is held or out, and nothing held
    scene = Scene(RiskConfig(margin_use_max=0.05, position_max_base=1.0))
    account = scene.monitor.account
    # If orders of our own need more: 0.3 BTC on either side
    account.on_margin(100_000.0, 6_000.0, {BTC: Working(Decimal("0.3"), Decimal("0.3"))})
    # I expect no cause, for nothing is held that could be reduced, and room for 0.25 BTC, all orders counted
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(25_000.0)
    # If 0.2 of it is filled, I expect the same, less what is held since
    account.on_positions([position(BTC, "0.2")], is_snapshot=False)
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(5_000.0)
    account.on_margin(100_000.0, 8_000.0, {BTC: Working(Decimal("0.2"), Decimal("0.3"))})
    assert scene.step() is TradingState.ACTIVE
    assert rooms_of(account, scene.config).margin == pytest.approx(5_000.0)
    # If what is held needs it, I expect reducing, and no end of it as the orders go
    account.on_positions([position(BTC, "0.26")], is_snapshot=False)
    account.on_margin(100_000.0, 8_000.0, {BTC: Working(Decimal("0.14"), Decimal("0.3"))})
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.MARGIN_USE
    assert "required margin 5200.00, our orders aside, is 5.2% of 100000.00, limit 5%" in scene.text
    account.on_margin(100_000.0, 5_200.0)
    assert scene.step() is TradingState.REDUCING


def test_what_is_bought_between_two_answers_leaves_less_room_to_liquidation_at_once() -> None:
    # Given 10,000 $ behind nothing
    scene = Scene(RiskConfig(liquidation_move_min=0.05, maintenance_fraction=0.7))
    account = scene.monitor.account
    account.on_margin(10_000.0, 0.0)
    before = rooms_of(account, scene.config).liquidation
    # If 0.1 BTC are bought and the next answer is not there yet
    account.on_positions([position(BTC, "0.1")], is_snapshot=False)
    # I expect exactly so much less room, and no more to change with the answer
    assert rooms_of(account, scene.config).liquidation == pytest.approx(before - 10_000.0)
    account.on_margin(10_000.0, 2_000.0)
    assert rooms_of(account, scene.config).liquidation == pytest.approx(before - 10_000.0)


def test_orders_of_others_leave_us_the_margin_that_they_do_not_use() -> None:
    # Given that a manual order alone requires 8,000 of 10,000 $, of which 80 % may be used
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    manual = {BTC: Working(bought=Decimal("0.4"))}
    account.on_margin(10_000.0, 8_000.0, manual, manual)
    # I expect no room for orders of ours
    assert rooms_of(account, scene.config).margin == pytest.approx(0.0)
    # ... and none of it to be lost when it is ours
    account.on_margin(10_000.0, 8_000.0, manual)
    assert rooms_of(account, scene.config).margin == pytest.approx(40_000.0)


def test_while_the_orders_are_not_known_all_that_is_required_counts() -> None:
    scene = Scene(RiskConfig(margin_use_max=0.8))
    scene.monitor.account.on_margin(10_000.0, 6_000.0, None)
    assert rooms_of(scene.monitor.account, scene.config).margin == pytest.approx(10_000.0)
    assert scene.monitor.account.margin_rate(0.2) == 0.2


def test_margin_for_orders_that_are_not_known_yet_teaches_no_rate() -> None:
    # Given 1,000 of 2,000 $ required for a ladder of which one order of 500 $ has been reported
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    account.on_margin(2_000.0, 1_000.0, {BTC: Working(bought=Decimal("0.005"))})
    # I expect the room of the configured rate
    assert rooms_of(account, scene.config).margin == pytest.approx(8_000.0)


def test_a_rate_that_leaves_no_room_is_forgotten_and_quoting_goes_on() -> None:
    # Given an answer from between the reports of two orders: it seems to ask for 80 % of the first
    scene = Scene(RiskConfig(margin_use_max=0.8))
    account = scene.monitor.account
    account.on_margin(2_000.0, 400.0, {BTC: Working(bought=Decimal("0.005"))})
    assert rooms_of(account, scene.config).margin == pytest.approx(2_000.0)
    # If nothing fits any more, so that no answer shows a rate, for long
    for _ in range(RATE_ANSWERS_KEPT):
        account.on_margin(2_000.0, 0.0)
    # I expect the room of the configured rate again
    assert rooms_of(account, scene.config).margin == pytest.approx(8_000.0)


def test_a_venue_that_asks_for_more_margin_than_configured_is_taken_at_its_word() -> None:
    # Given a rate of 20 % in the configuration, and a venue that asks for 40 % of orders of 0.1 BTC
    scene = Scene(RiskConfig(margin_use_max=0.05))
    account = scene.monitor.account
    assert account.margin_rate(0.2) == 0.2
    account.on_margin(100_000.0, 4_000.0, {BTC: Working(sold=Decimal("0.1"))})
    assert rooms_of(account, scene.config).margin == pytest.approx(12_500.0)
    # If the orders are gone, I expect it not to be forgotten: they would come back too large, and go again
    account.on_margin(100_000.0, 0.0)
    assert rooms_of(account, scene.config).margin == pytest.approx(12_500.0)
    # If positions that offset each other need less, I expect the configured rate
    account.on_positions([position(BTC, "0.1"), position(ETH, "-2.5", "4000")], is_snapshot=False)
    account.on_margin(100_000.0, 400.0)
    assert account.margin_rate(0.2) == 0.2
