"""The socket: a WebSocket server whose connections hand their frames straight to a session.

Frames are taken in the protocol callback and not through `recv()`: no queue and no task switch between a
request and its answer. A client that does not read is dropped once too much waits for it; nobody else waits.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import struct
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from exchange.gateways.thalex.methods import ALL_METHODS
from exchange.gateways.thalex.session import Context, Session

MESSAGE_BYTES_MAX = 1024 * 1024
CLOSE_TIMEOUT_S = 0.2
PING_INTERVAL_S = 20.0
PATH = "/ws/api/v2"
LINGER_NOT = struct.pack("ii", 1, 0)  # close by a reset

_logger = logging.getLogger("exchange.thalex")


class ExchangeConnection(ServerConnection):
    """A server connection that owns a session once its handshake is done."""

    session: Session | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backlog_bytes_max = 0
        self._early: list[Frame] = []  # arrived between the handshake and `open_session`
        self._fragments: list[bytes] = []

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame):
            super().process_event(event)
            return
        if self.session is None:
            self._early.append(event)
            return
        if event.opcode is Opcode.PONG:
            super().process_event(event)  # an answer to our own ping is no sign of life from the client's code
            return
        self.session.on_activity()
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._take(event)

    def send_data(self) -> None:
        """Write what the protocol has to say. A black hole swallows that, too: the library answers pings by itself."""
        if self.session is None or self.session.link.takes():
            super().send_data()
        else:
            self.protocol.data_to_send()

    def open_session(self, session: Session) -> None:
        self.session = session
        for frame in self._early:
            self.process_event(frame)
        self._early.clear()

    def send_frame(self, frame: bytes) -> None:
        """Write a text frame without waiting; drop the client if it has stopped reading."""
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > self.backlog_bytes_max:
            _logger.warning("%s does not read, dropped", self.remote_address)
            self.transport.abort()
            return
        broadcast((self,), frame, text=True)

    def hang_up(self, reason: str) -> None:
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(1001, reason)
            self.send_data()
        # A client that has gone silent will not answer the close frame.
        self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def reset(self) -> None:
        """Cut the connection by a TCP reset, as when the peer's machine dies and comes back."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.transport.abort()

    def _take(self, frame: Frame) -> None:
        assert self.session is not None
        if frame.fin and not self._fragments:
            self.session.on_frame(bytes(frame.data))
            return
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            whole, self._fragments = b"".join(self._fragments), []
            self.session.on_frame(whole)


class ThalexServer:
    """Listens, and gives every connection a session of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._numbers = itertools.count(1)
        self._server: Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Start to listen and return the port.

        Raises:
            OSError: when the address can't be bound.
        """
        self._server = await serve(
            self._handle,
            host,
            port,
            create_connection=ExchangeConnection,
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
        )
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        """Stop listening, end every session, and wait no longer than the close time-out for the sockets."""
        if self._server is None:
            return
        for session in list(self._context.sessions.values()):
            session.on_closed()
        self._server.close()
        try:
            await asyncio.wait_for(self._server.wait_closed(), 2 * CLOSE_TIMEOUT_S)
        except TimeoutError:
            _logger.warning("some clients did not answer the close frame")

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, ExchangeConnection)
        session = Session(
            self._context,
            ALL_METHODS,
            f"S{next(self._numbers):06d}",
            connection.send_frame,
            connection.hang_up,
            connection.reset,
            _address_text(connection.remote_address),
        )
        connection.backlog_bytes_max = self._context.settings.backlog_bytes_max
        connection.open_session(session)
        try:
            await connection.wait_closed()
        finally:
            session.on_socket_closed()


def _address_text(address: Any) -> str:
    """Return `host:port` of a socket's address; empty when the peer has gone already."""
    return f"{address[0]}:{address[1]}" if address else ""
