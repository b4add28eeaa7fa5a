"""Time, injected: `monotonic_ns` for durations and deadlines, `realtime_ns` for stamps.

The two are never mixed: a wall clock may be stepped by an hour and nothing may stall or expire early.
"""

from __future__ import annotations

from typing import Protocol

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
CLOCKS_AGREE_NS = 5 * NS_PER_S  # nearer than this our clock is as good as the venue's stamps


class Clock(Protocol):
    """What every part that needs the time is given."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary point; the same in all processes of one machine; never runs back."""
        ...

    def realtime_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may be stepped by the operating system."""
        ...


class SimClock:
    """A clock that tests and replays move by hand."""

    def __init__(self, monotonic_ns: int = 0, realtime_ns: int = 0) -> None:
        self._monotonic_ns = monotonic_ns
        self._realtime_ns = realtime_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def realtime_ns(self) -> int:
        return self._realtime_ns

    def advance(self, duration_ns: int) -> None:
        """Let `duration_ns` pass on both clocks."""
        assert duration_ns >= 0, f"time runs forward only, not by {duration_ns} ns"
        self._monotonic_ns += duration_ns
        self._realtime_ns += duration_ns

    def step_realtime(self, step_ns: int) -> None:
        """Step the wall clock alone, as an operator or NTP would."""
        self._realtime_ns += step_ns
