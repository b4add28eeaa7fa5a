"""A hint names the configuration that a session really ran with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.errors import UserError
from runtime.last_run import choose_run, how_to_start, last_run
from runtime.paths import JOURNAL_FILE


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


def ordered(run: Path) -> Path:
    (run / JOURNAL_FILE).write_bytes(b"RMJOURNL....began....\x9b\xa4sent....INSERT")
    return run


def test_a_run_in_which_no_order_was_sent_is_passed_over_and_that_is_said(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given runs of two sessions with orders, then one that failed at its start, and one whose execution only began
    mine = ordered(ran(home, "20260101-000000-mine", home / "mine.toml"))
    other = ordered(ran(home, "20260102-000000-other", home / "other.toml", "other"))
    ran(home, "20260103-000000-mine", home / "mine.toml")
    newest = ran(home, "20260104-000000-mine", home / "mine.toml")
    (newest / JOURNAL_FILE).write_bytes(b"RMJOURNL....began....")
    (home / "runs" / "latest").symlink_to(newest.name)
    # If no run is named, I expect the newest with orders, and of a session its own
    assert choose_run(None) == other
    said = f"run: {other.name}; {newest.name} is newer, and no order was sent in it\n"
    assert capsys.readouterr() == ("", said)
    assert choose_run(None, "mine") == mine
    capsys.readouterr()
    assert choose_run(None, "other") == other
    assert capsys.readouterr().err == f"run: {other.name}\n"
    # If one is named, I expect that one without a word
    assert choose_run(Path(newest.name)) == newest
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match="give one of them"):
        choose_run(newest, "mine")
    with pytest.raises(UserError, match="no session third has run from"):
        choose_run(None, "third")


def test_where_no_run_has_an_order_the_newest_tells_why(home: Path) -> None:
    with pytest.raises(UserError, match="no session has run from"):
        choose_run(None)
    ran(home, "20260101-000000-mine", home / "mine.toml")
    newest = ran(home, "20260102-000000-mine", home / "mine.toml")
    assert choose_run(None) == newest


def test_a_newest_run_that_cannot_be_read_is_still_the_newest(home: Path) -> None:
    # Given a run of a session, a later one whose configuration is damaged, and a damaged one of another session
    ran(home, "20260101-000000-mine", home / "old.toml")
    newest = ran(home, "20260102-000000-mine", home / "new.toml")
    for damaged in (newest, ran(home, "20260103-000000-not-mine", home / "not-mine.toml", "not-mine")):
        (damaged / "config.json").write_text("{")
    # I expect no word of the older one, which may have traded elsewhere
    assert last_run("mine") == (newest, None)
