"""A connection carried by websockets: slower, and a second opinion when picows is in doubt."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from domain.errors import ConnectivityError
from venues.transport.contract import FRAME_BYTES_MAX, USER_AGENT, Route, Transport, TransportListener, send_at_once


class _ClientConnection(ClientConnection):
    """Reports control frames, which `recv` hides."""

    transport_listener: TransportListener | None = None

    def process_event(self, event: Any) -> None:
        super().process_event(event)
        if (
            self.transport_listener is not None
            and isinstance(event, Frame)
            and event.opcode in (Opcode.PING, Opcode.PONG)
        ):
            self.transport_listener.on_control()


class WebsocketsTransport:
    """A connection carried by websockets."""

    def __init__(self, connection: _ClientConnection, listener: TransportListener) -> None:
        self._connection = connection
        self._listener = listener
        self._reason = ""
        send_at_once(connection.transport.get_extra_info("socket"))
        connection.transport_listener = listener
        self._reader = asyncio.get_running_loop().create_task(self._read())

    def send(self, frame: bytes) -> None:
        # The coroutine `connection.send` may not have written yet when the caller goes on; the sans-IO
        # protocol beneath it writes now, and the caller can stamp the moment.
        connection = self._connection
        if self._reason or connection.protocol.state is not State.OPEN:
            raise ConnectivityError(f"not connected: {self._reason or 'the connection is gone'}")
        connection.protocol.send_text(frame)
        connection.send_data()

    def ping(self) -> None:
        if self._connection.protocol.state is State.OPEN:
            self._connection.protocol.send_ping(b"")
            self._connection.send_data()

    def close(self, reason: str) -> None:
        if self._reason:
            return
        self._reason = reason
        if self._connection.protocol.state is State.OPEN:
            self._connection.protocol.send_close(1000)
            self._connection.send_data()
        asyncio.get_running_loop().call_later(0.05, self._connection.transport.abort)

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._connection.recv(decode=False)
                self._listener.on_frame(frame)
        except ConnectionClosed as closed:
            self._reason = self._reason or f"the connection was lost: {closed}"
        except Exception as error:
            self._reason = self._reason or f"{type(error).__name__}: {error}"
            self._connection.transport.abort()
            raise
        finally:
            self._listener.on_close(self._reason or "the connection was given up")


async def open_websockets(route: Route, listener: TransportListener) -> Transport:
    """Connect; raises what websockets, python-socks and sockets raise."""
    connection = await connect(
        route.url,
        create_connection=_ClientConnection,
        compression=None,
        ping_interval=None,
        open_timeout=route.timeout_s,
        close_timeout=1,
        max_size=FRAME_BYTES_MAX,
        user_agent_header=USER_AGENT,
        proxy=re.sub("^socks5:", "socks5h:", route.proxy) or None,  # with the h the proxy resolves names
        ssl=route.tls,
    )
    assert isinstance(connection, _ClientConnection)
    return WebsocketsTransport(connection, listener)
