"""What every trial came to on every window, kept at once: a search that is killed goes on where it was.

One table beside Optuna's in the same SQLite file. A row is there before anything is decided on it, so that nothing
that a worker has finished is ever run again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from backtest.search.work import Outcome


class Ledger:
    """Outcomes by fold, trial and window."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None, timeout=30.0)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")  # survives a kill of the process, and costs no disk flush
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS window_outcomes "
            "(fold INTEGER, trial INTEGER, window INTEGER, outcome BLOB, PRIMARY KEY (fold, trial, window))"
        )

    def note(self, fold: int, trial: int, window: int, outcome: Outcome) -> None:
        """Keep an outcome; the first one of a window stands."""
        row = (fold, trial, window, msgspec.json.encode(outcome))
        self._base.execute("INSERT OR IGNORE INTO window_outcomes VALUES (?, ?, ?, ?)", row)

    def of_trial(self, fold: int, trial: int) -> list[Outcome]:
        """Return a trial's outcomes by window."""
        found = self._base.execute(
            "SELECT outcome FROM window_outcomes WHERE fold = ? AND trial = ? ORDER BY window", (fold, trial)
        )
        return [msgspec.json.decode(outcome, type=Outcome) for (outcome,) in found]

    def close(self) -> None:
        self._base.close()
