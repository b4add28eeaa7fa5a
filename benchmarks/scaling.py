"""More instruments, more readers: `python -m benchmarks.scaling [--check] [--instruments 1,5,20,50] [--readers 1,8]`.

    instruments   200 ticks a second each, at random moments; one strategy process has them all
    readers       processes outside the session that follow its books at 1,000 ticks a second

`quote_age` is how old the tick is that an order answers when it leaves us (tick_to_order of summary.json, all
instruments); `wire_age` what the venue sees in the first instrument. `overtaken` counts books that strategy lost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

import shm
from benchmarks.full_system import FullSystem
from benchmarks.processes import BenchmarkError
from benchmarks.report import Line, environment, exit_code, figure, show
from benchmarks.stream import StreamRound, measure_stream
from benchmarks.tick_to_order import PACKAGES, environment_with_key

INSTRUMENTS = (1, 5, 20, 50)
READERS = (1, 2, 4, 8)
RATE_EACH = 200.0
READERS_RATE = 1000.0
AGE_P99_MS_MAX = 20.0
TARGET_INSTRUMENTS = 20
JOIN_TIMEOUT_S = 10.0


def measure_instruments(count: int, seconds: float, folder: Path, environ: Mapping[str, str]) -> list[Line]:
    """Return the figures of a session with `count` instruments."""
    rate = count * RATE_EACH
    home = folder / f"instruments{count}"
    one = measure_stream("ours", count, rate, round(rate * seconds), home, environ, instruments=count)
    is_target = count == TARGET_INSTRUMENTS
    return [
        *_ages(one, f"instruments.{count}", AGE_P99_MS_MAX if is_target else None),
        figure(f"overtaken.instruments.{count}", [_overtaken(home)], "books", target_max=0),
    ]


def measure_readers(count: int, seconds: float, folder: Path, environ: Mapping[str, str]) -> list[Line]:
    """Return the figures of a session whose books `count` processes follow."""
    lost: list[int] = []
    one = measure_stream(
        "ours", count, READERS_RATE, round(READERS_RATE * seconds), folder / f"readers{count}", environ,
        beside=lambda system: _followed(system, count, lost),
    )  # fmt: skip
    lines = _ages(one, f"readers.{count}", None)
    return [*lines, figure(f"lost.readers.{count}", [sum(lost)], "books", target_max=0)]


def _ages(one: StreamRound, label: str, target_ms: float | None) -> list[Line]:
    inside = one.summary["latency_us"]["tick_to_order"]
    ages_ns = one.result.order_ages_ns
    return [
        figure(f"quote_age_p50.{label}", [inside["p50"] / 1000] if inside["n"] else [], "ms"),
        figure(f"quote_age_p99.{label}", [inside["p99"] / 1000] if inside["n"] else [], "ms", target_max=target_ms),
        figure(f"wire_age_p99.{label}", [float(np.quantile(ages_ns, 0.99)) / 1e6] if ages_ns else [], "ms"),
        figure(f"superseded.{label}", [one.result.superseded / one.result.ticks], "ratio"),
    ]


def _overtaken(home: Path) -> int:
    """Return how many books strategy says that it lost."""
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (home / "runs" / "latest" / "logs" / "strategy.log").read_text().splitlines()
    ]
    return sum(int(line["lost"]) for line in lines if line["event"] == "books overtaken")


@contextmanager
def _followed(system: FullSystem, count: int, lost: list[int]) -> Iterator[None]:
    """Have `count` processes follow the books until the block ends, and note what they lost."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    told: Any = context.Queue()
    readers = [
        context.Process(target=_follow, args=(system.name, ended, told), daemon=True, name=f"reader{number}")
        for number in range(count)
    ]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        ended.set()
        try:
            lost += [int(told.get(timeout=JOIN_TIMEOUT_S)) for _ in readers]
        finally:
            for reader in readers:
                reader.join(JOIN_TIMEOUT_S)
                reader.kill()


def _follow(session: str, ended: Event, told: Any) -> None:
    """Follow the books as a user's program does; tell how many were lost."""
    reader = None
    while reader is None and not ended.wait(0.1):
        try:
            reader = shm.attach(session).books
        except (shm.SegmentError, FileNotFoundError):
            continue  # it is starting
    while reader is not None and not ended.wait(0.002):
        reader.read()
    told.put(reader.lost if reader is not None else 0)


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.scaling", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--instruments", type=_counts, default=list(INSTRUMENTS), help="how many, with commas between")
    parser.add_argument("--readers", type=_counts, default=list(READERS), help="how many, with commas between")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured in each turn")
    options = parser.parse_args(arguments)
    if not 0 < options.seconds <= 600 or not all(0 < n <= 99 for n in (*options.instruments, *options.readers)):
        parser.error("expected 0 < --seconds <= 600, counts from 1 to 99")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that everything is ended
    lines: list[Line] = []
    try:
        with tempfile.TemporaryDirectory(prefix="rmbench-") as folder:
            environ = environment_with_key(Path(folder))
            for count in options.instruments:
                lines += measure_instruments(count, options.seconds, Path(folder), environ)
            for count in options.readers:
                lines += measure_readers(count, options.seconds, Path(folder), environ)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    show(environment(PACKAGES), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
