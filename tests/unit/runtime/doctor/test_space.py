"""How long the disk lasts, as the doctor reckons it from the session's last long run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime.doctor.finding import Level
from runtime.doctor.space import MB, look_at_space

BEGAN_S = datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()
STAMP = "20261001-120000"


class Home:
    """A folder of runs on a disk of which we say how much is free."""

    def __init__(self, folder: Path, free_mb: Callable[[int], None]) -> None:
        self.runs = folder / "runs"
        self.free_mb = free_mb

    def add(self, name: str, megabytes: int, *, hours: float | None, session: str = "local") -> Path:
        """Add a run of so many MB; `hours` as its summary has it, None = it was killed."""
        run = self.runs / name
        (run / "logs").mkdir(parents=True)
        (run / "config.json").write_text(json.dumps({"session": session, "path": "x.toml"}))
        (run / "recordings").mkdir()
        (run / "recordings" / "part").write_bytes(os.urandom(megabytes * MB))
        if hours is not None:
            (run / "summary.json").write_text(json.dumps({"seconds": hours * 3600}))
        return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))

    def free_mb(megabytes: int) -> None:
        monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=megabytes, f_frsize=MB))

    free_mb(1000)
    return Home(tmp_path, free_mb)


def test_without_a_run_of_an_hour_only_what_is_free_is_told(home: Home) -> None:
    home.add(f"{STAMP}-local", 2, hours=0.9)
    home.add(f"{STAMP}-other", 2, hours=5, session="other")
    found = look_at_space("local")
    assert found.level is Level.OK
    assert found.text == f"1,000 MB free for {home.runs}; no run of an hour tells yet how long that lasts"


def test_the_days_that_are_left_follow_from_the_newest_run_of_an_hour(home: Home) -> None:
    # given 2 MB in two hours, 24 MB a day, by the newest run that was long enough
    home.add("20260901-120000-local", 1, hours=100)
    home.add(f"{STAMP}-local", 2, hours=2)
    home.add("20261002-120000-local", 1, hours=0.1)
    # I expect 1000 MB to last 41.7 days (a little less: blocks are counted whole), and 160 MB less than a week
    found = look_at_space("local")
    assert found.level is Level.OK
    assert found.text.startswith(f"1,000 MB free for {home.runs}: 41.")
    assert found.text.endswith(f" days at the 24 MB a day of {STAMP}-local")
    home.free_mb(160)
    found = look_at_space("local")
    assert found.level is Level.WARN
    assert "160 MB free" in found.text
    assert ": 6.6 days at" in found.text
    assert "supervisor.runs_kept_days" in found.advice
    assert "\n" not in found.line()


def test_a_run_without_a_summary_counts_from_its_names_time_to_its_last_log_line(home: Home) -> None:
    run = home.add(f"{STAMP}-local", 2, hours=None)
    log = run / "logs" / "risk.log"
    log.write_text("line\n")
    os.utime(log, (0.0, BEGAN_S + 1800))
    assert "no run of an hour" in look_at_space("local").text
    os.utime(log, (0.0, BEGAN_S + 7200))
    assert "at the 24 MB a day" in look_at_space("local").text


def test_a_run_of_another_name_or_in_part_is_passed_over(home: Home) -> None:
    home.add("mine-local", 1, hours=None)
    (home.add("20261003-120000-local", 1, hours=None) / "logs").rmdir()
    home.add(f"{STAMP}-local", 2, hours=2)
    assert f"of {STAMP}-local" in look_at_space("local").text


def test_before_the_first_run_the_home_is_looked_at(home: Home) -> None:
    assert look_at_space("local").level is Level.OK
