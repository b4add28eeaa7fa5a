"""The books of all instruments: kept from snapshots and changes, published as their best levels.

A book is valid only when it is two-sided, uncrossed and built from a snapshot of the present connection. It holds
our own orders and is published as it is; strategy subtracts them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from actors.market_data.outputs import (
    EXCHANGE_TIME,
    INSTRUMENT_ROW,
    RECEIVE_REALTIME,
    RECEIVE_TIME,
    MarketOutputs,
)
from domain.book import Book
from domain.clock import NS_PER_MS, Clock
from domain.records import BOOK, BOOK_LEVELS
from venues.thalex.market_wire import BookPayload, TickerPayload, stamp_ns

_BID_COUNT = BOOK.word("bid_count")
_ASK_COUNT = BOOK.word("ask_count")
_IS_VALID = BOOK.word("is_valid")
_UPDATE_COUNT = BOOK.word("update_count")
_BID_PRICE = BOOK.word("bid_price")
_BID_SIZE = BOOK.word("bid_size")
_ASK_PRICE = BOOK.word("ask_price")
_ASK_SIZE = BOOK.word("ask_size")
_BID_PRICES, _BID_SIZES, _ASK_PRICES, _ASK_SIZES = (
    slice(word, word + BOOK_LEVELS) for word in (_BID_PRICE, _BID_SIZE, _ASK_PRICE, _ASK_SIZE)
)
_BEST_BIDS, _BEST_ASKS = slice(None, -BOOK_LEVELS - 1, -1), slice(BOOK_LEVELS)  # both sides ascend by price
_ZEROS = array("d", [0.0] * BOOK_LEVELS)
# A loop that goes on after a stand runs its timers before it reads its sockets, where the book may wait that is missed.
_STAND_NS_MIN = 100 * NS_PER_MS
_READING_NS = 20 * NS_PER_MS


class BookRows:
    """Keeps and publishes one book a row.

    Args:
        doubt: is told (row, why) when a book cannot be right; it has the book asked for again.
        window_levels: depth of the venue's book channel; 0 = all levels.
        still_ns_max, against_ns_max: a book that has stood still for longer than the one while tickers named another
            touch for longer than the other is doubted.
    """

    def __init__(
        self,
        count: int,
        outputs: MarketOutputs,
        clock: Clock,
        doubt: Callable[[int, str], None],
        *,
        window_levels: int,
        still_ns_max: int,
        against_ns_max: int,
    ) -> None:
        self._out = outputs
        # Word 0 is each segment's own sequence.
        self._ring_payload, self._table_payload = outputs.books.ints[1:], outputs.book_table.ints[1:]
        self._ints, self._floats = outputs.books.ints, outputs.books.floats
        self._wake_strategy = outputs.wake_strategy
        self._note_decode, self._note_publish = outputs.decode.note, outputs.publish.note
        self._clock = clock
        self._monotonic_ns = clock.monotonic_ns
        self._doubt = doubt
        self._books = [Book(window_levels) for _ in range(count)]
        self._is_valid = [False] * count
        self._still_ns_max, self._against_ns_max = still_ns_max, against_ns_max
        self._moved_ns = [0] * count
        self._contradicted_since_ns: list[int | None] = [None] * count
        self._checked_ns = self._monotonic_ns()
        self._judging_from_ns = 0

    def apply(
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
        self._moved_ns[row] = receive_ns
        applied_ns = self._monotonic_ns()
        ints = self._ints
        ints[EXCHANGE_TIME] = stamp_ns(payload.time)
        ints[RECEIVE_TIME] = receive_ns
        ints[RECEIVE_REALTIME] = receive_realtime_ns
        self._publish(row, book, is_valid=not is_crossed and book.is_two_sided)
        published_ns = self._monotonic_ns()
        self._wake_strategy[row]()
        self._note_decode(applied_ns - receive_ns)
        self._note_publish(published_ns - applied_ns)
        if is_crossed:
            self._doubt(row, f"crossed: bid {book.best_bid} at or above ask {book.best_ask}")

    def compare(self, row: int, ticker: TickerPayload, now_ns: int) -> None:
        """Note since when a book has stood still while tickers name another touch: its channel may have died."""
        book = self._books[row]
        agrees = ticker.best_bid_price == book.best_bid and ticker.best_ask_price == book.best_ask
        if agrees or not self._is_valid[row] or not ticker.is_two_sided:
            self._contradicted_since_ns[row] = None
            return
        if self._contradicted_since_ns[row] is None:
            self._contradicted_since_ns[row] = now_ns

    def check(self, now_ns: int) -> None:
        """Doubt every book that has been contradicted for too long; called from the work loop.

        After the loop has stood still the sockets are read first.
        """
        if self._is_to_read_first(now_ns):
            return
        for row, since_ns in enumerate(self._contradicted_since_ns):
            if since_ns is None or now_ns - since_ns <= self._against_ns_max:
                continue
            if now_ns - self._moved_ns[row] > self._still_ns_max:
                self._contradicted_since_ns[row] = None
                book = self._books[row]
                self._doubt(row, f"stands at {book.best_bid}/{book.best_ask} against the ticker's touch")

    def _is_to_read_first(self, now_ns: int) -> bool:
        """Return whether the loop has just stood still; of two stands in a row the second counts as none.

        A loop that is late every time would never judge.
        """
        stood_ns, was_judging = now_ns - self._checked_ns, self._checked_ns >= self._judging_from_ns
        self._checked_ns = now_ns
        if stood_ns > _STAND_NS_MIN and was_judging:
            self._judging_from_ns = now_ns + _READING_NS
        return now_ns < self._judging_from_ns

    def count(self) -> None:
        """Bring counter and histograms up to date: with every book it would cost as much as publishing it."""
        self._out.counters.add("book_updates", self._out.decode.record_noted())
        self._out.publish.record_noted()

    def invalidate_all(self) -> None:
        for row in range(len(self._books)):
            self.invalidate(row)

    def invalidate(self, row: int) -> None:
        """Throw a book away; readers are told unless they know already."""
        if self._is_valid[row]:
            self.publish_empty(row)
            self._out.wake_strategy[row]()
        self._books[row].clear()

    def publish_empty(self, row: int) -> None:
        """Publish an invalid book without levels, whatever stood in its row."""
        ints = self._out.books.ints
        ints[EXCHANGE_TIME] = 0
        ints[RECEIVE_TIME] = self._clock.monotonic_ns()
        ints[RECEIVE_REALTIME] = self._clock.realtime_ns()
        self._books[row].clear()
        self._publish(row, self._books[row], is_valid=False)

    def _publish(self, row: int, book: Book, *, is_valid: bool) -> None:
        """Publish the best levels; the caller has set the stamps in the ring's scratch."""
        self._is_valid[row] = is_valid
        ints, floats = self._ints, self._floats
        ints[INSTRUMENT_ROW] = row
        ints[_IS_VALID] = is_valid
        ints[_UPDATE_COUNT] = book.update_count
        bids, asks = book.bids, book.asks
        if len(bids.prices) >= BOOK_LEVELS and len(asks.prices) >= BOOK_LEVELS:
            ints[_BID_COUNT] = ints[_ASK_COUNT] = BOOK_LEVELS
            floats[_BID_PRICES], floats[_BID_SIZES] = bids.prices[_BEST_BIDS], bids.sizes[_BEST_BIDS]
            floats[_ASK_PRICES], floats[_ASK_SIZES] = asks.prices[_BEST_ASKS], asks.sizes[_BEST_ASKS]
        else:
            ints[_BID_COUNT] = _fill(floats, _BID_PRICE, _BID_SIZE, *bids.best(BOOK_LEVELS))
            ints[_ASK_COUNT] = _fill(floats, _ASK_PRICE, _ASK_SIZE, *asks.best(BOOK_LEVELS))
        self._table_payload[:] = self._ring_payload
        self._out.book_table.publish(row)
        # The ring comes last: a reader that follows it finds the table at least as new.
        self._out.books.publish()


def _fill(floats: memoryview[float], price_word: int, size_word: int, prices: array[float], sizes: array[float]) -> int:
    """Write one side's levels and zeros behind them; return the number of levels."""
    count = len(prices)
    floats[price_word : price_word + count] = prices
    floats[size_word : size_word + count] = sizes
    if count < BOOK_LEVELS:
        rest = _ZEROS[count:]
        floats[price_word + count : price_word + BOOK_LEVELS] = rest
        floats[size_word + count : size_word + BOOK_LEVELS] = rest
    return count
