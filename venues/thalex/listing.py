"""What the venue lists now, asked once on a connection of its own, for a process that has no event loop yet."""

from __future__ import annotations

import time

import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from domain.errors import ProtocolError, VenueUnreachableError
from domain.instrument import Instrument
from venues.config import VenueConfig
from venues.thalex.market_wire import decode_instruments

REQUEST_ID = 1
PAUSE_S = 0.5


class Answer(msgspec.Struct):
    """As much of an answer as is needed."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(Answer)
_REQUEST = msgspec.json.encode({"method": "public/instruments", "id": REQUEST_ID, "params": {}}).decode()


def fetch_instruments(config: VenueConfig, url: str) -> dict[str, Instrument]:
    """Return every active instrument, by name.

    Raises:
        VenueUnreachableError: after `connect_tries_max` failed connections.
    """
    for tries in range(config.connect_tries_max):
        if tries:
            time.sleep(PAUSE_S)
        try:
            return _ask(config, url)
        except (OSError, TimeoutError, WebSocketException, msgspec.DecodeError, ProtocolError) as error:
            reason = f"{type(error).__name__}: {error}"
    raise VenueUnreachableError(f"{url}: {reason}: check the network, and [venue] url")


def _ask(config: VenueConfig, url: str) -> dict[str, Instrument]:
    timeout_s = config.connect_timeout_ms / 1000
    with connect(url, open_timeout=timeout_s, max_size=None, proxy=config.proxy or None) as socket:
        socket.send(_REQUEST)
        deadline_s = time.monotonic() + timeout_s
        while True:
            frame = socket.recv(timeout=max(deadline_s - time.monotonic(), 0.0))
            answer = _decoder.decode(frame)
            if answer.id == REQUEST_ID:
                return decode_instruments(answer.result)
