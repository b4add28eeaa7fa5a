"""What is told of a session whose supervisor was killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import UserError
from messages.commands import Status
from operating.asking import send
from runtime.abandoned import abandoned
from runtime.heartbeats import HeartbeatWriter
from runtime.paths import run_directory
from runtime.session import SessionLock, SessionSegments
from shm.record import TableWriter
from tests.sessions import wait_until

SESSION = f"gone{os.getpid()}"


@pytest.fixture
def segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionSegments]:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    segments = SessionSegments(SESSION, ["BTC-PERPETUAL"])
    segments.create()
    yield segments
    segments.unlink()


def beat_of(segments: SessionSegments, actor: str, pid: int, monkeypatch: pytest.MonkeyPatch, age_s: float) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid)
        now_ns = time.monotonic_ns() - int(age_s * 1e9)
        HeartbeatWriter(TableWriter(segments[f"heartbeats.{actor}"]), epoch=1, core=-1, now_ns=now_ns)


def test_a_killed_supervisor_is_told_with_who_still_lives(
    segments: SessionSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a lock that nobody holds, strategy dead for 40 s, market_data a little less, and risk still there
    directory = run_directory(SESSION)
    directory.mkdir(parents=True)
    (directory / "lock").write_text("4194304")
    code = "import sys; sys.stdin.read()"
    risk = subprocess.Popen([sys.executable, "-c", code, "actors.risk"], stdin=subprocess.PIPE)
    try:
        wait_until(lambda: b"actors" in Path(f"/proc/{risk.pid}/cmdline").read_bytes(), 10, "its command line")
        beat_of(segments, "strategy", 4_194_305, monkeypatch, 40.0)
        beat_of(segments, "market_data", 4_194_306, monkeypatch, 39.9)
        beat_of(segments, "risk", risk.pid, monkeypatch, 0.0)
        found = abandoned(SESSION)
        assert found is not None
        assert (found.supervisor_pid, found.living) == ("4194304", {"risk": risk.pid})
        assert found.gone_ns is not None
        assert 40 <= found.gone_ns / 1e9 < 100
        # If the operator asks for anything, I expect that, and what to do
        with pytest.raises(UserError) as told:
            send(SESSION, Status())
    finally:
        risk.communicate()
    assert re.match(
        rf"session {SESSION}: its supervisor \(pid 4194304\) is gone since about \d\d:\d\d:\d\d UTC, \d+ s ago, killed "
        rf"or crashed; actors that still live: risk \(pid {risk.pid}\); `\./cli\.py kill -s {SESSION}` cancels",
        str(told.value),
    )


def test_a_session_that_runs_or_ended_in_order_is_not_abandoned(segments: SessionSegments) -> None:
    lock = SessionLock(run_directory(SESSION), SESSION)
    assert abandoned(SESSION) is None
    lock.release()
    assert abandoned(SESSION) is None
    with pytest.raises(UserError, match="no session named"):
        send(SESSION, Status())
