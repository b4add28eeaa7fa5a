"""How a reader waits for the next record: spin, block on a doorbell, or sleep longer the quieter it is."""

from __future__ import annotations

import time
from typing import Literal, Protocol

from shm.doorbell import Doorbell

Wait = Literal["auto", "spin", "block"]
SLEEP_S_MIN = 20e-6
SLEEP_S_MAX = 2e-3
DOORBELL_S_MAX = 0.05


class Waiter(Protocol):
    """One way to wait."""

    def pause(self) -> None:
        """Return when it is worth looking again."""

    def reset(self) -> None:
        """Something came: begin anew."""


class Spinning:
    """Looks again at once: the least latency, for a core of one's own."""

    def pause(self) -> None:
        return

    def reset(self) -> None:
        return


class Blocking:
    """Sleeps until the doorbell rings; wakes 20 times a second to see whether the session still lives."""

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell

    def pause(self) -> None:
        self._doorbell.wait(DOORBELL_S_MAX)

    def reset(self) -> None:
        return


class Sleeping:
    """Sleeps 20 µs at first and half as long again each time, up to 2 ms: for outsiders, who have no doorbell."""

    def __init__(self) -> None:
        self._pause_s = SLEEP_S_MIN

    def pause(self) -> None:
        time.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 1.5, SLEEP_S_MAX)

    def reset(self) -> None:
        self._pause_s = SLEEP_S_MIN


def waiter(wait: Wait, doorbell: Doorbell | None = None) -> Waiter:
    """Return the way to wait.

    `auto` never spins here: an outsider cannot know whether it has a core to itself. Actors decide it in
    runtime/host.py, from where they were pinned.

    Raises:
        ValueError: `wait` is none of the three.
    """
    if wait == "spin":
        return Spinning()
    if wait not in ("auto", "block"):
        raise ValueError(f'wait = {wait!r}: expected "auto", "spin" or "block"')
    return Sleeping() if doorbell is None else Blocking(doorbell)
