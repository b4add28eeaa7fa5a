"""What the risk actor keeps over a kill of itself: halts, cool-downs, recoveries, losses."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from domain.codes import OrderEventKind, RiskReason
from domain.order import TradingState
from domain.records import LIMITS, ORDER_EVENT
from messages.commands import Halt, Kill, Reduce, Resume, SetParameter, Status
from shm.record import load_row
from shm.ring import RingWriter
from tests.risk_process import (
    RiskProcess,
    Trader,
)
from trading.risk.latch import FILE_NAME, KILL_FILE_NAME, KillMark, kill_mark_bytes


def test_a_halt_is_latched_and_survives_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a halt by the operator, kept on disk
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.is_execution_alive = False  # it cannot confirm: risk does it alone
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    reply = risk.command(Halt("enough for today"))
    assert reply.ok, reply.text
    risk.peers.is_execution_alive = True
    risk.wait_for(lambda: "enough for today" in (risk.folder / FILE_NAME).read_text(), "the latch on disk")
    # If risk is killed and started again
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect it to be halted still, until the operator resumes
    risk.wait_for_state(TradingState.HALTED, RiskReason.OPERATOR)
    reply = risk.command(Resume())
    assert reply.ok
    assert "operator_halt" in reply.text
    risk.wait_for_state(TradingState.ACTIVE)


def too_many_orders(risk: RiskProcess) -> None:
    """Let the venue answer four inserts within a second, where one is allowed."""
    events = RingWriter(risk.segments["order_events"])
    for _ in range(4):
        events.ints[ORDER_EVENT.word("kind")] = OrderEventKind.ACCEPTED
        events.ints[ORDER_EVENT.word("local_time_ns")] = time.monotonic_ns()
        events.publish()


def test_a_cool_down_and_a_recovery_survive_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a cool-down of two minutes that has begun
    risk = start_risk("order_rate_max_per_s = 1\nrecovery_steps = 2")
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(SetParameter("cooldown_s", "120")).ok
    too_many_orders(risk)
    risk.wait_for_state(TradingState.HALTED, RiskReason.ORDER_RATE)

    def kept() -> list[dict[str, Any]]:
        waiting: list[dict[str, Any]] = json.loads((risk.folder / FILE_NAME).read_text())["waiting"]
        return waiting

    risk.wait_for(lambda: any(one.get("ends_ns") for one in kept()), "the end of the cool-down on disk")
    before = kept()
    # If risk is killed and started again
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect it to be halted still, to the same end
    risk.wait_for_state(TradingState.HALTED, RiskReason.ORDER_RATE)
    time.sleep(0.3)
    assert risk.state() == (TradingState.HALTED, RiskReason.ORDER_RATE)
    assert kept() == before


def test_recovering_survives_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given the first of two steps of 100 s, after a cool-down of half a second
    risk = start_risk("order_rate_max_per_s = 1\nrecovery_steps = 2")
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(SetParameter("recovery_step_s", "100")).ok
    too_many_orders(risk)
    risk.wait_for_state(TradingState.RECOVERING)

    def bounds() -> list[int]:
        risk.wait_for(lambda: load_row(risk.limits, 0), "the limits")
        return [int(risk.limits.ints[LIMITS.word(name)]) for name in ("levels_max", "order_lots_max")]

    before = bounds()
    assert before == [1, 8]  # two fifths of three levels, and of 0.02
    risk.wait_for(lambda: '"recovering"' in (risk.folder / FILE_NAME).read_text(), "the recovery on disk")
    # If risk is killed and started again, I expect the same step with the same limits
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    risk.wait_for_state(TradingState.RECOVERING)
    assert bounds() == before


def test_the_mark_of_a_kill_halts_a_running_session(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    # If the one-shot leaves its mark
    (risk.folder / KILL_FILE_NAME).write_bytes(kill_mark_bytes(KillMark(time.time_ns())))
    # I expect a halt until a resume, which removes the mark
    risk.wait_for_state(TradingState.HALTED, RiskReason.KILL)
    assert risk.command(Resume()).ok
    assert not (risk.folder / KILL_FILE_NAME).exists()
    risk.wait_for_state(TradingState.ACTIVE)


def test_a_kill_command_is_latched_with_its_own_reason(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a session whose execution is gone
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    # If the operator kills it, I expect risk to cancel and confirm alone, and to stay halted
    reply = risk.command(Kill())
    assert reply.ok
    assert "risk cancelled everything" in reply.text
    risk.peers.is_execution_alive = True
    risk.wait_for_state(TradingState.HALTED, RiskReason.KILL)


def test_a_loss_from_the_peak_halts_and_a_restart_counts_the_same_loss(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a limit of 1 USD
    risk = start_risk("loss_from_peak_max_usd = 1.0")
    risk.wait_for_state(TradingState.ACTIVE)
    # If trading there and back costs more than that
    since_s = time.time()
    trader.trade(0.02)
    trader.trade(-0.02)
    risk.wait_for_state(TradingState.HALTED, RiskReason.LOSS_FROM_PEAK)
    # I expect the equity that follows from the venue's trade history
    expected = pytest.approx(trader.cash_of_trades_since(since_s), abs=1e-6)

    def is_as_expected() -> bool:
        return bool(risk.command(Status()).data["equity"] == expected)

    risk.wait_for(is_as_expected, f"equity {expected}")
    # If risk is killed and started again
    risk.wait_for(lambda: "loss_from_peak" in (risk.folder / FILE_NAME).read_text(), "the latch on disk")
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect the same equity once more, and the same halt
    risk.wait_for(is_as_expected, f"equity {expected}")
    risk.wait_for_state(TradingState.HALTED, RiskReason.LOSS_FROM_PEAK)


def test_reduce_is_kept_until_resume(start_risk: Callable[..., RiskProcess]) -> None:
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(Reduce()).ok
    assert risk.state() == (TradingState.REDUCING, RiskReason.OPERATOR)
    assert risk.command(Resume()).ok
    assert risk.state()[0] is TradingState.ACTIVE
