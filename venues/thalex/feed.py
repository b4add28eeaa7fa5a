"""The market data of a session: books, tickers, trades, indices, instruments."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from structlog.stdlib import BoundLogger

from domain.clock import Clock
from venues.config import VenueConfig
from venues.thalex.feed_link import FeedLink
from venues.thalex.feed_listener import FeedListener

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class ThalexFeed:
    """The market data of some instruments.

    Args:
        instrument_names: in the order of the configuration; their index is `row` everywhere.
        spawn: runs the connection's task; its failure must end the owner.
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
        self._spawn = spawn
        self.link = FeedLink(config, url, instrument_names, listener, clock, log)

    @property
    def is_connected(self) -> bool:
        """Whether we are subscribed now."""
        return self.link.is_connected

    @property
    def alive_time_ns(self) -> int:
        """Monotonic, when the venue last said anything; 0 before the first time. Pongs do not count."""
        return self.link.connection.alive_time_ns

    @property
    def frames(self) -> int:
        """Frames taken so far."""
        return self.link.frames

    def start(self) -> None:
        """Connect in the background and stay connected."""
        self._spawn(self.link.connection.run(), "feed connection")

    async def close(self) -> None:
        await self.link.connection.close()

    def doubt_book(self, row: int) -> None:
        """Have a book thrown away and asked for again; nothing of it is told until its next snapshot."""
        self.link.doubt_book(row)

    def check(self, now_ns: int) -> None:
        """Do what is due: ping, notice silence, resync books. Called from the owner's work loop."""
        self.link.check(now_ns)
