"""Which runs a start removes, and which it never does."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from runtime.supervision.old_runs import S_PER_DAY, remove_old_runs

NOW_S = 1_800_000_000.0


class Runs:
    """A folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, age_days: float | None, session: str = "local", **config: object) -> Path:
        """Add a run that ended in order so long ago; None = it is still being written."""
        run = self.folder / name
        (run / "logs").mkdir(parents=True)
        (run / "logs" / "risk.log").write_text("line\n")
        (run / "execution.journal").write_text("entries")
        (run / "config.json").write_text(json.dumps({"session": session, "path": "x.toml", **config}))
        if age_days is not None:
            (run / "summary.json").write_text("{}")
        for path in run.rglob("*"):
            os.utime(path, (0.0, NOW_S - (age_days or 0.0) * S_PER_DAY))
        return run

    def add_killed(self, name: str, age_days: float, session: str = "local") -> Path:
        """Add a run whose last file was written so long ago, and that has no summary."""
        run = self.add(name, age_days, session)
        (run / "summary.json").unlink()
        return run

    def remove(self) -> str:
        return remove_old_runs(self.folder, "local", 30, NOW_S)

    @property
    def left(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_runs_that_ended_long_ago_go_and_are_told_in_a_line(runs: Runs) -> None:
    runs.add("20261001-local", 50)
    runs.add("20261005-local", 40)
    runs.add("20261030-local", 20)
    runs.add("20261031-other", 19, "other")
    assert runs.remove() == ("removed of runs that ended more than 30 days ago: 2, 20261001-local to 20261005-local")
    assert runs.left == {"20261030-local", "20261031-other"}
    assert runs.remove() == ""


def test_what_may_still_be_needed_stays(runs: Runs) -> None:
    runs.add("20261001-under-way", None)
    runs.add("of-another-session", 50, "testnet")
    runs.add("recorded-on-purpose", 50, is_market_data_only=True)
    part = runs.add("unfinished", 50) / "recordings" / "books" / "2026-10-01T00.1.part"
    part.parent.mkdir(parents=True)
    part.touch()
    (runs.folder / "latest").symlink_to(runs.add("newest", 50).name)
    (runs.folder / "a-folder-of-somebody").mkdir()
    (runs.folder / "bench.jsonl").touch()
    runs.add("zz-young", 1)  # the newest, which stays anyway
    before = runs.left
    assert runs.remove() == ""
    assert runs.left == before


def test_a_run_that_was_removed_in_part_goes_at_the_next_start(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.add("20261001-local", 50)
    runs.add("20261002-local", 50)

    def refuse(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refuse)
        assert runs.remove() == ""
    assert runs.remove() == "removed of runs that ended more than 30 days ago: 1, 20261001-local"
    assert runs.left == {"20261002-local"}


def test_a_run_that_was_killed_goes_by_the_age_of_its_last_file(runs: Runs) -> None:
    runs.add_killed("20261001-local", 50)
    journalled = runs.add_killed("20261002-local", 49)
    os.utime(journalled / "execution.journal", (0.0, NOW_S - 10 * S_PER_DAY))  # an actor that outlived its supervisor
    runs.add_killed("20261003-local", 48)
    runs.add_killed("20261020-local", 20)
    assert runs.remove() == "removed of runs that ended more than 30 days ago: 2, 20261001-local to 20261003-local"
    assert runs.left == {"20261002-local", "20261020-local"}


@pytest.mark.parametrize("is_killed", [True, False])
def test_the_sessions_newest_run_stays_however_old(runs: Runs, *, is_killed: bool) -> None:
    add = runs.add_killed if is_killed else runs.add
    add("20261001-local", 60)
    add("20261002-local", 50)
    add("20261005-other", 40, "other")
    (runs.folder / "20261101-000000-local" / "logs").mkdir(parents=True)  # the one that begins now
    (runs.folder / "latest").symlink_to("20261101-000000-local")
    assert runs.remove() == "removed of runs that ended more than 30 days ago: 1, 20261001-local"
    assert runs.left == {"20261002-local", "20261005-other", "20261101-000000-local", "latest"}


def test_a_killed_run_whose_recording_is_not_finished_stays_until_it_is(runs: Runs) -> None:
    part = runs.add_killed("20261001-local", 50) / "recordings" / "books" / "2026-10-01T00.1.part"
    part.parent.mkdir(parents=True)
    part.touch()
    os.utime(part, (0.0, NOW_S - 50 * S_PER_DAY))
    runs.add("20261030-local", 1)
    assert runs.remove() == ""
    part.unlink()
    assert runs.remove() == "removed of runs that ended more than 30 days ago: 1, 20261001-local"
