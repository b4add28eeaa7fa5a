"""The risk actor's second way to cancel: orders that execution, a halt or a dead supervisor leave at the venue."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from domain.codes import RiskReason
from domain.order import TradingState
from domain.records import RISK
from shm.record import load_row
from tests.risk_process import (
    DEADLINE_S,
    RiskProcess,
    Trader,
)
from tests.sessions import wait_until

ORPHANED = "the supervisor is gone; risk stays"


def test_orders_of_a_silent_execution_are_cancelled_by_risk_alone(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given orders of ours at the venue
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}")
    risk.wait_for(lambda: load_row(risk.risk, 0) and risk.risk.ints[RISK.word("open_orders")] == 2, "two orders seen")
    # If execution falls silent
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    # I expect the venue to show none of them soon
    risk.wait_for(lambda: trader.open_orders() == [], "an empty book")


def test_orders_of_others_do_not_wake_risk(start_risk: Callable[..., RiskProcess], trader: Trader) -> None:
    # Given an order of a person in the account
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest("mine", count=1)
    # If execution falls silent for a while
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED)
    time.sleep(1.5)
    # I expect the order to stand
    assert len(trader.open_orders()) == 1


def test_orders_that_outlive_a_halt_are_cancelled(start_risk: Callable[..., RiskProcess], trader: Trader) -> None:
    # Given an execution that lives but does not pull its orders
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}")
    # If the market data goes stale
    risk.peers.is_feed_alive = False
    # I expect risk to cancel them
    seconds = risk.wait_for(lambda: trader.open_orders() == [], "an empty book")
    print(f"cancelled after {seconds:.2f} s")


def test_without_a_supervisor_risk_stays_until_the_venue_is_empty(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given orders of ours, and an execution that is gone
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}", count=3)
    # If the kernel tells risk that the supervisor died, once for each of its threads
    began = time.monotonic()
    assert risk.process is not None
    risk.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: ORPHANED in risk.log(), DEADLINE_S, "risk has heard it")
    assert risk.end(signal.SIGUSR1) == 0, risk.log()
    # I expect it to end only after the venue shows nothing, the gate to be shut, and one sweep for all it was told
    assert risk.log().count(ORPHANED) == 1
    print(f"ended after {time.monotonic() - began:.2f} s")
    assert trader.open_orders() == []
    assert risk.state() == (TradingState.HALTED, RiskReason.SESSION_ENDS)


def test_risk_lives_through_a_venue_that_falls_silent(start_risk: Callable[..., RiskProcess], exchange: Any) -> None:
    # Given an active session
    risk = start_risk("venue_silent_ms = 1500")
    risk.wait_for_state(TradingState.ACTIVE)
    # If the venue stops answering
    os.kill(exchange.pid, signal.SIGSTOP)
    try:
        risk.wait_for_state(TradingState.HALTED, RiskReason.VENUE_DISCONNECTED)
    finally:
        os.kill(exchange.pid, signal.SIGCONT)
    # I expect it to be active again once it does
    risk.wait_for_state(TradingState.ACTIVE)
