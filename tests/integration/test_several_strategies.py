"""Two strategies in one session: each a process of its own, and neither is touched by what happens to the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shm
from tests.sessions import RunningSession, wait_until

BTC, ETH = "BTC-PERPETUAL", "ETH-PERPETUAL"
CONFIG = f"""
[venue]
kind = "local"

[instruments."{BTC}"]
[instruments."{ETH}".strategy]
order_size_base = 0.1
position_soft_base = 0.3
position_hard_base = 0.5

[strategies.BTC]
instruments = ["{BTC}"]

[strategies.ETH]
instruments = ["{ETH}"]

[strategy]
fee_maker_bps = 0.1

[risk]
position_max_base = 1.0
order_size_max_base = 0.5

[exchange]
underlyings = ["BTC", "ETH"]
maker_fee_bps = 0.1
"""
QUOTING_AGAIN_S = 20.0


@pytest.fixture
def session(tmp_path: Path) -> Iterator[RunningSession]:
    with RunningSession(tmp_path, CONFIG) as session:
        session.wait_for_quotes(instruments=(BTC, ETH))
        yield session


def open_at_venue(session: RunningSession, instrument: str, since_ns: int) -> tuple[int, float]:
    """Return (events of our orders, longest time in s without one open) of an instrument, by the exchange's own log."""
    live: set[str] = set()
    events = 0
    empty_since_ns = longest_ns = 0
    log = session.order_log()
    for line in log:
        if line.get("instrument") != instrument or "order_id" not in line:
            continue
        if line["status"] in ("open", "partially_filled"):
            live.add(line["order_id"])
            if empty_since_ns:
                longest_ns = max(longest_ns, line["monotonic_ns"] - max(empty_since_ns, since_ns))
            empty_since_ns = 0
        else:
            live.discard(line["order_id"])
            if not live:
                empty_since_ns = line["monotonic_ns"]
        events += line["monotonic_ns"] > since_ns
    if empty_since_ns:
        longest_ns = max(longest_ns, log[-1]["monotonic_ns"] - max(empty_since_ns, since_ns))
    return events, longest_ns / 1e9


def test_one_strategy_is_killed_and_the_other_never_stops_quoting(session: RunningSession) -> None:
    pids: dict[str, Any] = {name: actor["pid"] for name, actor in session.status()["actors"].items()}
    assert {"strategy.BTC", "strategy.ETH"} < set(pids)
    assert "strategy" not in pids
    wishes = shm.attach(session.name).wishes
    killed_ns = time.monotonic_ns()
    os.kill(pids["strategy.BTC"], signal.SIGKILL)
    wait_until(
        lambda: session.status()["actors"]["strategy.BTC"]["pid"] not in (0, pids["strategy.BTC"]), 10, "a new life"
    )
    wait_until(lambda: wishes.read(0).strategy_epoch == 2, QUOTING_AGAIN_S, "a wish of the new life")
    session.wait_for_quotes(QUOTING_AGAIN_S, instruments=(BTC, ETH))
    back_s = (time.monotonic_ns() - killed_ns) / 1e9
    time.sleep(1.0)
    events, dark_s = open_at_venue(session, ETH, killed_ns)
    print(
        f"BTC quotes again after {back_s:.2f} s; ETH: {events} order events since, longest time without {dark_s:.3f} s"
    )
    assert events > 0, "ETH was not moved once"
    assert dark_s < 0.5
    assert wishes.read(1).strategy_epoch == 1
    session.signal(signal.SIGINT)
    assert session.wait(40) == 0, session.said
    summary = session.summary
    assert summary["restarts"] == {"market_data": 0, "risk": 0, "execution": 0, "strategy.BTC": 1, "strategy.ETH": 0}
    assert set(summary["position"]) == {BTC, ETH}
    assert summary["position"] == summary["venue_position"]
    assert summary["open_orders_at_exit"] == 0
    session.assert_nothing_stays()


def test_commands_address_one_strategy_or_all(session: RunningSession) -> None:
    def off() -> list[str]:
        return [session.status()["instruments"][name]["bid_off"] for name in (BTC, ETH)]

    assert session.cli("pause", "BTC").stdout == "strategy.BTC: paused: both sides are off\n"
    wait_until(lambda: off() == ["paused", "quoted"], 5.0, "BTC alone is paused")
    assert session.cli("resume", "BTC").returncode == 0
    assert session.cli("pause").returncode == 0
    wait_until(lambda: off() == ["paused", "paused"], 5.0, "both are paused")
    assert session.cli("resume").returncode == 0
    assert "no strategy named SOL; there are: strategy.BTC, strategy.ETH" in session.cli("pause", "SOL").stdout
    done = session.cli("set", "strategies.ETH.levels", "2").stdout
    assert done.strip() == f"strategy.ETH: {ETH}.levels: 3 → 2"
    both = session.cli("set", "strategy.levels", "1").stdout
    assert f"{BTC}.levels: 3 → 1" in both
    assert f"{ETH}.levels: 2 → 1" in both
    assert (
        "flame chart" in session.cli("profile", "strategy.ETH", "0.5").stdout
        or session.run.joinpath("profiles").exists()
    )
    assert {path.name for path in (session.run / "logs").iterdir()} >= {"strategy.BTC.log", "strategy.ETH.log"}


def test_an_outsider_finds_the_ring_of_each_strategy_and_one_table_for_all(session: RunningSession) -> None:
    attached = shm.attach(session.name)
    assert {"explanations.BTC", "explanations.ETH", "heartbeats.strategy.BTC"} <= set(attached.segments)
    assert "explanations" not in attached.segments
    for row, strategy in enumerate(("BTC", "ETH")):
        explained = attached.ring(f"explanations.{strategy}", "oldest").read()
        assert set(explained["instrument"]) == {row}
        assert attached.market.read(row).mid > 0
    pairs = attached.comovement
    wait_until(lambda: pairs.sequence(0) > 0, 10.0, "risk has measured the first return of the pair")
    pair = pairs.read(0)
    assert (pair.instrument_a, pair.instrument_b, pair.is_warm) == (0, 1, 0)
    assert pair.samples >= 1
