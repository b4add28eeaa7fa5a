"""Finishes what killed recorders of earlier runs left; a run that cannot be finished keeps no other from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors.recorder import finishing
from runtime.logs import Logger


def recover_runs(runs: Path, finish: Callable[[Path], int], is_ending: Callable[[], bool], log: Logger) -> int:
    """Finish the recordings of earlier runs whose recorder was killed; return how many files that gave.

    Args:
        finish: does it for the folder of a kind; whatever it raises is logged and costs that folder alone.
        is_ending: whether our own recorder ends: then the rest is left to the next start.
    """
    count = 0
    for folder in finishing.unfinished_runs(runs, lambda folder, error: _tell(log, folder, error)):
        found = 0
        for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
            if is_ending():
                return count + found
            try:
                found += finish(kind)
            except Exception as error:
                if not is_ending():  # then it was broken off
                    _tell(log, kind, error)
        if found:
            log.info("recordings of an earlier run finished", run=folder.parent.name, files=found)
        count += found
    return count


def _tell(log: Logger, folder: Path, error: Exception) -> None:
    log.error(
        "an earlier run's parts stay as they are, readable; the next start tries again",
        folder=str(folder),
        reason=str(error),
    )
