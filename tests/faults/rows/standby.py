"""SIGKILL of actors that have a standby: it takes over, and everything holds that holds without one."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.checks import NS_PER_MS
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.rows.kill import KillRounds
from tests.faults.stage import CONFIG, Stage

ACTORS = ("market_data", "strategy", "risk", "execution")
READY_TIMEOUT_S = 30.0
TAKEN_OVER_MS_MAX = 1000.0
CONFIGURED = CONFIG.replace("[supervisor]\n", f"[supervisor]\nstandby = {list(ACTORS)}\n".replace("'", '"'))


class StandbyRounds(KillRounds):
    """Kills only actors whose standby is ready."""

    actors = ACTORS

    def before_kill(self, actor: str) -> None:
        """Wait for the standby.

        Raises:
            RuleBrokenError: it does not get ready.
        """
        what = f"a standby of {actor} is ready"
        self.stage.wait(lambda: self.stage.actors()[actor]["standby"] == "ready", READY_TIMEOUT_S, what)

    def after_kill(self, actor: str, dead_ns: int, number: int) -> None:
        """The actor is live again."""
        taken_ms = (time.monotonic_ns() - dead_ns) / NS_PER_MS
        self.play.findings.measure(f"taken over: {actor}", taken_ms, "ms", number, TAKEN_OVER_MS_MAX)


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, StandbyRounds, stage_in)


def stage_in(play: Play, folder: Path) -> Stage:
    """Return a session whose actors have standbys."""
    return Stage(folder, seed=play.seed, config=CONFIGURED)


ROW = Row("standby", f"SIGKILL of {', '.join(ACTORS)} with a standby each", len(ACTORS), 2 * len(ACTORS), 40, play)
