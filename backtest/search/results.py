"""What a search found: a table of all trials, the best parameters, and what they made on unseen time."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from backtest.metrics.tables import pyarrow
from backtest.report.figures import importances, trial_values
from backtest.report.page import page
from backtest.search.ledger import Ledger
from backtest.search.sweep import Plan
from backtest.search.windows import Window
from backtest.search.work import Outcome
from runtime.paths import write_atomically

TABLE_FILE = "trials.parquet"
BEST_FILE = "best.toml"
FOLDS_FILE = "search.json"
PAGE_FILE = "search.html"
COMPLETE_MIN = 10  # trials, for importances


class FoldResult(msgspec.Struct, frozen=True, kw_only=True):
    """The best parameters of a fold, and what they and the configuration as it is made on train and test windows.

    Values are of the objective; `statistics` of the best parameters on the test windows, one a recording.
    """

    fold: int
    parameters: dict[str, Any]
    train: float
    test: float
    train_before: float
    test_before: float
    statistics: list[dict[str, float | int | None]]


def write_table(folder: Path, plans: Sequence[Plan], studies: Sequence[optuna.Study], ledger: Ledger) -> Path:
    """Write a row for every trial and window that was run, with the trial's parameters; returns the path."""
    rows: list[dict[str, Any]] = []
    for plan, study in zip(plans, studies, strict=True):
        for trial in study.get_trials(deepcopy=False):
            outcomes = ledger.of_trial(plan.fold, trial.number)
            for window, outcome in zip(plan.windows, outcomes, strict=False):
                rows.append(_row(plan.fold, trial, window, outcome))
    arrow = pyarrow()
    columns = {name: [row.get(name) for row in rows] for name in _names(rows)}
    path = folder / TABLE_FILE
    partial = path.with_suffix(".partial")
    arrow.parquet.write_table(arrow.table(columns), partial, compression="zstd")
    partial.replace(path)
    return path


def _row(fold: int, trial: optuna.trial.FrozenTrial, window: Window, outcome: Outcome) -> dict[str, Any]:
    return {
        "fold": fold,
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "objective": trial.value,
        "recording": window.recording,
        "part": window.part,
        "is_left": outcome.is_left,
        "refusal": outcome.refusal,
        "cpu_s": outcome.cpu_s,
        **trial.params,
        **outcome.values,
    }


def _names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the columns, each where it first stands."""
    return list(dict.fromkeys(name for row in rows for name in row))


def write_best(folder: Path, found: Sequence[FoldResult]) -> Path:
    """Write the parameters of the last fold, which has seen the most, as a block for a configuration."""
    last = found[-1]
    sections: dict[str, list[str]] = {}
    for name, value in last.parameters.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, []).append(f"{key} = {msgspec.json.encode(value).decode()}")
    lines = [f"# Objective: {last.train:.6g} on training, {last.test:.6g} on what followed."]
    for section, keys in sections.items():
        lines += ["", f"[{section}]", *keys]
    path = folder / BEST_FILE
    write_atomically(path, ("\n".join(lines) + "\n").encode())
    write_atomically(folder / FOLDS_FILE, msgspec.json.format(msgspec.json.encode(list(found)), indent=2))
    return path


def importances_of(study: optuna.Study) -> dict[str, float]:
    """Return how much each parameter explains of which trials are the best (PED-ANOVA, Watanabe et al. 2023).

    Empty with fewer than ten whole trials, or where all came to the same.
    """
    whole = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(whole) < COMPLETE_MIN or len({trial.value for trial in whole}) < 2:
        return {}
    return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))


def write_page(folder: Path, objective: str, studies: Sequence[optuna.Study], found: Sequence[FoldResult]) -> Path:
    """Write the page of a search; returns its path."""
    parts = [f"<h1>{folder.resolve().name}</h1><p class=dim>search for the largest {objective}</p>", _folds(found)]
    plots = {}
    for fold, study in enumerate(studies):
        whole = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        label = f" of fold {fold}" if len(studies) > 1 else ""
        plots[f"trials{fold}"] = trial_values(
            [trial.number for trial in whole], [float(trial.value or 0.0) for trial in whole]
        )
        parts.append(f"<h2>Trials{label}</h2><div class=plot id=trials{fold}></div>")
        weights = importances_of(study)
        if weights:
            plots[f"importances{fold}"] = importances(weights)
            parts.append(f"<h2>Importance of the parameters{label}</h2><div class=plot id=importances{fold}></div>")
    path = folder / PAGE_FILE
    write_atomically(path, page(f"{folder.resolve().name} · search", parts, plots).encode())
    return path


def _folds(found: Sequence[FoldResult]) -> str:
    names = ("fold", "best, training", "best, test", "as configured, training", "as configured, test", "parameters")
    head = "".join(f"<th>{name}" for name in names)
    rows = []
    for one in found:
        values = (one.train, one.test, one.train_before, one.test_before)
        cells = "".join(f"<td class=number>{value:,.6g}" for value in values)
        chosen = ", ".join(f"{name.partition('.')[2]} = {_short(value)}" for name, value in one.parameters.items())
        rows.append(f"<tr><td>{one.fold}{cells}<td>{html.escape(chosen)}")
    title = "Best parameters, on what they were chosen on and on what followed"
    return f"<h2>{title}</h2><table><tr>{head}{''.join(rows)}</table>"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
