"""The market data of a session: books, tickers, trades, indices, instruments, over one link or two.

One link is enough until the venue plans to close it. Then a second one is made beside it, and takes over each
instrument with its first snapshot: no book is ever without data. The first link goes when nothing is left to it, or
when the venue closes it; whatever the second one lacks then is invalid until its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from structlog.stdlib import BoundLogger

from domain.clock import NS_PER_S, Clock
from venues.config import VenueConfig
from venues.thalex.feed_link import FeedLink
from venues.thalex.feed_listener import FeedListener

PLANNED_PAUSE_NS = 5 * NS_PER_S  # between two planned reconnects: a venue may ask every new connection again

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class ThalexFeed:
    """The market data of some instruments.

    Args:
        instrument_names: in the order of the configuration; their index is `row` everywhere.
        spawn: runs a connection's task; its failure must end the owner.
        gives_up: False for a later life of an owner that has been here before: an outage ends no session.
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
        *,
        gives_up: bool = True,
    ) -> None:
        self._config = config
        self._url = url
        self._names = list(instrument_names)
        self._listener = listener
        self._clock = clock
        self._log = log
        self._spawn = spawn
        self._gives_up = gives_up
        self._frames_of_gone_links = 0
        self._replaced_ns = -PLANNED_PAUSE_NS
        self._must_replace = False
        self.links = [self._new_link(is_first=True)]

    @property
    def link(self) -> FeedLink:
        """The link that has stood longest."""
        return self.links[0]

    @property
    def is_connected(self) -> bool:
        """Whether we are subscribed now."""
        return any(link.is_connected for link in self.links)

    @property
    def alive_time_ns(self) -> int:
        """Monotonic, when the venue last said anything; 0 before the first time. Pongs do not count.

        Of two links that both carry instruments the one that has been silent longer counts.
        """
        return min(link.connection.alive_time_ns for link in self.links if any(link.carries))

    @property
    def frames(self) -> int:
        """Frames taken so far."""
        return self._frames_of_gone_links + sum(link.frames for link in self.links)

    def start(self) -> None:
        """Connect in the background and stay connected."""
        self._spawn(self.link.connection.run(), "feed connection")

    async def close(self) -> None:
        for link in list(self.links):
            await link.connection.close()

    def doubt_book(self, row: int) -> None:
        """Have a book thrown away and asked for again; nothing of it is told until its next snapshot."""
        for link in self.links:
            if link.carries[row]:
                link.doubt_book(row)

    def check(self, now_ns: int) -> None:
        """Do what is due: ping, notice silence, resync books. Called from the owner's work loop."""
        for link in list(self.links):
            link.check(now_ns)
        is_alone = len(self.links) == 1
        if self._must_replace and is_alone and now_ns >= self._replaced_ns + PLANNED_PAUSE_NS:
            self._replace(now_ns)

    # ---- planned reconnects --------------------------------------------------------------------------

    def on_reconnect_asked(self, link: FeedLink) -> None:
        """Make a second link beside one that the venue will close, unless that is under way already."""
        if link is self.links[-1]:
            self._must_replace = True
            self.check(self._clock.monotonic_ns())

    def _replace(self, now_ns: int) -> None:
        self._must_replace = False
        self._replaced_ns = now_ns
        self._log.info("planned reconnect: the venue asked for it")
        self.links.append(self._new_link(is_first=False))
        self._spawn(self.links[-1].connection.run(), "next feed connection")

    def on_first_book(self, link: FeedLink, row: int) -> None:
        """Let `link` carry a row from now on, and let a link go that nothing is left to."""
        for other in self.links:
            if other is not link:
                other.let_go(row)
        link.carries[row] = True
        if not link.lacks_books:
            self._keep_only(link, "planned reconnect: the next connection carries everything")

    def _keep_only(self, link: FeedLink, reason: str) -> None:
        others = [other for other in self.links if other is not link]
        self.links = [link]
        link.carries[:] = [True] * len(self._names)
        for other in others:
            self._frames_of_gone_links += other.frames
            other.connection.stop(reason)

    # ---- from the links ------------------------------------------------------------------------------

    def on_link_ready(self, _link: FeedLink) -> None:
        self._listener.on_feed_ready()

    def on_link_lost(self, link: FeedLink, reason: str) -> None:
        """Invalidate what this link carried; when another is on its way, it carries everything now."""
        if link not in self.links:
            return  # replaced: nobody misses it
        if link is self.links[-1]:
            self._must_replace = False  # it is being made anew anyway
        lost = [row for row, is_carried in enumerate(link.carries) if is_carried]
        if link is not self.links[-1]:
            self._keep_only(self.links[-1], reason)
        if not self.is_connected:
            self._listener.on_feed_lost(reason)
            return
        for row in lost:
            self._listener.on_book_lost(row)

    def _new_link(self, *, is_first: bool) -> FeedLink:
        return FeedLink(
            self._config, self._url, self._names, self, self._listener, self._clock, self._log,
            is_first=is_first, gives_up=self._gives_up,
        )  # fmt: skip
