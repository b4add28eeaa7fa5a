"""SIGKILL of one actor after the other at random moments: its orders are looked after or gone, and it quotes again."""

from __future__ import annotations

import os
import signal
import time

from domain.records import RECORDER
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

ACTORS = ("market_data", "strategy", "risk", "execution", "recorder")
AGAIN_MS_MAX = 3000.0
UNATTENDED_MS_MAX = {"market_data": 500.0, "strategy": 500.0, "risk": 500.0, "execution": 2000.0}  # recorder: unneeded
CANCELLED_MS_MAX = 4000.0  # cancel on disconnect after 3 s, and one for the way
BLACKHOLE_S = 6.0
CALM_S_MAX = 1.0


class KillRounds:
    """Kills the actors in turn; every other execution has its connection swallowed first instead of closed."""

    actors: tuple[str, ...] = ACTORS

    def __init__(self, play: Play, stage: Stage) -> None:
        self.play = play
        self.stage = stage
        self._fills = FillCheck(stage, play.findings)
        self._deaths = DeathCheck(play, stage)

    def begin(self) -> None:
        """Nothing is compared later."""

    def before_kill(self, actor: str) -> None:
        """Any moment will do."""

    def after_kill(self, actor: str, dead_ns: int, number: int) -> None:
        """The actor is live again."""

    def round(self, number: int) -> None:
        """Kill, and wait for quotes on both sides.

        Raises:
            RuleBrokenError: they do not come.
        """
        rng, stage, findings = self.play.rng(number), self.stage, self.play.findings
        turn, place = divmod(number - 1, len(self.actors))
        actor = self.actors[place]
        is_dark = actor == "execution" and turn % 2 == 1
        stage.follow(rng.uniform(0, CALM_S_MAX))
        self.before_kill(actor)
        pid = stage.actors()[actor]["pid"]
        if is_dark:
            stage.begin_fault("blackhole", session=session_of(stage, actor), duration_s=BLACKHOLE_S)
        self.play.say(f"round {number}: SIGKILL of {actor} {pid}{', its connection swallowed' * is_dark}")
        dead_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        stage.wait(lambda: self._is_replaced(actor, pid), AGAIN_TIMEOUT_S, f"{actor} is replaced and live")
        self.after_kill(actor, dead_ns, number)
        again_ns = self._measure(actor, is_dark, dead_ns, number)
        check_orders(stage, findings, number, again_ns)
        self._fills.check(number)
        check_position(stage)
        self._deaths.check(number, killed=actor)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self.play, self.stage)

    def _measure(self, actor: str, is_dark: bool, dead_ns: int, number: int) -> int:
        """Measure how long orders were without one that they need, and when both sides were quoted again."""
        stage, findings = self.stage, self.play.findings
        live_ns = time.monotonic_ns()
        name = f"{actor}{', dark' * is_dark}"
        if actor in UNATTENDED_MS_MAX:
            unattended_ms = (stage.log.gone_ns(dead_ns, live_ns) - dead_ns) / NS_PER_MS
            bound_ms = CANCELLED_MS_MAX if is_dark else UNATTENDED_MS_MAX[actor]
            findings.measure(f"unattended: {name}", unattended_ms, "ms", number, bound_ms)
        empty_ns = stage.log.first_empty_ns(dead_ns)
        again_ns = stage.wait_for_both_sides(live_ns if empty_ns is None else empty_ns, AGAIN_TIMEOUT_S)
        if actor in UNATTENDED_MS_MAX:
            findings.measure(f"again: {name}", (again_ns - dead_ns) / NS_PER_MS, "ms", number, AGAIN_MS_MAX)
        else:  # nobody waits for a recorder: with it dead quotes stand as before
            findings.measure(f"records again: {name}", (self._recorded_ns(dead_ns) - dead_ns) / NS_PER_MS, "ms", number)
        return again_ns

    def _recorded_ns(self, dead_ns: int) -> int:
        """Return when the recorder's next life had written something, by its own row."""
        row = self.stage.shared.table("recorder")
        seen_ns = 0

        def has_written() -> bool:
            nonlocal seen_ns
            if row.load(0) and row.ints[RECORDER.word("rows")]:
                seen_ns = int(row.ints[RECORDER.word("updated_time_ns")])
            return seen_ns > dead_ns

        self.stage.wait(has_written, AGAIN_TIMEOUT_S, "the recorder writes again")
        return seen_ns

    def _is_replaced(self, name: str, pid: int) -> bool:
        actor = self.stage.actors()[name]
        return actor["pid"] not in (0, pid) and actor["state"] == "live"


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, KillRounds)


ROW = Row("kill", f"SIGKILL of {', '.join(ACTORS)} in turn", len(ACTORS), 5 * len(ACTORS), 50 * len(ACTORS), play)
