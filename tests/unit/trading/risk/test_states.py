"""The table of causes: what each demands, what ends it, which one is named."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_S
from domain.codes import RiskReason
from domain.order import TradingState
from trading.risk.states import ALL_CLEAR, RULES, Cause, Latched, Recovery, Release, RiskStates

COOLDOWN_NS = 5 * NS_PER_S
STEP_NS = NS_PER_S
RECOVERY = Recovery(COOLDOWN_NS, 3, STEP_NS)


def states(*latched: Latched) -> RiskStates:
    return RiskStates(RECOVERY, latched)


def test_without_a_cause_the_state_is_active() -> None:
    assert states().verdict(0) == ALL_CLEAR


@pytest.mark.parametrize("cause", [cause for cause in Cause if RULES[cause].release is Release.ITSELF])
def test_a_cause_that_ends_by_itself_leaves_no_trace(cause: Cause) -> None:
    # Given a cause
    risk = states()
    risk.tell(cause, True, "why", now_ns=0)
    assert risk.verdict(0).state is RULES[cause].state
    assert risk.verdict(0).text == "why"
    # If it is gone
    risk.tell(cause, False, "", now_ns=1)
    # I expect the account to be active at once
    assert risk.verdict(1) == ALL_CLEAR


@pytest.mark.parametrize("cause", [cause for cause in Cause if RULES[cause].release is Release.OPERATOR])
def test_a_latched_cause_stays_until_the_operator_resumes(cause: Cause) -> None:
    # Given a latched cause whose condition has passed
    risk = states()
    risk.tell(cause, True, "why", now_ns=0, realtime_ns=77)
    risk.tell(cause, False, "", now_ns=NS_PER_S)
    # If a long time passes, I expect it to stay
    assert risk.verdict(10**15).reason is RULES[cause].reason
    assert risk.latched == [Latched(cause, "why", 77)]
    # If the operator resumes, I expect it to end, with a while of recovering after a halt
    assert risk.resume(10**15) == [cause]
    halts = RULES[cause].state is TradingState.HALTED
    assert risk.verdict(10**15).state is (TradingState.RECOVERING if halts else TradingState.ACTIVE)
    assert risk.verdict(10**15 + 3 * STEP_NS) == ALL_CLEAR
    assert risk.latched == []


def test_latched_causes_survive_a_restart() -> None:
    # Given the latched causes of a predecessor
    risk = states(Latched(Cause.LOSS_FROM_PEAK, "lost 300", 5))
    # If the successor starts, I expect it to be halted for the same reason
    assert risk.verdict(0).reason is RiskReason.LOSS_FROM_PEAK
    assert risk.verdict(0).text == "lost 300"


def test_too_many_orders_halt_for_the_cooldown_and_then_recover() -> None:
    # Given a halt for order rate whose condition ended at 1 s
    risk = states()
    risk.tell(Cause.ORDER_RATE, True, "80 a second", now_ns=0)
    risk.tell(Cause.ORDER_RATE, False, "", now_ns=NS_PER_S)
    # If time passes, I expect halted, then recovering, then active
    assert risk.verdict(NS_PER_S + COOLDOWN_NS - 1).state is TradingState.HALTED
    assert risk.verdict(NS_PER_S + COOLDOWN_NS).state is TradingState.RECOVERING
    assert risk.verdict(NS_PER_S + COOLDOWN_NS + 3 * STEP_NS) == ALL_CLEAR
    # and, if it comes back during the cool-down, that the cool-down starts again
    risk.tell(Cause.ORDER_RATE, True, "", now_ns=0)
    risk.tell(Cause.ORDER_RATE, False, "", now_ns=0)
    risk.tell(Cause.ORDER_RATE, True, "", now_ns=COOLDOWN_NS - 1)
    assert risk.verdict(2 * COOLDOWN_NS).state is TradingState.HALTED


def test_recovering_goes_step_by_step() -> None:
    # Given a halt that an operator ended at 10 s
    risk = states()
    risk.tell(Cause.OPERATOR_HALT, True, "lunch", now_ns=0)
    began_ns = 10 * NS_PER_S
    risk.resume(began_ns)
    # If time passes, I expect each step to last as long as configured, and the state to say which one it is
    told = [risk.verdict(began_ns + at) for at in (0, STEP_NS - 1, STEP_NS, 2 * STEP_NS, 3 * STEP_NS - 1)]
    assert [one.recovery_step for one in told] == [1, 1, 2, 3, 3]
    assert told[2].text == "after operator_halt: step 2 of 3"
    assert risk.verdict(began_ns + 3 * STEP_NS) == ALL_CLEAR


def test_without_steps_a_halt_is_followed_by_full_freedom() -> None:
    risk = RiskStates(Recovery(COOLDOWN_NS, 0, STEP_NS))
    risk.tell(Cause.OPERATOR_HALT, True, "lunch", now_ns=0)
    risk.resume(1)
    assert risk.verdict(1) == ALL_CLEAR


def test_the_strictest_cause_decides_and_is_named() -> None:
    # Given a reducing cause
    risk = states()
    risk.tell(Cause.POSITION_LIMIT, True, "too long", now_ns=0, scope=0)
    # If a halting one joins and leaves again
    risk.tell(Cause.STALE_MARKET_DATA, True, "silence", now_ns=0)
    halted = risk.verdict(0, scope=0)
    risk.tell(Cause.STALE_MARKET_DATA, False, "", now_ns=1)
    # I expect halted with its reason, then reducing again
    assert (halted.state, halted.reason) == (TradingState.HALTED, RiskReason.STALE_MARKET_DATA)
    assert risk.verdict(1, scope=0).state is TradingState.REDUCING


def test_a_cause_of_one_instrument_leaves_the_others_alone() -> None:
    # Given a position limit in the first instrument
    risk = states()
    risk.tell(Cause.POSITION_LIMIT, True, "too long", now_ns=0, scope=0)
    # If each instrument and the account are asked
    # I expect the second to be active, and the account to show the strictest
    assert risk.verdict(0, scope=1) == ALL_CLEAR
    assert risk.verdict(0, scope=0).state is TradingState.REDUCING
    assert risk.verdict(0).state is TradingState.REDUCING


def test_causes_are_listed_strictest_first() -> None:
    severity = {TradingState.HALTED: 0, TradingState.REDUCING: 1, TradingState.RECOVERING: 2}
    order = [severity[RULES[cause].state] for cause in Cause]
    assert order == sorted(order)
