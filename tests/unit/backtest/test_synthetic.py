"""The generated market: as ordered, the same for the same seed, sound as recorded data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest import synthetic
from backtest.data.container import EventFile
from backtest.data.convert import inspect
from backtest.data.events import BID, FINAL, KIND_MASK, LEVEL, TRADE
from backtest.synthetic import Market, blocks, main, write_session

MARKET = Market(sigma=1.0, rate=3.0, decay=0.5, seed=4)


def test_a_session_passes_the_checks_of_recorded_data(tmp_path: Path) -> None:
    write_session(tmp_path / "a.events", MARKET, 120.0)
    report = inspect([tmp_path / "a.events"])
    assert report.repairs == {}
    assert report.seconds == pytest.approx(120.0, abs=0.2)
    assert report.trades_per_s == pytest.approx(6.0, rel=0.25)
    assert report.spread_median == pytest.approx(MARKET.tick_size)


def test_the_same_seed_gives_the_same_file_and_another_another(tmp_path: Path) -> None:
    def rows(seed: int) -> bytes:
        path = tmp_path / "a.events"
        write_session(path, Market(seed=seed), 20.0)
        return EventFile(path).rows.tobytes()

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_blocks_follow_on_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "BLOCK_STEPS", 100)
    parts = list(blocks(MARKET, 30.0))
    assert len(parts) == 1 + 6
    rows = np.concatenate(parts)
    assert np.all(np.diff(rows["exchange_time_ns"]) >= 0)
    assert np.all(rows["local_time_ns"] - rows["exchange_time_ns"] == MARKET.latency_ns)


def test_buyers_reach_above_the_mid_and_depths_are_exponential() -> None:
    market = Market(sigma=1e-9, rate=50.0, decay=0.5, tick_size=0.01, seed=7)
    rows = np.concatenate(list(blocks(market, 200.0)))
    trades = rows[rows["flags"] & KIND_MASK == TRADE]
    assert np.all(trades["flags"] & FINAL != 0)
    depths = (trades["price_ticks"] * market.tick_size - market.mid) * np.where(trades["flags"] & BID != 0, 1, -1)
    assert np.all(depths >= 0.0)
    assert depths.mean() == pytest.approx(1 / market.decay, rel=0.05)
    assert np.mean(depths > 3.0) == pytest.approx(np.exp(-1.5), rel=0.1)


def test_what_takers_bought_moves_the_mid_for_good() -> None:
    # Given a market that moves by nothing else, $2 for each unit
    market = Market(sigma=1e-9, rate=5.0, decay=0.5, impact=2.0, tick_size=0.01, seed=8)
    rows = np.concatenate(list(blocks(market, 600.0)))
    trades = rows[rows["flags"] & KIND_MASK == TRADE]
    bought = np.where(trades["flags"] & BID != 0, 1, -1) * trades["size_lots"] * market.lot_size
    newest_bid = rows[rows["flags"] & (KIND_MASK | BID | FINAL) == LEVEL | BID]["price_ticks"][-1] * market.tick_size
    assert abs(bought.sum()) > 0.5
    assert newest_bid - market.mid == pytest.approx(2.0 * bought.sum(), abs=0.02)


def test_a_session_is_made_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "5", "--sigma", "2", "--output", str(tmp_path / "a.events")]) == 0
    assert EventFile(tmp_path / "a.events").header.instrument == "GENERATED"
    assert main(["--seconds", "5", "--output", "/proc/no/a.events"]) == 2
    assert "cannot be written" in capsys.readouterr().err
