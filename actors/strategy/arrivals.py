"""What comes in with every tick: books, trades, our own fills and the feed's signs of life, each to its desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.strategy.portfolio import load_if_changed
from domain.codes import OrderEventKind
from domain.records import BOOK, FEED, ORDER_EVENT
from runtime.actor import ActorContext

if TYPE_CHECKING:  # importing it compiles kernels or not, which actor.py times
    from actors.strategy.desk import Desk

BOOKS_AT_ONCE_MAX = 256

_BOOK_INSTRUMENT = BOOK.word("instrument")
_EVENT_KIND = ORDER_EVENT.word("kind")
_EVENT_INSTRUMENT = ORDER_EVENT.word("instrument")
_EVENT_SIDE = ORDER_EVENT.word("side")
_EVENT_SIZE = ORDER_EVENT.word("size_lots")
_EVENT_TIME = ORDER_EVENT.word("local_time_ns")
_FILLED = int(OrderEventKind.FILLED)
_IS_CONNECTED = FEED.word("is_connected")
_ALIVE = FEED.word("alive_time_ns")


class Arrivals:
    """Reads the rings and the feed's row; made before the tables are read, so that no book falls between the two.

    Attributes:
        by_row: the desk of each instrument of the session; None = another strategy has it.
        books, trades: taken since `counted` was last called.
    """

    def __init__(self, ctx: ActorContext) -> None:
        self.by_row: list[Desk | None] = [None] * len(ctx.instrument_names)
        self.books = 0
        self.trades = 0
        self._log = ctx.log
        self._books = ctx.ring_reader("books")
        self._trades = ctx.ring_reader("trades")
        self._order_events = ctx.ring_reader("order_events")
        self._feed = ctx.table_reader("feed")
        self._feed_word = self._feed.sequence_word(0)
        self._feed_seen = 0

    def has_news(self) -> bool:
        """Return whether a book, a trade or an order event is there that was not taken yet."""
        return self._books.has_news or self._trades.has_news or self._order_events.has_news

    @property
    def newest_book(self) -> int:
        """Position of the newest book taken; 0 while there is none."""
        return max(self._books.position - 1, 0)

    def take(self) -> tuple[int, bool]:
        """Hand everything to the desks; return the number of books that were ours, and whether one of us was filled."""
        if self._feed.words[self._feed_word] != self._feed_seen:
            self._take_feed()
        if self._trades.has_news:
            self._take_trades()
        is_filled = self._order_events.has_news and self._take_events()
        books = self._take_books() if self._books.has_news else 0
        self.books += books
        return books, is_filled

    def counted(self) -> tuple[int, int]:
        """Return books and trades taken since the last call."""
        books, trades = self.books, self.trades
        self.books = self.trades = 0
        return books, trades

    def _take_feed(self) -> None:
        self._feed_seen = load_if_changed(self._feed, 0, self._feed_seen)
        is_connected, alive_time_ns = self._feed.ints[_IS_CONNECTED] == 1, self._feed.ints[_ALIVE]
        for desk in self.by_row:
            if desk is not None:
                desk.quoter.take_feed(is_connected, alive_time_ns)

    def _take_trades(self) -> None:
        reader = self._trades
        trades = reader.read()
        self.trades += len(trades)
        for desk in self.by_row:
            if desk is not None:
                desk.quoter.take_trades(trades, reader.position)

    def _take_events(self) -> bool:
        """Give fills to their desks, and every desk that an order of has changed a look at its account."""
        reader = self._order_events
        ints = reader.ints
        lost = reader.lost
        is_filled = False
        while reader.load_next():  # a few events between two ticks, most of them acknowledgements
            desk = self.by_row[ints[_EVENT_INSTRUMENT]]
            if ints[_EVENT_KIND] == _FILLED:
                is_filled = True
                if desk is not None:
                    desk.quoter.take_fill(ints[_EVENT_SIDE], ints[_EVENT_SIZE], ints[_EVENT_TIME])
            if desk is not None:
                desk.has_news = True
        if reader.lost != lost:
            # Position and open orders are a table's: they are right. What fills say of the market's pressure is not.
            self._log.warning("order events overtaken: the position is the account's", lost=reader.lost - lost)
            return True
        return is_filled

    def _take_books(self) -> int:
        """Hand every new book to its desk, in order; return how many were ours."""
        reader = self._books
        books = seen = 0
        while reader.has_news and seen < BOOKS_AT_ONCE_MAX:
            position = reader.load_latest()
            if position == reader.position:  # the common case: exactly one is new
                books += self._take_book(reader.ints, position)
                reader.position = position + 1
                seen += 1
                continue
            lost = reader.lost
            records = reader.read(BOOKS_AT_ONCE_MAX)
            if reader.lost != lost:
                self._log.warning("books overtaken", lost=reader.lost - lost, instrument="all")
            first = reader.position - len(records)
            words = BOOK.size_bytes // 8
            ints = memoryview(records.tobytes()).cast("q")
            for i in range(len(records)):
                books += self._take_book(ints[i * words : (i + 1) * words], first + i)
            seen += len(records)
        return books

    def _take_book(self, words: memoryview, position: int) -> bool:
        """Hand a book to its desk; False when another strategy has the instrument."""
        desk = self.by_row[words[_BOOK_INSTRUMENT]]
        if desk is None:
            return False
        desk.take_book(words, position)
        return True
