"""A session left alone at twice the suite's rate: memory does not creep, descriptors stay, logs hold no error.

Memory is what is a process's own (RssAnon). Pages of segments and of files are not in it: a ring comes in page by page
until it has gone round once, whoever reads it. What fills up once is over within the first ten minutes: the terms of
the last 1,024 fills, orders closed in the last two minutes, SQLite's pages, the allocators' free lists.

The slope that is judged is that of the lowest look in every five minutes: what a process gathers and lets go every
second (the recorder: 48 to 57 MB) says nothing of what it never lets go. The slope of all looks stands beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.faults import logs
from tests.faults.checks import DeathCheck, FillCheck, check_end, check_orders, check_position
from tests.faults.row import Play, Row
from tests.faults.stage import SPEED, RuleBrokenError, Stage
from tests.faults.vitals import Baseline, held_by

LOOK_S = 10.0
LOOKS_MIN = 3
LOOKS_PER_HOUR = round(3600 / LOOK_S)
LOOKS_PER_LOW = 30
WARM_UP_LOOKS = 60  # of an hour; a shorter soak is warm after a third
# (looks, MB/h): the fewer there are, the less a slope says; over less than ten minutes nothing.
SLOPE_BOUNDS = ((300, 1.0), (60, 20.0))
KB_PER_MB = 1024


def play(play: Play) -> None:
    """Look every ten seconds, as often as there are rounds."""
    try:
        with Stage(play.folder, seed=play.seed, speed=2 * SPEED) as stage:
            try:
                _soak(play, stage)
                _check_logs(play, stage.session.run)
                check_end(play, stage)
            except RuleBrokenError as broken:
                play.findings.break_rule(0, str(broken))
                play.keep(stage.session, 0)
    except RuleBrokenError as broken:  # there was no session to leave alone
        play.findings.break_rule(0, str(broken))
        play.keep_folder(play.folder, 0)


def _soak(play: Play, stage: Stage) -> None:
    """Follow the session and compare it with how it was when it was warm."""
    findings, fills, deaths = play.findings, FillCheck(stage, play.findings), DeathCheck(play, stage)
    processes = (*stage.actors(), "supervisor")
    warm_up = min(WARM_UP_LOOKS, len(play.rounds) // 3)
    memory_kb: dict[str, list[int]] = {process: [] for process in processes}
    baseline: Baseline | None = None
    ticks_before = _ticks(stage)
    for look, number in enumerate(play.rounds):
        stage.follow(LOOK_S)
        fills.check(number)
        deaths.check(number, killed="nobody")
        ticks = _ticks(stage)
        findings.measure("ticks a second", (ticks - ticks_before) / LOOK_S, "1/s", number)
        ticks_before = ticks
        if look == warm_up:
            baseline = Baseline(stage.session, processes)
        if look >= warm_up:
            for process in processes:
                memory_kb[process].append(held_by(stage.session, process).private_kb)
    check_orders(stage, findings, 0, stage.log.touched[-1].monotonic_ns)
    check_position(stage)
    assert baseline is not None, "there are more rounds than warm up"
    for process, lines in baseline.leaks().items():
        findings.break_rule(0, f"{process} holds {'; '.join(lines)}")
    judged = len(play.rounds) - warm_up
    bound = next((mb_per_h for looks, mb_per_h in SLOPE_BOUNDS if judged >= looks), None)
    for process, samples in memory_kb.items():
        findings.measure(f"memory of {process}", samples[-1] / KB_PER_MB, "MB", 0)
        if len(lows := _lows(samples)) > 1:
            findings.measure(f"slope of {process}", _slope_mb_per_h(lows), "MB/h", 0, bound)
        findings.measure(f"slope of all looks at {process}", _slope_mb_per_h(list(enumerate(samples))), "MB/h", 0)


def _lows(samples_kb: list[int]) -> list[tuple[int, int]]:
    """Return look and memory of the lowest look in each whole row of LOOKS_PER_LOW."""
    rows = range(0, len(samples_kb) - LOOKS_PER_LOW + 1, LOOKS_PER_LOW)
    return [
        min(enumerate(samples_kb[first : first + LOOKS_PER_LOW], first), key=lambda look: look[1]) for first in rows
    ]


def _slope_mb_per_h(looks: list[tuple[int, int]]) -> float:
    """Return the slope of the straight line through memory in kB over the number of the look."""
    if len(looks) < 2:
        return 0.0
    numbers, memory_kb = zip(*looks, strict=True)
    return float(np.polyfit(numbers, memory_kb, 1)[0]) * LOOKS_PER_HOUR / KB_PER_MB


def _check_logs(play: Play, run: Path) -> None:
    """Nothing was done to this session, so that no error has an explanation; warnings are counted and told."""
    for line in logs.errors(run):
        play.findings.break_rule(0, f"{line['process']} logged an error: {line}")
    for event, n in logs.warnings(run).items():
        play.findings.count(f"× warning `{event}`", n)


def _ticks(stage: Stage) -> int:
    counters = stage.session.status()["counters"]["market_data"]
    return int(counters["book_updates"] + counters["tickers"])


ROW = Row("soak", f"a session left alone at {2 * SPEED} times the market of `make run`", LOOKS_MIN, 12, 60, play)
