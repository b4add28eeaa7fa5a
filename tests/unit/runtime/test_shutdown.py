"""The supervisor's last resort."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
import structlog

from domain.errors import ExitCode
from runtime.clock import SystemClock
from runtime.config import Config
from runtime.supervision.children import Child
from runtime.supervision.relay import Relay
from runtime.supervision.shutdown import Shutdown, run_kill

CONFIG = msgspec.convert({"instruments": {}, "session": "test", "path": "test.toml"}, Config)


def test_the_one_shot_kill_is_out_of_reach_of_the_terminals_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nps -o sid= -p $$\n")
    stand_in.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    result = run_kill(CONFIG, {}, 5.0)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) != os.getsid(0)


def write_garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{")


def write_a_list(path: Path) -> None:
    path.write_text("[1]")


@pytest.mark.parametrize("spoil", [write_garbage, write_a_list, Path.mkdir])
def test_orders_are_cancelled_although_the_last_report_cannot_be_read(
    spoil: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(tmp_path / "execution.json")
    monkeypatch.setattr(sys, "executable", "/bin/echo")  # a one-shot that says what it was given, and succeeds
    execution = SimpleNamespace(
        spec=SimpleNamespace(name="execution", is_background=False),
        is_running=False,
        kill=lambda: 0,
        terminate=lambda: None,
        has_ended=lambda: True,
    )
    shutdown = Shutdown(
        CONFIG,
        SystemClock(),
        structlog.get_logger(),
        cast(Relay, None),
        [cast(Child, execution)],
        tmp_path,
        {},
    )
    report = shutdown.run(flatten=False, was_reachable=True, is_hurried=lambda: False)
    assert shutdown.is_confirmed, shutdown.outcome
    assert shutdown.outcome.startswith("execution was not running; kill: -m actors.kill")
    assert report == {"open_orders_at_exit": 0}


def test_a_one_shot_that_cannot_be_started_is_an_outcome_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    result = run_kill(CONFIG, {}, 5.0)
    assert result.returncode == ExitCode.CRASH
    assert result.stderr == "kill could not be started: No such file or directory"
