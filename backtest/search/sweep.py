"""The trials of one fold: asked of the study, run window by window on workers, told to the study.

A trial whose equity falls below the median of the others at the same moment is left (the median rule of Google Vizier:
Golovin et al. 2017); it counts from ten finished trials on. A trial that an earlier process left half-way goes on with
the window after the last one that it finished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from backtest.engine.run import WATCHED_PARTS, Settings
from backtest.search.ledger import Ledger
from backtest.search.space import Space, draw
from backtest.search.windows import Window
from backtest.search.work import Outcome

STARTUP_TRIALS = 10
_AT_ONCE = 3  # trials for each worker: one that runs, two that wait
OBJECTIVES = ("net_pnl", "sharpe", "sortino", "net_pnl_less_drawdown")


class Workers(Protocol):
    """Processes that run windows."""

    count: int

    def submit(self, key: int, path: str, parameters: dict[str, Any], floor: Sequence[float] | None) -> None:
        """Have a window run some time."""
        ...

    def next(self) -> tuple[int, Outcome]:
        """Wait for a window that was submitted; returns (its key, what came of it)."""
        ...


@dataclass(slots=True)
class _Running:
    """A trial under way; `trial` only of one that this process began."""

    parameters: dict[str, Any]
    outcomes: list[Outcome] = field(default_factory=list)
    trial: optuna.Trial | None = None

    @property
    def equity(self) -> float:
        """What it has made on the windows that it has finished, $."""
        return sum(outcome.curve[-1] for outcome in self.outcomes if outcome.curve)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched in one fold.

    Attributes:
        trials: how many in all, those of earlier processes included.
    """

    fold: int
    space: Space
    base: Settings
    windows: list[Window]
    objective: str
    trials: int


class Sweep:
    """Runs a fold's trials to their number."""

    def __init__(self, plan: Plan, study: optuna.Study, ledger: Ledger, workers: Workers) -> None:
        self._plan = plan
        self._study = study
        self._ledger = ledger
        self._workers = workers
        self._running: dict[int, _Running] = {}
        self._curves: list[list[list[float]]] = [[] for _ in plan.windows]  # of whole trials, with what came before
        self._whole = 0

    def run(self, on_end: Callable[[TrialState], None]) -> None:
        """Run until every trial has ended; `on_end` is told of each, those of earlier processes included."""
        started = 0
        for trial in self._study.get_trials(deepcopy=False):
            started += 1
            self._take_up(trial, on_end)
        while True:
            while started < self._plan.trials and len(self._running) < _AT_ONCE * self._workers.count:
                self._begin(self._study.ask())
                started += 1
            if not self._running:
                return
            number, outcome = self._workers.next()
            running = self._running[number]
            self._ledger.note(self._plan.fold, number, len(running.outcomes), outcome)
            running.outcomes.append(outcome)
            self._go_on(number, running, on_end)

    def _take_up(self, trial: FrozenTrial, on_end: Callable[[TrialState], None]) -> None:
        """Count a trial of an earlier process, or go on with it."""
        outcomes = self._ledger.of_trial(self._plan.fold, trial.number)
        if trial.state == TrialState.RUNNING:
            running = _Running(dict(trial.params), outcomes)
            self._running[trial.number] = running
            self._go_on(trial.number, running, on_end)
            return
        if trial.state == TrialState.COMPLETE:
            self._count_curves(outcomes)
        on_end(trial.state)

    def _begin(self, trial: optuna.Trial) -> None:
        running = _Running(draw(self._plan.space, trial), trial=trial)
        self._ledger.begin(self._plan.fold, trial.number, running.parameters)
        self._running[trial.number] = running
        self._submit(trial.number, self._running[trial.number])

    def _submit(self, number: int, running: _Running) -> None:
        window = len(running.outcomes)
        floor = self._floor(window, running.equity)
        self._workers.submit(number, self._plan.windows[window].path, running.parameters, floor)

    def _go_on(self, number: int, running: _Running, on_end: Callable[[TrialState], None]) -> None:
        last = running.outcomes[-1] if running.outcomes else Outcome()
        if last.refusal:
            self._end(number, None, TrialState.FAIL, on_end)
        elif last.is_left:
            self._end(number, None, TrialState.PRUNED, on_end)
        elif len(running.outcomes) == len(self._plan.windows):
            self._count_curves(running.outcomes)
            self._end(number, objective(self._plan.objective, running.outcomes), TrialState.COMPLETE, on_end)
        else:
            self._submit(number, running)

    def _end(self, number: int, value: float | None, state: TrialState, on_end: Callable[[TrialState], None]) -> None:
        running = self._running.pop(number)
        if state == TrialState.PRUNED and running.trial:  # the sampler learns from how far it came
            running.trial.report(running.equity, 0)
        self._study.tell(number, value, state)
        self._ledger.end(self._plan.fold, number, state.name.lower(), value)
        on_end(state)

    def _count_curves(self, outcomes: Sequence[Outcome]) -> None:
        self._whole += 1
        before = 0.0
        for window, outcome in enumerate(outcomes):
            if len(outcome.curve) == WATCHED_PARTS:
                self._curves[window].append([before + equity for equity in outcome.curve])
                before += outcome.curve[-1]

    def _floor(self, window: int, before: float) -> list[float] | None:
        curves = self._curves[window]
        if self._whole < STARTUP_TRIALS or not curves:
            return None
        floor: list[float] = (np.median(np.array(curves), axis=0) - before).tolist()
        return floor


def objective(name: str, outcomes: Sequence[Outcome]) -> float:
    """Return what is made as large as possible: $ are added over windows, ratios averaged; one that is unknown is 0."""
    values = [outcome.values for outcome in outcomes]
    if name in ("sharpe", "sortino"):
        return sum(float(value[name] or 0.0) for value in values) / len(values)
    total = sum(float(value["net_pnl"] or 0.0) for value in values)
    if name == "net_pnl_less_drawdown":
        return total - max(float(value["max_drawdown"] or 0.0) for value in values)
    assert name == "net_pnl", name
    return total
