"""An actor that dies at every start: the supervisor gives up as configured, nothing stays open, one line says why."""

from __future__ import annotations

import os
import signal
import time

from domain.errors import ExitCode
from tests.faults.checks import AGAIN_TIMEOUT_S, NS_PER_MS
from tests.faults.row import Play, Row
from tests.faults.stage import CONFIG, RuleBrokenError, Stage

ACTORS = ("strategy", "execution", "market_data")
RESTARTS_MAX = 4
UNATTENDED_MS_MAX = {"strategy": 500.0, "execution": 2000.0, "market_data": 500.0}
GIVEN_UP_MS_MAX = 30_000.0  # five starts, their pauses, and the way down
CALM_S_MAX = 1.0
LOOPING = CONFIG.replace("restarts_max = 10000", f"restarts_max = {RESTARTS_MAX}").replace(
    "restart_window_s = 1.0", "restart_window_s = 300.0"
)


def play(play: Play) -> None:
    """Play all rounds, each on a session of its own: it ends with it."""
    for number in play.rounds:
        folder = play.folder / f"loop{number}"
        folder.mkdir()
        with Stage(folder, seed=play.seed, config=LOOPING) as stage:
            try:
                _round(play, stage, number)
            except RuleBrokenError as broken:
                play.findings.break_rule(number, str(broken))
                play.keep(stage.session, number)


def _round(play: Play, stage: Stage, number: int) -> None:
    """Have every start of one actor fail, kill it, and see the session end."""
    findings = play.findings
    actor = ACTORS[(number - 1) % len(ACTORS)]
    stage.follow(play.rng(number).uniform(0, CALM_S_MAX))
    pid = stage.actors()[actor]["pid"]
    play.say(f"round {number}: {actor} dies at every start")
    (stage.session.run / "config.json").write_text("{")  # each life reads it first
    dead_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    process = stage.session.process
    assert process is not None
    stage.wait_without_session(lambda: process.poll() is not None, AGAIN_TIMEOUT_S, "the session gives up")
    given_up_ms = (time.monotonic_ns() - dead_ns) / NS_PER_MS
    stage.poll()
    unattended_ms = (stage.log.gone_ns(dead_ns, time.monotonic_ns()) - dead_ns) / NS_PER_MS
    findings.measure(f"unattended: {actor}", unattended_ms, "ms", number, UNATTENDED_MS_MAX[actor])
    findings.measure("given up", given_up_ms, "ms", number, GIVEN_UP_MS_MAX)
    for wrong in _wrong(stage, actor, process.returncode):
        findings.break_rule(number, wrong)
        play.keep(stage.session, number)


def _wrong(stage: Stage, actor: str, exit_code: int) -> list[str]:
    """Return what is not as it must be after giving up."""
    found = []
    if exit_code != ExitCode.GAVE_UP:
        found.append(f"exit code {exit_code}, expected {ExitCode.GAVE_UP:d}")
    if stage.log.open:
        found.append(f"{len(stage.log.open)} orders are open after the end")
    lines = [line for line in stage.session.said.splitlines() if line.startswith("error:")]
    expected = f"error: gave up: {actor} died {RESTARTS_MAX + 1} times within 300 s, at last exit 1: "
    if len(lines) != 1 or not lines[0].startswith(expected):
        found.append(f"expected one line `{expected}...`, there is: {lines}")
    if (deaths := len(stage.deaths())) != RESTARTS_MAX + 1:
        found.append(f"{deaths} pages of evidence for {RESTARTS_MAX + 1} deaths")
    try:
        stage.session.assert_nothing_stays()
    except AssertionError as error:
        found.append(f"something stays: {error}")
    return found


ROW = Row("crash loop", f"{', '.join(ACTORS)} dying at every start", 1, 3, 3, play)
