"""A strategy over a generated session: as a process it prints the hash of what came of it, with compiled kernels.

python -m tests.backtest_run
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from domain import jit

if __name__ == "__main__":
    os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

from backtest.data.container import EventFile
from backtest.engine.result import RunResult
from backtest.engine.run import Settings, backtest
from backtest.engine.venue import Latency, VenueSettings
from backtest.synthetic import Market, write_session
from trading.quoting.config import QuotingConfig

MARKET = Market(sigma=1.0, rate=2.0, decay=0.8, levels=5, level_lots_mean=60.0, trade_lots_mean=40.0, seed=11)
SECONDS = 20.0
# Quotes near the touch, two levels: fills of every kind in a short time.
QUOTING = QuotingConfig(
    fee_floor=False, half_spread_min_usd=0.0, sigma_prior_usd_per_sqrt_s=1.0, arrival_rate_prior_per_s=2.0,
    arrival_decay_prior_per_usd=4.0, risk_aversion_per_usd=0.5, levels=2, requote_ticks_min=1, fit_arrivals=True,
)  # fmt: skip
MS = 1_000_000


def settings(step_ms: float = 100.0, latency_ms: int = 5) -> Settings:
    latency = Latency.constant(latency_ms * MS, latency_ms * MS)
    return Settings(quoting=QUOTING, venue=VenueSettings(latency=latency), step_ms=step_ms)


def ran(folder: Path, given: Settings, market: Market = MARKET, seconds: float = SECONDS) -> RunResult:
    """Run the strategy over the generated market."""
    return backtest(written(folder, market, seconds), given)


def written(folder: Path, market: Market = MARKET, seconds: float = SECONDS) -> EventFile:
    """Write the generated market."""
    path = folder / "generated.events"
    write_session(path, market, seconds)
    return EventFile(path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(ran(Path(scratch), settings()).fills_hash)
