"""Compiled and interpreted kernels quote the same, to the tick, along both recordings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from domain import jit
from domain.codes import ClampFlag, OffReason
from tests.recorded_quotes import quotes_along

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDINGS = REPOSITORY.parent / "shared" / "data" / "binance"
PARTS = {
    "2023": ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
    "2024": ("usdm_btcusdt_20240718.gz", "usdm_btcusdt_20240719.gz"),
}
DIFFERENCE_MAX = 1e-6  # $, before rounding: libm and fused operations may differ in the last bits


def run_compiled(module: str, *arguments: object) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, jit.ENV_JIT: "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=REPOSITORY, env=environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("year", PARTS)
def test_compiled_and_interpreted_kernels_quote_the_same_along_a_recording(year: str, tmp_path: Path) -> None:
    parts = [RECORDINGS / name for name in PARTS[year]]
    if not all(part.exists() for part in parts):
        pytest.skip(f"no recordings in ../shared/data: {parts[0].name} is missing")
    # Given books and trades of a recording, quoted along by compiled kernels in a process of their own
    market, quoted = tmp_path / "market.npz", tmp_path / "quoted.npz"
    run_compiled("tests.recorded_market", market, *parts)
    run_compiled("tests.recorded_quotes", market, quoted)
    # If this process quotes along them interpreted
    ladders, prices = quotes_along(market)
    # I expect the same ladders, off reasons and clamps, and prices before rounding that hardly differ
    with np.load(quoted) as kept:
        both_off = np.isnan(prices) & np.isnan(kept["prices"])
        difference = float(np.max(np.abs(np.where(both_off, 0.0, kept["prices"] - prices))))
        same = np.array_equal(kept["ladders"], ladders)
    print(f"{year}: {len(ladders)} quotes, largest difference before rounding {difference:.1e} $")
    assert same
    assert difference <= DIFFERENCE_MAX
    # and a walk that has seen quotes on both sides and steps in action
    assert len(ladders) > 1500
    assert np.mean(ladders[:, 0] > 0) > 0.5
    assert set(ladders[:, 12]) <= {
        OffReason.QUOTED,
        OffReason.POST_FILL,
        OffReason.NOT_FINITE,
        OffReason.POSITION_LIMIT,
    }
    assert np.bitwise_or.reduce(ladders[:, 14]) & ClampFlag.DISPLACED
