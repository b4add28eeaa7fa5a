"""When an actor collects its garbage: once as it goes live, then a full collection every minute.

What the start made (modules, kernels, books) is frozen out of every later collection, so that a full one looks at the
few thousand objects made since. Left to itself CPython hardly ever makes a full one, and only a full one lets go of the
freed tuples that it keeps for reuse: up to 2,000 of each length below 20, which fill up over hours (0.6 MB/h in an
execution that trades) and look like a leak.
"""

from __future__ import annotations

import gc

from domain.clock import NS_PER_S

PERIOD_NS = 60 * NS_PER_S


class GarbageCollector:
    """Collects between two turns of an actor's loop; nothing before the actor is live."""

    def __init__(self) -> None:
        self._due_ns: int | None = None

    def set_live(self, now_ns: int) -> None:
        """Collect what the start left, and look at nothing of the start again: some ten milliseconds."""
        gc.collect()
        gc.freeze()
        self._due_ns = now_ns + PERIOD_NS

    def poll(self, now_ns: int) -> None:
        """Collect when a minute has passed."""
        if self._due_ns is not None and now_ns >= self._due_ns:
            self._due_ns = now_ns + PERIOD_NS
            gc.collect()
