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

from domain.clock import NS_PER_S
from domain.errors import ExitCode
from messages.commands import Reply
from runtime.clock import SystemClock
from runtime.config import Config
from runtime.supervision import shutdown as shutdown_module
from runtime.supervision.children import Child
from runtime.supervision.relay import Leg, Relay
from runtime.supervision.service_manager import MARGIN_S
from runtime.supervision.shutdown import Shutdown, longest_end_s, run_kill
from trading.orders.config import ExecutionConfig

CONFIG = msgspec.convert({"instruments": {}, "session": "test", "path": "test.toml"}, Config)


def test_the_one_shot_kill_is_out_of_reach_of_the_terminals_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\nps -o sid= -p $$\n")
    stand_in.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    result = run_kill(CONFIG, tmp_path, {}, 5.0)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) != os.getsid(0)


def pretend_execution(*, is_running: bool, is_fenced: bool = False) -> Child:
    execution = SimpleNamespace(
        spec=SimpleNamespace(name="execution", is_background=False),
        is_running=is_running,
        is_fenced=is_fenced,
        kill=lambda: 0,
        terminate=lambda: None,
        has_ended=lambda: False,
        finish=lambda: None,
    )
    return cast(Child, execution)


class SlowClock(SystemClock):
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.seconds = 0

    def monotonic_ns(self) -> int:
        self.seconds += 1
        return self.seconds * NS_PER_S


class LateRelay:
    """Execution answers a stop when the clock says so."""

    def __init__(self, clock: SlowClock, answers_at_s: int) -> None:
        self.clock = clock
        self.answers_at_s = answers_at_s
        self.asked: list[Leg] = []

    def call(self, leg: Leg) -> LateRelay:
        self.asked.append(leg)
        return self

    def done(self) -> bool:
        return self.clock.seconds >= self.answers_at_s

    def result(self) -> Reply:
        return Reply(ok=True, text="flat", data={"open_orders_at_exit": 0})


def test_the_service_unit_waits_for_an_end_where_everything_hangs() -> None:
    unit = (Path(__file__).parents[3] / "configs" / "ringmaker@.service").read_text()
    waits_s = float(unit.partition("TimeoutStopSec=")[2].split()[0])
    assert longest_end_s(CONFIG, flatten=False) == 48.0
    assert longest_end_s(CONFIG, flatten=True) == 93.0
    assert waits_s >= 93.0 + MARGIN_S


def test_a_stop_that_flattens_is_waited_for_as_long_as_execution_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown_module, "POLL_S", 0.0)
    monkeypatch.setattr(shutdown_module, "END_S", 0.0)
    patient = ExecutionConfig(flatten_timeout_s=600.0, flatten_passive_s=300.0)
    clock = SlowClock()
    relay = LateRelay(clock, answers_at_s=900)
    shutdown = Shutdown(
        msgspec.structs.replace(CONFIG, execution=patient),
        clock,
        structlog.get_logger(),
        cast(Relay, relay),
        [pretend_execution(is_running=True)],
        tmp_path,
        {},
    )
    report = shutdown.run(flatten=True, was_reachable=True, is_hurried=lambda: False)
    assert (shutdown.is_confirmed, shutdown.outcome, report) == (True, "flat", {"open_orders_at_exit": 0})
    (leg,) = relay.asked
    assert leg.timeout_s > 900.0


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
    shutdown = Shutdown(
        CONFIG,
        SystemClock(),
        structlog.get_logger(),
        cast(Relay, None),
        [pretend_execution(is_running=False)],
        tmp_path,
        {},
    )
    report = shutdown.run(flatten=False, was_reachable=True, is_hurried=lambda: False)
    assert shutdown.is_confirmed, shutdown.outcome
    assert shutdown.outcome.startswith("execution was not running; kill: -m actors.kill")
    assert report == {"open_orders_at_exit": 0}


def test_an_execution_that_was_killed_and_is_not_reaped_is_not_asked_before_orders_are_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an execution that the supervisor has killed and that waits for a disk: nobody is there to be asked
    monkeypatch.setattr(shutdown_module, "END_S", 0.0)
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    stuck = pretend_execution(is_running=True, is_fenced=True)
    shutdown = Shutdown(CONFIG, SystemClock(), structlog.get_logger(), cast(Relay, None), [stuck], tmp_path, {})
    # If the session ends, I expect the one-shot to cancel at once, and to be told why
    shutdown.run(flatten=True, was_reachable=True, is_hurried=lambda: False)
    assert shutdown.is_confirmed, shutdown.outcome
    why, _, kill = shutdown.outcome.partition("; ")
    assert why == "execution was killed, and the system has not let go of it"
    assert kill.startswith("kill: -m actors.kill")


def test_a_one_shot_that_confirms_and_does_not_succeed_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\necho 0 open orders\necho a warning >&2\necho kill: NOT halted >&2\nexit 1\n")
    stand_in.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    gone = pretend_execution(is_running=False)
    shutdown = Shutdown(CONFIG, SystemClock(), structlog.get_logger(), cast(Relay, None), [gone], tmp_path, {})
    shutdown.run(flatten=False, was_reachable=True, is_hurried=lambda: False)
    assert not shutdown.is_confirmed
    assert shutdown.outcome == "execution was not running; kill: 0 open orders; NOT halted"


def test_a_one_shot_that_cannot_be_started_is_an_outcome_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    result = run_kill(CONFIG, tmp_path, {}, 5.0)
    assert result.returncode == ExitCode.CRASH
    assert result.stderr == "kill could not be started: No such file or directory"


def test_the_one_shot_kill_goes_by_what_the_session_runs_with_not_by_the_file_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    said = run_kill(CONFIG, tmp_path, {}, 5.0).stdout
    assert f"--session test --session-ends --config {tmp_path / 'config.json'} --config test.toml " in said
