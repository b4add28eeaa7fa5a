"""A standby, seen from inside: prepare whatever needs no session, say so, and sleep until called.

Parked, a process uses no CPU, opens no segment, no socket and no log, and has no connection to the venue. It is called
with the number of the life that it shall be; when its supervisor dies, it dies.
"""

from __future__ import annotations

import os
import socket

READY = b"r"


def park(fd: int) -> int:
    """Say that everything is prepared, wait for the call, and return the life's number (epoch).

    Exits when the supervisor ends the call without a word: the session is over.
    """
    with socket.socket(fileno=fd) as call:
        call.sendall(READY)
        said = b""
        while not said.endswith(b"\n"):
            part = call.recv(32)
            if not part:
                os._exit(0)  # nothing was opened: there is nothing to close
            said += part
    return int(said)
