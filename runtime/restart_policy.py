"""What follows an actor's exit: a pure decision from exit codes and times. No processes, no clock."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ExitCode

FINAL_EXIT_CODES = frozenset({ExitCode.USAGE, ExitCode.CREDENTIALS, ExitCode.VENUE_UNREACHABLE})


class RestartAt(NamedTuple):
    """Start it again at this monotonic time."""

    at_ns: int


class GiveUp(NamedTuple):
    """Stop the session with this exit code."""

    reason: str
    exit_code: ExitCode


class RestartPolicy:
    """Decides for one actor: backoff that doubles, a window in which deaths are counted, an end to patience."""

    def __init__(self, *, backoff_ms_min: int, backoff_ms_max: int, restarts_max: int, window_s: float) -> None:
        self._backoff_ns_min = backoff_ms_min * NS_PER_MS
        self._backoff_ns_max = backoff_ms_max * NS_PER_MS
        self._restarts_max = restarts_max
        self._window_ns = int(window_s * NS_PER_S)
        self._exits_ns: deque[int] = deque()

    def on_exit(self, exit_code: int, now_ns: int) -> RestartAt | GiveUp:
        """Decide what follows an exit. `exit_code` is negative for a signal, as in subprocess."""
        if exit_code in FINAL_EXIT_CODES:
            return GiveUp("starting it again cannot help", ExitCode(exit_code))
        self._exits_ns.append(now_ns)
        while now_ns - self._exits_ns[0] > self._window_ns:
            self._exits_ns.popleft()
        exits = len(self._exits_ns)
        if exits > self._restarts_max:
            return GiveUp(f"it died {exits} times within {self._window_ns / NS_PER_S:g} s", ExitCode.GAVE_UP)
        if exits == 1:
            return RestartAt(now_ns)  # the first death in the window is mended at once
        return RestartAt(now_ns + min(self._backoff_ns_min << (exits - 2), self._backoff_ns_max))
