"""The signals of a supervising process, as something that its loop reads: the handlers themselves do nothing."""

from __future__ import annotations

import os
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalPipe:
    """Catches signals from construction to `close`; the kernel writes their numbers to a pipe.

    Attributes:
        fd: readable once a signal has come.
        stops: how many have come that end the session.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._has_terminal = _has_terminal()
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._previous = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        # Ignored from the start (nohup) it stays ignored: a terminal that goes away is then no reason to do anything.
        hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
        for number in (*STOP_SIGNALS, *hangup):
            signal.signal(number, lambda _number, _frame: None)

    def take(self) -> bool:
        """Count what has come; return whether a reload of the configuration was asked for, and no stop."""
        try:
            numbers = os.read(self.fd, 64)
        except BlockingIOError:
            return False
        self.stops += sum(number in STOP_SIGNALS or self._is_hangup(number) for number in numbers)
        return not self.stops and signal.SIGHUP in numbers

    def is_hurried(self) -> bool:
        """Return whether a further Ctrl-C has come since the last look: the way down gets shorter."""
        before = max(self.stops, 1)
        self.take()
        return self.stops > before

    def close(self) -> None:
        """Give the signals back to Python alone."""
        signal.set_wakeup_fd(self._previous)
        os.close(self._write_fd)
        os.close(self.fd)

    def _is_hangup(self, number: int) -> bool:
        """Return whether it says that our terminal was closed; where there is none, SIGHUP asks for a reload."""
        return number == signal.SIGHUP and self._has_terminal


def _has_terminal() -> bool:
    """Return whether this process can lose a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
