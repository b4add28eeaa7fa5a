"""A doorbell: an eventfd that wakes one process. Many may ring, one listens.

Created by the supervisor and inherited by the actors, so that it outlives any of them. Ringing never waits.
There is no "reader is asleep" flag: stores may pass loads even on x86-64, and a ring would then be lost.
"""

from __future__ import annotations

import os
import select


class Doorbell:
    """One eventfd. `fd` is what a listener polls for reading."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._poll: select.poll | None = None

    @classmethod
    def create(cls) -> Doorbell:
        """Make a new doorbell that children inherit."""
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        os.set_inheritable(fd, True)
        return cls(fd)

    def ring(self) -> None:
        """Wake the listener, now or at its next look."""
        try:
            os.eventfd_write(self.fd, 1)
        except BlockingIOError:
            return  # the counter is full: the listener will wake anyway

    def wait(self, timeout_s: float) -> bool:
        """Sleep until it is rung, clear it, and return True; False after `timeout_s`."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fd, select.POLLIN)
        if not self._poll.poll(timeout_s * 1000):
            return False
        return self.clear() > 0

    def clear(self) -> int:
        """Return how often it was rung since the last `clear` (0 = not at all)."""
        try:
            return os.eventfd_read(self.fd)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        os.close(self.fd)
