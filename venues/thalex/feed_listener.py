"""What the feed tells its owner."""

from __future__ import annotations

from typing import Protocol

from domain.errors import ProtocolError
from domain.instrument import Instrument
from venues.thalex import market_wire as wire


class FeedListener(Protocol):
    """The owner of a feed. `row` is the instrument's place in the configuration.

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

    def on_book_lost(self, row: int) -> None:
        """One book is invalid until its next snapshot, without a resync."""
        ...

    def on_feed_lost(self, reason: str) -> None:
        """Every book is invalid until its next snapshot."""
        ...

    @property
    def announces_books(self) -> bool:
        """Whether anybody wants to hear of a book before it is decoded; does not change."""
        ...

    def on_book_coming(self, row: int, receive_ns: int) -> None:
        """A frame of a book is here and not decoded yet; `on_book` follows unless the frame is refused.

        Told only where `announces_books`.
        """
        ...

    def on_book(
        self, row: int, book: wire.BookPayload, is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None: ...

    def on_book_doubted(self, row: int) -> None:
        """The book is thrown away and asked for again."""
        ...

    def on_ticker(self, row: int, ticker: wire.TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None: ...

    def on_trades(
        self, row: int, trades: list[wire.PublicTrade], is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None:
        """Public trades, oldest first; each subscription begins with a snapshot of the newest. While two connections
        stand, both tell them."""
        ...

    def on_index(self, name: str, index: wire.IndexPayload, receive_ns: int, receive_realtime_ns: int) -> None: ...

    def on_forward(self, name: str, forward: wire.BasePricePayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """The forward price of an expiry; `name` is INDEX.YYYY-MM-DD."""
        ...

    def on_bad_frame(self, error: ProtocolError) -> None:
        """A frame was malformed and skipped."""
        ...
