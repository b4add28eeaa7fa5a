"""How long the disk will last at the rate at which the session's last long run filled it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime import paths
from runtime.doctor.finding import Finding, ok, warn
from runtime.last_run import runs_of

S_PER_HOUR = 3_600.0
S_PER_DAY = 86_400.0
DAYS_MIN = 7.0
DAYS_TOLD_MAX = 9_999
MB = 1_000_000
_STAMP = "%Y%m%d-%H%M%S"  # a run's name begins with it (runtime/paths.py)
_STAMP_CHARACTERS = 15
_SUMMARY_FILE = "summary.json"
_BLOCK_BYTES = 512  # of st_blocks, stat(2)


class _Summary(msgspec.Struct):
    seconds: float


class _Rate(NamedTuple):
    run: Path
    bytes_per_day: float


def look_at_space(session: str) -> Finding:
    """How much is free for runs, and how many days that lasts; a warning where it is less than a week."""
    runs = paths.home() / "runs"
    found = os.statvfs(runs if runs.is_dir() else paths.home())
    free = found.f_bavail * found.f_frsize
    text = f"{free / MB:,.0f} MB free for {runs}"
    rate = _rate_of_last(session)
    if rate is None:
        return ok("space", f"{text}; no run of an hour tells yet how long that lasts")
    days = free / max(rate.bytes_per_day, 1.0)
    lasts = f"{days:.1f} days" if days < 10 * DAYS_MIN else f"{min(days, DAYS_TOLD_MAX):,.0f} days"
    more = " and more" if days > DAYS_TOLD_MAX else ""
    text += f": {lasts}{more} at the {rate.bytes_per_day / MB:,.0f} MB a day of {rate.run.name}"
    if days < DAYS_MIN:
        return warn("space", text, "make room, record less ([recorder]), or set supervisor.runs_kept_days")
    return ok("space", text)


def _rate_of_last(session: str) -> _Rate | None:
    """Return what the newest run of an hour or more took; one that is under way counts as far as it has come."""
    for run in runs_of(session):
        with suppress(OSError, ValueError):  # it is being removed, or was named by hand: the one before it tells
            seconds = _seconds(run)
            if seconds >= S_PER_HOUR:
                return _Rate(run, _bytes_on_disk(run) * S_PER_DAY / seconds)
    return None


def _seconds(run: Path) -> float:
    """Return how long a run lasted: as its summary says, else from its name's time to the last line of a log."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((run / _SUMMARY_FILE).read_bytes(), type=_Summary).seconds
    began = datetime.strptime(run.name[:_STAMP_CHARACTERS], _STAMP).replace(tzinfo=UTC)
    ended_s = max((path.stat().st_mtime for path in (run / "logs").iterdir()), default=0.0)
    return min(ended_s, time.time()) - began.timestamp()


def _bytes_on_disk(run: Path) -> int:
    return sum(status.st_blocks * _BLOCK_BYTES for status in _statuses(run))


def _statuses(run: Path) -> Iterator[os.stat_result]:
    for folder, _, names in os.walk(run):
        for name in names:
            with suppress(FileNotFoundError):
                yield (Path(folder) / name).lstat()
