"""Risk killed, or execution stopped: who is left closes the gate, clears the venue, and goes on where it was.

pytest -s tests/integration/test_risk_killed.py     prints the times
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from domain.clock import NS_PER_MS
from messages.commands import Flatten, Halt
from tests.risk_session import BOUND_WIDTH, PERPETUAL, Market, trading
from tests.sessions import open_orders, read_json_lines, wait_until
from trading.risk.kept_account import FILE_NAME, read_kept

PULLED_MS = 500.0
SWEPT_MS = 1000.0
STAYS_S = 1.0
COOLDOWN_S = 15.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with trading(tmp_path_factory.mktemp("riskkill"), "stop_loss_bps = 0.0\nloss_from_peak_max_usd = 1e6\n") as market:
        yield market


@pytest.fixture
def market(running: Market) -> Market:
    running.calm()
    return running


def kill_risk(market: Market) -> tuple[int, int]:
    """SIGKILL risk; return its process id and when."""
    pid = market.session.actor_pid("risk")
    killed_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return pid, killed_ns


def wait_for_risk(market: Market, pid: int) -> None:
    """Wait until another process of risk lives."""

    def is_back() -> bool:
        actor = market.session.status()["actors"]["risk"]
        return bool(actor["pid"] not in (0, pid) and actor["state"] == "live")

    wait_until(is_back, 30.0, "risk is back")


def first_empty_ms(market: Market, since_ns: int) -> float:
    """Wait until no order of ours is open; return when that was for the first time since `since_ns`, in ms."""
    wait_until(lambda: market.gone_ns(since_ns, time.monotonic_ns()) is not None, 20.0, "quotes are pulled")
    lines = [line for line in market.log() if line["monotonic_ns"] > since_ns]
    empty = next(at for at in (line["monotonic_ns"] for line in lines) if not open_orders(market.log(), at))
    return float((empty - since_ns) / NS_PER_MS)


def test_a_killed_risk_closes_the_gate_and_comes_back_with_the_venues_numbers(market: Market) -> None:
    # Given a long that was bought while risk lived
    market.become("buy")
    market.session.wait_for_quotes()
    before = market.session.status()["risk"]
    # If risk is killed
    pid, killed_ns = kill_risk(market)
    # I expect every quote pulled, and quotes again once it has read the account anew
    pulled_ms = first_empty_ms(market, killed_ns)
    wait_for_risk(market, pid)
    market.session.wait_for_quotes()
    again_s = (time.monotonic_ns() - killed_ns) / 1e9
    told = market.risk()
    position = market.session.status()["instruments"][PERPETUAL]
    print(
        f"\nrisk killed: quotes pulled after {pulled_ms:.0f} ms, both sides again after {again_s:.2f} s; {told['pnl']}"
    )
    assert pulled_ms <= PULLED_MS * BOUND_WIDTH
    assert told["state"] == "active", (told, before, position)
    assert float(told["pnl"][PERPETUAL]["fees"]) > 0.0
    assert market.held_by_venue() == pytest.approx(market.position())


def test_a_killed_risk_goes_on_from_what_it_kept_of_the_run(market: Market) -> None:
    # Given fills that a life of risk has kept, and one after it
    def fills_kept() -> int:
        file = market.session.run / FILE_NAME
        return read_kept(file.read_bytes()).state.ledger.fills if file.is_file() else 0

    market.become("buy")
    pid, _ = kill_risk(market)
    wait_for_risk(market, pid)
    wait_until(lambda: fills_kept() > 0, 20.0, "the books on disk")
    market.session.wait_for_quotes()
    market.become("sell")
    time.sleep(STAYS_S)  # until the venue has told what it cost
    kept, before = fills_kept(), market.risk()["pnl"][PERPETUAL]
    # If risk is killed
    pid, _ = kill_risk(market)
    wait_for_risk(market, pid)
    market.session.wait_for_quotes()
    # I expect it to go on from them, with the same figures
    lines = read_json_lines(market.session.run / "logs" / "risk.log")
    read = [line for line in lines if line["event"] == "account read"][-1]
    assert read["trades_kept"] >= kept > 0
    assert not [line for line in lines if "read anew" in line["event"]]
    after = market.risk()["pnl"][PERPETUAL]
    assert [after[name] for name in ("realised", "fees")] == [before[name] for name in ("realised", "fees")]
    print(f"\nrisk killed with {kept} fills kept: {read['trades']} read, {after}")


def test_a_halt_outlives_a_killed_risk(market: Market) -> None:
    assert market.session.send(Halt("test")).ok
    pid, killed_ns = kill_risk(market)
    wait_for_risk(market, pid)
    time.sleep(STAYS_S)
    assert market.open_sides() == set()
    assert market.risk()["latched"] == ["operator_halt"]
    since = [line for line in market.log() if line["monotonic_ns"] > killed_ns and line["event"] == "insert"]
    assert since == []


def test_a_flattening_for_loss_is_finished_although_risk_is_killed_in_it(market: Market) -> None:
    # Given a long, and a loss that halts and flattens
    market.become("buy")
    market.session.wait_for_quotes()
    told = market.risk()
    lost = max(0.0, float(told["equity_peak"]) - float(told["equity"]))
    market.limit("flatten_on_halt", "true")
    market.limit("loss_from_peak_max_usd", lost + 6.0)
    market.jump(-400.0)
    market.wait_for_state("halted", "loss_from_peak")
    # If risk is killed before the position is gone
    pid, killed_ns = kill_risk(market)
    held = market.held_by_venue()
    # I expect it gone, no quote afterwards, and the halt to hold
    flat_s = market.wait_flat(killed_ns)
    wait_for_risk(market, pid)
    time.sleep(STAYS_S)
    print(f"\nrisk killed in a flattening of {held:g}: flat {flat_s:.2f} s after it; {market.risk()['latched']}")
    assert market.held_by_venue() == 0.0
    assert market.open_sides() == set()
    assert market.risk()["latched"] == ["loss_from_peak"]
    market.limit("flatten_on_halt", "false")
    market.limit("loss_from_peak_max_usd", 1e6)


def test_a_cool_down_is_neither_cut_short_nor_begun_anew_by_a_killed_risk(market: Market) -> None:
    # Given a stop loss that closed the position, and has its cool-down before it
    market.limit("cooldown_s", COOLDOWN_S)
    market.limit("stop_loss_bps", 20.0)
    market.become("buy")
    market.session.wait_for_quotes()
    breached_ns = market.jump(-400.0)
    market.wait_for_state("halted", "stop_loss")
    market.wait_flat(breached_ns)
    # If risk is killed in the middle of it
    time.sleep(COOLDOWN_S / 3)
    pid, _ = kill_risk(market)
    wait_for_risk(market, pid)
    # I expect the rest of it to be waited for, and no more
    market.wait_for_state("halted", "stop_loss")
    came_back_s = (time.monotonic_ns() - breached_ns) / 1e9
    assert came_back_s < COOLDOWN_S, f"risk took {came_back_s:.1f} s to come back: the test shows nothing"
    market.session.wait_for_quotes(60.0)
    again_s = (time.monotonic_ns() - breached_ns) / 1e9
    print(f"\nrisk killed in a cool-down of {COOLDOWN_S:g} s: quotes {again_s:.2f} s after the loss")
    assert COOLDOWN_S <= again_s < came_back_s + COOLDOWN_S
    market.limit("stop_loss_bps", 0.0)
    market.limit("cooldown_s", 2.0)


def test_risk_clears_the_venue_by_itself_while_execution_is_stopped(market: Market) -> None:
    # Given quotes on both sides
    pid = market.session.actor_pid("execution")
    # If execution is stopped
    stopped_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGSTOP)
    # I expect risk's own connection to have cancelled everything, long before the venue does
    wait_until(lambda: market.gone_ns(stopped_ns, time.monotonic_ns()) is not None, 20.0, "the venue is clear")
    gone_ns = market.gone_ns(stopped_ns, time.monotonic_ns())
    assert gone_ns is not None
    asked = [line for line in market.lines() if line.get("method") == "private/cancel_all"]
    swept_ms = (gone_ns - stopped_ns) / NS_PER_MS
    print(f"\nexecution stopped: 0 orders open after {swept_ms:.0f} ms, by risk")
    assert [line for line in asked if line["monotonic_ns"] > stopped_ns], "risk asked for nothing"
    assert swept_ms <= SWEPT_MS * BOUND_WIDTH
    market.session.wait_for_quotes(40.0)


def test_a_flatten_by_the_operator_is_finished_although_risk_is_killed_in_it(market: Market) -> None:
    market.become("buy")
    pid, killed_ns = kill_risk(market)
    reply = market.session.send(Flatten(PERPETUAL), 30.0)
    assert reply.ok, reply.text
    assert market.held_by_venue() == 0.0
    wait_for_risk(market, pid)
    print(f"\nflattened beside a dead risk in {(time.monotonic_ns() - killed_ns) / 1e9:.2f} s")


def test_a_flattening_for_loss_is_taken_up_again_after_risk_and_execution_were_killed(market: Market) -> None:
    # Given a loss that halts and flattens, and nobody left who was asked to
    market.become("buy")
    market.session.wait_for_quotes()
    told = market.risk()
    market.limit("flatten_on_halt", "true")
    market.limit("loss_from_peak_max_usd", max(0.0, float(told["equity_peak"]) - float(told["equity"])) + 6.0)
    execution = market.session.actor_pid("execution")
    market.jump(-400.0)
    market.wait_for_state("halted", "loss_from_peak")
    os.kill(execution, signal.SIGKILL)
    pid, killed_ns = kill_risk(market)
    held = market.held_by_venue()
    assert held > 0.0, "flat before anybody was killed"
    # If both come back, I expect the position to be closed and the halt to hold
    flat_s = market.wait_flat(killed_ns, 40.0)
    wait_for_risk(market, pid)
    print(f"\nrisk and execution killed in a flattening of {held:g}: flat {flat_s:.2f} s after it")
    assert market.risk()["latched"] == ["loss_from_peak"]
    assert market.open_sides() == set()
