"""Whether the disk takes what is written: said once when it stops, once a minute while it does not, once when it does.

While it does not, nothing is read from the rings either: they keep what they can, and what they overwrite is a gap.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from domain.clock import NS_PER_S, Clock
from runtime.logs import Logger

RETRY_NS = NS_PER_S
SAY_AGAIN_NS = 60 * NS_PER_S
_BYTES_PER_MB = 1 << 20
DISK_ERRORS = (OSError, sqlite3.DatabaseError)


class DiskFullError(OSError):
    """Less is free than the configuration leaves to others."""


class Disk:
    """The state of the disk as the recorder sees it.

    Attributes:
        trouble: what it says; empty = it takes what is written.
        since_realtime_ns: since when it does not, Unix ns; 0 = it does.
        faults: how often it stopped.
    """

    def __init__(self, folder: Path, free_mb_min: int, clock: Clock, log: Logger) -> None:
        self.trouble = ""
        self.since_realtime_ns = 0
        self.faults = 0
        self._folder = folder
        self._free_mb_min = free_mb_min
        self._clock = clock
        self._log = log
        self._try_at_ns = 0
        self._say_at_ns = 0

    @property
    def may_try(self) -> bool:
        """Whether to write now: there is no trouble, or it is time to see whether it has ended."""
        return not self.trouble or self._clock.monotonic_ns() >= self._try_at_ns

    def look_again(self) -> None:
        """Try at the next occasion, however short ago the last failed."""
        self._try_at_ns = 0

    def check_room(self) -> None:
        """Raise DiskFullError while less is free than is left to the journals of the others."""
        found = os.statvfs(self._folder)
        free_mb = found.f_bavail * found.f_frsize // _BYTES_PER_MB
        if free_mb < self._free_mb_min:
            raise DiskFullError(f"{free_mb} MB free, free_mb_min = {self._free_mb_min}")

    def refuses(self, error: Exception) -> None:
        """Take note that it did not take something."""
        now_ns = self._clock.monotonic_ns()
        self._try_at_ns = now_ns + RETRY_NS
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if not self.trouble:
            self.faults += 1
            self.since_realtime_ns = self._clock.realtime_ns()
            self._say_at_ns = now_ns
        self.trouble = text
        if now_ns >= self._say_at_ns:
            self._say_at_ns = now_ns + SAY_AGAIN_NS
            seconds = (self._clock.realtime_ns() - self.since_realtime_ns) // NS_PER_S
            self._log.error("nothing is recorded: the disk does not take it", reason=text, seconds=seconds)

    def takes(self) -> None:
        """Take note that it took everything."""
        if self.trouble:
            seconds = (self._clock.realtime_ns() - self.since_realtime_ns) // NS_PER_S
            self._log.info("recorded again", seconds=seconds)
            self.trouble = ""
            self.since_realtime_ns = 0
