"""From feed events to shared memory: each kind of data has its own writer, this gives every event to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from structlog.stdlib import BoundLogger

from actors.market_data.books import BookRows
from actors.market_data.indices import IndexRows
from actors.market_data.instruments import InstrumentRows
from actors.market_data.outputs import MarketOutputs
from actors.market_data.tickers import TickerRows
from actors.market_data.trades import TradeRows
from domain.clock import NS_PER_S, Clock
from domain.errors import ProtocolError
from domain.instrument import Instrument
from domain.records import FEED
from venues.thalex.market_wire import BasePricePayload, BookPayload, IndexPayload, PublicTrade, TickerPayload

BAD_FRAME_LOG_INTERVAL_NS = NS_PER_S
_IS_CONNECTED = FEED.word("is_connected")
_ALIVE_TIME = FEED.word("alive_time_ns")
_CONNECTIONS = FEED.word("connections")
_RESYNCS = FEED.word("resyncs")


class MarketFeed(Protocol):
    """What the publisher asks of the feed."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def alive_time_ns(self) -> int: ...

    @property
    def frames(self) -> int: ...

    def doubt_book(self, row: int) -> None: ...


class MarketDataPublisher:
    """A `FeedListener` that writes every record of market data.

    Args:
        window_levels: depth of the venue's book channel; 0 = all levels.
        still_ns_max, against_ns_max: a book that has stood still for longer than the one while tickers named another
            touch for longer than the other is doubted.
    """

    def __init__(
        self,
        names: Sequence[str],
        outputs: MarketOutputs,
        clock: Clock,
        log: BoundLogger,
        *,
        window_levels: int,
        still_ns_max: int,
        against_ns_max: int,
    ) -> None:
        self._names = list(names)
        self._out = outputs
        self._clock = clock
        self._log = log
        self._feed: MarketFeed | None = None
        self._instruments = InstrumentRows(names, outputs.instruments, log)
        self._books = BookRows(
            len(self._names), outputs, clock, self._doubt,
            window_levels=window_levels, still_ns_max=still_ns_max, against_ns_max=against_ns_max,
        )  # fmt: skip
        self._tickers = TickerRows(len(self._names), outputs)
        self._trades = TradeRows(names, outputs, log)
        self._indices = IndexRows(outputs, log)
        self._frames_counted = 0
        self._has_been_ready = False
        self._bad_frames_unlogged = 0
        self._bad_frame_log_due_ns = 0

    def attach(self, feed: MarketFeed, published_trades: npt.NDArray[np.void]) -> None:
        """Take over the records: until the feed is ready every book is invalid, whatever stood there.

        `published_trades` are the newest TRADE records of the ring, left by a process before this one.
        """
        self._feed = feed
        # Counts go on over restarts of this process.
        self._out.feed.load_own(0)
        self._indices.load()
        self._trades.load(published_trades)
        for row in range(len(self._names)):
            self._books.publish_empty(row)
        self.publish_feed()

    # ---- life of the feed ----------------------------------------------------------------------------

    def is_instrument_known(self, row: int) -> bool:
        """Return whether the instruments table has it, from this process or the one before."""
        return self._instruments.is_known(row)

    def on_instruments(self, instruments: dict[str, Instrument]) -> None:
        """Bring the instruments table to what the venue lists now."""
        for row, name in enumerate(self._names):
            instrument = instruments.get(name)
            self.on_instrument_changed(row, instrument)
            if instrument is not None:
                self._tickers.take_instrument(row, instrument)

    def on_instrument_changed(self, row: int, instrument: Instrument | None) -> None:
        """Take a definition of the venue; a removed instrument has no valid book."""
        if self._instruments.take(row, instrument):
            return
        if instrument is None:
            self._books.invalidate(row)
        self._out.wake_strategy[row]()

    def on_feed_ready(self) -> None:
        """Count the connection and say that the feed is up."""
        self._out.feed.ints[_CONNECTIONS] += 1
        if self._has_been_ready:
            self._out.counters.add("reconnects")
        self._has_been_ready = True
        self.publish_feed()

    def on_book_lost(self, row: int) -> None:
        """Invalidate one book: the connection that told it is gone, the next one has not told it yet."""
        self._books.invalidate(row)

    def on_feed_lost(self, reason: str) -> None:
        """Invalidate every book at once."""
        self._books.invalidate_all()
        self.publish_feed()

    def check(self, now_ns: int) -> None:
        """Do what is due; called from the work loop."""
        self._books.check(now_ns)
        self.publish_feed()

    def publish_feed(self) -> None:
        """Write the signs of life, which a hung loop does not, and count frames and books."""
        assert self._feed is not None, "attach comes first"
        ints = self._out.feed.ints
        ints[_IS_CONNECTED] = int(self._feed.is_connected)
        ints[_ALIVE_TIME] = self._feed.alive_time_ns
        self._out.feed.publish(0)
        frames, self._frames_counted = self._feed.frames - self._frames_counted, self._feed.frames
        self._out.counters.add("frames", frames)
        self._books.count()

    def on_bad_frame(self, error: ProtocolError) -> None:
        """Count every one, log one a second: a venue that sends nothing else must not fill the disk."""
        counters = self._out.counters
        counters.add("bad_frames")
        counters.add(f"bad_frames_{error.refusal}")
        self._bad_frames_unlogged += 1
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._bad_frame_log_due_ns:
            self._bad_frame_log_due_ns = now_ns + BAD_FRAME_LOG_INTERVAL_NS
            self._log.warning("bad frame", reason=str(error), since_last_line=self._bad_frames_unlogged)
            self._bad_frames_unlogged = 0

    # ---- data ----------------------------------------------------------------------------------------

    @property
    def announces_books(self) -> bool:
        """Whether a strategy is to be woken early."""
        return bool(self._out.announce_book)

    def on_book_coming(self, row: int, receive_ns: int) -> None:
        """Have strategy awake by the time the book is decoded and published."""
        self._out.announce_book[row](receive_ns)

    def on_book(
        self, row: int, payload: BookPayload, is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None:
        """Apply one message, publish the best levels, wake strategy."""
        self._books.apply(row, payload, is_snapshot, receive_ns, receive_realtime_ns)

    def on_book_doubted(self, row: int) -> None:
        """Count a resync; the book is invalid until its snapshot."""
        self._out.counters.add("resyncs")
        self._out.feed.ints[_RESYNCS] += 1
        self._books.invalidate(row)

    def on_ticker(self, row: int, ticker: TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish a ticker, and hold the book against it."""
        self._tickers.publish(row, ticker, receive_ns, receive_realtime_ns)
        self._books.compare(row, ticker, receive_ns)

    def on_trades(
        self, row: int, trades: list[PublicTrade], is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None:
        """Publish the trades that are new."""
        self._trades.take(row, trades, is_snapshot, receive_ns, receive_realtime_ns)

    def on_index(self, name: str, index: IndexPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish an index, and keep it for tickers that lack it."""
        self._tickers.take_price(name, index.price)
        self._indices.publish_index(name, index, receive_ns, receive_realtime_ns)

    def on_forward(self, name: str, forward: BasePricePayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish a forward price, and keep it for tickers that lack it."""
        self._tickers.take_price(name, forward.price)
        self._indices.publish_forward(name, forward, receive_ns, receive_realtime_ns)

    def _doubt(self, row: int, reason: str) -> None:
        assert self._feed is not None, "attach comes first"
        self._log.warning("book doubted", instrument=self._names[row], reason=reason)
        self._feed.doubt_book(row)
