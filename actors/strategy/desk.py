"""One instrument of the strategy actor: shared records in, wish, explanation and market row out.

The decisions are the Quoter's; a desk only moves data between shared memory and it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from actors.strategy.portfolio import NetDelta, load_if_changed
from domain.clock import NS_PER_MS, Clock
from domain.codes import OffReason
from domain.grid import grid_in, off_in
from domain.records import BOOK, QUOTE_INPUTS, WISH
from shm.doorbell import Doorbell
from shm.record import TableReader, TableWriter
from shm.ring import RingWriter
from trading.quoting.config import QuotingConfig
from trading.quoting.news import News
from trading.quoting.params import Units

if TYPE_CHECKING:  # importing them compiles kernels or not, which actor.py times
    from trading.quoting.inputs import QuoteInputs
    from trading.quoting.quoter import Quoter
    from trading.quoting.session_sight import Sight

DECIDE_INTERVAL_NS = 10 * NS_PER_MS  # without news: for staleness, refresh and limits that age

_BOOK, _DEFINITION = int(News.BOOK), int(News.DEFINITION)
_BOOK_TIME = BOOK.word("receive_time_ns")
_EXPLANATION_POSITION = WISH.word("explanation_position")
_SOURCE_TIME = WISH.word("source_time_ns")
_INPUTS_HEAD = slice(QUOTE_INPUTS.word("instrument"), QUOTE_INPUTS.word("words"))


class Shared(NamedTuple):
    """The segments that all desks of a strategy read and write, by the names of the topology."""

    instruments: TableReader
    book_table: TableReader
    wishes: TableWriter
    explanations: RingWriter
    market: TableWriter
    execution: Doorbell
    clock: Clock
    quote_inputs: RingWriter | None = None  # None: nobody records them


class Desk:
    """One instrument.

    Attributes:
        is_quoted: False = market data only, no wish is ever written.
        has_news: something came that the newest quote does not know yet.
        new_book_time_ns: when the newest book came that no quote knows yet, monotonic; 0 = there is none.
        units: tick and lot, once the venue has confirmed the instrument.
        wishes: wishes written by this process.
        lost: books and order events that were overwritten before they were read, as far as it was logged.
    """

    def __init__(
        self,
        row: int,
        name: str,
        is_quoted: bool,
        config: QuotingConfig,
        quoter: Quoter,
        sight: Sight,
        shared: Shared,
    ) -> None:
        self.row = row
        self.name = name
        self.is_quoted = is_quoted
        self.quoter = quoter
        self.sight = sight
        self.has_news = False
        self.new_book_time_ns = 0
        self.wishes = 0
        self.lost = (0, 0)
        self._config = config
        self.units: Units | None = None
        self._shared = shared
        self._instrument_seen = 0
        self._decide_due_ns = 0
        self._market_status = -1
        self._has_new_book = False
        self._book_words = quoter.book_words
        self._market_payload = shared.market.ints[1:]
        self._wish_payload = shared.wishes.ints[1:]
        self._explanation_payload = shared.explanations.ints[1:]
        self._inputs: QuoteInputs | None = None
        if shared.wishes.load_own(row):
            quoter.continue_wish(shared.wishes.ints)

    @property
    def config(self) -> QuotingConfig:
        return self._config

    def use_config(self, config: QuotingConfig) -> None:
        """Quote with `config` from now on."""
        self._config = config
        if self.units is not None:
            self.quoter.configure(config, self.units)
        self.has_news = True

    def keep_inputs(self, inputs: QuoteInputs) -> None:
        """Publish what each wish was computed from, with `inputs` over the scratch of the shared ring."""
        self._inputs = inputs

    def take_news(self) -> int:
        """Take what came for the instrument since the last look; return the News of it (trading/quoting/sight.py)."""
        news = self.quoter.take_news(self.sight)
        if news:
            self.has_news = True
            if news & _BOOK:
                self._has_new_book = True
                self.new_book_time_ns = self._book_words[_BOOK_TIME]
        return news

    def take_definition(self) -> bool:
        """Take over what the instruments table says; return True when the instrument became known."""
        seen = load_if_changed(self._shared.instruments, self.row, self._instrument_seen)
        if seen == self._instrument_seen:
            return False
        self._instrument_seen = seen
        return self._take_instrument()

    def take_net_delta(self, net: NetDelta) -> None:
        """Take what is held in the underlying over all instruments."""
        self.quoter.take_net_delta(net.base, net.is_known)
        self.has_news = True

    def is_due(self, now_ns: int) -> bool:
        """Return whether to quote now: there is news, or enough time has passed."""
        return self.units is not None and (self.has_news or now_ns >= self._decide_due_ns)

    def quote(self, now_ns: int) -> bool:
        """Decide and publish; return whether a wish was written."""
        shared = self._shared
        self.has_news = False
        self.new_book_time_ns = 0
        self._decide_due_ns = now_ns + DECIDE_INTERVAL_NS
        realtime_ns = shared.clock.realtime_ns()
        if self._inputs is not None:
            self._inputs.copy_before()
        is_written = self.quoter.decide(now_ns, realtime_ns) and self.is_quoted
        if is_written:
            self._explanation_payload[:] = self.quoter.explanation
            position = shared.explanations.publish()
            self._wish_payload[:] = self.quoter.wish
            shared.wishes.ints[_EXPLANATION_POSITION] = position
            if not self._has_new_book:
                shared.wishes.ints[_SOURCE_TIME] = 0  # a fill, a limit or the clock caused it: no tick to time
            shared.wishes.publish(self.row)
            shared.execution.ring()
            self.wishes += 1
            if self._inputs is not None:
                self._publish_inputs(self._inputs, position, realtime_ns)
        self._publish_market()
        if self.quoter.solve():
            self.has_news = True
        return is_written

    def _take_instrument(self) -> bool:
        """Configure the quoter for the instrument in the table reader, and start from the newest book known."""
        table = self._shared.instruments
        units = Units(*grid_in(table))
        off = off_in(table).reason
        if self.units is not None and units != self.units:
            off = OffReason.INSTRUMENT_CHANGED  # the row never changes its grid: whoever wrote this counts otherwise
        self.quoter.switch_instrument_off(off)
        self.has_news = True
        if self.units is not None:
            return False
        self.units = units
        self.quoter.configure(self._config, units)
        position = self.sight.skip_books()  # the table comes before the ring: it is at least as new as what is skipped
        news = self.quoter.take_news(self.sight)  # our own orders are in the book, and limits hold for the first quote
        if load_if_changed(self._shared.book_table, self.row, 0):
            self.quoter.take_book(self._shared.book_table.ints, position)  # it may be old: no tick is answered
        if news & _DEFINITION:
            self.take_definition()  # it may have been written again since it was read
        return True

    def _publish_inputs(self, inputs: QuoteInputs, explanation_position: int, realtime_ns: int) -> None:
        """Publish what the wish that has just gone out was computed from."""
        ring = self._shared.quote_inputs
        assert ring is not None
        inputs.copy_after()
        head = (self.row, self.quoter.wish_id, explanation_position, realtime_ns, inputs.words_used)
        ring.ints[_INPUTS_HEAD] = array("q", head)
        ring.publish()

    def _publish_market(self) -> None:
        """Write the market row after a new book, or when it stops or starts being live."""
        quoter = self.quoter
        status = quoter.market_status
        if self._has_new_book or status != self._market_status:
            self._has_new_book = False
            self._market_status = status
            self._market_payload[:] = quoter.market
            self._shared.market.publish(self.row)
