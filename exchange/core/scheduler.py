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

    def realtime_ns(self) -> int:
        """Return the venue's time since the epoch, moves and skew included."""
        ...

    def login_ns(self) -> int:
        """Return the time that login tokens are judged by: skewed, but not moved."""
        ...

    def move(self, duration_ns: int) -> None:
        """Let the calendar jump ahead, as if so much time had passed."""
        ...

    def skew(self, offset_ns: int) -> None:
        """Set how far the venue's clock is off."""
        ...

    def call_at(self, due_ns: int, callback: Callback) -> Handle:
        """Call back at or soon after the monotonic time `due_ns`."""
        ...


class Offsets:
    """How far the venue's calendar has been moved, and its clock is off."""

    def __init__(self) -> None:
        self.moved_ns = 0
        self.skew_ns = 0

    def move(self, duration_ns: int) -> None:
        self.moved_ns += duration_ns

    def skew(self, offset_ns: int) -> None:
        self.skew_ns = offset_ns


class LoopScheduler(Offsets):
    """The system's clocks and an asyncio loop's timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def realtime_ns(self) -> int:
        return time.time_ns() + self.skew_ns + self.moved_ns

    def login_ns(self) -> int:
        return time.time_ns() + self.skew_ns

    def call_at(self, due_ns: int, callback: Callback) -> Handle:
        # Not loop.call_at: uvloop's own clock has a resolution of one millisecond and another zero.
        return self._loop.call_later(max(0, due_ns - time.monotonic_ns()) / NS_PER_S, callback)


class SimHandle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class SimScheduler(Offsets):
    """A clock that moves only when told, for tests and for running faster than time."""

    def __init__(self, realtime_ns: int = 1_795_223_000 * NS_PER_S) -> None:
        super().__init__()
        self._now_ns = 0
        self._epoch_ns = realtime_ns
        self._sequence = itertools.count()
        self._timers: list[tuple[int, int, SimHandle, Callback]] = []

    def monotonic_ns(self) -> int:
        return self._now_ns

    def realtime_ns(self) -> int:
        return self.login_ns() + self.moved_ns

    def login_ns(self) -> int:
        return self._epoch_ns + self._now_ns + self.skew_ns

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
