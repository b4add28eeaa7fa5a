"""Where a session keeps its files: a place that refuses them is a clear line, not a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import UserError
from runtime.paths import new_run


def test_a_place_that_takes_no_run_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/runs: no run can be kept there \(Not a directory\).*RINGMAKER_HOME"):
        new_run("local")
