"""Plays the rounds of a row on one session after the other: a round that leaves a session out of order ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.faults.row import Play
from tests.faults.stage import RuleBrokenError, Stage

STAGES_LOST_MAX = 10  # a row that breaks so many sessions has said enough


class Rounds(Protocol):
    """The rounds of a row on one stage. Each step raises RuleBrokenError when the stage is no longer in order."""

    def begin(self) -> None:
        """The session quotes: take what is compared later."""
        ...

    def round(self, number: int) -> None: ...

    def end(self) -> None:
        """All rounds are played: check what can only be checked now, and end the session."""
        ...


def usual_stage(play: Play, folder: Path) -> Stage:
    """Return the stage of a row that asks for no other."""
    return Stage(folder, seed=play.seed)


def play_on_stages(
    play: Play,
    make: Callable[[Play, Stage], Rounds],
    stage_in: Callable[[Play, Path], Stage] = usual_stage,
) -> None:
    """Play all rounds, on a new stage after each that broke one."""
    left = list(play.rounds)
    for lost in range(STAGES_LOST_MAX):
        if not left:
            return
        folder = play.folder / f"{play.findings.row}{lost}"
        folder.mkdir()
        try:
            left = _play_on_one_stage(play, make, stage_in(play, folder), left)
        except RuleBrokenError as broken:  # there was no stage to play on
            play.findings.break_rule(left[0], str(broken))
            play.keep_folder(folder, left[0])
    if left:
        play.findings.break_rule(left[0], f"{len(left)} rounds were not played: {STAGES_LOST_MAX} sessions were lost")


def _play_on_one_stage(
    play: Play, make: Callable[[Play, Stage], Rounds], on_stage: Stage, rounds: list[int]
) -> list[int]:
    """Play rounds until one breaks the stage or all are played; return those that are left."""
    left = list(rounds)
    with on_stage as stage:
        number = 0
        try:
            playing = make(play, stage)
            playing.begin()
            while left:
                number = left.pop(0)
                playing.round(number)
            number = 0
            playing.end()
        except RuleBrokenError as broken:
            play.findings.break_rule(number, str(broken))
            play.keep(stage.session, number)
        except Exception as error:  # a question without an answer, say: the rounds that are left have a new stage
            play.findings.break_rule(number, f"{type(error).__name__}: {error}")
            play.keep(stage.session, number)
    return left
