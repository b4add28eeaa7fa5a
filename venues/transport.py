"""One WebSocket connection, carried by picows (default) or by websockets.

A transport knows frames, not meaning. `send` returns after the bytes were handed to the socket. No
compression, no automatic pings: who pings, and when, is a decision of the session above.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Literal, Protocol

import picows
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from domain.errors import ConnectivityError

FRAME_BYTES_MAX = 16 * 1024 * 1024  # the list of instruments is the largest message, well below 1 MiB
TransportName = Literal["picows", "websockets"]
USER_AGENT = "ringmaker"


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


async def open_transport(
    name: TransportName, url: str, listener: TransportListener, *, timeout_s: float, proxy: str = ""
) -> Transport:
    """Connect and return the open transport.

    Raises:
        ConnectivityError: when the address does not answer with a WebSocket.
    """
    opener = _open_picows if name == "picows" else _open_websockets
    try:
        return await opener(url, listener, timeout_s, proxy or None)
    except (OSError, TimeoutError, picows.WSError, InvalidHandshake, InvalidURI, EOFError) as error:
        text = str(error) or type(error).__name__
        raise ConnectivityError(f"cannot connect to {url}: {text}") from error


def _no_delay(raw: socket.socket | None) -> None:
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# ---- picows ------------------------------------------------------------------------------------------


class _PicowsListener(picows.WSListener):
    """Joins fragments and tells data from control frames."""

    def __init__(self, owner: PicowsTransport) -> None:
        self._owner = owner
        self._fragments: list[bytes] = []

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._owner.attach(transport)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is picows.WSMsgType.TEXT or kind == picows.WSMsgType.BINARY:
            if frame.fin:
                self._owner.listener.on_frame(frame.get_payload_as_memoryview())
            else:
                self._fragments = [frame.get_payload_as_bytes()]
        elif kind == picows.WSMsgType.CONTINUATION:
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                self._owner.listener.on_frame(message)
        elif kind == picows.WSMsgType.CLOSE:
            code, text = frame.get_close_code(), frame.get_close_reason()
            self._owner.close(f"venue closed the connection: code {int(code.value)} {text or ''}".rstrip())
        else:
            self._owner.listener.on_control()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._owner.on_disconnected()


class PicowsTransport:
    """A connection carried by picows."""

    def __init__(self, listener: TransportListener) -> None:
        self.listener = listener
        self._transport: picows.WSTransport | None = None
        self._end: asyncio.Task[None] | None = None
        self._reason = ""
        self._is_closed = False

    def attach(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self._end = asyncio.get_running_loop().create_task(_ended(transport))
        _no_delay(transport.underlying_transport.get_extra_info("socket"))

    def send(self, frame: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_disconnected or self._reason:
            raise ConnectivityError(f"not connected: {self._reason or 'the connection is gone'}")
        transport.send(picows.WSMsgType.TEXT, frame)

    def ping(self) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_ping()

    def close(self, reason: str) -> None:
        if self._reason or self._transport is None:
            return
        self._reason = reason
        if not self._transport.is_close_frame_sent:
            self._transport.send_close(picows.WSCloseCode.OK)
        # Not gracefully: a peer that no longer reads would keep us waiting for buffers to drain.
        asyncio.get_running_loop().call_later(0.05, self._transport.disconnect, False)

    def on_disconnected(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._reason = self._reason or "the connection was lost"
            self.listener.on_close(self._reason)


async def _ended(transport: picows.WSTransport) -> None:
    """Take the connection's last error from picows: `on_close` has told it, and nobody else will ask."""
    with contextlib.suppress(Exception):
        await transport.wait_disconnected()


async def _open_picows(url: str, listener: TransportListener, timeout_s: float, proxy: str | None) -> Transport:
    owner = PicowsTransport(listener)
    await picows.ws_connect(
        lambda: _PicowsListener(owner),
        url,
        websocket_handshake_timeout=timeout_s,
        enable_auto_pong=True,
        max_frame_size=FRAME_BYTES_MAX,
        extra_headers={"User-Agent": USER_AGENT},
        proxy=proxy,
        disconnect_on_exception=True,
    )
    return owner


# ---- websockets --------------------------------------------------------------------------------------


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
    """A connection carried by websockets; also for SOCKS5 proxies."""

    def __init__(self, connection: _ClientConnection, listener: TransportListener) -> None:
        self._connection = connection
        self._listener = listener
        self._reason = ""
        _no_delay(connection.transport.get_extra_info("socket"))
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


async def _open_websockets(url: str, listener: TransportListener, timeout_s: float, proxy: str | None) -> Transport:
    connection = await connect(
        url,
        create_connection=_ClientConnection,
        compression=None,
        ping_interval=None,
        open_timeout=timeout_s,
        close_timeout=1,
        max_size=FRAME_BYTES_MAX,
        user_agent_header=USER_AGENT,
        proxy=proxy,
    )
    assert isinstance(connection, _ClientConnection)
    return WebsocketsTransport(connection, listener)
