"""The system's clocks: the one module that reads them."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Mapping

from domain.clock import Clock

STEP_VARIABLE = "RINGMAKER_CLOCK_STEP_FILE"  # for tests: a file of 8 bytes by which the wall clock is off, ns
_STEP = struct.Struct("<q")


class SystemClock:
    """`Clock` over CLOCK_MONOTONIC, the same in all processes of a machine, and CLOCK_REALTIME.

    A message is stamped four times, so that its methods are the system's functions themselves.
    """

    monotonic_ns = staticmethod(time.monotonic_ns)
    realtime_ns = staticmethod(time.time_ns)


class SteppedClock(SystemClock):
    """A clock whose wall time is off by what stands in a file, which may change at any time."""

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._step = mmap.mmap(descriptor, _STEP.size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def realtime_ns(self) -> int:
        return time.time_ns() + int(_STEP.unpack_from(self._step)[0])


def system_clock(environ: Mapping[str, str]) -> Clock:
    """Return the clock of a process; a stepped one when a test has asked for it."""
    path = environ.get(STEP_VARIABLE, "")
    return SteppedClock(path) if path else SystemClock()
