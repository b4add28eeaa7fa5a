"""Where a session keeps its files: a place that refuses them is a clear line, not a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import UserError
from runtime.paths import find_run, new_run


def test_a_place_that_takes_no_run_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/runs: no run can be kept there \(Not a directory\).*RINGMAKER_HOME"):
        new_run("local")


def test_a_run_is_found_by_path_by_name_or_as_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"no session has run from .* yet: `make run` starts one"):
        find_run(None)
    run = new_run("local")
    (tmp_path / "runs" / "latest").symlink_to(run.name)
    assert find_run(None) == tmp_path / "runs" / "latest"
    assert find_run(run) == find_run(Path(run.name)) == run
    with pytest.raises(UserError, match="nosuch: no such run"):
        find_run(Path("nosuch"))
