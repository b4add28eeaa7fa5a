"""A sweep over workers that answer at once: what is left early, what is taken up again, what is never run twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from backtest.engine.run import WATCHED_PARTS, Settings
from backtest.search.ledger import Ledger
from backtest.search.space import Space
from backtest.search.study import new_sampler, study_of, write_studies
from backtest.search.sweep import STARTUP_TRIALS, Plan, Sweep, objective
from backtest.search.windows import Window
from backtest.search.work import Outcome

WINDOWS = [Window(recording, 0, f"window{recording}") for recording in range(2)]
NAME = "strategy.risk_aversion_per_usd"


class KilledError(Exception):
    """Stands for SIGKILL."""


class InstantWorkers:
    """One worker: a trial makes its parameter's value on each window, ten equal steps."""

    count = 1

    def __init__(self, dies_after: int = 10**9, refuses: Callable[[float], bool] = lambda value: False) -> None:
        self._waiting: deque[tuple[int, str, float, Sequence[float] | None]] = deque()
        self._left = dies_after
        self._refuses = refuses
        self.ran: list[tuple[int, str]] = []

    def submit(self, key: int, path: str, parameters: dict[str, Any], floor: Sequence[float] | None) -> None:
        self._waiting.append((key, path, parameters[NAME], floor))

    def next(self) -> tuple[int, Outcome]:
        if self._left == 0:
            raise KilledError
        self._left -= 1
        key, path, value, floor = self._waiting.popleft()
        self.ran.append((key, path))
        if self._refuses(value):
            return key, Outcome(refusal="no")
        curve: list[float] = []
        for tenth in range(WATCHED_PARTS):
            curve.append(value * (tenth + 1) / WATCHED_PARTS)
            if floor is not None and curve[-1] < floor[tenth]:
                return key, Outcome(curve=curve, is_left=True)
        return key, Outcome(values={"net_pnl": value, "sharpe": None, "max_drawdown": 1.0}, curve=curve)


class Case:
    """One fold in a folder: its study and ledger, opened anew by every process."""

    def __init__(self, folder: Path, trials: int) -> None:
        space: Space = {NAME: FloatDistribution(0.01, 1.0)}
        self.ledger = Ledger(folder / "search.sqlite")
        self.study = study_of(0, space, self.ledger, new_sampler("random", 1, len(self.ledger.trials(0))))
        self.plan = Plan(0, space, Settings(), WINDOWS, "net_pnl", trials)
        self.ended: list[TrialState] = []

    def run(self, workers: InstantWorkers) -> None:
        Sweep(self.plan, self.study, self.ledger, workers).run(self.ended.append)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_every_trial_ends_and_the_best_is_the_largest(tmp_path: Path) -> None:
    case = Case(tmp_path, STARTUP_TRIALS)
    case.run(InstantWorkers())
    assert case.ended == [TrialState.COMPLETE] * STARTUP_TRIALS
    best = case.study.best_trial
    assert best.value == pytest.approx(2 * best.params[NAME])
    assert best.params[NAME] == max(trial.params[NAME] for trial in case.study.trials)


def test_a_trial_below_the_median_of_the_others_is_left(tmp_path: Path) -> None:
    case = Case(tmp_path, 40)
    workers = InstantWorkers()
    case.run(workers)
    pruned = case.study.get_trials(states=[TrialState.PRUNED])
    assert 5 < len(pruned) < 30
    # Most on their first window; some had begun before there was a median, or before it rose.
    windows = [len(case.ledger.of_trial(0, trial.number)) for trial in pruned]
    assert windows.count(1) > 0.6 * len(pruned)
    assert max(windows) <= 2
    assert sum(trial.number < STARTUP_TRIALS for trial in pruned) <= 3
    kept = case.study.get_trials(states=[TrialState.COMPLETE])
    assert case.study.best_trial.params[NAME] == max(trial.params[NAME] for trial in kept + pruned)


def test_a_search_that_is_killed_goes_on_and_runs_no_window_twice(tmp_path: Path) -> None:
    # Given a search of eight trials on two windows that is killed after five, and after eleven windows
    ran = []
    for dies_after in (5, 6):
        killed = InstantWorkers(dies_after)
        with pytest.raises(KilledError):
            Case(tmp_path, 8).run(killed)
        ran += killed.ran
    # If it is started again
    case, workers = Case(tmp_path, 8), InstantWorkers()
    case.run(workers)
    ran += workers.ran
    # I expect eight whole trials, and each window once
    assert len(case.study.get_trials(states=[TrialState.COMPLETE])) == 8
    assert sorted(ran) == [(trial, window.path) for trial in range(8) for window in WINDOWS]
    assert len(case.ended) == 8


def test_a_trial_that_was_killed_before_it_was_kept_is_made_up_for(tmp_path: Path) -> None:
    Case(tmp_path, 3).study.ask()
    case = Case(tmp_path, 3)
    case.run(InstantWorkers())
    assert case.ended == [TrialState.COMPLETE] * 3


def test_a_study_made_anew_is_the_one_that_was_left_and_can_be_read_by_optuna(tmp_path: Path) -> None:
    # Given a search with whole, left and refused trials
    case = Case(tmp_path, 30)
    case.run(InstantWorkers(refuses=lambda value: value > 0.9))
    states = [trial.state for trial in case.study.trials]
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    # If it is made anew from the ledger, and written
    again = Case(tmp_path, 30).study
    for _ in range(2):  # a second time in the place of the first
        write_studies([again], tmp_path / "study.journal")
    assert [path.name for path in tmp_path.glob("study*")] == ["study.journal"]
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    read = optuna.load_study(study_name="fold0", storage=journal)
    # I expect the same trials everywhere
    for study in (again, read):
        assert [trial.state for trial in study.trials] == states
        assert [trial.params for trial in study.trials] == [trial.params for trial in case.study.trials]
        assert study.best_value == case.study.best_value


def test_parameters_that_contradict_each_other_fail_and_the_search_goes_on(tmp_path: Path) -> None:
    case = Case(tmp_path, 8)
    case.run(InstantWorkers(refuses=lambda value: value < 0.5))
    assert 0 < case.ended.count(TrialState.FAIL) < 8
    assert len(case.ended) == 8


def test_dollars_are_added_over_windows_and_ratios_averaged() -> None:
    outcomes = [
        Outcome(values={"net_pnl": 3.0, "sharpe": 2.0, "sortino": None, "max_drawdown": 1.0}),
        Outcome(values={"net_pnl": -1.0, "sharpe": None, "sortino": None, "max_drawdown": 4.0}),
    ]
    assert objective("net_pnl", outcomes) == 2.0
    assert objective("sharpe", outcomes) == 1.0
    assert objective("sortino", outcomes) == 0.0
    assert objective("net_pnl_less_drawdown", outcomes) == -2.0
