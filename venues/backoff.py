"""How long to wait before the next connection."""

from __future__ import annotations

import random


class Backoff:
    """Doubling pauses between two bounds, with jitter: many clients must not come back in step.

    Each pause is drawn evenly from the upper half of the current bound, so it is never near zero.
    """

    def __init__(self, ms_min: int, ms_max: int, rng: random.Random) -> None:
        assert 0 < ms_min <= ms_max, f"backoff bounds must be positive and ordered, not {ms_min}..{ms_max} ms"
        self._ms_min = ms_min
        self._ms_max = ms_max
        self._rng = rng
        self._bound_ms = ms_min

    def next_s(self) -> float:
        """Return the next pause in seconds and double the bound."""
        bound_ms = self._bound_ms
        self._bound_ms = min(2 * bound_ms, self._ms_max)
        return bound_ms * (0.5 + 0.5 * self._rng.random()) / 1000

    def reset(self) -> None:
        """Start again from the smallest pause: the last connection was good."""
        self._bound_ms = self._ms_min
