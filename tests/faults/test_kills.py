"""SIGKILL and SIGSTOP of every process of a session, judged by the exchange's own log."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import INSTRUMENT, LOCAL, RunningSession, StandaloneExchange, is_gone, open_orders, wait_until

# Bounds of the design are 3 s, 2 s and 1 s; tests assert them five times as wide and print the figure.
QUOTING_AGAIN_S = 15.0
UNATTENDED_MS = 10_000
GONE_S = 5.0
THALEX = '[venue]\nkind = "thalex"\n' + INSTRUMENT


def unattended_ms(log: list[dict[str, Any]], dead_ns: int, back_ns: int) -> float:
    """Return how long after `dead_ns` an order that was open then stayed open unchanged, at most until `back_ns`."""
    worst_ns = 0
    for order_id in open_orders(log, dead_ns):
        touched_ns = back_ns
        for line in log:
            if line.get("order_id") == order_id and line["monotonic_ns"] > dead_ns:
                touched_ns = min(touched_ns, line["monotonic_ns"])
        worst_ns = max(worst_ns, touched_ns - dead_ns)
    return worst_ns / 1e6


def kill_and_wait_for_quotes(session: RunningSession, actor: str) -> dict[str, Any]:
    """SIGKILL an actor, wait for new quotes on both sides, and return the figures."""
    pid = session.actor_pid(actor)
    dead_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: session.status()["actors"][actor]["pid"] not in (0, pid), 10, f"{actor} is started again")
    wait_until(lambda: session.status()["actors"][actor]["state"] == "live", QUOTING_AGAIN_S, f"{actor} is live")

    def new_quotes() -> bool:
        since = [line for line in session.order_log() if line["monotonic_ns"] > dead_ns]
        sides = {line["side"] for line in since if line["event"] in ("insert", "amend")}
        return sides == {"buy", "sell"} and bool(open_orders(session.order_log()))

    wait_until(new_quotes, QUOTING_AGAIN_S, "new quotes on both sides")
    back_ns = time.monotonic_ns()
    session.wait_for_quotes()
    return {
        "actor": actor,
        "quoting_again_ms": round((back_ns - dead_ns) / 1e6),
        "unattended_ms": round(unattended_ms(session.order_log(), dead_ns, back_ns)),
    }


def test_killed_actors_are_replaced_one_after_the_other_and_the_position_stays_the_venues(tmp_path: Path) -> None:
    actors = ("market_data", "strategy", "risk", "execution")
    with RunningSession(tmp_path, LOCAL) as session:
        session.wait_for_quotes()
        for actor in actors:
            figures = kill_and_wait_for_quotes(session, actor)
            print(json.dumps(figures))
            assert figures["unattended_ms"] < UNATTENDED_MS
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        summary = session.summary
        assert summary["restarts"] == dict.fromkeys(actors, 1)
        assert summary["position"] == summary["venue_position"]
        assert summary["open_orders_at_exit"] == 0
        session.assert_nothing_stays()


@pytest.mark.parametrize("actor", ["strategy", "execution"])
def test_a_hung_actor_is_fenced_and_replaced(tmp_path: Path, actor: str) -> None:
    with RunningSession(tmp_path, LOCAL) as session:
        session.wait_for_quotes()
        pid = session.actor_pid(actor)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: session.status()["actors"][actor]["pid"] not in (0, pid), 20, f"{actor} is replaced")
        assert is_gone(pid)
        session.wait_for_quotes()
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert session.summary["restarts"][actor] == 1
        assert session.summary["position"] == session.summary["venue_position"]


def test_a_second_ctrl_c_shortens_an_end_that_the_venue_does_not_confirm(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        assert exchange.process is not None
        exchange.process.send_signal(signal.SIGSTOP)
        try:
            session.signal(signal.SIGINT)
            time.sleep(0.5)
            session.signal(signal.SIGINT)
            assert session.wait(40) == 1, session.said  # not 0: nobody confirmed that nothing is open
        finally:
            exchange.process.send_signal(signal.SIGCONT)
        assert session.summary["open_orders_at_exit"] is None
        wait_until(lambda: exchange.open_orders() == {}, 15, "cancel-on-disconnect cancels what was left")


def test_a_killed_supervisor_takes_the_actors_with_it_and_leaves_no_order(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        pids = {name: found["pid"] for name, found in session.status()["actors"].items()}
        session.signal(signal.SIGKILL)
        session.wait(10)
        for actor in ("market_data", "strategy", "execution"):
            took_s = wait_until(lambda pid=pids[actor]: is_gone(pid), GONE_S, f"{actor} gone")  # type: ignore[misc]
            print(f"{actor} gone after {took_s * 1000:.0f} ms")
        took_s = wait_until(lambda: exchange.open_orders() == {}, 10, "no order left at the venue")
        print(f"0 open orders after another {took_s * 1000:.0f} ms")
        wait_until(lambda: is_gone(pids["risk"]), 15, "risk gone once the venue shows no order")
        # The next run of the same session starts cleanly over what was left.
        session.__enter__()
        session.wait_for_quotes()
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert session.summary["position"] == session.summary["venue_position"]
        session.assert_nothing_stays()
