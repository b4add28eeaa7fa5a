from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from runtime.priority import take_priority
from tests.conftest import REPOSITORY

CODE = """
import os, structlog
from runtime.priority import take_priority
take_priority(int(os.environ["WANTED"]), structlog.get_logger())
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


def test_a_process_takes_the_niceness_that_it_is_told() -> None:
    wanted = os.getpriority(os.PRIO_PROCESS, 0) + 1
    environ = {**os.environ, "WANTED": str(wanted)}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=REPOSITORY, env=environ, capture_output=True, text=True)
    assert done.stdout.split() == [str(wanted)], done.stderr


def test_a_refusal_is_told_and_nothing_else_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog

    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    with capture_logs() as lines:
        take_priority(-7, structlog.get_logger())
    (line,) = lines
    assert (line["log_level"], line["nice"]) == ("warning", -7)
    assert "CAP_SYS_NICE" in line["event"]
