"""What earlier runs of a session left: removed once it is older than `supervisor.runs_kept_days`, at a start.

Only what ended in order goes: a run with a summary, and with no recording that a recorder has still to finish. What
was recorded on purpose (`./cli.py record`) stays.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.paths import CONFIG_FILE

SUMMARY_FILE = "summary.json"
UNFINISHED = "recordings/*/*.part"
S_PER_DAY = 86_400.0


class _Named(msgspec.Struct):
    """The part of a run's config.json that says whose it is."""

    session: str
    is_market_data_only: bool = False


def remove_old_runs(runs: Path, session: str, kept_days: int, now_s: float) -> str:
    """Remove the runs of a session that ended more than `kept_days` ago; `now_s` is Unix time.

    The caller holds the session: none of its runs is under way but one without a summary.

    Returns:
        one line of what went; empty when nothing did.
    """
    removed = []
    for run in sorted(runs.iterdir()):
        if not run.is_symlink() and _is_obsolete(run, session, now_s - kept_days * S_PER_DAY):
            with suppress(OSError):  # what is left of it goes at the next start
                _remove(run)
                removed.append(run.name)
    if not removed:
        return ""
    which = removed[0] if len(removed) == 1 else f"{removed[0]} to {removed[-1]}"
    return f"removed of runs that ended more than {kept_days} days ago: {len(removed)}, {which}"


def _is_obsolete(run: Path, session: str, before_s: float) -> bool:
    latest = run.parent / "latest"
    try:
        named = msgspec.json.decode((run / CONFIG_FILE).read_bytes(), type=_Named)
        ended_s = (run / SUMMARY_FILE).stat().st_mtime
        is_latest = latest.exists() and latest.samefile(run)
    except (OSError, msgspec.DecodeError):
        return False
    is_of_session = named.session == session and not named.is_market_data_only
    return is_of_session and ended_s < before_s and not is_latest and not any(run.glob(UNFINISHED))


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
