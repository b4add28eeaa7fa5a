"""A hint names the configuration that a session really ran with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.last_run import how_to_start, last_run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    (tmp_path / "configs").mkdir()
    return tmp_path


def ran(home: Path, folder: str, config: Path, session: str = "mine") -> Path:
    run = home / "runs" / folder
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"session": session, "path": str(config), "venue": {}}))
    return run


def test_a_session_of_another_folder_is_started_with_the_file_that_it_ran_with(home: Path) -> None:
    # Given two runs of a session, a run of one whose name ends like it, and a file of its name in configs/
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.toml").touch()
    (home / "configs" / "mine.toml").touch()
    ran(home, "20260101-000000-mine", home / "old" / "mine.toml")
    newest = ran(home, "20260102-000000-mine", elsewhere / "mine.toml")
    ran(home, "20260103-000000-not-mine", home / "not-mine.toml", "not-mine")
    # I expect the newest of its own
    assert last_run("mine") == (newest, elsewhere / "mine.toml")
    assert how_to_start("mine", home / "configs") == f"start it with `make run CONFIG={elsewhere}/mine.toml`"


def test_a_session_that_never_ran_is_started_with_the_file_of_its_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "configs" / "mine.toml").touch()
    monkeypatch.chdir(home)
    assert how_to_start("mine", home / "configs") == "start it with `make run CONFIG=configs/mine.toml`"
    (home / "mine.toml").touch()
    assert how_to_start("mine", home / "configs") == "start it with `make run CONFIG=mine.toml`"


def test_without_any_file_it_is_said_what_a_session_is_named_after(home: Path) -> None:
    ran(home, "20260101-000000-mine", home / "gone.toml")
    (home / "runs" / "20260102-000000-mine").mkdir()
    (home / "runs" / "20260102-000000-mine" / "config.json").write_text("{")
    assert how_to_start("mine", home / "configs").startswith("a session is named after its file: ")
