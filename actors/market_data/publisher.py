"""From feed events to shared memory: books, tickers and trades as records, and strategy's doorbell.

The public book holds our own orders and is published as it is; strategy subtracts them. A book is valid only
when it is two-sided, uncrossed and built from a snapshot of the present connection.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from structlog.stdlib import BoundLogger

from domain.book import Book
from domain.clock import NS_PER_S, Clock
from domain.errors import ProtocolError
from domain.grid import IN_FORCE, Off, grid_in, off_of
from domain.instrument import Instrument
from domain.records import BOOK, BOOK_LEVELS, FEED, INSTRUMENT, TICKER, TRADE
from shm.counters import Counters
from shm.histogram import Histogram
from shm.record import TableWriter
from shm.ring import RingWriter
from venues.thalex.market_wire import BookPayload, IndexPayload, PublicTrade, TickerPayload, number, stamp_ns

_INSTRUMENT_ROW = BOOK.word("instrument")
_EXCHANGE_TIME = BOOK.word("exchange_time_ns")
_RECEIVE_TIME = BOOK.word("receive_time_ns")
_RECEIVE_REALTIME = BOOK.word("receive_realtime_ns")
# All three market records begin with the same stamps, so that one function fills them.
for _record in (TICKER, TRADE):
    assert _record.word("instrument") == _INSTRUMENT_ROW
    assert _record.word("exchange_time_ns") == _EXCHANGE_TIME
    assert _record.word("receive_time_ns") == _RECEIVE_TIME
    assert _record.word("receive_realtime_ns") == _RECEIVE_REALTIME
_BID_COUNT = BOOK.word("bid_count")
_ASK_COUNT = BOOK.word("ask_count")
_IS_VALID = BOOK.word("is_valid")
_UPDATE_COUNT = BOOK.word("update_count")
_BID_PRICE = BOOK.word("bid_price")
_BID_SIZE = BOOK.word("bid_size")
_ASK_PRICE = BOOK.word("ask_price")
_ASK_SIZE = BOOK.word("ask_size")
_TICKER_WORDS = {field.name: TICKER.word(field.name) for field in TICKER.fields if field.kind == "f8"}
_TRADE_PRICE = TRADE.word("price")
_TRADE_SIZE = TRADE.word("size")
_TRADE_AGGRESSOR = TRADE.word("aggressor_side")
BAD_FRAME_LOG_INTERVAL_NS = NS_PER_S
_ZEROS = array("d", [0.0] * BOOK_LEVELS)
_AGGRESSORS = {"buy": 1, "sell": -1}


class MarketFeed(Protocol):
    """What the publisher asks of the feed."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def alive_time_ns(self) -> int: ...

    def doubt_book(self, row: int) -> None: ...

    def follow_index(self, underlying: str) -> None: ...


class MarketOutputs(NamedTuple):
    """Where the publisher writes. `wake_strategy` rings its doorbell."""

    instruments: TableWriter
    feed: TableWriter
    books: RingWriter
    book_table: TableWriter
    tickers: RingWriter
    ticker_table: TableWriter
    trades: RingWriter
    decode: Histogram
    publish: Histogram
    counters: Counters
    wake_strategy: Callable[[], None]


class MarketDataPublisher:
    """A `FeedListener` that keeps the books and writes every record of market data.

    Args:
        window_levels: depth of the venue's book channel; 0 = all levels.
        contradiction_ns_max: a book that stands still while tickers name another touch for so long is doubted.
    """

    def __init__(
        self,
        names: Sequence[str],
        outputs: MarketOutputs,
        clock: Clock,
        log: BoundLogger,
        *,
        window_levels: int,
        contradiction_ns_max: int,
    ) -> None:
        self._names = list(names)
        self._out = outputs
        self._clock = clock
        self._log = log
        self._feed: MarketFeed | None = None
        self._books = [Book(window_levels) for _ in names]
        self._is_valid = [False] * len(self._names)
        self._underlyings = [""] * len(self._names)
        self._off: list[Off] = [IN_FORCE] * len(self._names)
        self._index_prices: dict[str, float] = {}
        self._has_been_ready = False
        self._bad_frames_unlogged = 0
        self._bad_frame_log_due_ns = 0
        self._contradiction_ns_max = contradiction_ns_max
        self._contradicted_since_ns: list[int | None] = [None] * len(self._names)

    def attach(self, feed: MarketFeed) -> None:
        """Take over the records: until the feed is ready every book is invalid, whatever stood there."""
        self._feed = feed
        # Counts go on over restarts of this process.
        self._out.feed.load_own(0)
        for row in range(len(self._names)):
            self._publish_invalid(row)
        self.publish_feed()

    # ---- life of the feed ----------------------------------------------------------------------------

    def is_instrument_known(self, row: int) -> bool:
        """Return whether the instruments table has it, from this process or the one before."""
        return self._out.instruments.load_own(row)

    def on_instruments(self, instruments: dict[str, Instrument]) -> None:
        """Bring the instruments table to what the venue lists now, and follow the indices."""
        assert self._feed is not None, "attach comes first"
        for row, name in enumerate(self._names):
            instrument = instruments.get(name)
            self.on_instrument_changed(row, instrument)
            if instrument is not None:
                self._underlyings[row] = instrument.underlying
                self._feed.follow_index(instrument.underlying)

    def on_instrument_changed(self, row: int, instrument: Instrument | None) -> None:
        """Take a definition of the venue: the first is the session's, another switches the instrument off.

        The row goes on telling the grid that the session began with. A removed instrument has no valid book.
        """
        table = self._out.instruments
        is_known = table.load_own(row)
        off = off_of(grid_in(table), instrument) if is_known else IN_FORCE
        was_off, self._off[row] = self._off[row], off
        if off is IN_FORCE:
            assert instrument is not None, f"{self._names[row]} was never listed"
            self._write_instrument(row, instrument)
            if was_off is not IN_FORCE:
                self._log.info("the instrument is as the session began with it again", instrument=instrument.name)
            return
        table.ints[INSTRUMENT.word("is_ready")] = 0
        table.ints[INSTRUMENT.word("off_reason")] = off.reason
        table.publish(row)
        if off != was_off:
            self._log.error("instrument off: nothing is quoted in it", instrument=self._names[row], reason=off.text)
        if instrument is None:
            self._invalidate(row)
        self._out.wake_strategy()

    def on_feed_ready(self) -> None:
        """Count the connection and say that the feed is up."""
        self._out.feed.ints[FEED.word("connections")] += 1
        if self._has_been_ready:
            self._out.counters.add("reconnects")
        self._has_been_ready = True
        self.publish_feed()

    def on_feed_lost(self, reason: str) -> None:
        """Invalidate every book at once."""
        for row in range(len(self._names)):
            self._invalidate(row)
        self.publish_feed()

    def publish_feed(self) -> None:
        """Write the signs of life; called from the work loop, so that a hung loop shows."""
        assert self._feed is not None, "attach comes first"
        ints = self._out.feed.ints
        ints[FEED.word("is_connected")] = int(self._feed.is_connected)
        ints[FEED.word("alive_time_ns")] = self._feed.alive_time_ns
        self._out.feed.publish(0)

    def on_frame_read(self) -> None:
        self._out.counters.add("frames")

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

    def on_index(self, index: IndexPayload) -> None:
        self._index_prices[index.index_name] = index.price

    # ---- books ---------------------------------------------------------------------------------------

    def on_book(
        self, row: int, payload: BookPayload, is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None:
        """Apply one message, publish the best levels, wake strategy."""
        book = self._books[row]
        if is_snapshot:
            book.apply_snapshot(payload.bid_changes, payload.ask_changes)
        else:
            book.apply_changes(payload.bid_changes, payload.ask_changes)
        is_crossed = book.is_crossed
        self._contradicted_since_ns[row] = None
        applied_ns = self._clock.monotonic_ns()
        out = self._out
        ints = out.books.ints
        ints[_EXCHANGE_TIME] = stamp_ns(payload.time)
        ints[_RECEIVE_TIME] = receive_ns
        ints[_RECEIVE_REALTIME] = receive_realtime_ns
        self._publish_book(row, book, is_valid=not is_crossed and book.is_two_sided)
        published_ns = self._clock.monotonic_ns()
        out.wake_strategy()
        out.decode.record(applied_ns - receive_ns)
        out.publish.record(published_ns - applied_ns)
        out.counters.add("book_updates")
        if is_crossed:
            self._doubt(row, f"crossed: bid {book.best_bid} at or above ask {book.best_ask}")

    def on_book_doubted(self, row: int) -> None:
        """Count a resync; the book is invalid until its snapshot."""
        self._out.counters.add("resyncs")
        self._out.feed.ints[FEED.word("resyncs")] += 1
        self._invalidate(row)

    def _doubt(self, row: int, reason: str) -> None:
        assert self._feed is not None, "attach comes first"
        self._log.warning("book doubted", instrument=self._names[row], reason=reason)
        self._feed.doubt_book(row)

    def _invalidate(self, row: int) -> None:
        if self._is_valid[row]:
            self._publish_invalid(row)
            self._out.wake_strategy()
        self._books[row].clear()

    def _publish_invalid(self, row: int) -> None:
        ints = self._out.books.ints
        ints[_EXCHANGE_TIME] = 0
        ints[_RECEIVE_TIME] = self._clock.monotonic_ns()
        ints[_RECEIVE_REALTIME] = self._clock.realtime_ns()
        self._books[row].clear()
        self._publish_book(row, self._books[row], is_valid=False)

    def _publish_book(self, row: int, book: Book, *, is_valid: bool) -> None:
        """Publish the best levels; the caller has set the stamps in the ring's scratch."""
        self._is_valid[row] = is_valid
        ring, table = self._out.books, self._out.book_table
        ints, floats = ring.ints, ring.floats
        ints[_INSTRUMENT_ROW] = row
        ints[_IS_VALID] = is_valid
        ints[_UPDATE_COUNT] = book.update_count
        bid_prices, bid_sizes = book.bids.best(BOOK_LEVELS)
        ask_prices, ask_sizes = book.asks.best(BOOK_LEVELS)
        ints[_BID_COUNT] = _fill(floats, _BID_PRICE, bid_prices, _BID_SIZE, bid_sizes)
        ints[_ASK_COUNT] = _fill(floats, _ASK_PRICE, ask_prices, _ASK_SIZE, ask_sizes)
        table.ints[1:] = ints[1:]  # word 0 is the table's own sequence
        table.publish(row)
        # The ring comes last: a reader that follows it finds the table at least as new.
        ring.publish()

    # ---- tickers and trades --------------------------------------------------------------------------

    def on_ticker(self, row: int, ticker: TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish a ticker; an index that it lacks comes from the index channel."""
        ring, table = self._out.tickers, self._out.ticker_table
        ints = ring.ints
        ints[_INSTRUMENT_ROW] = row
        ints[_EXCHANGE_TIME] = stamp_ns(ticker.mark_timestamp or 0.0)
        ints[_RECEIVE_TIME] = receive_ns
        ints[_RECEIVE_REALTIME] = receive_realtime_ns
        index_price = ticker.index
        if index_price is None:
            index_price = self._index_prices.get(self._underlyings[row])
        self._fill_ticker(ticker, index_price)
        table.ints[1:] = ints[1:]
        table.publish(row)
        ring.publish()
        self._out.counters.add("tickers")
        self._compare(row, ticker, receive_ns)

    def _compare(self, row: int, ticker: TickerPayload, now_ns: int) -> None:
        """Doubt a book that stands still while tickers go on naming another touch: its channel has died."""
        book = self._books[row]
        agrees = ticker.best_bid_price == book.best_bid and ticker.best_ask_price == book.best_ask
        if agrees or not self._is_valid[row] or ticker.best_bid_price is None or ticker.best_ask_price is None:
            self._contradicted_since_ns[row] = None
            return
        since_ns = self._contradicted_since_ns[row]
        if since_ns is None:
            self._contradicted_since_ns[row] = now_ns
        elif now_ns - since_ns > self._contradiction_ns_max:
            self._contradicted_since_ns[row] = None
            self._doubt(row, f"stands at {book.best_bid}/{book.best_ask} against the ticker's touch")

    def _fill_ticker(self, ticker: TickerPayload, index_price: float | None) -> None:
        floats, words = self._out.tickers.floats, _TICKER_WORDS
        floats[words["mark_price"]] = number(ticker.mark_price)
        floats[words["index_price"]] = number(index_price)
        floats[words["last_price"]] = number(ticker.last_price)
        floats[words["best_bid_price"]] = number(ticker.best_bid_price)
        floats[words["best_bid_size"]] = number(ticker.best_bid_amount)
        floats[words["best_ask_price"]] = number(ticker.best_ask_price)
        floats[words["best_ask_size"]] = number(ticker.best_ask_amount)
        floats[words["funding_rate"]] = number(ticker.funding_rate)
        floats[words["collar_low"]] = number(ticker.collar_low)
        floats[words["collar_high"]] = number(ticker.collar_high)
        floats[words["open_interest"]] = number(ticker.open_interest)

    def on_trades(self, row: int, trades: list[PublicTrade], receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish each trade and wake strategy once."""
        ring = self._out.trades
        ints, floats = ring.ints, ring.floats
        for trade in trades:
            ints[_INSTRUMENT_ROW] = row
            ints[_EXCHANGE_TIME] = stamp_ns(trade.time)
            ints[_RECEIVE_TIME] = receive_ns
            ints[_RECEIVE_REALTIME] = receive_realtime_ns
            floats[_TRADE_PRICE] = trade.price
            floats[_TRADE_SIZE] = trade.size
            ints[_TRADE_AGGRESSOR] = _AGGRESSORS[trade.aggressor]
            ring.publish()
        if trades:
            self._out.counters.add("trades", len(trades))
            self._out.wake_strategy()

    def _write_instrument(self, row: int, instrument: Instrument) -> None:
        table = self._out.instruments
        record = table.scratch[0]
        record["name"] = instrument.name.encode()
        record["underlying"] = instrument.underlying.encode()
        record["tick_size"] = float(instrument.tick_size)
        record["lot_size"] = float(instrument.lot_size)
        record["contract_multiplier"] = float(instrument.contract_multiplier)
        record["order_lots_min"] = instrument.order_lots_min
        record["kind"] = int(instrument.kind)
        record["expiry_ns"] = instrument.expiry_ns
        record["is_ready"] = 1
        record["off_reason"] = 0
        table.publish(row)


def _fill(floats: memoryview[float], price_word: int, prices: array[float], size_word: int, sizes: array[float]) -> int:
    """Write one side's levels and zeros behind them; return the number of levels."""
    count = len(prices)
    floats[price_word : price_word + count] = prices
    floats[size_word : size_word + count] = sizes
    if count < BOOK_LEVELS:
        rest = _ZEROS[count:]
        floats[price_word + count : price_word + BOOK_LEVELS] = rest
        floats[size_word + count : size_word + BOOK_LEVELS] = rest
    return count
