"""What each notification of a link means: which channel tells what, of which instrument."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.instrument import Instrument, InstrumentKind
from venues.config import VenueConfig
from venues.thalex import channels
from venues.thalex import market_wire as wire
from venues.thalex.feed_listener import FeedListener
from venues.thalex.subscriptions import Subscriptions
from venues.thalex.wire import Envelope

Handler = Callable[[int, Envelope, int, int], None]  # row, frame, and the two moments when its callback began


class FeedDispatch:
    """Decodes notifications and tells the listener.

    Args:
        is_first: False = another link carries the rows, until this one has their books.
        on_first_book: is told the row of a first snapshot that this link does not carry yet.
        on_added: is told the row of an instrument that the venue lists again.
        on_reconnect_asked: the venue will close this connection.

    Attributes:
        handlers: by channel, what takes its messages and for which row.
        carries: for each row, whether its books and tickers are told from here.
    """

    def __init__(
        self,
        config: VenueConfig,
        names: Sequence[str],
        listener: FeedListener,
        subscriptions: Subscriptions,
        *,
        is_first: bool,
        on_first_book: Callable[[int], None],
        on_added: Callable[[int], None],
        on_reconnect_asked: Callable[[], None],
    ) -> None:
        self._config = config
        self._names = list(names)
        self._listener = listener
        self._announces_books = listener.announces_books
        self._subscriptions = subscriptions
        self._on_first_book = on_first_book
        self._on_added = on_added
        self._on_reconnect_asked = on_reconnect_asked
        self._decode_ticker = wire.decode_light_ticker if config.ticker_channel == "lwt" else wire.decode_ticker
        self.carries = [is_first] * len(self._names)
        self.handlers: dict[str, tuple[Handler, int]] = {
            channels.SYSTEM: (self._on_system, -1),
            channels.INSTRUMENTS: (self._on_instruments_changed, -1),
        }
        for row, name in enumerate(self._names):
            self.handlers[channels.book(config, name)] = (self._on_book, row)
            self.handlers[channels.ticker(config, name)] = (self._on_ticker, row)
            self.handlers[channels.trades(name)] = (self._on_trades, row)

    def follow_prices(self, ours: list[Instrument]) -> list[str]:
        """Return the channels of what has no book: indices and, where configured, forward prices."""
        underlyings = {instrument.underlying for instrument in ours} | set(self._config.extra_underlyings)
        indices = sorted(channels.index(underlying) for underlying in underlyings)
        forwards = sorted({channels.base_price(instrument) for instrument in ours if _has_forward(instrument)})
        if not self._config.forward_prices:
            forwards = []
        self.handlers |= dict.fromkeys(indices, (self._on_index, -1))
        self.handlers |= dict.fromkeys(forwards, (self._on_base_price, -1))
        return [*indices, *forwards]

    def _on_book(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        if self._announces_books and self.carries[row]:
            self._listener.on_book_coming(row, receive_ns)
        is_snapshot = bool(envelope.snapshot)
        book = wire.decode_book(envelope.notification)
        if self._subscriptions.accepts(row, is_snapshot, receive_ns):
            if is_snapshot and not self.carries[row]:
                self._on_first_book(row)
            self._listener.on_book(row, book, is_snapshot, receive_ns, receive_realtime_ns)

    def _on_ticker(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        self._subscriptions.heard_ns[row] = receive_ns
        ticker = self._decode_ticker(envelope.notification)
        if self.carries[row]:
            self._listener.on_ticker(row, ticker, receive_ns, receive_realtime_ns)

    def _on_trades(self, row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        trades = wire.decode_trades(envelope.notification)
        self._listener.on_trades(row, trades, bool(envelope.snapshot), receive_ns, receive_realtime_ns)

    def _on_index(self, _row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        name = envelope.channel_name.removeprefix(channels.PRICE_INDEX)
        self._listener.on_index(name, wire.decode_index(envelope.notification), receive_ns, receive_realtime_ns)

    def _on_base_price(self, _row: int, envelope: Envelope, receive_ns: int, receive_realtime_ns: int) -> None:
        name = envelope.channel_name.removeprefix(channels.BASE_PRICE)
        forward = wire.decode_base_price(envelope.notification)
        self._listener.on_forward(name, forward, receive_ns, receive_realtime_ns)

    def _on_system(self, _row: int, envelope: Envelope, _receive_ns: int, _receive_realtime_ns: int) -> None:
        if wire.decode_system(envelope.notification).event == "reconnect":
            self._on_reconnect_asked()

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
                self._subscriptions.on_removed(row, receive_ns)
            else:
                self._on_added(row)


def _has_forward(instrument: Instrument) -> bool:
    return instrument.kind in (InstrumentKind.FUTURE, InstrumentKind.OPTION) and instrument.expiry_ns > 0
