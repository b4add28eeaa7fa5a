"""A connection carried by picows, the fastest client that Python has."""

from __future__ import annotations

import asyncio
import contextlib

import picows

from domain.errors import ConnectivityError
from venues.transport.contract import FRAME_BYTES_MAX, USER_AGENT, Route, Transport, TransportListener, send_at_once


class _PicowsListener(picows.WSListener):
    """Joins fragments and tells data from control frames."""

    def __init__(self, owner: PicowsTransport) -> None:
        self._owner = owner
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._owner.attach(transport)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is picows.WSMsgType.TEXT or kind == picows.WSMsgType.BINARY:
            if frame.fin:
                self._owner.listener.on_frame(frame.get_payload_as_memoryview())
            else:
                self._fragments, self._fragment_bytes = [], 0
                self._add_fragment(frame.get_payload_as_bytes())
        elif kind == picows.WSMsgType.CONTINUATION:
            self._add_fragment(frame.get_payload_as_bytes())
            if frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                self._owner.listener.on_frame(message)
        elif kind == picows.WSMsgType.CLOSE:
            code, text = frame.get_close_code(), frame.get_close_reason()
            self._owner.close(f"venue closed the connection: code {int(code.value)} {text or ''}".rstrip())
        else:
            self._owner.listener.on_control()

    def _add_fragment(self, fragment: bytes) -> None:
        """Keep one; picows bounds each frame, but not a message that never ends."""
        self._fragment_bytes += len(fragment)
        if self._fragment_bytes > FRAME_BYTES_MAX:
            self._fragments.clear()
            self._owner.close(f"a message in fragments of more than {FRAME_BYTES_MAX} bytes")
            return
        self._fragments.append(fragment)

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
        send_at_once(transport.underlying_transport.get_extra_info("socket"))

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


async def open_picows(route: Route, listener: TransportListener) -> Transport:
    """Connect; raises what picows, python-socks and sockets raise."""
    owner = PicowsTransport(listener)
    await picows.ws_connect(
        lambda: _PicowsListener(owner),
        route.url,
        ssl_context=route.tls,
        websocket_handshake_timeout=route.timeout_s,
        enable_auto_pong=True,
        max_frame_size=FRAME_BYTES_MAX,
        extra_headers={"User-Agent": USER_AGENT},
        proxy=route.proxy.replace("socks5h://", "socks5://", 1) or None,  # python-socks lets the proxy resolve names
        disconnect_on_exception=True,
    )
    return owner
