"""Tick to order on the wire: `python -m benchmarks.tick_to_order [--check] [--rounds N] [--ticks N]`.

A probe venue in its own process (probe_venue.py) sends a tick and times the first order that answers it. Three
subjects take turns, round after round, so that a busy moment of the machine meets all of them:

    ours       supervisor.py and all actors, each its own process
    official   a one-process quoter on the official `thalex` client: same decision, nothing else
    echo       picows sends a prebuilt insert for every book frame: the floor
    early      ours with runtime.early_wake, when asked for by --with-early
    realtime   ours with runtime.realtime_priority and locked memory, when asked for by --with-realtime

Figures are medians over rounds with their range, ratios are taken within a round. `stage.*` are ours from
inside, out of summary.json, warm-up included. Targets: ours at most 0.8 of the official quoter's and at most
3.5 times the echo's, p50 and p99.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.full_system import full_system
from benchmarks.probe_ticks import ANSWER_TIMEOUT_S, START_TIMEOUT_S, Result
from benchmarks.processes import BenchmarkError, Probe, running
from benchmarks.report import Line, environment, exit_code, figure, show
from venues.credentials import KEY_ID_VARIABLE, PRIVATE_KEY_VARIABLE

OURS, OFFICIAL, ECHO, EARLY, REALTIME = "ours", "official", "echo", "early", "realtime"
OF_OURS = {
    OURS: "",
    EARLY: "\n[runtime]\nearly_wake = true\n",
    REALTIME: "\n[runtime]\nrealtime_priority = 10\nlock_memory = true\n",
}
SUBJECTS = (OURS, OFFICIAL, ECHO)
QUANTILES = {"p50": 0.5, "p99": 0.99}
OF_OFFICIAL_MAX = 0.8
OF_ECHO_MAX = 3.5
WARMUP_TICKS = 100
PACKAGES = ("thalex", "websockets", "picows", "uvloop", "msgspec", "numpy", "numba", "pyzmq")
NS_PER_US = 1000


class Plan(NamedTuple):
    """What to measure."""

    rounds: int
    ticks: int
    gap_ms: float
    subjects: tuple[str, ...] = SUBJECTS


class Round(NamedTuple):
    """One subject's turn. `stages` is latency_us of summary.json; empty but for ours."""

    result: Result
    stages: dict[str, dict[str, float]]


def measure(plan: Plan) -> dict[str, list[Round]]:
    """Return the rounds of every subject.

    Raises:
        BenchmarkError: a subject could not be measured.
    """
    rounds: dict[str, list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
        environ = environment_with_key(Path(folder))
        for number in range(plan.rounds):
            for subject in plan.subjects:
                home = Path(folder) / f"{subject}{number}"
                try:
                    rounds[subject].append(_measure_one(subject, number, plan, home, environ))
                except BenchmarkError as error:
                    raise BenchmarkError(f"round {number + 1}, {subject}: {error}") from None
                _progress(number, plan, subject, rounds[subject][-1].result)
    return rounds


def _measure_one(subject: str, number: int, plan: Plan, home: Path, environ: Mapping[str, str]) -> Round:
    """Run one subject against a probe of its own."""
    probe_log, subject_log = home.with_suffix(".probe"), home.with_suffix(".log")
    timeout_s = START_TIMEOUT_S + (plan.ticks + WARMUP_TICKS) * (2 * plan.gap_ms / 1000 + ANSWER_TIMEOUT_S)
    with running(_probe_arguments(subject, number, plan), probe_log, environ, is_heard=True) as venue:
        probe = Probe(venue, probe_log)
        if subject in OF_OURS:
            name = f"bench{os.getpid()}-{number}"
            with full_system(name, probe.url, home, environ, extra=OF_OURS[subject]) as system:
                result = probe.result(timeout_s, system.process, system.log)
            return Round(result, system.summary()["latency_us"])
        module = {OFFICIAL: "benchmarks.official_quoter", ECHO: "benchmarks.echo_client"}[subject]
        with running(["-m", module, probe.url], subject_log, environ) as process:
            return Round(probe.result(timeout_s, process, subject_log), {})


def _probe_arguments(subject: str, number: int, plan: Plan) -> list[str]:
    """Every subject of a round meets the same market."""
    return [
        "-m", "benchmarks.probe_venue",
        "--ticks", str(plan.ticks),
        "--warmup-ticks", str(WARMUP_TICKS),
        "--gap-ms", str(plan.gap_ms),
        "--seed", str(number + 1),
        "--match", "any" if subject == ECHO else "price",
    ]  # fmt: skip


def environment_with_key(folder: Path) -> dict[str, str]:
    """Return our environment with a key made for this run; no other key reaches a subject."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = folder / "key.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RINGMAKER_", "THALEX_"))}
    # The official client's library honours proxy variables; the probe is on loopback.
    return kept | {KEY_ID_VARIABLE: "Kbenchmark", PRIVATE_KEY_VARIABLE: str(pem), "NO_PROXY": "127.0.0.1"}


def _progress(number: int, plan: Plan, subject: str, result: Result) -> None:
    p50, p99 = (_quantile_us(result, quantile) for quantile in QUANTILES.values())
    text = f"round {number + 1}/{plan.rounds} {subject}: p50 {p50:.0f} µs, p99 {p99:.0f} µs"
    print(f"{text}, {result.unanswered} unanswered, {result.seconds:.1f} s", file=sys.stderr, flush=True)


def _quantile_us(result: Result, quantile: float) -> float:
    if not result.wire_to_wire_ns:
        return float("nan")
    return float(np.quantile(np.asarray(result.wire_to_wire_ns), quantile)) / NS_PER_US


def lines_of(rounds: Mapping[str, Sequence[Round]]) -> list[Line]:
    """Return the report."""
    lines = []
    for subject in rounds:
        results = [one.result for one in rounds[subject]]
        for name, quantile in QUANTILES.items():
            lines.append(figure(f"wire_to_wire_{name}.{subject}", _quantiles(results, quantile), "µs"))
        lines.append(figure(f"unanswered.{subject}", [r.unanswered for r in results], "ticks", target_max=0))
        lines.append(figure(f"tick_rate.{subject}", [_tick_rate(r) for r in results], "1/s"))
        lines.append(figure(f"orders_per_tick.{subject}", [_orders_per_tick(r) for r in results], "1"))
    for other, target in ((OFFICIAL, OF_OFFICIAL_MAX), (ECHO, OF_ECHO_MAX)):
        for name, quantile in QUANTILES.items():
            ours = _quantiles([one.result for one in rounds[OURS]], quantile)
            theirs = _quantiles([one.result for one in rounds[other]], quantile)
            ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
            lines.append(figure(f"wire_to_wire_{name}.ours_to_{other}", ratios, "ratio", target_max=target))
    return lines + _stage_lines([one.stages for one in rounds[OURS]])


def _quantiles(results: Sequence[Result], quantile: float) -> list[float]:
    return [_quantile_us(result, quantile) for result in results if result.wire_to_wire_ns]


def _tick_rate(result: Result) -> float:
    return (len(result.wire_to_wire_ns) + result.unanswered) / result.seconds


def _orders_per_tick(result: Result) -> float:
    return result.orders / (len(result.wire_to_wire_ns) + result.unanswered)


def _stage_lines(rounds: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[Line]:
    stages = list(dict.fromkeys(stage for one in rounds for stage in one if one[stage]["n"]))
    return [
        figure(f"stage.{stage}_{name}", [one[stage][name] for one in rounds if stage in one and one[stage]["n"]], "µs")
        for stage in stages
        for name in QUANTILES
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.tick_to_order", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ticks", type=int, default=1000, help="measured in each round, for each subject")
    parser.add_argument("--gap-ms", type=float, default=5.0, help="mean time between ticks")
    parser.add_argument("--with-early", action="store_true", help="also ours with runtime.early_wake")
    parser.add_argument("--with-realtime", action="store_true", help="also ours with runtime.realtime_priority")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.ticks < 1 or not 0 < options.gap_ms <= 1000:
        parser.error("expected --rounds >= 1, --ticks >= 1, 0 < --gap-ms <= 1000")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    try:
        asked = {EARLY: options.with_early, REALTIME: options.with_realtime}
        subjects = (*SUBJECTS, *(subject for subject, is_asked in asked.items() if is_asked))
        rounds = measure(Plan(options.rounds, options.ticks, options.gap_ms, subjects))
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = lines_of(rounds)
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
