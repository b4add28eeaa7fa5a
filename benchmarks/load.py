"""What a session costs: `python -m benchmarks.load [--check] [--rates 0,100,1000,10000] [--seconds 5]`.

CPU of each process, as a share of one core, and memory (RSS, and PSS, which counts shared pages in shares), idle and at
a steady rate of ticks. Idle is a venue that sends nothing but a ticker five times a second, and quotes that rest.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.full_system import FullSystem, full_system
from benchmarks.inspection import SUPERVISOR, Memory, cpu_s, memory, pids_of
from benchmarks.probe_ticks import START_TIMEOUT_S
from benchmarks.processes import BenchmarkError, Probe, last_lines, running
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.tick_to_order import PACKAGES, environment_with_key

RATES = (0.0, 100.0, 1000.0, 10_000.0)
IDLE_RATE = 0.01  # the first tick is minutes away
WARMUP_TICKS = 100
PREPARE_S_PER_TICK = 0.0005
SETTLE_S = 3.0
IDLE_CPU_MAX = 0.05
MEMORY_MB_MAX = 90.0
MEMORY_MB_MAX_TOGETHER = 700.0
MEASURED = (SUPERVISOR, "market_data", "strategy", "risk", "execution")


class Cost(NamedTuple):
    """At one rate: CPU as a share of a core and memory of each process, messages to the venue for each new quote."""

    cpu: dict[str, float]
    memory: dict[str, Memory]
    messages_per_change: float
    ticks_per_s: float


def measure(rate: float, seconds: float, home: Path, environ: Mapping[str, str]) -> Cost:
    """Run one session at one rate.

    Raises:
        BenchmarkError: it could not be measured.
    """
    ticks = round(rate * (seconds + SETTLE_S + 2)) if rate else 2
    arguments = [
        "-m", "benchmarks.probe_venue", "--ticks", str(ticks), "--warmup-ticks", str(WARMUP_TICKS),
        "--rate", str(rate or IDLE_RATE),
    ]  # fmt: skip
    log = home.with_suffix(".probe")
    with running(arguments, log, environ, is_heard=True) as venue:
        url = Probe(venue, log).url
        with full_system(f"bench{os.getpid()}-load", url, home, environ) as system:
            _await_stream(system, rate, START_TIMEOUT_S + ticks * PREPARE_S_PER_TICK)
            time.sleep(SETTLE_S)
            pids = pids_of(system)
            before, began_s = _used(system, pids), time.perf_counter()
            time.sleep(seconds)
            after, took_s = _used(system, pids), time.perf_counter() - began_s
            held = {name: memory(pid) for name, pid in pids.items()}
    changes = 2 * (after.wishes - before.wishes)
    return Cost(
        {name: (after.cpu_s[name] - before.cpu_s[name]) / took_s for name in pids},
        held,
        (after.messages - before.messages) / changes if changes else 0.0,
        (after.ticks - before.ticks) / took_s,
    )


class _Used(NamedTuple):
    cpu_s: dict[str, float]
    ticks: int
    wishes: int
    messages: int


def _used(system: FullSystem, pids: Mapping[str, int]) -> _Used:
    counters = system.status()["counters"]
    sent = counters["execution"]
    messages = sent["inserted"] + sent["amended"] + sent["cancelled"]
    cpu = {name: cpu_s(pid) for name, pid in pids.items()}
    return _Used(cpu, counters["market_data"]["book_updates"], sent["wishes"], messages)


def _await_stream(system: FullSystem, rate: float, timeout_s: float) -> None:
    """Return once the warm-up is over and the stream has begun."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        time.sleep(0.2)
        if system.process.poll() is not None:
            raise BenchmarkError(f"the session ended with {system.process.returncode}: {last_lines(system.log)}")
        try:
            books = _books(system)
        except (BenchmarkError, KeyError):
            continue  # it is starting
        if books >= WARMUP_TICKS + rate / 10:
            return
    raise BenchmarkError(f"no stream of ticks within {timeout_s:g} s: {last_lines(system.log)}")


def _books(system: FullSystem) -> int:
    counters: dict[str, Any] = system.status()["counters"]
    return int(counters["market_data"]["book_updates"])


def lines_of(costs: Mapping[float, Cost]) -> list[Line]:
    """Return the report."""
    lines = []
    for rate, cost in costs.items():
        label = f"{rate:g}" if rate else "idle"
        lines.append(figure(f"ticks.{label}", [cost.ticks_per_s], "1/s"))
        for name, share in cost.cpu.items():
            lines.append(figure(f"cpu.{name}.{label}", [share], "cores", target_max=None if rate else IDLE_CPU_MAX))
        for name, held in cost.memory.items():
            has_bound = name in MEASURED and name != "strategy"
            bound = MEMORY_MB_MAX if has_bound else None
            lines.append(figure(f"rss.{name}.{label}", [held.rss], "MB", target_max=bound))
            lines.append(figure(f"pss.{name}.{label}", [held.pss], "MB"))
        together = sum(held.rss for name, held in cost.memory.items() if name in MEASURED)
        lines.append(figure(f"rss.together.{label}", [together], "MB", target_max=MEMORY_MB_MAX_TOGETHER))
        if rate:
            lines.append(figure(f"messages_per_quote_change.{label}", [cost.messages_per_change], "1"))
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rates", default=",".join(f"{rate:g}" for rate in RATES), help="ticks a second; 0 = idle")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured at each rate")
    options = parser.parse_args(arguments)
    rates = [float(part) for part in options.rates.split(",")]
    if not 0 < options.seconds <= 600 or not all(0 <= rate <= 50_000 for rate in rates):
        parser.error("expected 0 < --seconds <= 600, rates from 0 to 50000")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    try:
        with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
            environ = environment_with_key(Path(folder))
            costs = {rate: measure(rate, options.seconds, Path(folder) / f"at{rate:g}", environ) for rate in rates}
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = lines_of(costs)
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
