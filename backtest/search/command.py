"""cli.py optimize DATA… --config FILE.toml --space FILE.toml: search for parameters over recordings.

Every DATA is a recording: an event file, or its parts of any format joined by commas. Killed, it goes on where it was
when it is started again with the same folder (-o).
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import optuna
import psutil
from optuna.trial import TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from backtest.data.container import read_header
from backtest.data.findings import DataError
from backtest.engine.arguments import Conditions, add_arguments, conditions_of, instrument_of, options_of, recorded
from backtest.engine.run import WATCHED_PARTS, Settings
from backtest.metrics.tables import pyarrow
from backtest.search.cluster import DaskWorkers
from backtest.search.ledger import Ledger
from backtest.search.results import FoldResult, write_best, write_page, write_table
from backtest.search.space import Space, check_space, read_space
from backtest.search.study import SAMPLERS, new_sampler, study_of, write_studies
from backtest.search.sweep import OBJECTIVES, Plan, Sweep, Workers, objective
from backtest.search.windows import Window, cut, parts_of
from backtest.search.work import Outcome, run_window
from domain.errors import ExitCode, UserError
from runtime import paths
from runtime.arguments import Arguments
from runtime.paths import write_atomically
from runtime.secrecy import keep_files_private

LEDGER_FILE = "search.sqlite"
STUDY_FILE = "study.journal"
PLAN_FILE = "plan.json"


def main(arguments: list[str] | None = None) -> int:
    """Search, write, print; returns the exit code."""
    given = _parser().parse_args(arguments)
    keep_files_private()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _search(given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.CLEAN)


def _search(given: argparse.Namespace) -> None:
    pyarrow()
    _check(given)
    conditions = conditions_of(given)
    space = read_space(given.space)
    if given.output is None or not (given.output / PLAN_FILE).exists():
        _check_early(given, conditions, space)
    with _folder(given.output) as folder:
        windows, base = _windows(given, conditions, space, folder)
    plans = [
        Plan(fold, space, base, [window for window in windows if window.part <= fold], given.objective, given.trials)
        for fold in range(given.folds)
    ]
    print(f"{folder}: {given.trials} trials of {len(space)} parameters, {_counted(windows, given.folds)}")
    ledger = Ledger(folder / LEDGER_FILE)
    studies = []
    for plan in plans:
        # A search that goes on does not draw again what it drew at first.
        sampler = new_sampler(given.sampler, given.seed, plan.fold, len(ledger.trials(plan.fold)))
        studies.append(study_of(plan.fold, space, ledger, sampler))
    # Kernels are compiled once, here: the workers find the machine code on the disk.
    run_window(windows[0].path, base, {}, [math.inf] * WATCHED_PARTS)
    with DaskWorkers(base, given.scheduler, given.workers) as workers:
        meter = _Meter(workers)
        for done, (plan, study) in enumerate(zip(plans, studies, strict=True), 1):
            with _progress(plan) as bar:
                Sweep(plan, study, ledger, workers).run(bar)
            write_studies(studies[:done], folder / STUDY_FILE)
        print(meter.line())
        found = [
            _judged(plan, study, [window for window in windows if window.part == plan.fold + 1], ledger, workers)
            for plan, study in zip(plans, studies, strict=True)
        ]
    table = write_table(folder, plans, studies, ledger)
    best = write_best(folder, found)
    _print_folds(given.objective, found)
    print(f"table: {table}\nbest parameters: {best}\nreport: {write_page(folder, given.objective, studies, found)}")
    ledger.close()


def _check(given: argparse.Namespace) -> None:
    for name, low, high in (("trials", 1, 1_000_000), ("folds", 1, 20), ("train", 0.1, 0.95), ("workers", 0, 1024)):
        if not low <= getattr(given, name) <= high:
            raise DataError(f"--{name} {getattr(given, name)}: expected {low} to {high}")


def _check_early(given: argparse.Namespace, conditions: Conditions, space: Space) -> None:
    """Refuse what can be refused before recordings are converted and copied, which takes minutes.

    Raises:
        UserError: the space does not fit what is varied, as far as that is told by the heads of the recordings.
    """
    options = options_of(given)
    told = [instrument_of([Path(part) for part in data.split(",")], options) for data in given.data]
    names = [name for name in told if name] if conditions.config else [""]  # without one all are run alike
    if names:
        check_space(given.space, space, _settings_of(conditions, names)[0])


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """Give the folder of a search while it is filled; one that was made for it goes if that fails."""
    is_new = given is None or not given.exists()
    folder = given or paths.new_run("optimize")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _windows(
    given: argparse.Namespace, conditions: Conditions, space: Space, folder: Path
) -> tuple[list[Window], Settings]:
    """Return the windows of a search, cut once, and what is varied.

    Raises:
        UserError: when the folder holds another search, or the space does not fit what is varied.
    """
    path = folder / PLAN_FILE
    kept = msgspec.json.decode(path.read_bytes()) if path.exists() else None
    windows = msgspec.convert(kept["windows"], list[Window]) if kept else _cut(given, folder)
    base = _varied(conditions, windows)
    check_space(given.space, space, base)
    plan = {
        "data": given.data,
        "train": given.train,
        "folds": given.folds,
        "objective": given.objective,
        "settings": base.plain(),
        "space": given.space.read_text(encoding="utf-8"),
    }
    wanted = msgspec.json.decode(msgspec.json.encode(plan))
    if kept:
        differing = [name for name in wanted if kept["plan"].get(name) != wanted[name]]
        if differing:
            raise DataError(f"{folder}: holds a search with other {', '.join(differing)}: choose another folder (-o)")
        return windows, base
    content = msgspec.json.encode({"plan": wanted, "windows": windows})
    write_atomically(path, msgspec.json.format(content, indent=2))
    return windows, base


def _cut(given: argparse.Namespace, folder: Path) -> list[Window]:
    windows = []
    for number, data in enumerate(given.data):
        with recorded([Path(part) for part in data.split(",")], options_of(given)) as file:
            windows += cut(file, number, parts_of(given.train, given.folds), folder)
    return windows


def _varied(conditions: Conditions, windows: Sequence[Window]) -> Settings:
    """Return the settings that trials vary; say where the strategy is from, if the configuration has not the name.

    Raises:
        DataError: when the recordings are of instruments with different strategies.
    """
    settings, notes = _settings_of(conditions, [read_header(Path(window.path)).instrument for window in windows])
    print(*(f"note: {note}\n" for note in notes), sep="", end="")
    return settings


def _settings_of(conditions: Conditions, instruments: Sequence[str]) -> tuple[Settings, list[str]]:
    """Return the settings that instruments share, and what the reader has to know of them.

    Raises:
        DataError: they have different strategies.
    """
    found = {name: conditions.settings_for(name) for name in instruments}
    first, *others = found
    for name in others:
        if found[name][0] != found[first][0]:
            raise DataError(f"{first} and {name} have different strategies in the configuration: search each by itself")
    return found[first][0], [note for _, notes in found.values() for note in notes]


def _counted(windows: Sequence[Window], folds: int) -> str:
    recordings = len({window.recording for window in windows})
    return f"{recordings} recording{'s' * (recordings > 1)}, {folds} fold{'s' * (folds > 1)}"


def _judged(
    plan: Plan, study: optuna.Study, test: Sequence[Window], ledger: Ledger, workers: Workers
) -> FoldResult:  # fmt: skip
    """Run the best parameters of a fold, and the configuration as it is, on windows that the search never saw.

    Raises:
        DataError: when no trial came to an end.
    """
    if not study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
        raise DataError(f"fold {plan.fold}: no trial came to an end: its parameters contradict each other")
    best = study.best_trial
    runs = [(best.params, window) for window in test] + [({}, window) for window in (*plan.windows, *test)]
    for key, (parameters, window) in enumerate(runs):
        workers.submit(key, window.path, parameters, None)
    outcomes = dict(workers.next() for _ in runs)
    ordered = [outcomes[key] for key in range(len(runs))]
    tested, before = ordered[: len(test)], ordered[len(test) :]

    def value(some: Sequence[Outcome]) -> float:
        return objective(plan.objective, some)

    return FoldResult(
        fold=plan.fold,
        parameters=best.params,
        train=float(best.value or 0.0),
        test=value(tested),
        train_before=value(before[: len(plan.windows)]),
        test_before=value(before[len(plan.windows) :]),
        statistics=[outcome.values for outcome in tested],
    )


def _print_folds(name: str, found: Sequence[FoldResult]) -> None:
    print(f"{name}, best parameters against the configuration as it is:")
    for one in found:
        print(
            f"  fold {one.fold}: training {one.train:,.6g} against {one.train_before:,.6g}, "
            f"test {one.test:,.6g} against {one.test_before:,.6g}"
        )


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[TrialState], None]]:
    """Give what is told of every trial that ends: a bar on a terminal, a line for every tenth elsewhere."""
    counts = dict.fromkeys(TrialState, 0)
    columns = (
        TextColumn(f"fold {plan.fold}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[states]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("trials", total=plan.trials, states="")

        def on_end(state: TrialState) -> None:
            counts[state] += 1
            done = sum(counts.values())
            states = ", ".join(f"{n:,} {known.name.lower()}" for known, n in counts.items() if n)
            progress.update(task, completed=done, states=states)
            if not console.is_terminal and done * 10 // plan.trials > (done - 1) * 10 // plan.trials:
                print(f"fold {plan.fold}: {done:,} of {plan.trials:,} trials: {states}", flush=True)

        yield on_end


class _Meter:
    """How much of the machine a search used."""

    def __init__(self, workers: DaskWorkers) -> None:
        self._workers = workers
        self._begun_s = time.monotonic()
        self._workers_s = workers.cpu_s()
        self._windows_s = workers.busy_s
        self._own_s = time.process_time()
        self._busy_s = _busy_s()

    def line(self) -> str:
        """Return what was used since the beginning, in one line."""
        wall_s = time.monotonic() - self._begun_s
        workers_s = max(0.0, self._workers.cpu_s() - self._workers_s)
        own_s = time.process_time() - self._own_s
        cores = psutil.cpu_count() or 1
        others_s = max(0.0, _busy_s() - self._busy_s - workers_s - own_s)
        used, others = (workers_s + own_s) / (cores * wall_s), others_s / (cores * wall_s)
        running = (self._workers.busy_s - self._windows_s) / (self._workers.count * wall_s)
        return (
            f"{wall_s:.1f} s: {self._workers.count} workers ran windows {running:.0%} of the time, and used "
            f"{workers_s:.1f} s of processor time, the search itself {own_s:.1f}: {used:.0%} of {cores} cores, "
            f"other programs {others:.0%}; of what those left {used / max(used, 1.0 - others):.0%}"
        )


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _parser() -> Arguments:
    parser = Arguments(prog="cli.py optimize", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("data", nargs="+", help="recordings; the parts of one are joined by commas")
    parser.add_argument("--space", type=Path, required=True, help="TOML file of ranges, see docs/backtest.md")
    parser.add_argument("--trials", type=int, default=100, help="trials of each fold")
    parser.add_argument("--folds", type=int, default=1, help="test windows, one after another")
    parser.add_argument("--train", type=float, default=0.7, help="part of each recording before the first test window")
    parser.add_argument("--objective", choices=OBJECTIVES, default="net_pnl")
    parser.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--scheduler", default="", metavar="tcp://HOST:PORT", help="a Dask cluster; default: this machine"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes on this machine; 0 = one for each core")
    parser.add_argument("--output", "-o", type=Path, help="folder of the search; the same one again goes on with it")
    add_arguments(parser)
    return parser
