"""By which configuration a kill goes, and what it reads for that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actors import kill, kill_config
from actors.kill_config import recording_fault, venue_of
from domain.errors import ConfigError, ExitCode
from runtime.last_run import LastRun


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give the folder of a run that can be read."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_bytes(msgspec.json.encode({"session": "s", "venue": {"kind": "local"}}))
    return folder


def test_runs_are_not_looked_through_when_a_file_that_is_named_can_be_read(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_session: str) -> None:
        raise AssertionError("a folder of thousands of runs was read before the cancel")

    monkeypatch.setattr(kill_config, "last_run", look)
    warnings: list[str] = []
    named = [run / "gone.json", run / "config.json"]
    assert venue_of("s", named, None, warnings.append).kind == "local"
    assert [warning.partition(": ")[0] for warning in warnings] == [str(named[0])]


def test_the_newest_run_is_gone_by_when_no_file_that_is_named_can_be_read(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_config, "last_run", lambda _session: LastRun(run, None))
    warnings: list[str] = []
    assert venue_of("s", [run / "gone.json"], None, warnings.append).kind == "local"
    assert len(warnings) == 1
    assert warnings[0].endswith(f"going by {run / 'config.json'}")


def test_a_newest_run_that_was_named_and_cannot_be_read_is_told_once(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run / "config.json"
    config.write_text("{")
    monkeypatch.setattr(kill_config, "last_run", lambda _session: LastRun(run, None))
    with pytest.raises(ConfigError) as raised:
        venue_of("s", [config], None, lambda _fault: None)
    assert str(raised.value).count(str(config)) == 1


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a recording beside that of a session on the same account."""
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    monkeypatch.setattr(kill, "keep_private", lambda **_: None)
    for number, session in enumerate(("x-record", "x")):
        folder = tmp_path / "runs" / f"20260101-00000{number}-{session}"
        folder.mkdir(parents=True)
        told = {"session": session, "path": "x.toml", "is_market_data_only": session != "x", "venue": {"kind": "local"}}
        (folder / "config.json").write_bytes(msgspec.json.encode(told))
    return tmp_path / "runs" / "20260101-000000-x-record"


def test_a_kill_of_a_recording_cancels_nothing_of_the_account_that_others_trade(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cancel(*_: object) -> None:
        raise AssertionError("the orders of the whole account are cancelled")

    monkeypatch.setattr(kill, "cancel_everything", cancel)
    monkeypatch.setattr(kill, "find_venue", cancel)
    for arguments in (["--session", "x-record"], ["--config", str(recorded / "config.json")]):
        assert kill.operate(arguments, tmp_path) == ExitCode.USAGE
        assert kill.main(arguments) == ExitCode.USAGE
        told = capsys.readouterr()
        assert told.err.count("\n") == 2
        assert told.err.startswith("kill: session x-record is a recording of market data and has no orders: nothing is")
    # and no mark that would halt a session
    assert not (tmp_path / "state").exists()


def test_a_session_that_trades_is_killed_whatever_its_name_ends_with(recorded: Path, tmp_path: Path) -> None:
    assert recording_fault("x", []) == ""
    assert recording_fault("x-record", [tmp_path / "x.toml"]) == ""
    config = recorded / "config.json"
    config.write_bytes(config.read_bytes().replace(b"true", b"false"))
    assert recording_fault("x-record", []) == ""
    config.write_text("{")
    assert recording_fault("x-record", []) == ""


def test_a_recording_in_whose_name_something_trades_is_killed(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kill, "living_execution", lambda _session: 4711)
    assert not kill._is_refused(kill._parse(["--session", "x-record"]))
    assert capsys.readouterr().err == ""
