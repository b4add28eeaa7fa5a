"""Journals cut, bit-flipped and overgrown at random places: each opens at the last good record, none invents a fill."""

from __future__ import annotations

import time

from tests.faults.row import Play, Row
from tests.journal_damage import damaged, judge, sample_entries

US_PER_S = 1e6


def play(play: Play) -> None:
    """Play all rounds; no process is needed."""
    path = play.folder / "execution.journal"
    for number in play.rounds:
        rng = play.rng(number)
        damage = damaged(rng, sample_entries(rng))
        began_s = time.perf_counter()
        for wrong in judge(path, damage):
            play.findings.break_rule(number, wrong)
        play.findings.measure("judged", (time.perf_counter() - began_s) * US_PER_S, "us", number)
        play.findings.count(damage.kind)


ROW = Row("journal", "the journal damaged at a random place", 500, 10_000, 100_000, play)
