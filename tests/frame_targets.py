"""What fuzzed frames are thrown at: the whole of the public side, the whole of the private side, bare decoders.

Nothing here has a socket. A target takes a frame as the transport would hand it over, keeps the session alive around
it (answers, resyncs, reconnects), and lets every exception out that is not a counted refusal.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog

import venues.thalex
from domain.clock import NS_PER_MS, SimClock
from domain.errors import ProtocolError, VenueError
from runtime.session import SessionSegments
from tests.market_rig import INSTRUMENTS, Market
from venues.config import VenueConfig
from venues.credentials import Credentials
from venues.thalex import account_wire
from venues.thalex.order_gateway import ThalexOrderGateway
from venues.thalex.protocol import Session
from venues.thalex.requests import Requests
from venues.thalex.wire import decode_envelope

LIFE_FRAMES = 500  # after so many the connection is made anew
CHECK_FRAMES = 50
ID = b'"id":0'
PRIVATE_CHANNELS = ("session.orders", "account.portfolio", "account.trade_history", "session.mm_protection")


class Target(Protocol):
    """Something that frames are thrown at.

    Attributes:
        refused: frames refused, by kind.
        understood: frames taken.
    """

    refused: Counter[str]
    understood: int

    def take(self, frame: bytes) -> None: ...


def _addressed(frame: bytes, requests: Requests, rng: random.Random) -> bytes:
    """Make an answer of the corpus one to a request that is under way."""
    if ID not in frame or not len(requests):
        return frame
    return frame.replace(ID, b'"id":%d' % rng.choice(list(requests._pending)), 1)


class PublicTarget:
    """Link, session, subscriptions, publisher and shared memory."""

    def __init__(self, segments: SessionSegments, seed: int) -> None:
        self.market = Market(segments)
        self.market.attach()
        self.market.connect()
        self._rng = random.Random(seed)
        self._taken = 0

    def take(self, frame: bytes) -> None:
        market, rng = self.market, self._rng
        link = rng.choice(market.feed.links)
        if link._session is not None:
            frame = _addressed(frame, link._session.requests, rng)
        link.on_frame(memoryview(frame))
        self._taken += 1
        if self._taken % CHECK_FRAMES == 0:
            market.clock.advance(30 * NS_PER_MS)
            market.feed.check(market.clock.monotonic_ns())
            market.publisher.check(market.clock.monotonic_ns())
            market.sent.clear()
        if self._taken % LIFE_FRAMES == 0 or market.dropped:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Break every connection; half of the new sessions find their steps among the fuzzed frames."""
        market = self.market
        market.dropped.clear()
        for link in list(market.feed.links):
            link.on_closed("fuzz")
        if self._rng.random() < 0.5:
            market.connect(INSTRUMENTS)
        else:
            market.listen(market.feed.link)
            market.feed.link.begin_session()

    @property
    def refused(self) -> Counter[str]:
        counts = self.market.counters.values()
        return +Counter({name.removeprefix("bad_frames_"): counts[name] for name in counts if "bad_frames_" in name})

    @property
    def understood(self) -> int:
        return self._taken - self.refused.total()


class _Listener:
    """Every listener of the private side, counting."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()

    def on_bad_frame(self, error: ProtocolError) -> None:
        self.refused[error.refusal] += 1

    def on_rejected(self, _kind: object, _client_order_id: int, error: VenueError) -> None:
        assert isinstance(error.code, int)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("on_"):
            return lambda *_arguments: None
        raise AttributeError(name)


class PrivateTarget:
    """Gateway, session, replies: orders, fills, positions, trades, quotes."""

    def __init__(self, credentials: Credentials, state_dir: Path, seed: int) -> None:
        self._listener: Any = _Listener()
        self._clock = SimClock(monotonic_ns=10**9, realtime_ns=1_795_223_038 * 10**9)
        self._gateway = ThalexOrderGateway(
            VenueConfig(), "ws://unused", credentials, state_dir, self._listener, self._clock,
            structlog.stdlib.get_logger(), quote_listener=self._listener,
        )  # fmt: skip
        connection: Any = self._gateway._connection
        connection.send = lambda _frame: None
        connection.drop = self._on_drop
        self._rng = random.Random(seed)
        self._must_close = False
        self._taken = 0
        self._begin()

    def _on_drop(self, _reason: str) -> None:
        self._must_close = True

    def _begin(self) -> None:
        """Start a session as `open_session` does, without a signature; half of them become ready at once."""
        gateway = self._gateway
        session = Session.private(PRIVATE_CHANNELS, Requests(5_000 * NS_PER_MS), token="T", account="", timeout_s=3)
        gateway._replies.hold()
        gateway._session = session
        session.start(self._clock.monotonic_ns())
        if self._rng.random() < 0.5:
            for answer in (b'{"account_number":"A1"}', b'{"message_rate":50}', _json_list(PRIVATE_CHANNELS)):
                (request_id,) = session.requests._pending
                gateway.on_frame(b'{"id":%d,"result":%s}' % (request_id, answer))
            assert gateway.is_ready

    def take(self, frame: bytes) -> None:
        gateway, rng = self._gateway, self._rng
        session = gateway._session
        assert session is not None
        if gateway.is_ready and len(session.requests) < 20:
            kind, decode = rng.choice([
                ("insert", account_wire.decode_order), ("amend", account_wire.decode_order),
                ("cancel", account_wire.decode_order), ("system", account_wire.decode_void),
            ])  # fmt: skip
            session.request("private/any", {}, decode, self._clock.monotonic_ns(), kind=kind, client_order_id=7)
        gateway.on_frame(memoryview(_addressed(frame, session.requests, rng)))
        self._taken += 1
        if self._taken % CHECK_FRAMES == 0:
            self._clock.advance(30 * NS_PER_MS)
            gateway.keep_alive(self._clock.monotonic_ns())
        if self._taken % LIFE_FRAMES == 0 or self._must_close:
            self._must_close = False
            gateway.on_closed("fuzz")
            self._begin()

    @property
    def refused(self) -> Counter[str]:
        refused: Counter[str] = self._listener.refused
        return refused

    @property
    def understood(self) -> int:
        return self._taken - self.refused.total()


def _json_list(texts: tuple[str, ...]) -> bytes:
    return b"[" + b",".join(b'"%s"' % text.encode() for text in texts) + b"]"


def every_decoder() -> dict[str, Callable[[Any], Any]]:
    """Return each `decode_` function of each wire module, by name: also those that no session calls today."""
    found = {}
    for module in pkgutil.iter_modules(venues.thalex.__path__):
        if module.name.endswith("wire"):
            wire = importlib.import_module(f"venues.thalex.{module.name}")
            found |= {
                f"{module.name}.{name}": function
                for name, function in vars(wire).items()
                if name.startswith("decode_") and function.__module__.startswith("venues.thalex")
            }
    return found


class DecoderTarget:
    """Every decoder, given every payload, whether it is meant for it or not."""

    def __init__(self, seed: int) -> None:
        self.decoders = every_decoder()
        self.refused: Counter[str] = Counter()
        self.understood = 0
        self._rng = random.Random(seed)
        self._names = sorted(self.decoders)

    def take(self, frame: bytes) -> None:
        decode = self.decoders[self._rng.choice(self._names)]
        try:
            envelope = decode_envelope(memoryview(frame))
            payload: Any = envelope.notification if envelope.channel_name else envelope.result
            decode(frame if decode is decode_envelope else payload)
            self.understood += 1
        except ProtocolError as error:
            self.refused[error.refusal] += 1
