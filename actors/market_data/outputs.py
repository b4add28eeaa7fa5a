"""Where market data goes: the segments, the doorbell, and the words that all three market records begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from domain.records import BOOK, TICKER, TRADE
from shm.counters import Counters
from shm.histogram import Histogram
from shm.record import TableWriter
from shm.ring import RingWriter

INSTRUMENT_ROW = BOOK.word("instrument")
EXCHANGE_TIME = BOOK.word("exchange_time_ns")
RECEIVE_TIME = BOOK.word("receive_time_ns")
RECEIVE_REALTIME = BOOK.word("receive_realtime_ns")
for _record in (TICKER, TRADE):
    assert _record.word("instrument") == INSTRUMENT_ROW
    assert _record.word("exchange_time_ns") == EXCHANGE_TIME
    assert _record.word("receive_time_ns") == RECEIVE_TIME
    assert _record.word("receive_realtime_ns") == RECEIVE_REALTIME


class MarketOutputs(NamedTuple):
    """Where the publisher writes.

    `wake_strategy` has for each instrument what wakes the strategy that quotes it, `announce_book` what tells it, with
    the moment at which the frame came, that a book is coming; it is empty where nobody is to be told.
    """

    instruments: TableWriter
    feed: TableWriter
    books: RingWriter
    book_table: TableWriter
    tickers: RingWriter
    ticker_table: TableWriter
    trades: RingWriter
    indices: RingWriter
    index_table: TableWriter
    decode: Histogram
    publish: Histogram
    counters: Counters
    wake_strategy: Sequence[Callable[[], None]]
    announce_book: Sequence[Callable[[int], None]]
