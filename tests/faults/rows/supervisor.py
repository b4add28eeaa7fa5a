"""SIGKILL of the supervisor: the actors end without it, no order stays, and the next start goes on from the venue."""

from __future__ import annotations

import signal
import time

from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, check_orders, check_position_at_end
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import START_TIMEOUT_S, Stage
from tests.sessions import is_gone, wait_until

UNATTENDED_MS_MAX = 4000.0  # cancel on disconnect after 3 s, and one for the way
GONE_MS_MAX = 5000.0
RISK_GONE_S = 20.0
CALM_S_MAX = 2.0


class SupervisorRounds:
    """Kills the supervisor and starts the session again, on the same exchange."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Kill, see everything end, start again.

        Raises:
            RuleBrokenError: the next session does not quote.
        """
        stage, findings = self._stage, self._play.findings
        stage.follow(self._play.rng(number).uniform(0, CALM_S_MAX))
        pids = {name: actor["pid"] for name, actor in stage.actors().items()}
        self._play.say(f"round {number}: SIGKILL of the supervisor")
        dead_ns = time.monotonic_ns()
        stage.session.signal(signal.SIGKILL)
        stage.session.wait(AGAIN_TIMEOUT_S)
        stage.wait_without_session(lambda: not stage.log.open, AGAIN_TIMEOUT_S, "no order is open")
        unattended_ns = stage.log.gone_ns(dead_ns, time.monotonic_ns()) - dead_ns
        findings.measure("unattended", unattended_ns / NS_PER_MS, "ms", number, UNATTENDED_MS_MAX)
        for name in ("market_data", "strategy", "execution"):
            wait_until(lambda pid=pids[name]: is_gone(pid), AGAIN_TIMEOUT_S, f"{name} ends")  # type: ignore[misc]
        findings.measure("gone", (time.monotonic_ns() - dead_ns) / NS_PER_MS, "ms", number, GONE_MS_MAX)
        wait_until(lambda: is_gone(pids["risk"]), RISK_GONE_S, "risk ends once the venue shows no order")
        stage.start_again(START_TIMEOUT_S)
        check_orders(stage, findings, number, time.monotonic_ns())

    def end(self) -> None:
        """The last session knows the position that all of them built."""
        check_position_at_end(self._play, self._stage)


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, SupervisorRounds)


ROW = Row("supervisor", "SIGKILL of the supervisor, and a new start", 1, 5, 50, play)
