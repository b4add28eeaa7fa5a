"""An end that the venue does not confirm: it can be shortened, and is not called clean."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.sessions import INSTRUMENT, RunningSession, StandaloneExchange, wait_until

THALEX = '[venue]\nkind = "thalex"\n' + INSTRUMENT


def test_a_second_ctrl_c_shortens_an_end_that_the_venue_does_not_confirm(tmp_path: Path) -> None:
    with (
        StandaloneExchange(tmp_path) as exchange,
        RunningSession(tmp_path, THALEX, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        assert exchange.process is not None
        exchange.process.send_signal(signal.SIGSTOP)
        try:
            session.signal(signal.SIGINT)
            time.sleep(0.5)
            session.signal(signal.SIGINT)
            assert session.wait(40) == 1, session.said  # not 0: nobody confirmed that nothing is open
        finally:
            exchange.process.send_signal(signal.SIGCONT)
        assert session.summary["open_orders_at_exit"] is None
        wait_until(lambda: exchange.open_orders() == {}, 15, "cancel-on-disconnect cancels what was left")
