"""What every trial drew and came to on every window, kept at once: a search that is killed goes on where it was.

Two tables in SQLite, written before anything is decided on them, so that nothing that a worker has finished is ever
run again. A commit survives a kill of the process, and waits for no disk.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from backtest.search.work import Outcome

RUNNING = "running"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS drawn_trials (
    fold INTEGER, trial INTEGER, parameters BLOB, state TEXT, value REAL, PRIMARY KEY (fold, trial)
);
CREATE TABLE IF NOT EXISTS window_outcomes (
    fold INTEGER, trial INTEGER, window INTEGER, outcome BLOB, PRIMARY KEY (fold, trial, window)
);
"""


class DrawnTrial(NamedTuple):
    """A trial as it was left; `state` is the name of an Optuna state, small."""

    number: int
    parameters: dict[str, Any]
    state: str
    value: float | None


class Ledger:
    """Trials and their outcomes by fold, trial and window."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None, timeout=30.0)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript(_SCHEMA)

    def begin(self, fold: int, trial: int, parameters: dict[str, Any]) -> None:
        """Keep what a trial drew."""
        row = (fold, trial, msgspec.json.encode(parameters), RUNNING, None)
        self._base.execute("INSERT INTO drawn_trials VALUES (?, ?, ?, ?, ?)", row)

    def note(self, fold: int, trial: int, window: int, outcome: Outcome) -> None:
        """Keep an outcome."""
        row = (fold, trial, window, msgspec.json.encode(outcome))
        self._base.execute("INSERT INTO window_outcomes VALUES (?, ?, ?, ?)", row)

    def end(self, fold: int, trial: int, state: str, value: float | None) -> None:
        """Keep how a trial ended."""
        row = (state, value, fold, trial)
        self._base.execute("UPDATE drawn_trials SET state = ?, value = ? WHERE fold = ? AND trial = ?", row)

    def trials(self, fold: int) -> list[DrawnTrial]:
        """Return the trials of a fold by number."""
        found = self._base.execute(
            "SELECT trial, parameters, state, value FROM drawn_trials WHERE fold = ? ORDER BY trial", (fold,)
        )
        return [DrawnTrial(number, msgspec.json.decode(drawn), state, value) for number, drawn, state, value in found]

    def of_trial(self, fold: int, trial: int) -> list[Outcome]:
        """Return a trial's outcomes by window."""
        found = self._base.execute(
            "SELECT outcome FROM window_outcomes WHERE fold = ? AND trial = ? ORDER BY window", (fold, trial)
        )
        return [msgspec.json.decode(outcome, type=Outcome) for (outcome,) in found]

    def close(self) -> None:
        self._base.close()
