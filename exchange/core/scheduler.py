"""Time for the exchange: what it is now, and "call me then". Injected, so that tests own the clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

Callback = Callable[[], None]


class Handle(Protocol):
    def cancel(self) -> None: ...


class Scheduler(Protocol):
    def monotonic_ns(self) -> int: ...

    def realtime_ns(self) -> int: ...

    def call_at(self, due_ns: int, callback: Callback) -> Handle:
        """Call back at or soon after the monotonic time `due_ns`."""
        ...


class LoopScheduler:
    """The system's clocks and an asyncio loop's timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def realtime_ns(self) -> int:
        return time.time_ns()

    def call_at(self, due_ns: int, callback: Callback) -> Handle:
        # Not loop.call_at: uvloop's own clock has a resolution of one millisecond and another zero.
        return self._loop.call_later(max(0, due_ns - time.monotonic_ns()) / NS_PER_S, callback)


class SimHandle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class SimScheduler:
    """A clock that moves only when told, for tests and for running faster than time."""

    def __init__(self, realtime_ns: int = 1_795_223_000 * NS_PER_S) -> None:
        self._now_ns = 0
        self._epoch_ns = realtime_ns
        self._sequence = itertools.count()
        self._timers: list[tuple[int, int, SimHandle, Callback]] = []

    def monotonic_ns(self) -> int:
        return self._now_ns

    def realtime_ns(self) -> int:
        return self._epoch_ns + self._now_ns

    def call_at(self, due_ns: int, callback: Callback) -> Handle:
        handle = SimHandle()
        heapq.heappush(self._timers, (due_ns, next(self._sequence), handle, callback))
        return handle

    def advance(self, duration_ns: int) -> None:
        """Move time on, calling back everything that falls due on the way, in order."""
        end_ns = self._now_ns + duration_ns
        while self._timers and self._timers[0][0] <= end_ns:
            due_ns, _, handle, callback = heapq.heappop(self._timers)
            self._now_ns = max(self._now_ns, due_ns)
            if not handle.cancelled:
                callback()
        self._now_ns = end_ns
