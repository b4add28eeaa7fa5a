"""A burst: `python -m benchmarks.burst [--check] [--rounds N] [--seconds 10] [--rate 20000]`.

The probe venue sends ticks for some seconds far faster than anybody can answer them, in packs of a millisecond's worth.
What counts is how old the market is that an order was computed from: who works off every message falls behind by the
whole burst, who takes the newest does not. Two subjects take turns: ours, and the one-process quoter on the official
client (official_quoter.py).

    age         of the tick behind each order, when the order is at the venue
    age_at_end  likewise, of the orders of the burst's last half second; where there are none, how long the first order
                after the burst took
    superseded  share of the ticks from which no order was computed: for ours by design
    recovery    from the last tick to the first order computed from it
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.probe_stream import RECOVERY_TIMEOUT_S, StreamResult
from benchmarks.processes import BenchmarkError
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.stream import measure_stream
from benchmarks.tick_to_order import PACKAGES, environment_with_key

OURS, OFFICIAL = "ours", "official"
AGE_P99_MS_MAX = 10.0
OF_OFFICIAL_MAX = 0.01
NS_PER_MS = 1e6


def measure(rounds: int, rate: float, ticks: int) -> dict[str, list[StreamResult]]:
    """Return the rounds of both subjects.

    Raises:
        BenchmarkError: a subject could not be measured.
    """
    results: dict[str, list[StreamResult]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
        environ = environment_with_key(Path(folder))
        for number in range(rounds):
            for subject in (OURS, OFFICIAL):
                home = Path(folder) / f"{subject}{number}"
                results[subject].append(measure_stream(subject, number, rate, ticks, home, environ).result)
                _progress(number, rounds, subject, results[subject][-1])
    return results


def _progress(number: int, rounds: int, subject: str, result: StreamResult) -> None:
    text = f"round {number + 1}/{rounds} {subject}: {result.orders} orders, age p99 {age_ms(result, 0.99):.1f} ms"
    print(f"{text}, at the end {end_age_ms(result):.1f} ms", file=sys.stderr, flush=True)


def age_ms(result: StreamResult, quantile: float) -> float:
    """Return a quantile of the ages of the ticks behind the orders."""
    return float(np.quantile(result.order_ages_ns, quantile)) / NS_PER_MS if result.order_ages_ns else float("nan")


def end_age_ms(result: StreamResult) -> float:
    """Return the p99 of the ages at the end of the burst."""
    if result.end_ages_ns:
        return float(np.quantile(result.end_ages_ns, 0.99)) / NS_PER_MS
    return recovery_ms(result)


def recovery_ms(result: StreamResult) -> float:
    """Return how long the last tick waited for its order; the whole time that was waited where it got none."""
    return result.recovery_ns / NS_PER_MS if result.recovery_ns >= 0 else RECOVERY_TIMEOUT_S * 1000


def lines_of(results: Mapping[str, Sequence[StreamResult]]) -> list[Line]:
    """Return the report."""
    lines = []
    for subject, rounds in results.items():
        target = AGE_P99_MS_MAX if subject == OURS else None
        lines += [
            figure(f"rate.{subject}", [r.ticks / r.seconds for r in rounds], "1/s"),
            figure(f"age_p50.{subject}", [age_ms(r, 0.5) for r in rounds], "ms"),
            figure(f"age_p99.{subject}", [age_ms(r, 0.99) for r in rounds], "ms", target_max=target),
            figure(f"age_at_end.{subject}", [end_age_ms(r) for r in rounds], "ms"),
            figure(f"superseded.{subject}", [r.superseded / r.ticks for r in rounds], "ratio"),
            figure(f"recovery.{subject}", [recovery_ms(r) for r in rounds], "ms"),
            figure(f"orders.{subject}", [r.orders / r.seconds for r in rounds], "1/s"),
        ]
    ratios = [end_age_ms(a) / end_age_ms(b) for a, b in zip(results[OURS], results[OFFICIAL], strict=True)]
    return [*lines, figure("age_at_end.ours_to_official", ratios, "ratio", target_max=OF_OFFICIAL_MAX)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.burst", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=20_000.0, help="ticks a second")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.seconds <= 60 or not 1 <= options.rate <= 100_000:
        parser.error("expected --rounds >= 1, 0 < --seconds <= 60, 1 <= --rate <= 100000")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    try:
        results = measure(options.rounds, options.rate, round(options.rate * options.seconds))
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = lines_of(results)
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
