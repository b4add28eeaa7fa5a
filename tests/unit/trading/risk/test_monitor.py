"""Which conditions of the account lead to which state, step by step with a clock moved by hand."""

from __future__ import annotations

import math

import pytest

from domain.clock import NS_PER_MS
from domain.codes import OffReason, RiskReason
from domain.grid import CHANGED, IN_FORCE, Off, grid_of
from domain.order import TradingState
from tests.monitor_case import BTC, ETH, Scene, instrument, position
from trading.risk.config import RiskConfig
from trading.risk.limit_changes import changed_limit
from trading.risk.states import ACCOUNT, FOREVER, Cause


def test_an_account_in_order_is_active() -> None:
    assert Scene().step() is TradingState.ACTIVE


def test_nothing_is_allowed_before_the_venue_has_told_the_account() -> None:
    # Given a monitor that is still starting
    scene = Scene()
    assert scene.step(is_started=False) is TradingState.HALTED
    assert scene.reason is RiskReason.STARTING
    # If everything has been read, I expect active at once
    assert scene.step() is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("sign", "silence_ms", "reason"),
    [
        ("feed_ns", 2000, RiskReason.STALE_MARKET_DATA),
        ("execution_ns", 450, RiskReason.EXECUTION_SUSPECT),
        ("venue_ns", 3000, RiskReason.VENUE_DISCONNECTED),
    ],
)
def test_silence_halts_and_ends_the_halt_by_itself(sign: str, silence_ms: int, reason: RiskReason) -> None:
    # Given a sign of life that stops
    scene = Scene()
    setattr(scene, sign, scene.now_ns)
    # If the silence reaches its bound, and then passes it
    assert scene.step(milliseconds=silence_ms) is TradingState.ACTIVE
    assert scene.step(milliseconds=1) is TradingState.HALTED
    assert scene.reason is reason
    # I expect active as soon as it is heard again
    setattr(scene, sign, -1)
    assert scene.step() is TradingState.ACTIVE


def test_an_execution_that_has_died_is_told_apart_from_one_that_never_lived() -> None:
    # Given an execution that has given no sign of life yet
    scene = Scene()
    scene.execution_ns = 0
    assert scene.step() is TradingState.HALTED
    assert "no sign of life of execution yet" in scene.text
    # If it lives, dies, and its heartbeat is erased at once
    scene.execution_ns = -1
    assert scene.step() is TradingState.ACTIVE
    scene.execution_ns = 0
    # I expect risk to remember that it lived
    assert scene.step() is TradingState.HALTED
    assert "execution has died" in scene.text


def test_a_position_above_its_limit_lets_only_its_instrument_reduce() -> None:
    # Given 0.101 BTC short with a limit of 0.1
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "-0.101")], is_snapshot=False)
    scene.execution_lots = [-101, 0]
    # If it is judged, I expect BTC to reduce and ETH to be free
    assert scene.step() is TradingState.REDUCING
    assert scene.monitor.verdict(scene.now_ns, 0).reason is RiskReason.POSITION_LIMIT
    assert scene.monitor.verdict(scene.now_ns, 1).state is TradingState.ACTIVE
    # and free again at the limit itself
    scene.monitor.account.on_positions([position(BTC, "-0.1")], is_snapshot=False)
    scene.execution_lots = [-100, 0]
    assert scene.step() is TradingState.ACTIVE


def test_gross_notional_counts_every_holding_of_the_account() -> None:
    # Given 0.1 BTC long, 1 ETH short, and a future that we do not quote
    scene = Scene(RiskConfig(gross_notional_max_usd=20_000.0))
    future = position("BTC-25DEC26", "0.05", mark="110000")
    scene.monitor.account.on_positions([position(BTC, "0.1"), position(ETH, "-1"), future], is_snapshot=True)
    scene.execution_lots = [100, -100]
    # If summed, I expect 10,000 + 4,000 + 5,500 gross and 11,500 net
    assert scene.monitor.account.gross_notional == pytest.approx(19_500.0)
    assert scene.monitor.account.net_notional == pytest.approx(11_500.0)
    # and a limit to be told: ETH is above the 0.1 base units too
    assert scene.step() is TradingState.REDUCING
    scene.monitor.account.on_mark(0, 130_000.0)
    scene.step()
    assert scene.monitor.verdict(scene.now_ns, 0).reason is RiskReason.NOTIONAL_LIMIT


def test_beside_a_holding_of_others_without_a_mark_the_account_reduces_and_says_which() -> None:
    scene = Scene(RiskConfig(gross_notional_max_usd=20_000.0))
    option = position("BTC-25DEC26-200000-C", "0.05", mark="0", is_marked=False)

    scene.monitor.account.on_positions([option], is_snapshot=True)

    assert scene.step() is TradingState.REDUCING
    assert option.instrument_name in scene.text
    scene.monitor.account.on_positions([], is_snapshot=True)
    assert scene.step() is not TradingState.REDUCING


def test_a_holding_of_others_that_is_worth_nothing_counts_as_nothing() -> None:
    scene = Scene(RiskConfig(gross_notional_max_usd=20_000.0))
    scene.monitor.account.on_positions([position("BTC-25DEC26-200000-C", "0.05", mark="0")], is_snapshot=True)
    assert scene.monitor.account.gross_notional == 0.0
    assert scene.step() is TradingState.ACTIVE


def test_a_missing_mark_of_something_held_halts() -> None:
    # Given a position whose mark is lost
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "0.01")], is_snapshot=False)
    scene.execution_lots = [10, 0]
    scene.monitor.account.on_mark(0, math.nan)
    # If it is judged, I expect a halt; with the mark of a flat instrument missing, none
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.NOT_FINITE
    scene.monitor.account.on_mark(0, 100_000.0)
    scene.monitor.account.on_mark(1, 0.0)
    assert scene.step() is TradingState.ACTIVE


def test_a_difference_of_positions_is_borne_for_a_while_and_then_reduces() -> None:
    # Given that execution counts one lot more than the venue
    scene = Scene(RiskConfig(position_difference_s=2.0))
    scene.execution_lots = [1, 0]
    # If it goes away in time, I expect nothing
    assert scene.step(milliseconds=1900) is TradingState.ACTIVE
    scene.execution_lots = [0, 0]
    assert scene.step() is TradingState.ACTIVE
    scene.execution_lots = [1, 0]
    # If it persists, I expect the instrument to reduce until it is gone
    assert scene.step() is TradingState.ACTIVE
    assert scene.step(milliseconds=2001) is TradingState.REDUCING
    assert scene.reason is RiskReason.POSITION_DIFFERS
    scene.execution_lots = [0, 0]
    assert scene.step() is TradingState.ACTIVE


def test_more_orders_than_the_gate_can_have_let_pass_halt_for_the_cooldown() -> None:
    # Given a gate that lets 100 orders pass in a second
    scene = Scene(RiskConfig(cooldown_s=5.0, recovery_step_s=1.0))
    # If 150 are seen in one, I expect nothing; if 151 are, a halt that lasts
    scene.monitor.on_orders_sent([scene.now_ns] * 150)
    assert scene.step() is TradingState.ACTIVE
    scene.monitor.on_orders_sent([scene.now_ns])
    assert scene.step() is TradingState.HALTED
    assert scene.reason is RiskReason.ORDER_RATE
    assert scene.step(milliseconds=2000) is TradingState.HALTED
    assert scene.step(milliseconds=5000) is TradingState.RECOVERING
    assert scene.step(milliseconds=5000) is TradingState.ACTIVE


def test_a_snapshot_forgets_what_it_does_not_name() -> None:
    # Given a position
    scene = Scene()
    scene.monitor.account.on_positions([position(BTC, "0.02")], is_snapshot=False)
    # If a snapshot without it comes, I expect flat
    scene.monitor.account.on_positions([], is_snapshot=True)
    assert scene.monitor.account.holding(0).position == 0


def test_an_instrument_on_which_venue_and_session_differ_is_halted_alone() -> None:
    # Given two instruments on which all agree
    scene = Scene()
    lots = {BTC: "0.001", ETH: "0.01"}
    listed = {name: instrument(name, lot) for name, lot in lots.items()}
    for row, name in enumerate((BTC, ETH)):
        scene.monitor.account.on_session_grid(row, grid_of(listed[name]), IN_FORCE)
    scene.monitor.account.on_positions([position(ETH, "0.05", "4000")], is_snapshot=True)
    scene.execution_lots[1] = 5
    assert scene.step() is TradingState.ACTIVE

    def expect(eth: TradingState, words: str = "") -> None:
        assert scene.step() is TradingState.ACTIVE  # the account and the other go on
        assert scene.monitor.verdict(scene.now_ns, 0).state is TradingState.ACTIVE
        verdict = scene.monitor.verdict(scene.now_ns, 1)
        assert verdict.state is eth
        assert words in verdict.text
        assert (verdict.reason is RiskReason.INSTRUMENT_OFF) == bool(words)
        # whatever happens, risk counts in the lots that the session began with
        assert scene.monitor.account.holding(1).instrument == listed[ETH]

    expect(TradingState.ACTIVE)
    # If a reconnect shows another lot, none at all, or the old one again
    scene.monitor.account.on_instruments({**listed, ETH: instrument(ETH, "0.001")})
    expect(TradingState.HALTED, "restart the session")
    scene.monitor.account.on_instruments({BTC: listed[BTC]})
    expect(TradingState.HALTED, "no longer lists it")
    scene.monitor.account.on_instruments(listed)
    expect(TradingState.ACTIVE)
    # If market_data says so, or the session began with another grid than risk
    scene.monitor.account.on_session_grid(1, grid_of(listed[ETH]), Off(OffReason.INSTRUMENT_CHANGED, CHANGED))
    expect(TradingState.HALTED, "restart the session")
    scene.monitor.account.on_session_grid(1, grid_of(instrument(ETH, "0.1")), IN_FORCE)
    expect(TradingState.HALTED, "lot_size 0.1")


def test_too_much_on_one_side_reduces_where_both_sides_together_would_not() -> None:
    # Given 10,000 $ net allowed and 20,000 gross
    scene = Scene(RiskConfig(position_max_base=5.0, gross_notional_max_usd=20_000.0, net_notional_max_usd=10_000.0))
    scene.monitor.account.on_positions([position(BTC, "0.09"), position(ETH, "-2", "4000")], is_snapshot=True)
    assert scene.step() is TradingState.ACTIVE
    # If the short is closed and more bought, I expect only reducing orders to pass
    scene.monitor.account.on_positions([position(BTC, "0.09"), position(ETH, "0.5", "4000")], is_snapshot=True)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.NET_NOTIONAL


def test_value_at_risk_reduces_and_what_cannot_be_judged_may_not_grow() -> None:
    # Given a limit of 100 $ and 0.05 BTC (5,000 $) that move 10 $/√s, which is 70 $ in an hour at 99 %
    scene = Scene(RiskConfig(position_max_base=2.0, value_at_risk_max_usd=100.0))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    assert scene.step() is TradingState.REDUCING
    scene.monitor.account.on_sigma(0, 10.0)
    assert scene.step() is TradingState.ACTIVE
    # If it moves twice as much, I expect reducing; a short in what moves with it takes that away
    scene.monitor.account.on_sigma(0, 20.0)
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.VALUE_AT_RISK
    scene.monitor.account.on_positions([position(ETH, "-1", "4000")], is_snapshot=False)
    scene.monitor.account.on_sigma(1, 0.8)
    scene.monitor.account.on_correlation(0, 1, 0.9)
    assert scene.step() is TradingState.ACTIVE
    # and none of it when they turn out to move against each other
    scene.monitor.account.on_correlation(0, 1, -0.9)
    assert scene.step() is TradingState.REDUCING


def test_expected_shortfall_has_a_limit_of_its_own() -> None:
    # Given 0.05 BTC that move 10 $/√s: 69.8 $ at risk in an hour at 99 %, 80.0 $ lost on average beyond it
    scene = Scene(RiskConfig(position_max_base=2.0, value_at_risk_max_usd=75.0, expected_shortfall_max_usd=81.0))
    scene.monitor.account.on_positions([position(BTC, "0.05")], is_snapshot=False)
    scene.monitor.account.on_sigma(0, 10.0)
    assert scene.step() is TradingState.ACTIVE
    # If the limit is one dollar less, I expect reducing, though value at risk is within its own
    scene.monitor.config = changed_limit(scene.monitor.config, "expected_shortfall_max_usd", "79").config
    assert scene.step() is TradingState.REDUCING
    assert scene.reason is RiskReason.EXPECTED_SHORTFALL


@pytest.mark.parametrize("cause", sorted(set(Cause) - {Cause.STARTING}, key=lambda cause: cause.value))
def test_watching_goes_on_in_every_state(cause: Cause) -> None:
    # Given a cause that holds
    scene = Scene()
    scene.monitor.states.hold(cause, ACCOUNT, "held", 0, FOREVER)
    # If the account gets over a limit meanwhile, I expect risk to see it, and when it has gone
    scene.monitor.account.on_positions([position(BTC, "9")], is_snapshot=False)
    scene.step()
    assert scene.monitor.states.is_held(Cause.POSITION_LIMIT, 0)
    assert scene.monitor.interval_ns == RiskConfig().interval_min_ms * NS_PER_MS
    scene.monitor.account.on_positions([position(BTC, "0")], is_snapshot=False)
    scene.step()
    assert not scene.monitor.states.is_held(Cause.POSITION_LIMIT, 0)
    assert scene.monitor.interval_ns == RiskConfig().interval_ms * NS_PER_MS
