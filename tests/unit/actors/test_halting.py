"""Whether a session is halted after a kill, by risk's own word."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import halting
from actors.halting import SessionHalt
from domain.records import RISK
from runtime.session import SessionSegments
from shm.record import TableWriter

SESSION = f"halting-{os.getpid()}"


@pytest.fixture
def risk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TableWriter]:
    """Give the row of risk in a session that lives and names no folder: only risk can tell whether it is halted."""
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "run"))
    monkeypatch.setattr(halting, "living_execution", lambda _session: os.getpid())
    segments = SessionSegments(SESSION, ("BTC-PERPETUAL",))
    segments.create()
    yield TableWriter(segments["risk"])
    segments.unlink()


def say(risk: TableWriter, *, is_latched: bool) -> None:
    risk.ints[RISK.word("written_time_ns")] = time.monotonic_ns()
    risk.ints[RISK.word("is_kill_latched")] = is_latched
    risk.publish(0)


def test_risk_is_given_the_time_to_find_the_mark(risk: TableWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a risk that writes its row once more before it looks for the mark, and then takes it
    monkeypatch.setattr(halting, "RISK_WAIT_S", 30.0)
    halt = SessionHalt(SESSION, must_latch=False, is_ending=False)
    halt.begin()
    say(risk, is_latched=False)
    finding = threading.Timer(0.2, say, (risk,), {"is_latched": True})
    finding.start()
    # If it is asked whether the session may go on, I expect the word that counts, not the first
    fault = halt.fault()
    finding.join()
    assert fault == ""


def test_a_risk_that_does_not_find_the_mark_in_time_is_no_halt(
    risk: TableWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halting, "RISK_WAIT_S", 0.1)
    halt = SessionHalt(SESSION, must_latch=False, is_ending=False)
    halt.begin()
    say(risk, is_latched=False)
    assert "set RINGMAKER_RUN_ROOT" in halt.fault()
