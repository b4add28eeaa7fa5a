"""The summary's figures against sums by hand, and the command that prints them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtest.engine.summary import markouts, summarise
from tests.backtest_run import MARKET, ran, settings
from tests.conftest import REPOSITORY


def test_the_figures_are_those_of_the_answers(tmp_path: Path) -> None:
    result = ran(tmp_path, settings())
    found = summarise(result)
    fills = result.fills
    assert found.fills == found.maker_fills == len(fills)
    assert found.volume == pytest.approx(fills["size_lots"].sum() * MARKET.lot_size)
    cash = -sum(
        int(row["side"]) * Decimal(int(row["price_ticks"])) * Decimal("0.1") * int(row["size_lots"]) * Decimal("0.001")
        for row in fills
    )
    assert Decimal(found.cash) == cash
    notional = sum(int(row["price_ticks"]) * int(row["size_lots"]) for row in fills) * Decimal("0.0001")
    assert Decimal(found.fees) == notional * Decimal("0.0001")
    assert found.pnl == pytest.approx(result.equity()[-1])
    assert found.drawdown >= 0.0
    assert "fills hash" in found.lines()[-1]


def test_markouts_are_moves_in_our_favour_weighted_by_size(tmp_path: Path) -> None:
    result = ran(tmp_path, settings())
    fills = result.fills
    expected, weights = [], []
    for row in fills:
        later = result.series[result.series["time_ns"] >= row["time_ns"] + 5 * 10**9]
        if len(later):
            expected.append(int(row["side"]) * (later["mid"][0] - row["price_ticks"] * result.tick_size))
            weights.append(int(row["size_lots"]))
    assert markouts(result, fills)["5 s"] == pytest.approx(np.average(expected, weights=weights))


def test_the_command_runs_a_recording_and_names_bad_arguments(tmp_path: Path) -> None:
    ran(tmp_path, settings(), seconds=5.0)
    command = [sys.executable, "-m", "backtest.engine", str(tmp_path / "generated.events"), "--json"]
    environment = {**os.environ, "RINGMAKER_JIT": "0"}  # five seconds need no machine code

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )

    result = run()
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["seconds"] == pytest.approx(5.0, abs=1.1)
    result = run("--entry-ms", "-1")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: --entry-ms -1: expected ms from 0 to 60,000\n"
