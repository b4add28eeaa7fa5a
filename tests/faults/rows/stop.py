"""SIGSTOP of one actor after the other: suspected, killed and replaced before the five seconds in which it might go on
are over. What is gone needs no SIGCONT: the round then does not wait for it.

Nobody replaces a supervisor that is stopped (a service manager would): quotes stand without it for five seconds, and
when it goes on it takes nobody for dead because it did not look.
"""

from __future__ import annotations

import os
import signal
import time

from runtime.topology import SUPERVISOR
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
STOPPED = (*ACTORS, SUPERVISOR)
NOT_WAITED_FOR = ("recorder",)  # quotes stand without it
UNQUOTED_MS = 500.0  # both sides may be filled at once, or the machine be busy
NS_PER_S = 1_000_000_000
STOPPED_NS = 5 * NS_PER_S
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
        stage, findings = self._stage, self._play.findings
        actor = STOPPED[(number - 1) % len(STOPPED)]
        stage.follow(self._play.rng(number).uniform(0, CALM_S_MAX))
        since_ns = self._stop_supervisor(number) if actor == SUPERVISOR else self._stop(actor, number)
        check_orders(stage, findings, number, since_ns)
        self._fills.check(number)
        check_position(stage)
        self._deaths.check(number, killed=actor)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self._play, self._stage)

    # ---- inside ------------------------------------------------------------------------------------

    def _stop(self, actor: str, number: int) -> int:
        """Stop an actor until it is replaced; return when both sides were quoted again."""
        stage, findings = self._stage, self._play.findings
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
        return again_ns

    def _stop_supervisor(self, number: int) -> int:
        """Stop the supervisor for five seconds; return when that was."""
        stage, findings = self._stage, self._play.findings
        before = self._pids()
        self._play.say(f"round {number}: SIGSTOP of the supervisor")
        stopped_ns = time.monotonic_ns()
        stage.session.signal(signal.SIGSTOP)
        try:
            stage.follow(STOPPED_NS / NS_PER_S)
        finally:
            stage.session.signal(signal.SIGCONT)
        continued_ns = time.monotonic_ns()
        after = self._pids()
        findings.measure("supervisor answers", (time.monotonic_ns() - continued_ns) / NS_PER_MS, "ms", number)
        if after != before:
            findings.break_rule(number, f"actors were replaced though only the supervisor slept: {before}, now {after}")
        unquoted_ms = stage.log.empty_ns_max(stopped_ns, time.monotonic_ns()) / NS_PER_MS
        findings.measure("no quote: supervisor", unquoted_ms, "ms", number, UNQUOTED_MS)
        return stopped_ns

    def _pids(self) -> dict[str, int]:
        return {name: actor["pid"] for name, actor in self._stage.actors().items()}

    def _state(self, name: str, pid: int) -> str:
        actor = self._stage.actors()[name]
        return "replaced" if actor["pid"] not in (0, pid) else str(actor["state"])


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, StopRounds)


ROW = Row("stop", f"SIGSTOP of {', '.join(STOPPED)} in turn", 1, 3 * len(STOPPED), 20 * len(STOPPED), play)
