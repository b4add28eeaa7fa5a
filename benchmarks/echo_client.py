"""The floor: `python -m benchmarks.echo_client URL` sends one prebuilt insert for every book frame that comes in.

picows and uvloop, no JSON, no decision. Nothing that decides can answer sooner with these libraries.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import jwt
import msgspec
import picows
import uvloop

from benchmarks.probe_market import INSTRUMENT_NAME
from venues.config import VenueConfig
from venues.credentials import read_credentials

_BOOK = b'{"channel_name":"book.'


def _request(method: str, params: dict[str, object]) -> bytes:
    return msgspec.json.encode({"method": method, "id": 1, "params": params})


_INSERT = _request(
    "private/insert",
    {"direction": "buy", "instrument_name": INSTRUMENT_NAME, "amount": 0.01, "price": 99_000, "client_order_id": 1},
)


class Echo(picows.WSListener):
    """Answers book frames; `ended` is set when the connection is gone."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.ended = asyncio.Event()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        for method, params in (
            ("public/login", {"token": self._token}),
            ("private/set_cancel_on_disconnect", {"timeout_secs": 6}),
            ("public/subscribe", {"channels": [f"book.{INSTRUMENT_NAME}.none.10.raw"]}),
        ):
            transport.send(picows.WSMsgType.TEXT, _request(method, dict(params)))

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.get_payload_as_memoryview()[: len(_BOOK)] == _BOOK:
            transport.send(picows.WSMsgType.TEXT, _INSERT)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.ended.set()


async def _run(url: str) -> None:
    key = read_credentials(VenueConfig(kind="thalex"), os.environ)
    token = jwt.encode({"iat": time.time()}, key.private_key, algorithm="RS512", headers={"kid": key.key_id})
    echo = Echo(token)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, echo.ended.set)
    transport, _ = await picows.ws_connect(lambda: echo, url)
    await echo.ended.wait()
    transport.disconnect()


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1]))
