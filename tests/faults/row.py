"""One row of the suite: a fault that is played many times, with what must hold each time and what is measured.

A row is one file: it exports `ROW`, and its `play` takes the rounds that it is given and puts what it finds into
`play.findings`. A round draws everything from `play.rng(number)`, so that each can be played again alone.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.findings import Findings
from tests.sessions import RunningSession


class Play(NamedTuple):
    """What a row is given.

    Attributes:
        rounds: numbers of the rounds to play, from 1.
        folder: for files of exchange and sessions; short, for sockets lie in it.
        findings: where figures and failures go.
        say: prints a line of progress.
        evidence: where the files of a session that failed are kept.
    """

    seed: int
    rounds: Sequence[int]
    folder: Path
    findings: Findings
    say: Callable[[str], None]
    evidence: Path

    def keep(self, session: RunningSession, number: int) -> None:
        """Keep what a session left, because round `number` failed on it."""
        self.keep_folder(session.home, number)

    def keep_folder(self, folder: Path, number: int) -> None:
        """Keep a folder, because round `number` failed on what lies in it."""
        target = self.evidence / f"{self.findings.row.replace(' ', '-')}-{number}"
        # Sockets and files that are just being replaced are no evidence.
        shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True, ignore=_sockets)
        self.say(f"kept {target}")

    def rng(self, number: int) -> random.Random:
        """Return the generator of one round, the same whichever rounds are played before."""
        return random.Random(f"{self.seed}/{self.findings.row}/{number}")


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


class Row(NamedTuple):
    """A row of the table: how often it is played in `make test`, `make faults` and with FULL=1."""

    name: str
    what: str
    rounds_short: int
    rounds: int
    rounds_full: int
    play: Callable[[Play], None]
