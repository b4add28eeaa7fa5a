"""A kill outlives its session: the next run says so, quotes nothing, and says what ends it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.sessions import RunningSession, open_orders, wait_until
from trading.risk.latch import KILL_FILE_NAME, KillMark, kill_mark_bytes


def test_a_run_after_a_kill_says_what_holds_it_and_quotes_after_a_resume(tmp_path: Path) -> None:
    session = RunningSession(tmp_path)
    state = session.home / "state" / session.name
    state.mkdir(parents=True)
    (state / KILL_FILE_NAME).write_bytes(kill_mark_bytes(KillMark(time.time_ns())))
    with session:
        expected = f"risk holds the session: halted (kill) until `./cli.py resume -s {session.name}`"
        wait_until(lambda: expected in session.said, 30, "the line that says what holds the session")
        time.sleep(1.0)
        assert open_orders(session.order_log()) == {}
        assert session.cli("resume").returncode == 0
        session.wait_for_quotes()
        session.signal(signal.SIGINT)
        assert session.wait(30) == 0, session.said
