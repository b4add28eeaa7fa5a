"""One public connection: listed, subscribed, watched, and made anew when it breaks. Holds no keys.

Every message is stamped when its frame's callback begins. A quiet market is not a stale one: what has said
nothing for feed_probe_ms is asked something, and the answer is a sign of life as any message is. A pong is none:
it comes from the socket, also when the session behind it is gone. Without any for feed_dead_ms the connection is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from structlog.stdlib import BoundLogger

from domain.clock import NS_PER_MS, Clock
from domain.errors import ConfigError, ConnectivityError, ProtocolError
from domain.instrument import Instrument
from venues.config import VenueConfig
from venues.thalex import channels
from venues.thalex.account_wire import decode_channels, decode_void
from venues.thalex.book_channel import BookState
from venues.thalex.connection import Connection
from venues.thalex.feed_dispatch import FeedDispatch
from venues.thalex.feed_listener import FeedListener
from venues.thalex.listing import unlisted_text
from venues.thalex.protocol import Answer, Failed, Listed, Ready, Requests, Session
from venues.thalex.subscriptions import ASK, JOIN, LEAVE, Subscriptions
from venues.thalex.wire import Envelope

EXTRA = "extra"  # kind of the request for what we can do without
PROBE, PROBE_METHOD = "probe", "public/system_info"


class LinkOwner(Protocol):
    """Who decides which of two links a row's data comes from."""

    def on_link_ready(self, link: FeedLink) -> None: ...

    def on_link_lost(self, link: FeedLink, reason: str) -> None: ...

    def on_first_book(self, link: FeedLink, row: int) -> None:
        """A link has the snapshot of a row that it does not carry yet."""
        ...

    def on_reconnect_asked(self, link: FeedLink) -> None:
        """The venue will close this connection."""
        ...


class FeedLink:
    """The market data of some instruments over one connection, made anew whenever it breaks.

    Args:
        is_first: False = another link carries the rows, until this one has their books.
        gives_up: of a first link: whether it does so where the venue never answers.

    Attributes:
        is_connected: subscribed now.
        carries: for each row, whether its books and tickers are told from here.
        frames: frames taken so far.
        connection: the socket; its `run` keeps it.
        subscriptions: the channels of each instrument.
    """

    def __init__(
        self,
        config: VenueConfig,
        url: str,
        names: Sequence[str],
        owner: LinkOwner,
        listener: FeedListener,
        clock: Clock,
        log: BoundLogger,
        *,
        is_first: bool,
        gives_up: bool = True,
    ) -> None:
        self._config = config
        self._names = list(names)
        self._owner = owner
        self._listener = listener
        self._clock = clock
        self._log = log
        self._session: Session | None = None
        self._settled: asyncio.Future[None] | None = None
        self._extra: list[str] = []
        self._let_go: set[int] = set()
        self.connection = Connection(config, url, self, clock, log, gives_up=is_first and gives_up)
        self.subscriptions = Subscriptions(config, names, self._on_book_doubted, log)
        self._dispatch = FeedDispatch(
            config,
            names,
            listener,
            self.subscriptions,
            is_first=is_first,
            on_first_book=lambda row: owner.on_first_book(self, row),
            on_added=self._on_added,
            on_reconnect_asked=lambda: owner.on_reconnect_asked(self),
        )
        self._handlers = self._dispatch.handlers
        self.carries = self._dispatch.carries
        self.is_connected = False
        self.frames = 0
        self._probe_due_ns = 0
        self._told_ns = 0  # monotonic, newest notification

    # ---- for the feed --------------------------------------------------------------------------------

    def doubt_book(self, row: int) -> None:
        """Have a book thrown away and asked for again; nothing of it is told until its next snapshot."""
        self.subscriptions.doubt(row, self._clock.monotonic_ns(), self._session)
        self._flush()

    def let_go(self, row: int) -> None:
        """Tell no more of a row's books and tickers: another link carries it."""
        self.carries[row] = False
        self._let_go.add(row)
        self.subscriptions.on_removed(row, self._clock.monotonic_ns())

    @property
    def lacks_books(self) -> bool:
        """Whether a book that the venue lists is still told by another link."""
        return any(
            not is_carried and book.state is not BookState.IDLE
            for is_carried, book in zip(self.carries, self.subscriptions.books, strict=True)
        )

    def check(self, now_ns: int) -> None:
        """Do what is due: ping, ask, notice silence, resync books."""
        session = self._session
        if session is None:
            return
        self.connection.ping_when_due(now_ns)
        silence_ns = now_ns - self.connection.alive_time_ns
        if silence_ns > self._config.feed_dead_ms * NS_PER_MS:
            self.connection.drop(f"no frame for {silence_ns // NS_PER_MS} ms")
            return
        for pending in session.requests.expire(now_ns):
            self.connection.drop(f"no answer to {pending.method} within {self._config.request_timeout_ms} ms")
        if self.subscriptions.is_told_nothing(self._told_ns, now_ns):
            self.connection.drop("it answers, and tells nothing: not even the book that was asked for anew")
        elif self.is_connected:
            self._probe_if_silent(silence_ns, now_ns, session)
            self.subscriptions.check(now_ns, session)
            self._flush()

    def _probe_if_silent(self, silence_ns: int, now_ns: int, session: Session) -> None:
        """Ask for something small, whose answer says that the venue still serves us."""
        probe_ns = self._config.feed_probe_ms * NS_PER_MS
        if silence_ns >= probe_ns and now_ns >= self._probe_due_ns:
            self._probe_due_ns = now_ns + probe_ns
            session.request(PROBE_METHOD, {}, decode_void, now_ns, kind=PROBE)

    # ---- from the connection -------------------------------------------------------------------------

    async def open_session(self) -> None:
        """List the instruments and subscribe."""
        self._settled = asyncio.get_running_loop().create_future()
        self.begin_session()
        await self._settled

    def begin_session(self) -> None:
        """Send the first request of a new session."""
        session = Session.public((), Requests(self._config.request_timeout_ns), self.subscriptions.of_listed)
        self._session = session
        session.start(self._clock.monotonic_ns())
        self._flush()

    def on_frame(self, frame: bytes | memoryview) -> None:
        receive_ns = self._clock.monotonic_ns()
        receive_realtime_ns = self._clock.realtime_ns()
        self.connection.alive_time_ns = receive_ns
        session = self._session
        if session is None:
            return
        self.frames += 1
        try:
            event = session.receive(frame, receive_ns)
            if type(event) is Envelope:
                self._told_ns = receive_ns
                handler = self._handlers.get(event.channel_name)
                if handler is not None:
                    handler[0](handler[1], event, receive_ns, receive_realtime_ns)
            elif event is not None:
                self._on_event(session, event, receive_ns)
        except ProtocolError as error:
            self._listener.on_bad_frame(error)
            self._doubt_what_it_may_have_changed(frame)
        if session.has_data_to_send:
            self._flush()

    def on_control(self) -> None:
        """A ping or pong: no sign of life, for the socket alone may have sent it."""

    def on_closed(self, reason: str) -> None:
        was_connected = self.is_connected
        self.is_connected = False
        self._session = None
        self.subscriptions.on_closed(self._clock.monotonic_ns())
        if self._settled is not None and not self._settled.done():
            self._settled.set_exception(ConnectivityError(reason))
        if was_connected:
            self._owner.on_link_lost(self, reason)

    def _on_added(self, row: int) -> None:
        if row not in self._let_go:
            self.subscriptions.on_added(row, self._clock.monotonic_ns(), self._session)

    def _on_book_doubted(self, row: int) -> None:
        if self.carries[row]:
            self._listener.on_book_doubted(row)

    def _doubt_what_it_may_have_changed(self, frame: bytes | memoryview) -> None:
        """A lost change is a wrong book: doubt the books that an unreadable frame names."""
        content = bytes(frame)
        for row, name in enumerate(self._names):
            if f'"book.{name}.'.encode() in content:
                self.doubt_book(row)

    def _flush(self) -> None:
        session = self._session
        if session is None or not session.has_data_to_send:
            return
        for frame in session.data_to_send():
            try:
                self.connection.send(frame)
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
            self._on_answer(event, now_ns, session)
        elif isinstance(event, Listed):
            self._on_listed(event.instruments, now_ns)
        elif isinstance(event, Ready):
            self._on_ready(session, now_ns)
        elif isinstance(event, Failed):
            self._settle(ConnectivityError(event.reason))

    def _on_listed(self, instruments: dict[str, Instrument], now_ns: int) -> None:
        for row, name in enumerate(self._names):
            if name not in instruments and not self._listener.is_instrument_known(row):
                self._settle(ConfigError(unlisted_text(name, instruments)))
                self.connection.drop("an instrument is not listed")
                return
        self._listener.on_instruments(instruments)
        self.subscriptions.on_listed(instruments, now_ns)
        ours = [instruments[name] for name in self._names if name in instruments]
        self._extra = [channels.SYSTEM, channels.INSTRUMENTS, *self._dispatch.follow_prices(ours)]

    def _on_ready(self, session: Session, now_ns: int) -> None:
        self.is_connected = True
        self.connection.set_ready()
        self.subscriptions.on_ready(now_ns)
        params = {"channels": self._extra}
        session.request("public/subscribe", params, decode_channels, now_ns, kind=EXTRA, context=self._extra)
        self._settle(None)
        self._log.info("feed ready", instruments=self._names)
        self._owner.on_link_ready(self)

    def _on_answer(self, answer: Answer, now_ns: int, session: Session) -> None:
        pending, error = answer.pending, answer.error
        if pending.kind == EXTRA:
            missing = [] if error is not None else sorted(set(pending.context) - set(answer.value))
            if error is not None or missing:
                self._log.warning("optional channels are missing", channels=missing, reason=str(error))
        elif pending.kind in (LEAVE, JOIN):
            self.subscriptions.on_answer(answer, now_ns, session)
        elif pending.kind == ASK and error is None and self.carries[pending.context]:
            self._listener.on_ticker(pending.context, answer.value, now_ns, self._clock.realtime_ns())
