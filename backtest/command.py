"""cli.py backtest DATA… [--config FILE.toml]: run a strategy over a recording and write its report.

DATA… are the parts of one recording, of any format of docs/data.md, or the folder of a recorded session. With
--together each is the recording of another instrument. Ends with the path of the report.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from backtest.data.findings import DataError
from backtest.data.formats import format_of
from backtest.data.recordings import files_of_runs
from backtest.engine.arguments import Conditions, add_arguments, conditions_of, options_of, recorded
from backtest.engine.result import Rows
from backtest.metrics.facts import Facts, write_run
from backtest.metrics.leg import Leg
from backtest.metrics.tables import pyarrow
from backtest.play import facts_of_backtest, play
from backtest.play_together import facts_together, play_together, recorded_together, source_of
from backtest.report.page import write_report
from backtest.report.screen import statistics_lines
from backtest.warm import KERNELS
from domain import jit
from domain.errors import ExitCode, UserError
from runtime import paths
from runtime.arguments import Arguments
from runtime.secrecy import keep_files_private


def main(arguments: list[str] | None = None) -> int:
    """Run, write, print; returns the exit code."""
    given = _parser().parse_args(arguments)
    keep_files_private()
    try:
        facts, report = _run(given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    if given.json:
        print(msgspec.json.encode(facts).decode())
    else:
        print("\n".join(statistics_lines(facts)), f"\nreport: {report}", sep="\n")
    return int(ExitCode.CLEAN)


def _run(given: argparse.Namespace) -> tuple[Facts, Path]:
    pyarrow()  # refused at once where it is missing, not after the run
    conditions = conditions_of(given)
    _look_at(given)
    tell_compiling()
    progress = _Progress(is_shown=not given.json)
    progress.say("reading " + ", ".join(given.data))
    if given.together:
        facts, legs = _together(given, conditions)
    else:
        data = [Path(name) for name in given.data]
        options = options_of(given)
        with recorded(data, options) as file:
            settings, notes = conditions.settings_for(file.header.instrument)
            result, leg = play(file, settings, progress.watch)
            facts = facts_of_backtest(
                file, result, leg, data=data, config=given.config, repairs=options.repairs, notes=notes
            )
            legs = [leg]
    progress.say("")
    if jit.is_enabled():
        jit.mark_warm(KERNELS)
    folder = given.output or paths.new_run("backtest")
    write_run(folder, legs, facts)
    return facts, write_report(folder)


def _look_at(given: argparse.Namespace) -> None:
    """Refuse files that are not there, or not known, before anybody waits for a compiler."""
    sources = (
        [source_of(text).paths for text in given.data] if given.together else [[Path(text) for text in given.data]]
    )
    for paths_of_one in sources:
        for path in files_of_runs(paths_of_one):
            format_of(path)


def tell_compiling() -> None:
    """Say that the first run takes longer, where its kernels are compiled."""
    if jit.is_enabled() and jit.is_cold(KERNELS):
        print("compiling kernels, once for these sources: up to a minute on a quiet core", file=sys.stderr, flush=True)


def _together(given: argparse.Namespace, conditions: Conditions) -> tuple[Facts, list[Leg]]:
    sources = [source_of(text) for text in given.data]
    if len(sources) < 2:
        raise DataError(f"--together with {given.data[0]} alone: expected the recordings of two instruments or more")
    options = options_of(given)
    with recorded_together(sources, options) as files:
        results, legs, notes = play_together(files, conditions)
        data = [path for source in sources for path in source.paths]
        facts = facts_together(
            files, results, legs, data=data, config=given.config, repairs=options.repairs, notes=notes
        )
        return facts, legs


class _Progress:
    """One line on a terminal that is written over; nothing elsewhere."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown and sys.stderr.isatty()
        self._begun_s = time.monotonic()

    def watch(self, part: float, series: Rows) -> bool:
        fills = int(series["fills"][-1]) if len(series) else 0
        self.say(f"played {part:4.0%}  {fills:,} fills  {time.monotonic() - self._begun_s:.1f} s")
        return True

    def say(self, text: str) -> None:
        if self._is_shown:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()


def _parser() -> Arguments:
    parser = Arguments(prog="cli.py backtest", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("data", nargs="+", help="an event file, the parts of one recording, or a run's folder")
    parser.add_argument(
        "--together", action="store_true",
        help="several instruments on one clock and account: each DATA is [INSTRUMENT=]PART[,PART]; each has the "
        "strategy that the configuration has for it, all have the limits of notional of [risk]",
    )  # fmt: skip
    add_arguments(parser)
    parser.add_argument("--output", "-o", type=Path, help="folder of the run; default: a new one in runs/")
    parser.add_argument("--json", action="store_true", help="print the facts of the run as JSON")
    return parser
