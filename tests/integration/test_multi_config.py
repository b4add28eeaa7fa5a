"""`make run CONFIG=configs/multi.toml`: two underlyings with two legs each, and a strategy process for each."""

from __future__ import annotations

import math
import re
import signal
from pathlib import Path

import shm
from shm.view import Record
from tests.sessions import REPOSITORY, RunningSession, wait_until

CONFIG = (REPOSITORY / "configs" / "multi.toml").read_text()


def test_the_shipped_configuration_quotes_every_leg_and_ends_clean(tmp_path: Path) -> None:
    with RunningSession(tmp_path, CONFIG) as session:
        wait_until(lambda: session.said.count("-FUTURE-1 is ") == 2, 20.0, "the roles have become names")
        btc_future, eth_future = re.findall(r"-FUTURE-1 is (\S+)", session.said)
        names = ["BTC-PERPETUAL", btc_future, "ETH-PERPETUAL", eth_future]
        session.wait_for_quotes(60.0, names)
        attached = shm.attach(session.name)
        for row, strategy in enumerate(("BTC", "BTC", "ETH", "ETH")):
            explanation = newest(attached, f"explanations.{strategy}", row)
            assert math.isfinite(explanation.net_delta), names[row]
            middle = (explanation["position"] + explanation.net_delta) / 2  # underlying_inventory_weight = 0.5
            assert math.isclose(explanation.inventory, middle, abs_tol=1e-12), names[row]
        hedges = session.status()["hedges"]
        assert {name: hedge["instrument"] for name, hedge in hedges.items()} == {
            "BTCUSD": "BTC-PERPETUAL",
            "ETHUSD": "ETH-PERPETUAL",
        }
        assert "BTCUSD: net delta" in session.cli("status").stdout
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        summary = session.summary
    assert set(summary["position"]) == set(names)
    assert summary["position"] == summary["venue_position"]
    assert summary["open_orders_at_exit"] == 0
    assert set(summary["restarts"].values()) == {0}
    for name, times in summary["quoted_ns"].items():
        assert min(times["bid"], times["ask"]) > 0, name
    session.assert_nothing_stays()


def newest(attached: shm.Session, ring: str, row: int) -> Record:
    """Return the newest explanation of an instrument."""
    found: list[Record] = []

    def look() -> bool:
        kept = attached.ring(ring, "oldest").to_numpy()
        found.extend(Record(attached[ring].record, one) for one in kept[kept["instrument"] == row][-1:])
        return bool(found)

    wait_until(look, 10.0, f"row {row} is explained")
    return found[-1]
