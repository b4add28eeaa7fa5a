"""By which configuration a kill goes, and what it reads for that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actors import kill_config
from actors.kill_config import venue_of
from domain.errors import ConfigError
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
