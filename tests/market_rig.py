"""The publisher with real segments and a real feed, but without sockets: frames are handed to the feed's link."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

import structlog

from actors.market_data.outputs import MarketOutputs
from actors.market_data.publisher import MarketDataPublisher
from domain.clock import NS_PER_MS, SimClock
from runtime.session import SessionSegments
from runtime.topology import ACTORS_BY_NAME
from shm.counters import Counters
from shm.histogram import Histogram
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from venues.config import VenueConfig
from venues.thalex.feed import ThalexFeed
from venues.thalex.feed_link import FeedLink
from venues.thalex.trade_tape import KEPT_MAX

NAMES = ("BTC-PERPETUAL", "ETH-PERPETUAL")
BTC, ETH = 0, 1
LOOP_MS = 20
INSTRUMENTS = [
    {
        "instrument_name": f"{base}-PERPETUAL",
        "tick_size": tick,
        "volume_tick_size": 0.001,
        "min_order_amount": 0.002,
        "underlying": f"{base}USD",
        "type": "perpetual",
    }
    for base, tick in (("BTC", 1), ("ETH", 0.1))
]
SPEC = ACTORS_BY_NAME["market_data"]


class Market:
    """Publisher, feed and readers, driven by frames."""

    def __init__(self, segments: SessionSegments, **venue: Any) -> None:
        self.clock = SimClock(monotonic_ns=10**9, realtime_ns=1_795_223_038 * 10**9)
        self.wakes = 0
        self.announced: list[int] = []  # when the frame of each announced book came
        self.counters = Counters(segments["counters.market_data"], SPEC.counters)
        latency = segments["latency.market_data"]
        outputs = MarketOutputs(
            instruments=TableWriter(segments["instruments"]),
            feed=TableWriter(segments["feed"]),
            books=RingWriter(segments["books"]),
            book_table=TableWriter(segments["book_table"]),
            tickers=RingWriter(segments["tickers"]),
            ticker_table=TableWriter(segments["ticker_table"]),
            trades=RingWriter(segments["trades"]),
            indices=RingWriter(segments["indices"]),
            index_table=TableWriter(segments["index_table"]),
            decode=Histogram(latency, 0),
            publish=Histogram(latency, 1),
            counters=self.counters,
            wake_strategy=[self._wake] * len(NAMES),
            announce_book=[self.announced.append] * len(NAMES),
        )
        log = structlog.stdlib.get_logger()
        config = VenueConfig(book_levels=20, **{"instrument_probe_ms": 0, **venue})
        self.publisher = MarketDataPublisher(
            NAMES,
            outputs,
            self.clock,
            log,
            window_levels=20,
            still_ns_max=config.still_ns_max,
            against_ns_max=config.against_ns_max,
        )
        self.feed = ThalexFeed(config, "ws://unused", NAMES, self.publisher, self.clock, log, _never_spawned)
        self.books = RingReader(segments["books"], "oldest")
        self.book_table = TableReader(segments["book_table"])
        self.tickers = RingReader(segments["tickers"], "oldest")
        self.trades = RingReader(segments["trades"], "oldest")
        self.indices = RingReader(segments["indices"], "oldest")
        self.index_table = TableReader(segments["index_table"])
        self.instruments = TableReader(segments["instruments"])
        self.feed_table = TableReader(segments["feed"])
        self.sent: list[dict[str, Any]] = []
        self.dropped: list[str] = []
        self.listen(self.feed.link)

    def listen(self, link: FeedLink) -> None:
        """Take what a link sends, instead of a socket that it has not got."""
        link.connection.send = self._sent  # type: ignore[method-assign]
        link.connection.drop = self.dropped.append  # type: ignore[method-assign]

    def attach(self) -> None:
        """Let the publisher take over the records, as the actor's start does."""
        self.publisher.attach(self.feed, self.trades.to_numpy(last=KEPT_MAX))

    def _wake(self) -> None:
        self.wakes += 1

    def _sent(self, frame: bytes) -> None:
        self.sent.append(json.loads(frame))

    def connect(self, instruments: list[dict[str, Any]] = INSTRUMENTS) -> list[str]:
        """Go through the session's steps on the newest link; return the channels that it asked for."""
        self.sent.clear()
        self.listen(self.feed.links[-1])
        self.feed.links[-1].begin_session()
        self.answer("public/instruments", instruments)
        channels: list[str] = next(r for r in self.sent if r["method"] == "public/subscribe")["params"]["channels"]
        self.answer("public/subscribe", channels)
        return channels

    def pass_by(self, ms: int) -> None:
        """Let time pass in which the loop runs, and the feed finds nothing to do."""
        for _ in range(ms // LOOP_MS):
            self.clock.advance(LOOP_MS * NS_PER_MS)
            self.publisher.check(self.clock.monotonic_ns())
        self.clock.advance(ms % LOOP_MS * NS_PER_MS)

    def check(self, after_ms: int = 0) -> None:
        """Let time pass, then do what the work loop does."""
        self.pass_by(after_ms)
        self.check_late(0)

    def check_late(self, after_ms: int) -> None:
        """Let time pass in which the loop does not run, then do what it does."""
        self.clock.advance(after_ms * NS_PER_MS)
        self.feed.check(self.clock.monotonic_ns())
        self.publisher.check(self.clock.monotonic_ns())

    def disconnect(self) -> None:
        self.feed.link.on_closed("test")

    def answer(self, method: str, result: object) -> None:
        request = next(r for r in self.sent if r["method"] == method)
        self.sent.remove(request)
        self.frame({"id": request["id"], "result": result})

    def frame(self, message: object, link: FeedLink | None = None) -> None:
        """Hand a frame to `link`, the newest by default."""
        frame = message if isinstance(message, bytes) else json.dumps(message).encode()
        (link or self.feed.links[-1]).on_frame(frame)

    def notify(
        self, channel: str, notification: object, *, snapshot: bool = False, link: FeedLink | None = None
    ) -> None:
        message = {"channel_name": channel, "notification": notification}
        self.frame({**message, "snapshot": True} if snapshot else message, link)

    def book(
        self,
        bids: list[list[float]],
        asks: list[list[float]],
        *,
        row: int = BTC,
        snapshot: bool = False,
        link: FeedLink | None = None,
    ) -> None:
        payload = {"bid_changes": bids, "ask_changes": asks, "time": 1795223038.66, "trades": []}
        self.notify(f"book.{NAMES[row]}.none.20.raw", payload, snapshot=snapshot, link=link)


def _never_spawned(coroutine: Coroutine[Any, Any, None], _name: str) -> None:
    coroutine.close()
