"""The public connection: books, tickers, trades, indices, instruments. Holds no keys.

Every message is stamped when its frame's callback begins. A quiet market is not a stale one: the feed pings,
and any frame, a pong too, is a sign of life; without any for feed_dead_ms the connection is dead.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from structlog.stdlib import BoundLogger

from domain.clock import NS_PER_MS, Clock
from domain.errors import ConfigError, ConnectivityError, ProtocolError
from domain.instrument import Instrument
from venues.config import VenueConfig
from venues.thalex import market_wire as wire
from venues.thalex.account_wire import decode_channels, decode_void
from venues.thalex.book_channel import BookChannel, BookState
from venues.thalex.connection import Connection
from venues.thalex.protocol import (
    CODE_ALREADY_SUBSCRIBED,
    CODE_NOT_SUBSCRIBED,
    Answer,
    Failed,
    Listed,
    Pending,
    Ready,
    Requests,
    Session,
)
from venues.thalex.wire import Envelope

SYSTEM_CHANNEL = "system"
INSTRUMENTS_CHANNEL = "instruments"
CLOSE_NAMES_MAX = 3

Spawn = Callable[[Coroutine[Any, Any, None], str], object]
Handler = Callable[[int, Envelope, int, int], None]


class FeedListener(Protocol):
    """What the feed tells its owner. `row` is the instrument's place in the configuration.

    `receive_ns` (monotonic) and `receive_realtime_ns` are the moment when the frame's callback began.
    """

    def is_instrument_known(self, row: int) -> bool:
        """Whether the venue has listed it in this session: its absence later is no mistake of the configuration."""
        ...

    def on_instruments(self, instruments: dict[str, Instrument]) -> None:
        """The venue's active instruments, after each connection; ours are among them the first time."""
        ...

    def on_instrument_changed(self, row: int, instrument: Instrument | None) -> None:
        """One of ours was added or described anew; None = removed."""
        ...

    def on_feed_ready(self) -> None:
        """Subscribed; snapshots follow."""
        ...

    def on_feed_lost(self, reason: str) -> None:
        """Every book is invalid until its next snapshot."""
        ...

    def on_book(
        self, row: int, book: wire.BookPayload, is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None: ...

    def on_book_doubted(self, row: int) -> None:
        """The book is thrown away and asked for again."""
        ...

    def on_ticker(self, row: int, ticker: wire.TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None: ...

    def on_trades(self, row: int, trades: list[wire.PublicTrade], receive_ns: int, receive_realtime_ns: int) -> None:
        """New public trades, in order. The history that a subscription begins with is left out."""
        ...

    def on_index(self, index: wire.IndexPayload) -> None: ...

    def on_frame_read(self) -> None:
        """One frame was read."""
        ...

    def on_bad_frame(self, error: ProtocolError) -> None:
        """A frame was malformed and skipped."""
        ...


class ThalexFeed:
    """The market data of some instruments.

    Args:
        instrument_names: in the order of the configuration; their index is `row` everywhere.
        spawn: runs the connection's task; its failure must end the owner.

    Attributes:
        is_connected: subscribed now.
    """

    def __init__(
        self,
        config: VenueConfig,
        url: str,
        instrument_names: Sequence[str],
        listener: FeedListener,
        clock: Clock,
        log: BoundLogger,
        spawn: Spawn,
    ) -> None:
        self._config = config
        self._names = list(instrument_names)
        self._listener = listener
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._connection = Connection(config, url, self, clock, log)
        self._session: Session | None = None
        self._settled: asyncio.Future[None] | None = None
        self._books = [
            BookChannel(book_channel(config, name), config.book_resync_ms * NS_PER_MS) for name in self._names
        ]
        self._handlers: dict[str, tuple[Handler, int]] = {
            SYSTEM_CHANNEL: (self._on_system, -1),
            INSTRUMENTS_CHANNEL: (self._on_instruments_changed, -1),
        }
        for row, name in enumerate(self._names):
            self._handlers[self._books[row].name] = (self._on_book, row)
            self._handlers[f"ticker.{name}.{config.ticker_delay}"] = (self._on_ticker, row)
            self._handlers[f"recent_trades.{name}.single"] = (self._on_trades, row)
        self._row_channels = [
            [name for name, (_, of) in self._handlers.items() if of == row] for row in range(len(self._names))
        ]
        self._heard_ns = [0] * len(self._names)  # newest ticker or book of each row
        self._channel_silent_ns = config.channel_silent_ms * NS_PER_MS
        self._whole: set[int] = set()  # rows whose next resync is one of all their channels
        self.is_connected = False

    # ---- for the owner -------------------------------------------------------------------------------

    @property
    def alive_time_ns(self) -> int:
        """Monotonic, when the last frame of any kind came in; 0 before the first."""
        return self._connection.alive_time_ns

    @property
    def connections(self) -> int:
        return self._connection.connections

    @property
    def resyncs(self) -> int:
        return sum(book.resyncs for book in self._books)

    def start(self) -> None:
        """Connect in the background and stay connected."""
        self._spawn(self._connection.run(), "feed connection")

    async def close(self) -> None:
        await self._connection.close()

    def doubt_book(self, row: int) -> None:
        """Have a book thrown away and asked for again; nothing of it is told until its next snapshot."""
        now_ns = self._clock.monotonic_ns()
        self._books[row].doubt(now_ns)
        self._resync_if_due(row, now_ns)

    def check(self, now_ns: int) -> None:
        """Do what is due: ping, notice silence, resync books. Called from the owner's work loop."""
        session = self._session
        if session is None:
            return
        self._connection.ping_when_due(now_ns)
        silence_ns = now_ns - self._connection.alive_time_ns
        if silence_ns > self._config.feed_dead_ms * NS_PER_MS:
            self._connection.drop(f"no frame for {silence_ns // NS_PER_MS} ms")
            return
        for pending in session.requests.expire(now_ns):
            self._log.warning("no answer of the venue", method=pending.method)
        if not self.is_connected:
            return
        for row in range(len(self._books)):
            self._doubt_if_silent(row, now_ns)
            self._resync_if_due(row, now_ns)

    def _doubt_if_silent(self, row: int, now_ns: int) -> None:
        """Have all channels of an instrument subscribed anew when neither ticker nor book says anything for long.

        The connection lives, or `check` would have dropped it: the venue has dropped the subscriptions.
        """
        silence_ns = now_ns - self._heard_ns[row]
        is_off = not self._channel_silent_ns or self._books[row].state is BookState.IDLE
        if is_off or silence_ns <= self._channel_silent_ns or row in self._whole:
            return
        if self._books[row].state is BookState.LIVE:
            self._log.warning(
                "ticker and book are silent: subscribing anew",
                instrument=self._names[row], silent_ms=silence_ns // NS_PER_MS,
            )  # fmt: skip
        self._whole.add(row)  # until a snapshot comes
        self._books[row].doubt(now_ns)

    # ---- from the connection -------------------------------------------------------------------------

    async def open_session(self) -> None:
        """List the instruments and subscribe."""
        self._settled = asyncio.get_running_loop().create_future()
        self.begin_session()
        await self._settled

    def begin_session(self) -> None:
        """Send the first request of a new session."""
        session = Session.public((), Requests(self._config.request_timeout_ns), self._listed_channels)
        self._session = session
        session.start(self._clock.monotonic_ns())
        self._flush(session)

    def _listed_channels(self, listed: dict[str, Instrument]) -> list[str]:
        channels = [
            channel
            for name, of_row in zip(self._names, self._row_channels, strict=True)
            if name in listed
            for channel in of_row
        ]
        return channels or [SYSTEM_CHANNEL]

    def on_frame(self, frame: bytes | memoryview) -> None:
        receive_ns = self._clock.monotonic_ns()
        receive_realtime_ns = self._clock.realtime_ns()
        self._connection.alive_time_ns = receive_ns
        session = self._session
        if session is None:
            return
        self._listener.on_frame_read()
        try:
            event = session.receive(frame, receive_ns)
            if type(event) is Envelope:
                handler = self._handlers.get(event.channel_name)
                if handler is not None:
                    handler[0](handler[1], event, receive_ns, receive_realtime_ns)
            else:
                self._on_event(session, event, receive_ns)
        except ProtocolError as error:
            self._listener.on_bad_frame(error)
            self._doubt_what_it_may_have_changed(frame)
        self._flush(session)

    def on_control(self) -> None:
        """A ping or pong: the connection noted the time."""

    def on_closed(self, reason: str) -> None:
        was_connected = self.is_connected
        self.is_connected = False
        self._session = None
        now_ns = self._clock.monotonic_ns()
        for book in self._books:
            book.move("closed", now_ns)
        if self._settled is not None and not self._settled.done():
            self._settled.set_exception(ConnectivityError(reason))
        if was_connected:
            self._listener.on_feed_lost(reason)

    def _doubt_what_it_may_have_changed(self, frame: bytes | memoryview) -> None:
        """A lost change is a wrong book: doubt the books that an unreadable frame names."""
        content = bytes(frame)
        for row, name in enumerate(self._names):
            if f'"book.{name}.'.encode() in content:
                self.doubt_book(row)

    def _flush(self, session: Session) -> None:
        if not session.has_data_to_send:
            return
        for frame in session.data_to_send():
            try:
                self._connection.send(frame)
            except ConnectivityError:
                return  # `on_closed` follows

    def _settle(self, error: Exception | None) -> None:
        if self._settled is None or self._settled.done():
            return
        if error is None:
            self._settled.set_result(None)
        else:
            self._settled.set_exception(error)

    # ---- answers -------------------------------------------------------------------------------------

    def _on_event(self, session: Session, event: object, now_ns: int) -> None:
        if isinstance(event, Answer):
            self._on_answer(event, now_ns)
        elif isinstance(event, Listed):
            self._on_listed(event.instruments, now_ns)
        elif isinstance(event, Ready):
            self._on_ready(session, now_ns)
        elif isinstance(event, Failed):
            self._settle(ConnectivityError(event.reason))

    def _on_listed(self, instruments: dict[str, Instrument], now_ns: int) -> None:
        for row, name in enumerate(self._names):
            if name not in instruments and not self._listener.is_instrument_known(row):
                self._settle(ConfigError(_unlisted_text(name, instruments)))
                self._connection.drop("an instrument is not listed")
                return
        self._listener.on_instruments(instruments)
        self._whole.clear()
        # A snapshot may overtake the answer to the subscription that is about to be written.
        for name, book in zip(self._names, self._books, strict=True):
            if name in instruments:
                book.move("connected", now_ns)

    def _on_ready(self, session: Session, now_ns: int) -> None:
        self.is_connected = True
        self._connection.set_ready()
        self._heard_ns = [now_ns] * len(self._names)
        underlyings = sorted(name for name, (_, row) in self._handlers.items() if name.startswith("price_index."))
        extra = [SYSTEM_CHANNEL, INSTRUMENTS_CHANNEL, *underlyings]
        session.request("public/subscribe", {"channels": extra}, decode_channels, now_ns, kind="extra", context=extra)
        self._settle(None)
        self._log.info("feed ready", instruments=self._names)
        self._listener.on_feed_ready()

    def follow_index(self, underlying: str) -> None:
        """Subscribe to an index with the next connection; called from `on_instruments`."""
        self._handlers[f"price_index.{underlying}"] = (self._on_index, -1)

    def _on_answer(self, answer: Answer, now_ns: int) -> None:
        pending, error = answer.pending, answer.error
        if pending.kind == "extra":
            missing = [] if error is not None else sorted(set(pending.context) - set(answer.value))
            if error is not None or missing:
                self._log.warning("optional channels are missing", channels=missing, reason=str(error))
        elif pending.kind == "leave":
            row, channels = pending.context
            if error is not None and error.code != CODE_NOT_SUBSCRIBED:
                self._log.warning("cannot leave a channel", channels=channels, reason=str(error))
            if self._books[row].move("left", now_ns):
                self._request("public/subscribe", row, channels, "join", now_ns)
        elif pending.kind == "join":
            self._on_joined(pending, answer, now_ns)

    def _on_joined(self, pending: Pending, answer: Answer, now_ns: int) -> None:
        row, channels = pending.context
        if answer.error is not None:
            is_listed = answer.error.code == CODE_ALREADY_SUBSCRIBED
        else:
            is_listed = set(channels) <= set(answer.value)
        if not is_listed:
            self._log.warning("cannot join a channel again", channels=channels, reason=str(answer.error))
            if len(channels) > 1:
                self._whole.add(row)
            self._books[row].doubt(now_ns)

    def _resync_if_due(self, row: int, now_ns: int) -> None:
        if self._session is not None and self._books[row].is_resync_due(now_ns):
            channels = self._row_channels[row] if row in self._whole else [self._books[row].name]
            self._log.warning("book resync", channels=channels)
            self._listener.on_book_doubted(row)
            self._request("unsubscribe", row, channels, "leave", now_ns)
            self._flush(self._session)

    def _request(self, method: str, row: int, channels: list[str], kind: str, now_ns: int) -> None:
        assert self._session is not None
        decode = decode_void if kind == "leave" else decode_channels
        self._session.request(method, {"channels": channels}, decode, now_ns, kind=kind, context=(row, channels))

    # ---- notifications -------------------------------------------------------------------------------

    def _on_book(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        is_snapshot = bool(envelope.snapshot)
        self._heard_ns[row] = receive_ns
        channel = self._books[row]
        book = wire.decode_book(envelope.notification)
        if channel.accepts(is_snapshot, receive_ns):
            if is_snapshot:
                self._whole.discard(row)
            self._listener.on_book(row, book, is_snapshot, receive_ns, receive_realtime_ns)

    def _on_ticker(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        self._heard_ns[row] = receive_ns
        ticker = wire.decode_ticker(envelope.notification)
        self._listener.on_ticker(row, ticker, receive_ns, receive_realtime_ns)

    def _on_trades(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        trades = wire.decode_trades(envelope.notification)
        if not envelope.snapshot:
            self._listener.on_trades(row, trades, receive_ns, receive_realtime_ns)

    def _on_index(self, _row: int, envelope: Envelope, _receive_ns: int, _receive_realtime_ns: int) -> None:
        self._listener.on_index(wire.decode_index(envelope.notification))

    def _on_system(self, _row: int, envelope: Envelope, _receive_ns: int, _receive_realtime_ns: int) -> None:
        if wire.decode_system(envelope.notification).event == "reconnect":
            self._connection.drop("planned reconnect: the venue asked for it")

    def _on_instruments_changed(
        self, _row: int, envelope: Envelope, receive_ns: int, _receive_realtime_ns: int
    ) -> None:
        for change in wire.decode_instrument_changes(envelope.notification):
            changed = change.added or change.removed
            if changed is None or changed.instrument_name not in self._names:
                continue
            row = self._names.index(changed.instrument_name)
            added = wire.instrument_of(change.added) if change.added is not None else None
            self._listener.on_instrument_changed(row, added)
            if added is None:
                self._books[row].move("closed", receive_ns)
            elif self._books[row].move("connected", receive_ns):  # it was removed before
                self._whole.add(row)
                self._books[row].doubt(receive_ns)
                self._resync_if_due(row, receive_ns)


def book_channel(config: VenueConfig, instrument_name: str) -> str:
    """Return the name of the book channel that the configuration asks for."""
    depth = str(config.book_levels) if config.book_levels else "all"
    return f"book.{instrument_name}.none.{depth}.{config.book_delay}"


def _unlisted_text(name: str, instruments: dict[str, Instrument]) -> str:
    near = difflib.get_close_matches(name, instruments, n=CLOSE_NAMES_MAX, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it lists {len(instruments)} instruments"
    return f'[instruments."{name}"]: the venue does not list this instrument; {hint}'
