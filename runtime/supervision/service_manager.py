"""What a service manager (systemd) is told: that we are ready, alive, reloading, stopping, and how it goes.

The protocol is one datagram a message to the socket that NOTIFY_SOCKET names (man sd_notify). Without it, nothing is
told. The variables are taken out of the environment, so that no actor speaks for us.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from domain.clock import NS_PER_S, NS_PER_US, Clock

STATUS_INTERVAL_NS = 10 * NS_PER_S
MARGIN_S = 20.0  # to an end: what the system itself does not let go of at once, the summary
US_PER_S = NS_PER_S // NS_PER_US


class ServiceManager:
    """Tells the service manager that started this process, if one did; never raises and never waits for it."""

    def __init__(self, environ: MutableMapping[str, str], clock: Clock) -> None:
        self._clock = clock
        self._socket: socket.socket | None = None
        self._status_due_ns = 0
        self._alive_due_ns = 0
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_us, watchdog_pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_ours = not watchdog_pid or watchdog_pid == str(os.getpid())
        self._alive_interval_ns = int(watchdog_us) * NS_PER_US // 3 if watchdog_us.isdigit() and is_ours else 0
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            with suppress(OSError):
                self._socket.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)

    def ready(self) -> None:
        """Say that the session runs."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is read anew; `ready` says that it is done."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={self._clock.monotonic_ns() // NS_PER_US}")

    def stopping(self, why: str, within_s: float) -> None:
        """Say that the session ends, and how long it may take: less patience than that would kill it in the middle."""
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int((within_s + MARGIN_S) * US_PER_S)}\nSTATUS={_one_line(why)}")

    def alive(self, now_ns: int) -> None:
        """Say, as often as is asked for, that the loop turns: called by nothing but the loop."""
        if self._alive_interval_ns and now_ns >= self._alive_due_ns:
            self._alive_due_ns = now_ns + self._alive_interval_ns
            self._tell("WATCHDOG=1")

    def wants_status(self, now_ns: int) -> bool:
        """Return whether it is time to say how it goes."""
        if self._socket is None or now_ns < self._status_due_ns:
            return False
        self._status_due_ns = now_ns + STATUS_INTERVAL_NS
        return True

    def status(self, text: str) -> None:
        """Say how it goes; `systemctl status` shows it."""
        self._tell(f"STATUS={_one_line(text)}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # a manager that went away, or does not read, is no reason to stop quoting
                self._socket.send(message.encode())


def _one_line(text: str) -> str:
    return " ".join(text.split())
