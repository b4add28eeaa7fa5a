"""Execution as a real process: cut off, killed and told to end, judged by the exchange's own log."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import websockets

from tests.sessions import INSTRUMENT, RunningSession, StandaloneExchange, read_json_lines, wait_until

THALEX = '[venue]\nkind = "thalex"\nbackoff_ms_max = 200\n' + INSTRUMENT
MODES = {
    "orders": "",
    "mass_quotes": '[execution]\nmode = "mass_quotes"\n[execution.mass_quotes]\nprotection_trade_base = 1.0\n'
    "protection_quote_base = 1.0\n",
}
BUSY = "[strategy]\nfee_floor = false\narrival_decay_prior_per_usd = 2.0\nlevel_spacing_ticks = 1\n"  # many fills


def admin(url: str, method: str) -> Any:
    """Call an admin method of the exchange and return its result, numbers as exact decimals."""

    async def call() -> Any:
        async with websockets.connect(url) as socket:
            await socket.send(msgspec.json.encode({"method": f"admin/{method}", "id": 1, "params": {}}).decode())
            return json.loads(await socket.recv(), parse_float=Decimal, parse_int=Decimal)["result"]

    return asyncio.run(call())


def cut_all_connections(url: str) -> None:
    """Have the exchange hang up on everybody."""
    admin(url, "disconnect_all")


def assert_agrees(summary: dict[str, Any], log: list[dict[str, Any]]) -> None:
    """Position, fills and volume are the exchange's to the last digit, and nothing is open."""
    sums = {"buy": Decimal(0), "sell": Decimal(0)}
    fills = [line for line in log if line["event"] == "fill"]
    for line in fills:
        sums[line["side"]] += Decimal(str(line["fill_amount"]))
    print(f"{len(fills)} fills, fees {summary['fees']}, position {summary['position']}")
    assert summary["fills"] == len(fills)
    assert Decimal(summary["volume"]) == sums["buy"] + sums["sell"]
    assert Decimal(summary["position"]["BTC-PERPETUAL"]) == sums["buy"] - sums["sell"]
    assert summary["position"] == summary["venue_position"]
    assert summary["is_consistent"]
    assert summary["unbooked_fees"] == 0
    assert summary["open_orders_at_exit"] == 0


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """A configuration's [execution], in each way of quoting."""
    return MODES[request.param]


def test_cut_connections_lose_no_fill_and_leave_no_order(tmp_path: Path, mode: str) -> None:
    moments = random.Random(7)
    with (
        StandaloneExchange(tmp_path, "--admin") as exchange,
        RunningSession(tmp_path, THALEX + BUSY + mode, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        for _ in range(5):
            time.sleep(moments.uniform(0.5, 1.2))
            cut_all_connections(exchange.url)
        session.wait_for_quotes()
        time.sleep(1.0)
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert_agrees(session.summary, read_json_lines(exchange.order_log_path))
        assert exchange.open_orders() == {}
        assert session.summary["counters"]["execution"]["reconnects"] >= 5
        assert sum(session.summary["restarts"].values()) == 0


def test_a_killed_execution_comes_back_with_the_whole_session_in_its_ledger(tmp_path: Path, mode: str) -> None:
    with RunningSession(tmp_path, INSTRUMENT + BUSY + mode) as session:
        session.wait_for_quotes()
        for _ in range(2):
            time.sleep(1.5)
            pid = session.actor_pid("execution")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: session.actor_pid("execution") not in (0, pid), 15, "execution is started again")
        session.wait_for_quotes()
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert_agrees(session.summary, session.order_log())
        assert session.summary["restarts"]["execution"] == 2


def test_sigterm_cancels_everything_and_ends_at_once(tmp_path: Path, mode: str) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX + mode, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        pid = session.actor_pid("execution")
        os.kill(pid, signal.SIGTERM)
        took_s = wait_until(lambda: not exchange.open_orders(), 5, "no order is open")
        print(f"cancelled {took_s * 1000:.0f} ms after SIGTERM")
        took_s = wait_until(lambda: session.actor_pid("execution") != pid, 10, "the process is gone")
        print(f"ended {took_s * 1000:.0f} ms later")


def test_profit_and_loss_is_the_change_of_the_venues_equity_to_the_last_digit(tmp_path: Path, mode: str) -> None:
    config = THALEX + "[supervisor]\nflatten_on_shutdown = true\n" + BUSY + mode
    with StandaloneExchange(tmp_path, "--admin") as exchange:
        before = sum(admin(exchange.url, "stats")["equity"].values())
        with RunningSession(tmp_path, config, environ=exchange.environ()) as session:
            session.wait_for_quotes()
            time.sleep(10.0)
            session.signal(signal.SIGINT)
            assert session.wait(60) == 0, session.said
        after = sum(admin(exchange.url, "stats")["equity"].values())
        summary = session.summary
        assert_agrees(summary, read_json_lines(exchange.order_log_path))
        assert summary["fills"] > 0
        assert summary["position"] == {"BTC-PERPETUAL": "0"}
        print(f"equity {before} -> {after}, P&L {summary['pnl']}")
        assert after - before == Decimal(summary["pnl"]["total"])


def test_protection_that_is_used_up_takes_all_quotes_back_and_they_return(tmp_path: Path) -> None:
    tight = (
        '[execution]\nmode = "mass_quotes"\n[execution.mass_quotes]\nprotection_trade_base = 0.02\n'
        "protection_quote_base = 0.02\ncooldown_ms = 500\nprotection_window_ms = 0\n"
    )
    with StandaloneExchange(tmp_path) as exchange:
        with RunningSession(tmp_path, THALEX + BUSY + tight, environ=exchange.environ()) as session:
            session.wait_for_quotes()

            def moments(event: str, **wanted: str) -> list[int]:
                log = read_json_lines(exchange.order_log_path)
                lines = (line for line in log if line["event"] == event and wanted.items() <= line.items())
                return [line["monotonic_ns"] for line in lines]

            def triggers() -> list[int]:
                return moments("cancel", delete_reason="mm_protection")

            wait_until(lambda: bool(triggers()), 40, "so much has traded that the venue takes the quotes back")
            taken_ns = triggers()[0]
            wait_until(lambda: any(at_ns > taken_ns for at_ns in moments("insert")), 5, "quotes are back")
            back_ns = min(at_ns for at_ns in moments("insert") if at_ns > taken_ns)
            print(f"back {(back_ns - taken_ns) / 1e6:.0f} ms after they were taken")
            assert back_ns - taken_ns >= 500_000_000
            session.signal(signal.SIGINT)
            assert session.wait(40) == 0, session.said
        assert_agrees(session.summary, read_json_lines(exchange.order_log_path))
        assert session.summary["counters"]["execution"]["mm_protections"] >= 1


def test_an_actor_that_is_restarted_during_an_outage_waits_for_the_venue_like_the_others(tmp_path: Path) -> None:
    actors = ("market_data", "risk", "execution")
    tries = "connect_tries_max = 2\nbackoff_ms_max = 200\n"
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(
            tmp_path, THALEX.replace("backoff_ms_max = 200\n", tries), environ=exchange.environ()
        ) as session,
    ):
        session.wait_for_quotes()
        assert exchange.process is not None
        exchange.process.terminate()
        exchange.process.wait(10)
        for actor in actors:
            os.kill(session.actor_pid(actor), signal.SIGKILL)

        # If the second life of each has been refused more often than a start puts up with, I expect it to go on
        def refusals(actor: str) -> int:
            assert session.process is not None
            assert session.process.poll() is None, session.said
            _, again, lines = (session.run / "logs" / f"{actor}.log").read_text().partition('"epoch": 2')
            return lines.count("venue connection lost") if again else 0

        for actor in actors:
            wait_until(lambda actor=actor: refusals(actor) > 3, 30.0, f"{actor} tries again and again")
        assert {session.status()["actors"][actor]["restarts"] for actor in actors} == {1}
        session.signal(signal.SIGINT)
        time.sleep(1.0)
        session.signal(signal.SIGINT)
