"""A ring may come before its news: whoever is rung looks for it for a moment before it sleeps again.

Waking a process that sleeps takes longer than what it does then. So market data rings strategy when it knows that a
book is coming, before it has decoded it; strategy finds nothing yet and rings execution in its turn; and each of them
looks for its news, for at most LOOK_NS_MAX, giving its core away between two looks. The ring that announces the news
itself comes all the same: an early ring may be lost, superfluous or too late, and nothing but time is lost with it.

What a look must not do: keep a core busy. It ends with the news, when the actor says that none will come, or after
LOOK_NS_MAX; the ring that follows news found early starts no other look; and market data announces nothing while
books come faster than a sleep is worth (actors/market_data/announcing.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from domain.clock import NS_PER_US

LOOK_NS_MAX = 300 * NS_PER_US


class Looking(Protocol):
    """What is asked of an actor that is rung early."""

    def has_news(self) -> bool: ...

    def on_early_ring(self) -> None: ...

    def is_called_off(self) -> bool: ...


class EarlyLook:
    """What a loop does between a ring and the work."""

    def __init__(self, actor: Looking, monotonic_ns: Callable[[], int]) -> None:
        self._actor = actor
        self._monotonic_ns = monotonic_ns
        self._is_ring_owed = False

    def await_news(self, rings: int, now_ns: int) -> int:
        """Return the monotonic time when there is news, or when looking for it has ended.

        Args:
            rings: how often the doorbell was rung since this was last called.
            now_ns: monotonic time.
        """
        actor = self._actor
        is_announced_news_taken = self._is_ring_owed and rings == 1
        self._is_ring_owed = False
        if is_announced_news_taken or actor.has_news():
            return now_ns
        actor.on_early_ring()
        deadline_ns = now_ns + LOOK_NS_MAX
        while now_ns < deadline_ns:
            is_called_off = actor.is_called_off()  # before the look for news: they may come in between
            if actor.has_news():
                self._is_ring_owed = True
                break
            if is_called_off:
                break
            os.sched_yield()
            now_ns = self._monotonic_ns()
        return now_ns
