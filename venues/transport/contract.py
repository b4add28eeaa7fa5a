"""What a session asks of a connection, whichever library carries it.

A transport knows frames, not meaning. `send` returns after the bytes were handed to the socket. No compression, no
automatic pings: who pings, and when, is a decision of the session above.
"""

from __future__ import annotations

import socket
import ssl
from typing import Literal, NamedTuple, Protocol

FRAME_BYTES_MAX = 16 * 1024 * 1024  # the list of instruments is the largest message, well below 1 MiB
USER_AGENT = "ringmaker"
TransportName = Literal["picows", "websockets"]


class TransportListener(Protocol):
    """What a transport tells its owner, on the event loop."""

    def on_frame(self, frame: bytes | memoryview) -> None:
        """One complete text message; a memoryview is valid only during the call."""
        ...

    def on_control(self) -> None:
        """A ping or pong came in: a sign of life."""
        ...

    def on_close(self, reason: str) -> None:
        """The connection ended; called exactly once."""
        ...


class Transport(Protocol):
    """One open connection."""

    def send(self, frame: bytes) -> None:
        """Write one text message. Raises ConnectivityError when the connection is gone."""
        ...

    def ping(self) -> None: ...

    def close(self, reason: str) -> None:
        """End the connection at once; `on_close(reason)` follows. Idempotent."""
        ...


class Route(NamedTuple):
    """Where to and which way.

    Attributes:
        url: ws:// or wss:// address.
        timeout_s: for the handshake.
        proxy: address of the proxy, empty = none.
        tls: how the venue is checked; None on ws://.
    """

    url: str
    timeout_s: float
    proxy: str
    tls: ssl.SSLContext | None


def send_at_once(raw: socket.socket | None) -> None:
    """Switch Nagle's algorithm off: an order is a small packet that must not wait for the next."""
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
