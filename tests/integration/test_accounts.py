"""One account is one session: a second one is refused, and the next one waits for what a crash left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.sessions import INSTRUMENT, RunningSession, StandaloneExchange, is_gone, wait_until

THALEX = '[venue]\nkind = "thalex"\n' + INSTRUMENT


def test_a_session_started_right_after_a_crash_waits_for_the_old_risk(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        old_risk = session.actor_pid("risk")
        os.kill(old_risk, signal.SIGSTOP)  # so that it is there for long enough
        session.signal(signal.SIGKILL)
        session.wait(10)
        # If the session is started again at once, I expect the old risk to be gone before the new one quotes
        session.__enter__()
        wait_until(lambda: "waiting for risk of a killed session" in session.said, 20.0, "the new one waits")
        os.kill(old_risk, signal.SIGCONT)
        session.wait_for_quotes()
        assert is_gone(old_risk)
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
        assert session.summary["position"] == session.summary["venue_position"]
        session.assert_nothing_stays()


def test_a_second_session_of_the_same_account_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        with RunningSession(tmp_path, THALEX, environ=exchange.environ()) as second:
            assert second.wait(30) == 2, second.said
            assert f"traded by session {session.name} already" in second.said
        assert exchange.open_orders() != {}
        session.signal(signal.SIGINT)
        assert session.wait(40) == 0, session.said
