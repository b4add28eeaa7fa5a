"""Rings a strategy when one of its books is coming, so that it is awake when the book is there (runtime/early_look.py).

Only after a pause: while books come faster than QUIET_NS_MIN, who follows them is awake, or about to be, and to ring
and look for each of them would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.clock import NS_PER_MS

QUIET_NS_MIN = NS_PER_MS


class Announcer:
    """Announces the books of one strategy's instruments."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._newest_ns = 0

    def book_coming(self, receive_ns: int) -> None:
        """Take the moment at which the frame of a book came, monotonic; ring if the strategy may be asleep."""
        quiet_ns = receive_ns - self._newest_ns
        self._newest_ns = receive_ns
        if quiet_ns >= QUIET_NS_MIN:
            self._ring()
