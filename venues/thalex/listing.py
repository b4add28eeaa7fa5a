"""What the venue lists now, asked once on a connection of its own, for a process that has no event loop yet."""

from __future__ import annotations

import asyncio
import difflib
import os
import time
from collections.abc import Collection

from domain.errors import ConnectivityError, ProtocolError, VenueUnreachableError
from domain.instrument import Instrument
from venues.config import VenueConfig, venue_proxy
from venues.thalex.market_wire import decode_instruments
from venues.thalex.wire import decode_envelope, encode_request
from venues.transport.opening import open_transport

REQUEST_ID = 1
PAUSE_S = 0.5
CLOSE_NAMES_MAX = 3
CLOSE_NAME_RATIO = 0.6  # by difflib: below it a name has nothing to do with the one that was meant


def fetch_instruments(config: VenueConfig, url: str) -> dict[str, Instrument]:
    """Return every active instrument, by name.

    Raises:
        VenueUnreachableError: after `connect_tries_max` failed connections.
        ConfigError: the proxy or the certificates of the configuration cannot be used.
    """
    for tries in range(config.connect_tries_max):
        if tries:
            time.sleep(PAUSE_S)
        try:
            return asyncio.run(_ask(config, url))
        except TimeoutError:
            reason = f"no list of instruments within {config.connect_timeout_ms} ms"
        except (ConnectivityError, ProtocolError) as error:
            reason = str(error)
    raise VenueUnreachableError(f"{url}: {reason}: check the network, and [venue] url")


def unlisted_text(name: str, instruments: Collection[str]) -> str:
    """Return what to say of an instrument that the venue does not list, with those of a similar name."""
    by_base: dict[str, dict[str, str]] = {}  # as it may be written, to what it is
    for other in instruments:
        by_base.setdefault(_base(other), {})[other.upper()] = other
    meant = difflib.get_close_matches(_base(name), by_base, cutoff=CLOSE_NAME_RATIO)  # who writes SOL means no BTC
    candidates = {written: other for base in meant for written, other in by_base[base].items()}
    found = difflib.get_close_matches(name.upper(), candidates, n=CLOSE_NAMES_MAX, cutoff=CLOSE_NAME_RATIO)
    near = [candidates[written] for written in found]
    hint = f"did you mean {' or '.join(near)}?" if near else f"it lists {len(instruments)} instruments"
    return f'[instruments."{name}"]: the venue does not list this instrument; {hint}'


def _base(name: str) -> str:
    return name.partition("-")[0].upper()


class _Listing:
    """Waits for the one answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[dict[str, Instrument]] = asyncio.get_running_loop().create_future()

    def on_frame(self, frame: bytes | memoryview) -> None:
        try:
            envelope = decode_envelope(frame)
            if envelope.id == REQUEST_ID and not self.answer.done():
                self.answer.set_result(decode_instruments(envelope.result))
        except ProtocolError as error:
            self._fail(error)

    def on_control(self) -> None: ...

    def on_close(self, reason: str) -> None:
        self._fail(ConnectivityError(reason))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _ask(config: VenueConfig, url: str) -> dict[str, Instrument]:
    listing = _Listing()
    timeout_s = config.connect_timeout_ms / 1000
    async with asyncio.timeout(timeout_s):
        transport = await open_transport(
            config.transport, url, listing,
            timeout_s=timeout_s, proxy=venue_proxy(config, os.environ), ca_file=config.ca_file,
        )  # fmt: skip
        transport.send(encode_request("public/instruments", REQUEST_ID, {}))
        try:
            return await listing.answer
        finally:
            transport.close("done")
            await asyncio.sleep(0.1)  # until the socket is closed
