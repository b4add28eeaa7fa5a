"""A state record that kills whoever takes it up: the second life tries it, the third starts cold and quotes."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.faults.checks import AGAIN_TIMEOUT_S, DeathCheck, FillCheck, check_end, check_orders, check_position
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import RuleBrokenError, Stage

RESUMED, COLD = "state resumed", "cold start"
CALM_S_MAX = 1.0


class PoisonRounds:
    """Kills strategy, and then each life of it that has just taken up the state of the one before.

    A process that dies right after it took up a state is all that the next one can see of a poisoned record.
    """

    def __init__(self, play: Play, stage: Stage) -> None:
        self._play = play
        self._stage = stage
        self._fills = FillCheck(stage, play.findings)
        self._deaths = DeathCheck(play, stage)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Kill until a life starts cold: the one after the first that died of what it took up.

        Raises:
            RuleBrokenError: it goes on to take up what kills it, or never quotes again.
        """
        stage = self._stage
        stage.follow(self._play.rng(number).uniform(0, CALM_S_MAX))
        began = []
        while COLD not in began:
            life = self._life() + 1
            os.kill(stage.actors()["strategy"]["pid"], signal.SIGKILL)
            stage.wait(lambda life=life: self._beginning(life) != "", AGAIN_TIMEOUT_S, "strategy begins")  # type: ignore[misc]
            began.append(self._beginning(life))
            self._play.say(f"round {number}: life {life}: {began[-1]}")
            if len(began) > 2:
                raise RuleBrokenError(f"strategy took up a state that killed it: {began}")
            self._deaths.check(number, killed="strategy")
        if began != [RESUMED, COLD]:
            self._play.findings.break_rule(number, f"strategy began as {began}, expected {[RESUMED, COLD]}")
        self._play.findings.measure("lives until a cold start", len(began), "lives", number, 2)
        since_ns = stage.log.touched[-1].monotonic_ns
        again_ns = stage.wait_for_fresh_quotes(since_ns, AGAIN_TIMEOUT_S)
        check_orders(stage, self._play.findings, number, again_ns)
        self._fills.check(number)
        check_position(stage)

    def end(self) -> None:
        """The session's own accounts are those of the exchange."""
        check_end(self._play, self._stage)

    def _life(self) -> int:
        return int(self._stage.actors()["strategy"]["restarts"]) + 1

    def _beginning(self, life: int) -> str:
        """Return how a life of strategy began, by its log; empty while it has not."""
        begun = False
        for line in map(self._read, (self._stage.session.run / "logs" / "strategy.log").read_text().splitlines()):
            begun |= line.get("event") == "started" and line.get("epoch") == life
            if begun and line.get("event") in (RESUMED, COLD):
                return str(line["event"])
        return ""

    @staticmethod
    def _read(line: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(line)
        except ValueError:  # it is being written
            return {}
        return content


def play(play: Play) -> None:
    """Play all rounds."""
    play_on_stages(play, PoisonRounds)


ROW = Row("poison", "strategy dying of the state that it takes up", 1, 3, 3, play)
