"""What follows an actor's exit: a pure decision from exit codes and times. No processes, no clock.

exit code 2, 3 or 6                   give up at once: another start cannot help
the first death within the window     start again at once
the nth                               after backoff_ms_min · 2^(n−2), at most backoff_ms_max, shortened by jitter
more than restarts_max in the window  give up: exit code 5
"""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ExitCode

FINAL_EXIT_CODES = frozenset({ExitCode.USAGE, ExitCode.CREDENTIALS, ExitCode.VENUE_UNREACHABLE})
JITTER = 0.5  # largest part of a pause that is left out, so that several that die of one cause come back apart


class RestartAt(NamedTuple):
    """Start it again at this monotonic time."""

    at_ns: int


class GiveUp(NamedTuple):
    """Stop the session with this exit code."""

    reason: str
    exit_code: ExitCode


class RestartPolicy:
    """Decides for one actor: backoff that doubles, a window in which deaths are counted, an end to patience.

    Args:
        rng: draws the jitter; the same generator, the same decisions.
    """

    def __init__(
        self, *, backoff_ms_min: int, backoff_ms_max: int, restarts_max: int, window_s: float, rng: random.Random
    ) -> None:
        self._backoff_ns_min = backoff_ms_min * NS_PER_MS
        self._backoff_ns_max = backoff_ms_max * NS_PER_MS
        self._restarts_max = restarts_max
        self._window_ns = int(window_s * NS_PER_S)
        self._rng = rng
        self._exits_ns: deque[int] = deque()

    def on_exit(self, exit_code: int, now_ns: int) -> RestartAt | GiveUp:
        """Decide what follows an exit.

        Args:
            exit_code: negative for a signal, as in subprocess.
            now_ns: monotonic; never goes back.
        """
        if exit_code in FINAL_EXIT_CODES:
            return GiveUp("starting it again cannot help", ExitCode(exit_code))
        self._exits_ns.append(now_ns)
        while now_ns - self._exits_ns[0] > self._window_ns:
            self._exits_ns.popleft()
        exits = len(self._exits_ns)
        if exits > self._restarts_max:
            return GiveUp(f"died {exits} times within {self._window_ns / NS_PER_S:g} s", ExitCode.GAVE_UP)
        return RestartAt(now_ns + self._pause_ns(exits))

    def _pause_ns(self, exits: int) -> int:
        """Return the pause before the start that follows the nth death in the window."""
        if exits == 1:
            return 0
        doublings = min(exits - 2, self._backoff_ns_max.bit_length())
        longest_ns = min(self._backoff_ns_min << doublings, self._backoff_ns_max)
        return longest_ns - int(self._rng.random() * JITTER * longest_ns)
