"""The backtest engine against hftbacktest: `python -m benchmarks.backtest [--check] [--rounds N]`. Some minutes.

Both replay the same events with the same grid of 10 + 10 post-only quotes (grid_strategy.py), 10 ms each way, the queue
model of power 3, in fresh processes one after the other, round by round; a ratio is taken within a round. Times are
CPU time of the process, so that other work on the machine does not count; both sides use one thread. The ratios are of
the replay alone, data and engine ready on both sides; `whole` has what comes before and after it too. Run it in the
environment of the peers (`make bench`), so that both have one NumPy.

    dense      the recording of 2024 in ../shared/data, or a generated market where that is absent; decisions every 100
               and every 10 ms
    sparse     eight generated hours of a quiet market, decisions every 100 ms: quoting dominates
    ingest     from Binance's raw files to the result, machine code ready on both sides; needs the recording
    first      from the start of a process to its first result, ours with its machine code cached
    peak       largest resident memory
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec
import numpy as np

from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.convert import Options, convert
from backtest.data.events import (
    ASK,
    AT_EXCHANGE,
    AT_LOCAL,
    BEST,
    BID,
    CLEAR,
    EVERY_PRICE,
    KIND_MASK,
    SNAPSHOT_LEVEL,
)
from backtest.data.findings import parse_repairs
from backtest.data.hftbacktest import THEIR_EVENT
from backtest.engine.tape import tape_of
from backtest.synthetic import Market, write_session
from benchmarks.report import Line, environment, exit_code, figure, show

REPOSITORY = Path(__file__).resolve().parent.parent
RAW = [REPOSITORY.parent / "shared/data/binance" / f"usdm_btcusdt_2024071{day}.gz" for day in (8, 9)]
QUIET = Market(sigma=0.3, rate=0.3, decay=1.0, tick_size=0.5, step_ms=100, levels=20, seed=3)
BUSY = Market(sigma=3.0, rate=20.0, decay=0.5, step_ms=5, levels=20, seed=4)
SPARSE_SECONDS, BUSY_SECONDS = 8 * 3600.0, 480.0
FLOORS = {
    "dense_100ms": 4.0, "dense_10ms": 5.0, "sparse": 2.0, "first": 5.0, "ingest": 1.2,
}  # fmt: skip
PEAK_MAX = 0.8


def prepare(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write dense and sparse data for both; returns (ours, theirs) by name. The same rows stand in each pair."""
    dense, sparse = folder / "all.events", folder / "sparse-all.events"
    if all(path.exists() for path in RAW):
        convert(RAW, dense, Options(repairs=parse_repairs(["clock"])))
    else:
        write_session(dense, BUSY, BUSY_SECONDS)
    write_session(sparse, QUIET, SPARSE_SECONDS)
    return {"dense": shared(dense, folder / "dense.events"), "sparse": shared(sparse, folder / "sparse.events")}


def shared(source: Path, ours: Path) -> tuple[Path, Path]:
    """Write the rows that both engines understand alike: all but the book tickers."""
    file = EventFile(source)
    rows = np.array(file.rows[file.rows["flags"] & KIND_MASK != BEST])
    with EventWriter(ours) as writer:
        writer.write(rows)
        writer.finish(Header(instrument="BENCH", tick_size=file.header.tick_size, lot_size=file.header.lot_size))
    tape_of(EventFile(ours))
    flags = rows["flags"]
    theirs = np.zeros(len(rows), THEIR_EVENT)
    theirs["ev"] = flags & KIND_MASK
    for ours_flag, bit in ((AT_EXCHANGE, 31), (AT_LOCAL, 30), (BID, 29), (ASK, 28)):
        theirs["ev"] |= np.where(flags & ours_flag != 0, np.uint64(1 << bit), np.uint64(0))
    theirs["exch_ts"], theirs["local_ts"] = rows["exchange_time_ns"], rows["local_time_ns"]
    every = rows["price_ticks"] == EVERY_PRICE
    theirs["px"] = np.where(every, 0.0, rows["price_ticks"] * file.header.tick_size)
    theirs["qty"] = rows["size_lots"] * file.header.lot_size
    path = ours.with_suffix(".npy")
    np.save(path, theirs[~(every & (flags & KIND_MASK == CLEAR))])
    assert SNAPSHOT_LEVEL == 4, "their snapshot event"
    return ours, path


def ran(module: str, *arguments: str) -> dict[str, float]:
    """Return what one fresh process of a side says."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def measure(folder: Path, rounds: int) -> list[Line]:
    """Return all figures."""
    data = prepare(folder)
    lines: list[Line] = []
    for name, kind, step_ms in (("dense_100ms", "dense", 100), ("dense_10ms", "dense", 10), ("sparse", "sparse", 100)):
        ours_path, theirs_path = data[kind]
        header = EventFile(ours_path).header
        grid = ("--tick", str(header.tick_size), "--lot", str(header.lot_size), "--step-ms", str(step_ms))
        ran("backtest_ours", str(ours_path), "--step-ms", str(step_ms), "--turns", "1")  # fills the cache
        told: dict[str, list[dict[str, float]]] = {"ours": [], "dictionaries": [], "arrays": []}
        for _ in range(rounds):
            told["ours"].append(ran("backtest_ours", str(ours_path), "--step-ms", str(step_ms)))
            for script in ("dictionaries", "arrays"):
                told[script].append(ran("backtest_theirs", str(theirs_path), *grid, "--script", script))
        lines += _compared(name, header.rows, told)
    if all(path.exists() for path in RAW):
        ratios = []
        for _ in range(rounds):
            theirs = ran("backtest_theirs", "--raw", *map(str, RAW))
            ours = ran("backtest_ours", "--raw", *map(str, RAW))
            ratios.append(theirs["seconds"] / ours["seconds"])
        lines.append(floor("ratio.ingest", ratios, FLOORS["ingest"]))
    return lines


def _compared(name: str, rows: int, told: dict[str, list[dict[str, float]]]) -> list[Line]:
    ours = told["ours"]
    lines = [figure(f"{name}.{side}", [rows / one["seconds"] / 1e6 for one in all_of], "M events/s")
             for side, all_of in told.items()]  # fmt: skip
    lines += [figure(f"{name}.{side}.fills", [one["fills"] for one in all_of], "") for side, all_of in told.items()]
    for script in ("dictionaries", "arrays"):
        ratios = [theirs["seconds"] / one["seconds"] for theirs, one in zip(told[script], ours, strict=True)]
        lines.append(floor(f"ratio.{name}.{script}", ratios, FLOORS[name]))
    whole = [theirs["whole_seconds"] / one["whole_seconds"] for theirs, one in zip(told["arrays"], ours, strict=True)]
    lines.append(figure(f"ratio.{name}.whole", whole, "×"))
    first = [theirs["first_result_s"] / one["first_result_s"]
             for theirs, one in zip(told["arrays"], ours, strict=True)]  # fmt: skip
    lines.append(figure(f"{name}.ours.first_result", [one["first_result_s"] for one in ours], "s"))
    lines.append(floor(f"ratio.{name}.first", first, FLOORS["first"]))
    peaks = [one["peak_mb"] / theirs["peak_mb"] for theirs, one in zip(told["arrays"], ours, strict=True)]
    lines.append(figure(f"{name}.ours.peak", [one["peak_mb"] for one in ours], "MB"))
    lines.append(figure(f"ratio.{name}.peak", peaks, "", target_max=PEAK_MAX))
    return lines


def floor(name: str, values: Sequence[float], at_least: float) -> Line:
    """Return a figure that must reach its target."""
    line = figure(name, values, "×")
    return msgspec.structs.replace(
        line, target=at_least, is_floor=True, ok=line.value is not None and line.value >= at_least
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.backtest", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("expected --rounds >= 1")
    with tempfile.TemporaryDirectory(prefix="ringmaker-bench-") as folder:
        lines = measure(Path(folder), options.rounds)
    show(environment(["numpy", "numba", "hftbacktest"]), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
