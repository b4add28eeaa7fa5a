"""What is left of an actor's life that ended unasked: one page in runs/<id>/deaths/, for whoever asks why.

    strategy, life 2, pid 4711: killed by SIGSEGV after 12.31 s, while live
    ---- said on standard error ...       ---- last lines of its log ...       ---- stacks ...

Stacks are written by the dying process itself (faulthandler): of a crash in compiled code, and of what it did when it
had been silent for so long that it was suspect.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.clock import NS_PER_S
from runtime.last_words import empty_if_full, stacks_path

LOG_LINES = 30
TAIL_BYTES = 64 * 1024
PAGES_KEPT = 200  # of an actor: the youngest
LOOK_INTERVAL_NS = NS_PER_S


class Death(NamedTuple):
    """How one life ended."""

    actor: str
    life: int
    pid: int
    how: str
    lived_s: float
    state: str

    @property
    def line(self) -> str:
        return (
            f"{self.actor}, life {self.life}, pid {self.pid}: {self.how} after {self.lived_s:.2f} s, while {self.state}"
        )


class Trail:
    """The files in which a process leaves its traces, and how long they were when its present life began."""

    def __init__(self, artifacts: Path, actor: str) -> None:
        logs = artifacts / "logs"
        self.stderr = logs / f"{actor}.stderr"
        self.log = logs / f"{actor}.log"
        self.stacks = stacks_path(artifacts, actor)
        self._folder = artifacts / "deaths"
        self._began: dict[Path, int] = {}
        self._look_due_ns = 0

    def begin(self) -> None:
        """A life begins: what stands in the files now is not its own."""
        self._began = {path: _size(path) for path in (self.stderr, self.log, self.stacks)}

    def bound(self, now_ns: int) -> None:
        """Keep what a process says from filling the disk; it looks once a second."""
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + LOOK_INTERVAL_NS
        for path in (self.stderr, self.stacks):
            if empty_if_full(path):
                self._began[path] = 0

    def last_words(self) -> str:
        """Return the last line that this life wrote to standard error; empty when none."""
        lines = self._said(self.stderr)
        return lines[-1] if lines else ""

    def keep(self, death: Death) -> Path:
        """Write the page of a death and return where it is; a disk that refuses it costs the page alone."""
        path = self._folder / f"{death.actor}-{death.life}.txt"
        parts = [death.line]
        for title, lines in (
            ("said on standard error", self._said(self.stderr)),
            ("last lines of its log", self._said(self.log)[-LOG_LINES:]),
            ("stacks", self._said(self.stacks)),
        ):
            parts += ["", f"---- {title}: {'' if lines else 'nothing'}", *lines]
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            path.write_text("\n".join(parts) + "\n")
            (self._folder / f"{death.actor}-{death.life - PAGES_KEPT}.txt").unlink(missing_ok=True)
        return path

    def _said(self, path: Path) -> list[str]:
        """Return the last lines that were added to a file in this life."""
        try:
            with path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                began = self._began.get(path, 0)
                began = began if began <= end else 0  # a log went on in a new file meanwhile
                file.seek(max(began, end - TAIL_BYTES))
                return file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return []


def read_deaths(artifacts: Path) -> list[str]:
    """Return the first line of each page, oldest first: every death of a run that nobody asked for."""
    pages: Sequence[Path] = sorted((artifacts / "deaths").glob("*.txt"), key=lambda page: page.stat().st_mtime_ns)
    return [page.read_text(errors="replace").partition("\n")[0] for page in pages]


def describe_exit(exit_code: int) -> str:
    """Return an exit code of subprocess in words."""
    if exit_code >= 0:
        return f"exit {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
