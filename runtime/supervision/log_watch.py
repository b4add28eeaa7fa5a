"""Tells the operator when a process cannot write its log: the log itself cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from domain.clock import NS_PER_S
from runtime.session import SessionSegments
from runtime.topology import LOG_LINES_LOST
from shm.counters import Counters

LOOK_INTERVAL_NS = 1 * NS_PER_S
TELL_INTERVAL_NS = 60 * NS_PER_S


class LogWatch:
    """Watches how many lines each process has lost.

    Args:
        lost: by process, what returns the number of lines of its log that the disk did not take.
    """

    def __init__(self, lost: Mapping[str, Callable[[], int]]) -> None:
        self._lost = lost
        self._told = dict.fromkeys(lost, 0)
        self._due_ns = 0
        self._tell_ns = dict.fromkeys(lost, 0)

    def look(self, now_ns: int) -> list[str]:
        """Return what is new, a line for each process, at most one a minute for each."""
        if now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + LOOK_INTERVAL_NS
        notes = []
        for process, lost in self._lost.items():
            count = lost()
            if count > self._told[process] and now_ns >= self._tell_ns[process]:
                self._told[process] = count
                self._tell_ns[process] = now_ns + TELL_INTERVAL_NS
                notes.append(f"{process}: its log cannot be written, {count} lines are lost: is the disk full?")
        return notes


def lost_lines_of(segments: SessionSegments) -> dict[str, Callable[[], int]]:
    """Return what tells the lines that each actor's log has lost."""
    counters = {
        actor.name: Counters(segments[f"counters.{actor.name}"], actor.counters) for actor in segments.topology.actors
    }
    return {name: lambda each=each: each.values()[LOG_LINES_LOST] for name, each in counters.items()}  # type: ignore[misc]
