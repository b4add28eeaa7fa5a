"""The channels of each instrument: joined, watched for silence, left and joined anew when a book is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from structlog.stdlib import BoundLogger

from domain.clock import NS_PER_MS
from domain.instrument import Instrument
from venues.config import VenueConfig
from venues.thalex import channels
from venues.thalex.account_wire import decode_channels, decode_void
from venues.thalex.book_channel import BookChannel, BookState
from venues.thalex.market_wire import decode_ticker
from venues.thalex.protocol import CODE_ALREADY_SUBSCRIBED, CODE_NOT_SUBSCRIBED, Session
from venues.thalex.requests import Answer

LEAVE, JOIN = "leave", "join"  # kinds of the requests that are answered to `on_answer`
ASK, ASK_METHOD = "ask", "public/ticker"  # what a silent instrument is asked; its context is the row


class Subscriptions:
    """The subscriptions of one connection.

    Args:
        on_doubted: is told the row of a book that is thrown away and asked for again.

    Attributes:
        books: the state of each row's book channel.
        heard_ns: monotonic, newest ticker or book of each row.
    """

    def __init__(
        self, config: VenueConfig, names: Sequence[str], on_doubted: Callable[[int], None], log: BoundLogger
    ) -> None:
        self._names = list(names)
        self._on_doubted = on_doubted
        self._log = log
        self.books = [BookChannel(channels.book(config, name), config.book_resync_ms * NS_PER_MS) for name in names]
        # Trades first: those that an outage hid are told before the first book ends it.
        self._of_row = [
            [channels.trades(name), channels.ticker(config, name), channels.book(config, name)] for name in names
        ]
        self.heard_ns = [0] * len(self._names)
        self._channel_silent_ns = config.channel_silent_ms * NS_PER_MS
        self._probe_ns = (config.instrument_probe_ms + config.delay_ms_max) * NS_PER_MS
        self._asks = config.instrument_probe_ms > 0
        self._asked_ns = [0] * len(self._names)
        self._snapshot_wait_ns = config.book_resync_ms * NS_PER_MS // 2  # after the answer that it follows at once
        self._joined_ns = 0  # monotonic, when the venue last said that it tells a book anew; 0 = it need not
        self._whole: set[int] = set()  # rows whose next resync is one of all their channels

    @property
    def resyncs(self) -> int:
        return sum(book.resyncs for book in self.books)

    def of_listed(self, listed: dict[str, Instrument]) -> list[str]:
        """Return the channels to subscribe to: those of our instruments that the venue lists."""
        wanted = [
            channel
            for name, of_row in zip(self._names, self._of_row, strict=True)
            if name in listed
            for channel in of_row
        ]
        return wanted or [channels.SYSTEM]

    # ---- what happens to the connection --------------------------------------------------------------

    def on_listed(self, listed: dict[str, Instrument], now_ns: int) -> None:
        """Expect snapshots: one may overtake the answer to the subscription that is about to be written."""
        self._whole.clear()
        for name, book in zip(self._names, self.books, strict=True):
            if name in listed:
                book.move("connected", now_ns)

    def on_ready(self, now_ns: int) -> None:
        self.heard_ns = [now_ns] * len(self._names)

    def on_closed(self, now_ns: int) -> None:
        self._joined_ns = 0
        for book in self.books:
            book.move("closed", now_ns)

    # ---- what happens to an instrument ---------------------------------------------------------------

    def accepts(self, row: int, is_snapshot: bool, now_ns: int) -> bool:
        """Return whether a message of the row's book may be applied now."""
        self.heard_ns[row] = now_ns
        book = self.books[row]
        if not is_snapshot:
            return book.state is BookState.LIVE
        is_taken = book.accepts(is_snapshot, now_ns)
        if is_taken:
            self._whole.discard(row)
        return is_taken

    def doubt(self, row: int, now_ns: int, session: Session | None) -> None:
        """Have a book thrown away and asked for again; nothing of it is told until its next snapshot."""
        self.books[row].doubt(now_ns)
        self._resync_if_due(row, now_ns, session)

    def on_removed(self, row: int, now_ns: int) -> None:
        self.books[row].move("closed", now_ns)

    def on_added(self, row: int, now_ns: int, session: Session | None) -> None:
        """Join all channels of an instrument that was removed before."""
        if self.books[row].move("connected", now_ns):
            self._whole.add(row)
            self.doubt(row, now_ns, session)

    def is_told_nothing(self, told_ns: int, now_ns: int) -> bool:
        """Whether nothing at all has come since a book was subscribed to anew, whose snapshot is long due.

        Args:
            told_ns: when the newest notification of any channel came, monotonic.
        """
        return 0 < told_ns < self._joined_ns <= now_ns - self._snapshot_wait_ns

    def check(self, now_ns: int, session: Session) -> None:
        """Do what is due: notice silence, resync books."""
        for row in range(len(self.books)):
            self._ask_if_silent(row, now_ns, session)
            self._doubt_if_silent(row, now_ns)
            self._resync_if_due(row, now_ns, session)

    def _ask_if_silent(self, row: int, now_ns: int, session: Session) -> None:
        """Ask for the ticker of an instrument of which nothing comes: the market is quiet, or its channels are dead.

        The answer tells which: whoever has the book holds it against the touch that the answer names.
        """
        silent_since_ns = max(self.heard_ns[row], self._asked_ns[row])
        if self._asks and now_ns - silent_since_ns >= self._probe_ns and self.books[row].state is BookState.LIVE:
            self._asked_ns[row] = now_ns
            params = {"instrument_name": self._names[row]}
            session.request(ASK_METHOD, params, decode_ticker, now_ns, kind=ASK, context=row)

    def _doubt_if_silent(self, row: int, now_ns: int) -> None:
        """Have all channels of an instrument subscribed anew when neither ticker nor book says anything for long.

        The connection lives, or it would have been dropped: the venue has dropped the subscriptions.
        """
        silence_ns = now_ns - self.heard_ns[row]
        is_off = not self._channel_silent_ns or self.books[row].state is BookState.IDLE
        if is_off or silence_ns <= self._channel_silent_ns or row in self._whole:
            return
        if self.books[row].state is BookState.LIVE:
            self._log.warning(
                "ticker and book are silent: subscribing anew",
                instrument=self._names[row], silent_ms=silence_ns // NS_PER_MS,
            )  # fmt: skip
        self._whole.add(row)  # until a snapshot comes
        self.books[row].doubt(now_ns)

    # ---- leaving and joining -------------------------------------------------------------------------

    def _resync_if_due(self, row: int, now_ns: int, session: Session | None) -> None:
        if session is None or not self.books[row].is_resync_due(now_ns):
            return
        names = self._of_row[row] if row in self._whole else [self.books[row].name]
        self._log.warning("book resync", channels=names)
        self._on_doubted(row)
        session.request("unsubscribe", {"channels": names}, decode_void, now_ns, kind=LEAVE, context=(row, names))

    def on_answer(self, answer: Answer, now_ns: int, session: Session) -> None:
        """Take the answer to a LEAVE or a JOIN."""
        if answer.pending.kind == LEAVE:
            self._on_left(answer, now_ns, session)
        else:
            self._on_joined(answer, now_ns)

    def _on_left(self, answer: Answer, now_ns: int, session: Session) -> None:
        row, names = answer.pending.context
        if answer.error is not None and answer.error.code != CODE_NOT_SUBSCRIBED:
            self._log.warning("cannot leave a channel", channels=names, reason=str(answer.error))
        if self.books[row].move("left", now_ns):
            params = {"channels": names}
            session.request("public/subscribe", params, decode_channels, now_ns, kind=JOIN, context=(row, names))

    def _on_joined(self, answer: Answer, now_ns: int) -> None:
        row, names = answer.pending.context
        if answer.error is not None:
            is_listed = answer.error.code == CODE_ALREADY_SUBSCRIBED
        else:
            is_listed = set(names) <= set(answer.value)
        if not is_listed:
            self._log.warning("cannot join a channel again", channels=names, reason=str(answer.error))
            if len(names) > 1:
                self._whole.add(row)
            self.books[row].doubt(now_ns)
        elif self.books[row].name in names:
            self._joined_ns = now_ns
