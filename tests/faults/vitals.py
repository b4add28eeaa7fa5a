"""What the actors hold before and after: descriptors and tasks must be the same, memory nearly so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from messages.commands import Vitals
from tests.sessions import RunningSession

SETTLE_S = 20.0
LOOK_AGAIN_S = 0.25
COMMAND_TIMEOUT_S = 10.0


class Held(NamedTuple):
    """What one process holds. `tasks` are sorted names; a task that nobody named counts as `unnamed`, and the next
    connection is a connection like the one before it."""

    descriptors: int
    tasks: tuple[str, ...]
    private_kb: int


def held_by(session: RunningSession, process: str) -> Held:
    data: dict[str, Any] = session.send(Vitals(), COMMAND_TIMEOUT_S, process=process).data
    names = [_role(name) for name, n in data["tasks"].items() for _ in range(n)]
    return Held(data["descriptors"], tuple(sorted(names)), data["private_kb"])


def _role(task: str) -> str:
    return "unnamed" if task.startswith("Task-") else task.removeprefix("next ")


class Baseline:
    """What the processes of a session held when it was warm."""

    def __init__(self, session: RunningSession, processes: Sequence[str]) -> None:
        self._session = session
        self.held = {process: held_by(session, process) for process in processes}

    def leaks(self) -> dict[str, list[str]]:
        """Return what each process holds more than at first, once it has had time to let go; empty = nothing."""
        deadline_s = time.monotonic() + SETTLE_S
        while True:
            found = {process: self._leak(process) for process in self.held}
            found = {process: lines for process, lines in found.items() if lines}
            if not found or time.monotonic() > deadline_s:
                return found
            time.sleep(LOOK_AGAIN_S)

    def growth_kb(self, process: str) -> int:
        """Return by how much its own memory has grown."""
        return held_by(self._session, process).private_kb - self.held[process].private_kb

    def _leak(self, process: str) -> list[str]:
        before, now = self.held[process], held_by(self._session, process)
        lines = []
        if now.descriptors > before.descriptors:
            lines.append(f"{now.descriptors} descriptors, {before.descriptors} before")
        if now.tasks != before.tasks:
            lines.append(f"tasks {', '.join(now.tasks)}; before {', '.join(before.tasks)}")
        return lines
