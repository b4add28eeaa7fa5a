"""Calibrates generated markets of known σ, A, κ and impact, one for each seed; prints the calibrations as MessagePack.

Run as a process of its own with compiled kernels: python -m tests.calibrate_seeds SEEDS IMPACT
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from domain import jit

if __name__ == "__main__":
    os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec

from backtest.calibration.calibrate import Settings, calibrate_file
from backtest.data.container import EventFile
from backtest.synthetic import Market, write_session
from trading.quoting.config import QuotingConfig

SIGMA, RATE, DECAY = 0.3, 2.0, 1.0
IMPACT = 2.0  # $ for each base unit; a trade is of 0.03 on average
SECONDS = 1200.0
# A short life: the mid must not wander away from the quote, or the arrivals at a fixed depth are not the market's.
QUOTING = QuotingConfig(sigma_grid_ms=200, fit_interval_ms=200)


def main() -> None:
    found = []
    seeds, impact = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.events"
        for seed in range(1, seeds + 1):
            market = Market(sigma=SIGMA, rate=RATE, decay=DECAY, impact=impact, tick_size=0.01, levels=5, seed=seed)
            write_session(path, market, SECONDS)
            found.append(calibrate_file(EventFile(path), [], Settings(quoting=QUOTING)))
    sys.stdout.buffer.write(msgspec.msgpack.encode(found))


if __name__ == "__main__":
    main()
