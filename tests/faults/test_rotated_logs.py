"""A log that went on in a new file is judged whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults import logs
from tests.faults.rows import disk


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a run whose risk wrote so much that its log is in three files, two of them with something to find."""
    (tmp_path / "logs").mkdir()
    line = {"process": "risk", "level": "info", "event": "went on"}
    files = {
        "risk.log.2": json.dumps({**line, "level": "error", "event": "lost", "exception": "Traceback"}),
        "risk.log.1": '{"process": "risk", "lev',
        "risk.log": json.dumps(line),
    }
    for name, text in files.items():
        (tmp_path / "logs" / name).write_text(f"{text}\n")
    (tmp_path / "execution.journal").touch()
    return tmp_path


def test_what_stands_in_an_older_file_of_a_log_is_found(run: Path) -> None:
    assert [line["event"] for line in logs.errors(run)] == ["lost"]
    assert len(logs.bugs(run)) == 1


def test_a_damaged_line_in_an_older_file_of_a_log_is_found(run: Path) -> None:
    assert [fault.partition(" is no JSON")[0] for fault in disk.corrupt_files(run)] == ["risk.log.1, line 1,"]
