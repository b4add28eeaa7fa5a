"""Public feed → books, tickers, trades in shared memory, and a sign-of-life clock. Holds no keys."""

from __future__ import annotations

import os
from collections.abc import Callable

from actors.market_data.announcing import Announcer
from actors.market_data.outputs import MarketOutputs
from actors.market_data.publisher import MarketDataPublisher
from domain.errors import ConfigError
from runtime.actor import Actor, ActorContext
from venues.config import venue_url
from venues.thalex.feed import ThalexFeed
from venues.thalex.trade_tape import KEPT_MAX


class MarketDataActor(Actor):
    """Runs one feed for all configured instruments.

    Ends with ConfigError when the venue does not list one of them, with VenueUnreachableError when it never
    answered; once it has been connected it reconnects for ever.
    """

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        venue = ctx.config.venue
        _refuse_to_quote_on_groups(ctx)
        self._publisher = MarketDataPublisher(
            ctx.instrument_names,
            _outputs(ctx),
            ctx.clock,
            ctx.log,
            window_levels=venue.book_levels,
            still_ns_max=venue.still_ns_max,
            against_ns_max=venue.against_ns_max,
        )
        self._feed = ThalexFeed(
            venue,
            venue_url(venue, os.environ),
            ctx.instrument_names,
            self._publisher,
            ctx.clock,
            ctx.log,
            ctx.spawn,
            gives_up=ctx.epoch == 1,
        )

    def on_start(self) -> None:
        self._publisher.attach(self._feed, self.ctx.ring_reader("trades").to_numpy(last=KEPT_MAX))
        self._feed.start()
        # The records say whether there is data; the start itself, imports and segments, is over.
        self.ctx.set_live()

    def do_work(self, now_ns: int) -> int:
        self._feed.check(now_ns)
        self._publisher.check(now_ns)
        return 0

    async def stop(self) -> None:
        await self._feed.close()
        self._publisher.publish_feed()


def _refuse_to_quote_on_groups(ctx: ActorContext) -> None:
    quoted = [name for name in ctx.instrument_names if ctx.config.instruments[name].quote]
    if ctx.config.venue.book_grouping and quoted:
        raise ConfigError(
            f"{ctx.config.path}: venue.book_grouping = {ctx.config.venue.book_grouping:g} hides the touch of "
            f"{', '.join(quoted)}: set it to 0, or quote = false for them"
        )


def _outputs(ctx: ActorContext) -> MarketOutputs:
    return MarketOutputs(
        instruments=ctx.table_writer("instruments"),
        feed=ctx.table_writer("feed"),
        books=ctx.ring_writer("books"),
        book_table=ctx.table_writer("book_table"),
        tickers=ctx.ring_writer("tickers"),
        ticker_table=ctx.table_writer("ticker_table"),
        trades=ctx.ring_writer("trades"),
        indices=ctx.ring_writer("indices"),
        index_table=ctx.table_writer("index_table"),
        decode=ctx.histogram("decode"),
        publish=ctx.histogram("publish"),
        counters=ctx.counters,
        wake_strategy=[_ring_of(ctx, name) for name in ctx.instrument_names],
        announce_book=_announcements(ctx),
    )


def _announcements(ctx: ActorContext) -> list[Callable[[int], None]]:
    """Return for each instrument what announces its books to the strategy that has it."""
    if not ctx.config.runtime.early_wake:
        return []
    announcers = {name: Announcer(ctx.doorbell(name).ring) for name in ctx.topology.strategies}
    by_row = [ctx.topology.strategy_of(name) for name in ctx.instrument_names]
    return [announcers[name].book_coming if name is not None else _announce_to_nobody for name in by_row]


def _announce_to_nobody(_receive_ns: int) -> None:
    """The instrument is only followed."""


def _ring_of(ctx: ActorContext, instrument: str) -> Callable[[], None]:
    """Return what wakes the strategy that has the instrument; nothing where it is only followed."""
    strategy = ctx.topology.strategy_of(instrument)
    return ctx.doorbell(strategy).ring if strategy is not None else lambda: None
