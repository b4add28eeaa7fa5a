"""The fault suite: python -m tests.faults [--seed N] [--rounds N] [--full] [--row NAME ...] [--round N ...] [--hours H]
    [--nice N]

Plays each row against real processes, prints a table of what was measured, and writes runs/<time>-faults/faults.json.
Exit code 1 when anything did not hold or a bound was missed; each failure names seed and round:
`--row NAME --seed N --round N` plays that one alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from structlog import get_logger

from runtime.arguments import Arguments
from runtime.priority import take_priority
from tests.faults.findings import Findings, table
from tests.faults.row import Play, Row
from tests.faults.rows import (
    blackhole,
    clock,
    crash_loop,
    dead_disk,
    disk,
    feed,
    journal,
    kill,
    poison,
    recorder,
    soak,
    standby,
    stop,
    supervisor,
    unknown,
    venue,
)
from tests.faults.stage import Stage

ROWS: tuple[Row, ...] = (
    venue.ROW, kill.ROW, standby.ROW, recorder.ROW, stop.ROW, supervisor.ROW, crash_loop.ROW, poison.ROW, journal.ROW,
    disk.ROW, dead_disk.ROW, feed.ROW, blackhole.ROW, clock.ROW, unknown.ROW, soak.ROW,
)  # fmt: skip
REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    options = _arguments()
    if options.nice:
        Stage.nice = options.nice
        take_priority(options.nice, get_logger())  # the exchange's, too: it is of our session
    signal.signal(signal.SIGTERM, _end_in_order)
    started_s = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    target = _new_folder(REPOSITORY / "runs", f"{stamp}-faults")
    results = [_play(row, options, target) for row in ROWS if not options.row or row.name in options.row]
    report = {
        "time": stamp,
        "seed": options.seed,
        "seconds": round(time.monotonic() - started_s, 1),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg(),
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
        },
        "ok": not any(found.failures() for found in results),
        "rows": [found.as_json() for found in results],
    }
    (target / "faults.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{table(results)}")
    for found in results:
        load = f"load {' → '.join(f'{load:.1f}' for load in found.load)} on {os.cpu_count()} cores"
        print(f"{found.row}: " + ", ".join([load, *(f"{n} {what}" for what, n in sorted(found.counts.items()))]))
    for line in (line for found in results for line in found.failures()):
        print(f"FAILED {line}")
    print(f"{target / 'faults.json'}: {'ok' if report['ok'] else 'FAILED'} after {report['seconds']} s")
    return 0 if report["ok"] else 1


def _new_folder(runs: Path, name: str) -> Path:
    """Return a new folder of that name; of two that begin within a second the later one's is numbered."""
    for number in itertools.count(1):
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers never end")


def _play(row: Row, options: argparse.Namespace, evidence: Path) -> Findings:
    count = options.rounds or (row.rounds_full if options.full else row.rounds)
    rounds = options.round or list(range(1, count + 1))
    findings = Findings(row.name, options.seed, tell=_tell)
    print(f"{row.name}: {row.what}, {len(rounds)} rounds", flush=True)
    with tempfile.TemporaryDirectory(prefix="rmf", dir="/tmp") as folder:
        say = _progress if options.verbose else _quiet
        findings.load.append(os.getloadavg()[0])
        try:
            row.play(Play(options.seed, rounds, Path(folder), findings, say, evidence))
        except Exception as error:  # the other rows are played, and the table is printed
            traceback.print_exc()
            findings.break_rule(0, f"the row itself failed: {type(error).__name__}: {error}")
        findings.load.append(os.getloadavg()[0])
        print(table([findings]), flush=True)
    return findings


def _progress(text: str) -> None:
    print(f"  {datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def _quiet(_text: str) -> None:
    pass


def _tell(line: str) -> None:
    _progress(f"FAILED {line}")


def _end_in_order(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the sessions that run before the suite ends: what began in the background ignores Ctrl-C."""
    raise SystemExit(128 + _signal)


def _arguments() -> argparse.Namespace:
    parser = Arguments(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="what the rounds are drawn from (%(default)s)")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each row; 0 = as the row says")
    parser.add_argument("--full", action="store_true", help="the full counts")
    parser.add_argument("--row", action="append", default=[], choices=[row.name for row in ROWS], help="only this row")
    parser.add_argument("--hours", type=float, default=0.0, metavar="H", help="play the soak alone, for so long")
    parser.add_argument("--round", type=int, action="append", default=[], metavar="N", help="play this round alone")
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N",
        help="niceness of suite, exchange, supervisor and actors, below 0 on a machine that does other things too",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="say what each round does")
    options = parser.parse_args()
    if options.hours > 0:
        options.row, options.rounds = [soak.ROW.name], max(round(options.hours * 3600 / soak.LOOK_S), soak.LOOKS_MIN)
    return options


if __name__ == "__main__":
    sys.exit(main())
