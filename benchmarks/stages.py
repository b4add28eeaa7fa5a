"""What each actor computes for a tick: `python -m benchmarks.stages [--check] [--rounds N] [--ticks N] [--gap-ms 0]`.

In one process, without sockets and doorbells (unplugged.py), so that no wake-up and no other process is in a figure:

    market_data   a book's frame: decoded, applied, published, doorbell rung
    strategy      do_work of the real actor: book read, decided, wish, explanation and market row written
    execution     do_work of the real actor for each order that leaves: wish read, reconciled, gate, encoded, noted;
                  measured in a second process, in which kernels are interpreted, as in the real one

Medians of hot loops; with --gap-ms the process sleeps before each tick, as it does between the ticks of a quiet market,
and everything that fell out of the caches meanwhile is fetched again: `cold.*`, for information.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from domain import jit

os.environ[jit.ENV_JIT] = "0" if "--interpreted" in sys.argv else "1"  # before a kernel is imported

from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.tick_to_order import environment_with_key
from benchmarks.unplugged import Unplugged, median_us

TARGETS_US = {"market_data": 20.0, "strategy": 15.0, "execution": 60.0}
UNITS = {"market_data": "µs/message", "strategy": "µs/tick", "execution": "µs/order"}
COLD_TICKS_MAX = 300
INTERPRETED_TICKS_MAX = 500  # strategy is slow so
WARMUP_TICKS = 300


async def measure(rounds: int, ticks: int, gap_s: float) -> dict[str, list[float]]:
    """Return medians in µs by figure, hot and cold in turn, an item a round."""
    medians: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
        home = Path(folder)
        async with Unplugged(home, environment_with_key(home)) as session:
            await session.run(WARMUP_TICKS, 0.0)
            gc.collect()
            gc.freeze()
            for _ in range(rounds):
                for name, count, pause_s in (("", ticks, 0.0), ("cold.", COLD_TICKS_MAX, gap_s)):
                    if name and not pause_s:
                        continue
                    for times_ns in session.times_ns.values():
                        times_ns.clear()
                    await session.run(count, pause_s)
                    for stage, times_ns in session.times_ns.items():
                        medians[name + stage].append(median_us(times_ns))
    return medians


def measure_interpreted(options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the medians of a process of its own that does not compile: so execution lives."""
    command = [sys.executable, "-m", "benchmarks.stages", "--interpreted", "--rounds", str(options.rounds)]
    command += ["--ticks", str(min(options.ticks, INTERPRETED_TICKS_MAX)), "--gap-ms", str(options.gap_ms)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    medians: dict[str, list[float]] = json.loads(done.stdout)
    return {name: values for name, values in medians.items() if name.endswith("execution")}


def lines_of(medians: dict[str, list[float]]) -> list[Line]:
    """Return the report."""
    lines = [figure(stage, medians[stage], UNITS[stage], target_max=target) for stage, target in TARGETS_US.items()]
    return lines + [
        figure(name, values, UNITS[name.removeprefix("cold.")])
        for name, values in medians.items()
        if name.startswith("cold.")
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.stages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ticks", type=int, default=2000, help="measured in each round")
    parser.add_argument("--gap-ms", type=float, default=5.0, help="pause before a tick of `cold`; 0 = no such rounds")
    parser.add_argument("--interpreted", action="store_true", help="as execution runs: medians as JSON, nothing else")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.ticks < 1 or not 0 <= options.gap_ms <= 1000:
        parser.error("expected --rounds >= 1, --ticks >= 1, 0 <= --gap-ms <= 1000")
    medians = asyncio.run(measure(options.rounds, options.ticks, options.gap_ms / 1000))
    if options.interpreted:
        json.dump(medians, sys.stdout)
        return 0
    lines = lines_of({**medians, **measure_interpreted(options)})
    show(environment(("msgspec", "numpy", "numba")), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
