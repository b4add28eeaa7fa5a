"""When an actor is done without a standby, and when not."""

from __future__ import annotations

import errno
from typing import cast

import pytest

from domain.clock import NS_PER_S
from runtime.supervision.launch import Launcher, Standby
from runtime.supervision.note import Note
from runtime.supervision.standby_keeping import StandbyKeeping

MONTH_S = 30 * 86_400


class RefusingLauncher:
    """The system refuses every standby."""

    def __init__(self) -> None:
        self.tries = 0

    def park(self) -> Standby:
        self.tries += 1
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


@pytest.mark.parametrize(
    ("apart_s", "tries", "said"),
    [
        (10, 3, ["its standby failed 3 times, at last: Resource temporarily unavailable; it goes on without one"]),
        (MONTH_S, 6, []),
    ],
)
def test_only_a_standby_that_keeps_failing_is_done_without(apart_s: int, tries: int, said: list[str]) -> None:
    launcher = RefusingLauncher()
    keeping = StandbyKeeping(cast(Launcher, launcher), is_wanted=True)
    notes = [keeping.look((1 + number * apart_s) * NS_PER_S, is_live=True) for number in range(6)]
    assert launcher.tries == tries
    assert [note.text for note in notes if isinstance(note, Note)] == said
