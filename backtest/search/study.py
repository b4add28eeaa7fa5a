"""Optuna's study of a fold: in memory while it searches, made anew from the ledger, written to a journal when it ends.

Optuna's own SQLite costs 40 to 65 ms of processor time a trial, the ledger and a study in memory 4: short windows
would wait for the search instead of the search for them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import TrialState, create_trial

from backtest.search.ledger import Ledger
from backtest.search.space import Space

SAMPLERS = ("tpe", "random")


def new_sampler(name: str, *entropy: int) -> optuna.samplers.BaseSampler:
    """Return what draws parameters; `entropy`: the user's seed, and what tells one draw of it from another."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True, multivariate=True)


def study_of(fold: int, space: Space, ledger: Ledger, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """Return a fold's study with the trials that the ledger knows, those under way included."""
    study = optuna.create_study(
        storage=optuna.storages.InMemoryStorage(), study_name=f"fold{fold}", direction="maximize", sampler=sampler
    )
    for trial in ledger.trials(fold):
        state = TrialState[trial.state.upper()]
        equity = sum(outcome.curve[-1] for outcome in ledger.of_trial(fold, trial.number) if outcome.curve)
        study.add_trial(
            create_trial(
                state=state,
                params=trial.parameters,
                distributions=space,
                value=trial.value,
                intermediate_values={0: equity} if state == TrialState.PRUNED else {},
            )
        )
    return study


class _Lines(BaseJournalBackend):
    """A journal in memory."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the lines from one on."""
        yield from self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines."""
        self.logs += logs


def write_studies(studies: Sequence[optuna.Study], path: Path) -> None:
    """Write studies to one journal of Optuna's, in the place of the one that was there.

    Not to its SQLite: workers would wait 15 ms of processor time a trial, and as many commits.
    """
    lines = _Lines()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = JournalStorage(lines)
        for study in studies:
            written = optuna.create_study(storage=storage, study_name=study.study_name, direction="maximize")
            written.add_trials(study.get_trials(deepcopy=False))
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        JournalFileBackend(str(fresh)).append_logs(lines.logs)
    fresh.replace(path)
