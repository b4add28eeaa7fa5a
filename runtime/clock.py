"""The system's clocks: the one module that reads them."""

from __future__ import annotations

import time


class SystemClock:
    """`Clock` over CLOCK_MONOTONIC, the same in all processes of a machine, and CLOCK_REALTIME."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def realtime_ns(self) -> int:
        return time.time_ns()
