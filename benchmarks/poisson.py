"""Tick to order at realistic gaps: `python -m benchmarks.poisson [--check] [--rounds N] [--rates 10,200,2000]`.

Ticks come at random moments (Poisson), whether the one before was answered or not. At 10 and 200 a second everybody
sleeps between two of them and wake-ups are most of the way; at 2,000 nobody does. wire_to_wire runs from a tick to the
first order computed from it; `superseded` are ticks from which none was: a younger one had come. Ours and the
one-process quoter on the official client take turns; ratios are taken within a round.
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

from benchmarks.probe_stream import StreamResult
from benchmarks.processes import BenchmarkError
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.stream import measure_stream
from benchmarks.tick_to_order import OF_OFFICIAL_MAX, OFFICIAL, OURS, PACKAGES, QUANTILES, environment_with_key

RATES = (10.0, 200.0, 2000.0)
TARGET_RATE = 200.0
SECONDS_MAX, TICKS_MAX = 15.0, 3000
NS_PER_US = 1000
Results = dict[tuple[float, str], list[StreamResult]]


def measure(rounds: int, rates: Sequence[float], seconds_max: float) -> Results:
    """Return the rounds of both subjects at each rate.

    Raises:
        BenchmarkError: a subject could not be measured.
    """
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
        environ = environment_with_key(Path(folder))
        for number in range(rounds):
            for rate in rates:
                ticks = max(round(min(rate * seconds_max, TICKS_MAX)), 2)
                for subject in (OURS, OFFICIAL):
                    home = Path(folder) / f"{subject}{number}-{rate:g}"
                    result = measure_stream(subject, number, rate, ticks, home, environ).result
                    results[rate, subject].append(result)
                    p50, p99 = (quantile_us(result, quantile) for quantile in QUANTILES.values())
                    text = f"round {number + 1}/{rounds} {subject} at {rate:g}/s: p50 {p50:.0f} µs, p99 {p99:.0f} µs"
                    print(text, file=sys.stderr, flush=True)
    return results


def quantile_us(result: StreamResult, quantile: float) -> float:
    """Return a quantile of wire_to_wire."""
    return float(np.quantile(result.wire_to_wire_ns, quantile)) / NS_PER_US if result.wire_to_wire_ns else float("nan")


def lines_of(results: Mapping[tuple[float, str], Sequence[StreamResult]]) -> list[Line]:
    """Return the report."""
    lines = []
    for rate in dict.fromkeys(rate for rate, _ in results):
        by_subject = {subject: results[rate, subject] for subject in (OURS, OFFICIAL)}
        for subject, rounds in by_subject.items():
            for name, quantile in QUANTILES.items():
                values = [quantile_us(one, quantile) for one in rounds]
                lines.append(figure(f"wire_to_wire_{name}.{subject}.{rate:g}", values, "µs"))
            shares = [one.superseded / one.ticks for one in rounds]
            lines.append(figure(f"superseded.{subject}.{rate:g}", shares, "ratio"))
        for name, quantile in QUANTILES.items():
            pairs = zip(by_subject[OURS], by_subject[OFFICIAL], strict=True)
            ratios = [quantile_us(a, quantile) / quantile_us(b, quantile) for a, b in pairs]
            target = OF_OFFICIAL_MAX if rate == TARGET_RATE else None
            lines.append(figure(f"wire_to_wire_{name}.ours_to_official.{rate:g}", ratios, "ratio", target_max=target))
    return lines


def _rates(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.poisson", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=_rates, default=list(RATES), help="ticks a second, with commas between")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="length of a turn, at most")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.seconds <= 600 or not all(0 < rate <= 5000 for rate in options.rates):
        parser.error("expected --rounds >= 1, 0 < --seconds <= 600, rates above 0 and up to 5000")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    try:
        results = measure(options.rounds, options.rates, options.seconds)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = lines_of(results)
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
