"""Keeps one standby of an actor prepared while the actor lives; one that keeps failing is done without."""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque

from domain.clock import NS_PER_S
from runtime.supervision.launch import Launcher, Standby
from runtime.supervision.note import Note

PAUSE_NS = 2 * NS_PER_S  # after a start: the processor belongs to the actor that just came back
FAILURES_MAX = 3
WINDOW_NS = 300 * NS_PER_S  # failures further apart, over months, have nothing to do with each other


class StandbyKeeping:
    """The next life of one actor, as far as it can be prepared.

    Args:
        is_wanted: False = one is prepared only when it is asked for.
    """

    def __init__(self, launcher: Launcher, *, is_wanted: bool) -> None:
        self._launcher = launcher
        self._is_wanted = is_wanted
        self._standby: Standby | None = None
        self._due_ns = 0
        self._failures_ns: deque[int] = deque(maxlen=FAILURES_MAX)

    @property
    def words(self) -> str:
        """Return `ready` or `preparing`; empty when none is kept."""
        if self._standby is None:
            return ""
        return "ready" if self._standby.is_ready else "preparing"

    def prepare(self) -> None:
        """Have one prepared at once; when the system refuses that, there is none."""
        if self._standby is None:
            with contextlib.suppress(OSError):
                self._standby = self._launcher.park()

    def call(self, life: int) -> subprocess.Popen[bytes] | None:
        """Have it live as number `life`; None when there is none that is ready."""
        standby, self._standby = self._standby, None
        if standby is None:
            return None
        if standby.is_ready:
            with contextlib.suppress(OSError):  # it died this moment: a new process is started instead
                return self._launcher.take_over(standby, life)
        standby.end()
        return None

    def rest(self, now_ns: int) -> None:
        """Prepare none for a while."""
        self._due_ns = now_ns + PAUSE_NS

    def look(self, now_ns: int, *, is_live: bool) -> Note | None:
        """Take note of its death, and prepare one if it is due and the actor is live."""
        if self._standby is not None and self._standby.has_died:
            self.drop()
            return self._on_failure("it died", now_ns)
        is_due = self._standby is None and is_live and now_ns >= self._due_ns
        if not self._is_wanted or not is_due:
            return None
        try:
            self._standby = self._launcher.park()
        except OSError as error:
            return self._on_failure(error.strerror or str(error), now_ns)
        return Note(f"standby {self._standby.pid} prepares itself", is_trouble=False)

    def drop(self) -> None:
        """End it, if there is one."""
        if self._standby is not None:
            self._standby.end()
            self._standby = None

    def _on_failure(self, why: str, now_ns: int) -> Note | None:
        failures_ns = self._failures_ns
        failures_ns.append(now_ns)
        self.rest(now_ns)
        if len(failures_ns) < FAILURES_MAX or now_ns - failures_ns[0] > WINDOW_NS:
            return None
        self._is_wanted = False
        return Note(f"its standby failed {FAILURES_MAX} times, at last: {why}; it goes on without one")
