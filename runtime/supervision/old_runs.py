"""What earlier runs of a session left: removed once it is older than `supervisor.runs_kept_days`, at a start.

A run that ended in order has a summary, and ended when that was written. One without was killed, or its machine lost
power: it ended when the last of its files was written. Nothing that a start reads goes: risk's latch and the day's
equity stand in state/, journals and risk's account are read within their own run alone, the session's newest run tells
`kill` what to cancel with, and a recording that no recorder has finished yet is finished first. What was recorded on
purpose (`./cli.py record`) stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.paths import CONFIG_FILE, SUMMARY_FILE

UNFINISHED = "recordings/*/*.part"
S_PER_DAY = 86_400.0


class _Named(msgspec.Struct):
    """The part of a run's config.json that says whose it is."""

    session: str
    is_market_data_only: bool = False


def remove_old_runs(runs: Path, session: str, kept_days: int, now_s: float) -> str:
    """Remove the runs of a session that ended more than `kept_days` ago; `now_s` is Unix time.

    The caller holds the session, its lock and its segments: none of its runs is under way but the caller's own, which
    has no configuration yet. Actors that outlive a killed supervisor write into its run, and keep it young.

    Returns:
        one line of what went; empty when nothing did.
    """
    removed = []
    for run in _runs_of(runs, session)[:-1]:  # its newest stays
        if _is_obsolete(run, now_s - kept_days * S_PER_DAY):
            with suppress(OSError):  # what is left of it goes at the next start
                _remove(run)
                removed.append(run.name)
    if not removed:
        return ""
    which = removed[0] if len(removed) == 1 else f"{removed[0]} to {removed[-1]}"
    return f"removed of runs that ended more than {kept_days} days ago: {len(removed)}, {which}"


def _runs_of(runs: Path, session: str) -> list[Path]:
    """Return the runs of a session that came to have a configuration, oldest first."""
    found = []
    for run in sorted(runs.iterdir()):
        with suppress(OSError, msgspec.DecodeError):
            named = msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=_Named)
            if named.session == session and not named.is_market_data_only and not run.is_symlink():
                found.append(run)
    return found


def _is_obsolete(run: Path, before_s: float) -> bool:
    latest = run.parent / "latest"
    with suppress(OSError):
        is_latest = latest.exists() and latest.samefile(run)
        return not is_latest and not any(run.glob(UNFINISHED)) and _ended_s(run) < before_s
    return False


def _ended_s(run: Path) -> float:
    """Return when a run ended, Unix s: when its summary was written, else when the last of its files was.

    Raises:
        OSError: the disk does not tell.
    """
    summary = run / SUMMARY_FILE
    if summary.exists():
        return summary.stat().st_mtime
    return max(path.lstat().st_mtime for path in _files_of(run))


def _files_of(run: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(run):
        yield from (Path(folder) / name for name in names)


def _remove(run: Path) -> None:
    """Remove a run, last what tells that it may go: one of which more is left is found again."""
    for path in run.iterdir():
        if path.name in (CONFIG_FILE, SUMMARY_FILE):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name in (CONFIG_FILE, SUMMARY_FILE):  # without its configuration it is a run for nobody
        (run / name).unlink(missing_ok=True)
    run.rmdir()
