"""What has begun goes on over a restart of risk: cool-downs, recoveries, closings, trailing stops, streaks."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from domain.clock import NS_PER_S
from domain.order import TradingState
from domain.reports import PositionReport
from trading.risk.account_view import AccountView
from trading.risk.config import RiskConfig
from trading.risk.exits import ExitWatch, OpenPosition, Trail
from trading.risk.latch import RiskMemory
from trading.risk.position_rules import PositionRules
from trading.risk.states import ACCOUNT, Cause, Recovery, RiskStates
from trading.risk.waiting import Waiting, take_up, waiting_of

NAMES = ("BTC-PERPETUAL", "ETH-PERPETUAL")
RECOVERY = Recovery(cooldown_ns=300 * NS_PER_S, steps=3, step_ns=60 * NS_PER_S)
WALL_NS = 1_800_000_000 * NS_PER_S
T0_NS = 5_000 * NS_PER_S


def stopped() -> RiskStates:
    """Return states in which ETH's stop loss is gone since T0, and a losing streak of the account still holds."""
    states = RiskStates(RECOVERY)
    states.tell(Cause.STOP_LOSS, True, "ETH-PERPETUAL: lost", now_ns=T0_NS, realtime_ns=WALL_NS, scope=1)
    states.tell(Cause.STOP_LOSS, False, "", now_ns=T0_NS, realtime_ns=WALL_NS, scope=1)
    states.tell(Cause.LOSING_STREAK, True, "5 in a row", now_ns=T0_NS, realtime_ns=WALL_NS)
    states.tell(Cause.STALE_MARKET_DATA, True, "silent", now_ns=T0_NS, realtime_ns=WALL_NS)
    return states


def successor(states: RiskStates, *, now_ns: int, realtime_ns: int, is_same_boot: bool = True) -> RiskStates:
    """Return the states of the next process, by way of the file."""
    kept = RiskMemory(waiting=waiting_of(states, NAMES, T0_NS, WALL_NS))
    kept = msgspec.json.decode(msgspec.json.encode(kept), type=RiskMemory)
    new = RiskStates(RECOVERY)
    take_up(new, kept.waiting, NAMES, is_same_boot=is_same_boot, now_ns=now_ns, realtime_ns=realtime_ns)
    return new


def test_a_cool_down_ends_when_it_would_have_ended() -> None:
    # Given a process that is replaced 100 s into a cool-down of 300, with the wall clock stepped back meanwhile
    new = successor(stopped(), now_ns=T0_NS + 100 * NS_PER_S, realtime_ns=WALL_NS - 10_000 * NS_PER_S)
    # If time goes on, I expect the halt to its second, then recovering, and nothing of what ends by itself
    assert new.verdict(T0_NS + 300 * NS_PER_S - 1, 1).state is TradingState.HALTED
    new.tell(Cause.LOSING_STREAK, False, "", now_ns=T0_NS)
    assert new.verdict(T0_NS + 300 * NS_PER_S, 1)[0] is TradingState.RECOVERING
    assert not new.is_held(Cause.STALE_MARKET_DATA)


def test_a_cause_that_was_present_cools_down_from_when_it_is_gone() -> None:
    # Given a streak that was present when risk was killed
    new = successor(stopped(), now_ns=T0_NS + 5 * NS_PER_S, realtime_ns=WALL_NS)
    # If it is not present any more, I expect its whole cool-down from then
    new.tell(Cause.LOSING_STREAK, False, "", now_ns=T0_NS + 5 * NS_PER_S)
    assert new.verdict(T0_NS + 305 * NS_PER_S - 1, 0).state is TradingState.HALTED
    assert new.verdict(T0_NS + 305 * NS_PER_S, 0).state is TradingState.RECOVERING


@pytest.mark.parametrize(("away_s", "left_s"), [(100, 200), (1_000, 0), (-50_000, 300)])
def test_after_a_start_of_the_machine_the_wall_clock_decides_within_the_length(away_s: int, left_s: int) -> None:
    # Given a machine that was off, its monotonic clock begun anew, its wall clock maybe wrong
    new = successor(stopped(), now_ns=NS_PER_S, realtime_ns=WALL_NS + away_s * NS_PER_S, is_same_boot=False)
    new.tell(Cause.LOSING_STREAK, False, "", now_ns=0)
    # I expect what is left by the wall clock, never more than the whole
    ends = {scope: until_ns for cause, scope, _, _, until_ns in new.ending_by_time if cause is Cause.STOP_LOSS}
    assert ends == {1: (1 + left_s) * NS_PER_S}


def test_recovering_goes_on_at_its_step() -> None:
    # Given an account whose recovery has 60 of 180 s left
    states = RiskStates(RECOVERY)
    states.hold(Cause.RECOVERING, ACCOUNT, "after kill", WALL_NS, T0_NS + 60 * NS_PER_S)
    # If risk is replaced, I expect the third step at once, not the first
    new = successor(states, now_ns=T0_NS + NS_PER_S, realtime_ns=WALL_NS + NS_PER_S)
    assert new.verdict(T0_NS + NS_PER_S).recovery_step == 3
    assert new.verdict(T0_NS + 60 * NS_PER_S).state is TradingState.ACTIVE


def test_an_instrument_that_is_no_more_is_left_out() -> None:
    new = RiskStates(RECOVERY)
    take_up(new, [Waiting(Cause.STOP_LOSS, "OLD", "", 0)], NAMES, is_same_boot=True, now_ns=0, realtime_ns=0)
    assert new.ending_by_time == []


def test_another_run_takes_cool_downs_over_on_the_same_account_only() -> None:
    # Given what a run on an account of a venue kept
    kept = RiskMemory(run="1", account="thalex", boot="b", waiting=[Waiting(Cause.ORDER_RATE, "", "", 0)])
    assert kept.for_run("2", "thalex").waiting == kept.waiting
    assert kept.for_run("2", "thalex").boot == "b"
    assert kept.for_run("2", "other").waiting == []
    # and what a local exchange's account, which is new with each run, leaves
    assert RiskMemory(run="1", waiting=kept.waiting).for_run("2", "").waiting == []


def held(account: AccountView, size: str) -> None:
    price, zero = Decimal(4000), Decimal(0)
    report = PositionReport("ETH-PERPETUAL", Decimal(size), price, price, zero, zero, zero)
    account.on_positions([report] if Decimal(size) else [], is_snapshot=True)


def test_a_closing_that_had_begun_goes_on_until_flat() -> None:
    # Given a stop loss of a position that is still open as risk is replaced, the price back where it was
    states = RiskStates(RECOVERY)
    states.tell(Cause.STOP_LOSS, True, "ETH-PERPETUAL: lost 5", now_ns=T0_NS, realtime_ns=WALL_NS, scope=1)
    new = successor(states, now_ns=T0_NS, realtime_ns=WALL_NS)
    account = AccountView(NAMES)
    rules = PositionRules(account)
    rules.take_up(new)

    def look() -> list[int]:
        rules.tell(lambda cause, is_present, text, scope=ACCOUNT: new.tell(
            cause, is_present, text, now_ns=T0_NS, scope=scope), RiskConfig(), {})  # fmt: skip
        return list(rules.exits)

    # If risk looks before and after it knows the position, I expect it to be closed until it is flat
    account.on_mark(1, 4000.0)
    assert look() == [1]
    held(account, "2")
    assert look() == [1]
    assert new.verdict(T0_NS, 1).text == "ETH-PERPETUAL: lost 5"
    held(account, "0")
    assert look() == []
    assert new.verdict(T0_NS + 300 * NS_PER_S - 1, 1).state is TradingState.HALTED


def test_a_trailing_stop_remembers_the_best_result() -> None:
    # Given a long position that had gained 100 bps
    config = RiskConfig(trailing_stop_bps=50.0, exit_fee_bps=0.0)
    watch = ExitWatch()
    assert watch.trail is None
    assert watch.look(OpenPosition(1.0, 100.0, 101.0), config) is None
    trail = msgspec.json.decode(msgspec.json.encode(watch.trail), type=Trail)
    # If risk is replaced and the gain has shrunk to 40 bps, I expect the stop, and none for a short entered since
    assert ExitWatch(trail).look(OpenPosition(1.0, 100.0, 100.4), config) is not None
    assert ExitWatch(trail).look(OpenPosition(-1.0, 100.0, 100.4), config) is None
    assert ExitWatch().look(OpenPosition(1.0, 100.0, 100.4), config) is None
