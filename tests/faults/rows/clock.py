"""The wall clock of every process of ours is set an hour ahead, an hour back, and back by seconds.

Nothing stalls and nothing expires: quotes stay. Then everybody must log in anew, though the venue has another time: its
own check is that each token is later than all before it, and within 30 s of its clock.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

from runtime.clock import STEP_VARIABLE
from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS, FillCheck, check_end, check_orders
from tests.faults.rounds import play_on_stages
from tests.faults.row import Play, Row
from tests.faults.stage import Stage
from tests.sessions import read_json_lines

NS_PER_S = 1_000_000_000
STEPS_S = (3600, -3600, -5, 5)
STAY_S = 2.0
AWAY_MS_MAX = 200.0  # both sides may be filled at once
FRESH_MS_MAX = 5000.0  # a stall: without any step the market leaves up to 1.5 s between changes of both sides
CALM_S_MAX = 0.5
FILE_NAME = "clock-step"


class ClockRounds:
    """Steps the clock in turn; every fourth round an execution that starts anew must log in too."""

    def __init__(self, play: Play, stage: Stage, step_file: Path) -> None:
        self._play = play
        self._stage = stage
        self._step_file = step_file
        self._fills = FillCheck(stage, play.findings)

    def begin(self) -> None:
        """Nothing is compared later."""

    def round(self, number: int) -> None:
        """Step, see quotes stay, have everybody log in.

        Raises:
            RuleBrokenError: quotes do not come back.
        """
        stage, findings, rng = self._stage, self._play.findings, self._play.rng(number)
        stage.follow(rng.uniform(0, CALM_S_MAX))
        step_s = STEPS_S[(number - 1) % len(STEPS_S)]
        self._play.say(f"round {number}: the wall clock is off by {step_s:+} s")
        stepped_ns = time.monotonic_ns()
        set_clock(self._step_file, step_s * NS_PER_S)
        stage.follow(STAY_S)
        away_ns = stage.log.empty_ns_max(stepped_ns, time.monotonic_ns())
        findings.measure("without any quote", max(away_ns, 0) / NS_PER_MS, "ms", number, AWAY_MS_MAX)
        fresh_ns = stage.wait_for_fresh_quotes(stepped_ns, AGAIN_TIMEOUT_S)
        findings.measure("fresh quotes", (fresh_ns - stepped_ns) / NS_PER_MS, "ms", number, FRESH_MS_MAX)
        if number % len(STEPS_S) == 0:
            os.kill(stage.actors()["execution"]["pid"], signal.SIGKILL)
        began_ns = stage.begin_fault("disconnect")
        pulled_ns = stage.wait_for_empty(began_ns, AGAIN_TIMEOUT_S)
        again_ns = stage.wait_for_both_sides(pulled_ns, AGAIN_TIMEOUT_S)
        findings.measure("again", (again_ns - began_ns) / NS_PER_MS, "ms", number)
        check_orders(stage, findings, number, again_ns)
        self._fills.check(number)

    def end(self) -> None:
        """Logins were never refused; the session's own accounts are those of the exchange."""
        lines = read_json_lines(self._stage.exchange.order_log_path)
        refused = [line for line in lines if line["event"] == "reject" and line["method"] == "public/login"]
        self._play.findings.count("logins", sum(line["event"] == "login" for line in lines))
        if refused:
            self._play.findings.break_rule(0, f"{len(refused)} logins were refused, e.g. {refused[0]['message']}")
        check_end(self._play, self._stage)


def set_clock(step_file: Path, step_ns: int) -> None:
    """Let the wall clock of all processes that were told of the file be off by `step_ns`."""
    descriptor = os.open(step_file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, struct.pack("<q", step_ns), 0)
    finally:
        os.close(descriptor)


def play(play: Play) -> None:
    """Play all rounds."""
    step_file = play.folder / FILE_NAME

    def stage_in(play: Play, folder: Path) -> Stage:
        set_clock(step_file, 0)
        return Stage(folder, seed=play.seed, environ={STEP_VARIABLE: str(step_file)})

    play_on_stages(play, lambda play, stage: ClockRounds(play, stage, step_file), stage_in)


ROW = Row("clock", f"the wall clock off by {', '.join(f'{step:+}' for step in STEPS_S)} s", 1, 8, 40, play)
