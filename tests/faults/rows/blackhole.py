"""Ten seconds in which nothing passes between us and the venue: it cancels, and afterwards everything is as it was."""

from __future__ import annotations

from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, FillCheck, check_end, check_orders, session_of
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import Stage

NS_PER_S = 1_000_000_000
DURATION_S = 10.0
CANCELLED_MS_MAX = 4000.0  # cancel on disconnect after 3 s, and one for the way
AGAIN_MS_MAX = 10_000.0  # the longest pause between two tries to connect, and a start
TARGETS = ("all", "execution")


class BlackholeRounds:
    """Swallows everything of all connections, and of execution's alone, in turn."""

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._fills = FillCheck(stage, play.findings)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Play one round.

        Raises:
            RuleBrokenError: quotes do not come back.
        """
        stage, findings = self._stage, self._play.findings
        target = TARGETS[(number - 1) % len(TARGETS)]
        stage.follow(self._play.rng(number).uniform(0, 1))
        self._play.say(f"round {number}: {target}")
        only = {} if target == "all" else {"session": session_of(stage, target)}
        began_ns = stage.begin_fault("blackhole", duration_s=DURATION_S, **only)
        empty_ns = stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
        gone_ms = (empty_ns - began_ns) / NS_PER_MS
        findings.measure(f"gone: {target}", gone_ms, "ms", number, CANCELLED_MS_MAX)
        again_ns = stage.wait_for_both_sides(empty_ns, AGAIN_TIMEOUT_S)
        over_ns = began_ns + round(DURATION_S * NS_PER_S) if target == "all" else empty_ns
        findings.measure(f"again: {target}", max(again_ns - over_ns, 0) / NS_PER_MS, "ms", number, AGAIN_MS_MAX)
        stage.operator.call("admin/clear_faults")
        check_orders(stage, findings, number, again_ns)
        self._fills.check(number)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self._play, self._stage)


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, BlackholeRounds)


ROW = Row("blackhole", f"nothing passes for {DURATION_S:g} s, of all or of execution", 1, 4, 20, play)
