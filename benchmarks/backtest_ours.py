"""The grid of benchmarks/grid_strategy.py in our engine: one process, one JSON line. Run by benchmarks.backtest.

python -m benchmarks.backtest_ours DATA.events --step-ms 100
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from domain import jit

os.environ[jit.ENV_JIT] = "1"  # before a kernel is imported

from backtest.data.container import EventFile
from backtest.engine.result import RunResult
from backtest.engine.run import Engine, Settings, backtest
from backtest.engine.venue import Latency, VenueSettings
from benchmarks.memory import peak_mb
from benchmarks.parameters import BACKTEST_LATENCY_NS
from fills.queue import QueueModel
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig

STRATEGY = Path(__file__).with_name("grid_strategy.py")


def settings(step_ms: float) -> Settings:
    """Return the run: orders of one lot of 0.001, at most twenty lots, post-only, moved by every tick."""
    quoting = QuotingConfig().with_values(
        {"file": str(STRATEGY), "position_soft_base": 0.02, "position_hard_base": 0.02, "order_size_base": 0.001}
    )
    latency = Latency.constant(BACKTEST_LATENCY_NS, BACKTEST_LATENCY_NS)
    return Settings(
        quoting=quoting,
        execution=ExecutionConfig(amend_threshold_ticks=1),
        venue=VenueSettings(latency=latency, queue_model=QueueModel.POWER3, queue_power=3.0),
        step_ms=step_ms,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--step-ms", type=float, default=100.0)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--raw", action="store_true", help="data is Binance's: converted, and that is timed")
    given = parser.parse_args()
    if given.raw:
        print(json.dumps(ingested(given)))
        return
    file = EventFile(given.data[0])
    run = settings(given.step_ms)
    result = backtest(file, run)
    first_result_s = time.process_time()
    taken = sorted(_timed(file, run) for _ in range(given.turns))
    seconds, whole_seconds = taken[given.turns // 2]
    print(json.dumps({"seconds": seconds, "whole_seconds": whole_seconds, **_told(first_result_s, peak_mb(), result)}))


def _timed(file: EventFile, run: Settings) -> tuple[float, float]:
    """Return how long one replay took, and one run with what comes before and after it."""
    begun = time.process_time()
    engine = Engine(file, run)
    started = time.process_time()
    engine.play()
    seconds = time.process_time() - started
    engine.result(file.header.instrument, run)
    return seconds, time.process_time() - begun


def _told(first_result_s: float, peak_mb: float, result: RunResult) -> dict[str, float]:
    run = result.run[0]
    return {
        "first_result_s": first_result_s, "peak_mb": peak_mb, "steps": int(run["decisions"]),
        "fills": len(result.fills), "messages": int(run["inserts"] + run["amends"] + run["cancels"]),
        "denied": int(run["denied"]),
    }  # fmt: skip


def ingested(given: argparse.Namespace) -> dict[str, float]:
    """Return the time of one conversion and run, machine code ready."""
    from backtest.data.convert import Options, convert
    from backtest.data.findings import parse_repairs

    taken = []
    with tempfile.TemporaryDirectory(prefix="ringmaker-bench-") as folder:
        for turn in range(2):
            path = Path(folder) / f"{turn}.events"
            started = time.process_time()
            convert(given.data, path, Options(repairs=parse_repairs(["clock"])))
            backtest(EventFile(path), settings(given.step_ms))
            taken.append(time.process_time() - started)
    return {"seconds": taken[-1]}


if __name__ == "__main__":
    main()
