"""SIGSTOP of one actor after the other: suspected, killed and replaced before the five seconds in which it might go on
are over. What is gone needs no SIGCONT: the round then does not wait for it."""

from __future__ import annotations

import os
import signal
import time

from tests.faults.checks import (
    AGAIN_TIMEOUT_S,
    NS_PER_MS,
    DeathCheck,
    FillCheck,
    check_end,
    check_orders,
    check_position,
    session_of,
)
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import Stage
from tests.sessions import is_gone

ACTORS = ("execution", "strategy", "market_data", "risk", "recorder")
NOT_WAITED_FOR = ("recorder",)  # quotes stand without it
STOPPED_NS = 5_000_000_000
SUSPECT_MS_MAX = 500.0
PULLED_MS_MAX = 1000.0  # by execution, or of a stopped execution by risk
UNDER_WAY_NS = 250_000_000  # what it had written before the stop may be taken so much later
CALM_S_MAX = 1.0


class StopRounds:
    """Stops the actors in turn."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._fills = FillCheck(stage, play.findings)
        self._deaths = DeathCheck(play, stage)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Stop, wait for the replacement, let the stopped one go on.

        Raises:
            RuleBrokenError: it is not suspected, not replaced, or does not quote again.
        """
        rng, stage, findings = self._play.rng(number), self._stage, self._play.findings
        actor = ACTORS[(number - 1) % len(ACTORS)]
        stage.follow(rng.uniform(0, CALM_S_MAX))
        pid = stage.actors()[actor]["pid"]
        session = session_of(stage, "execution")
        self._play.say(f"round {number}: SIGSTOP of {actor} {pid}")
        stopped_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGSTOP)
        stage.wait(lambda: self._state(actor, pid) != "live", AGAIN_TIMEOUT_S, f"{actor} is suspected")
        findings.measure("suspect", (time.monotonic_ns() - stopped_ns) / NS_PER_MS, "ms", number, SUSPECT_MS_MAX)
        pulled_ns = stopped_ns
        if actor not in NOT_WAITED_FOR:
            pulled_ns = stage.wait_for_empty(stopped_ns, AGAIN_TIMEOUT_S)
            findings.measure(f"pulled: {actor}", (pulled_ns - stopped_ns) / NS_PER_MS, "ms", number, PULLED_MS_MAX)
        stage.wait(lambda: self._state(actor, pid) == "replaced", AGAIN_TIMEOUT_S, f"{actor} is replaced")
        gone_by_ns = stopped_ns + STOPPED_NS
        stage.wait(lambda: is_gone(pid) or time.monotonic_ns() > gone_by_ns, AGAIN_TIMEOUT_S, "five seconds pass")
        if not is_gone(pid):
            findings.break_rule(number, f"{actor} {pid} was replaced and not killed")
            os.kill(pid, signal.SIGCONT)
        again_ns = stage.wait_for_both_sides(pulled_ns, AGAIN_TIMEOUT_S)
        findings.measure(f"again: {actor}", (again_ns - stopped_ns) / NS_PER_MS, "ms", number)
        if actor == "execution" and (sent := stage.log.requests_of(session, stopped_ns + UNDER_WAY_NS)):
            findings.break_rule(number, f"the stopped execution sent {sent} more messages")
        check_orders(stage, findings, number, again_ns)
        self._fills.check(number)
        check_position(stage)
        self._deaths.check(number, killed=actor)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self._play, self._stage)

    def _state(self, name: str, pid: int) -> str:
        actor = self._stage.actors()[name]
        return "replaced" if actor["pid"] not in (0, pid) else str(actor["state"])


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, StopRounds)


ROW = Row("stop", f"SIGSTOP of {', '.join(ACTORS)} in turn", 1, 3 * len(ACTORS), 20 * len(ACTORS), play)
