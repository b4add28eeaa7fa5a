from __future__ import annotations

import msgspec
import pytest

from exchange.gateways.thalex.channel_names import BookName, TickerName, parse
from venues.config import VenueConfig, delay_ms
from venues.thalex import channels

DELAYS = ("raw", "100ms", "200ms", "500ms", "1000ms", "5000ms", "60000ms")
NAME = "BTC-PERPETUAL"


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("kind", ["ticker", "lwt"])
def test_a_ticker_of_each_kind_and_delay_is_a_channel_of_the_venue(kind: str, delay: str):
    config = msgspec.convert(
        {"ticker_channel": kind, "ticker_delay": delay, "book_delay": delay, "channel_silent_ms": 0}, VenueConfig
    )
    ns = delay_ms(config.ticker_delay) * 1_000_000
    assert parse(channels.ticker(config, NAME)) == TickerName(NAME, kind == "lwt", ns)
    book = parse(channels.book(config, NAME))
    assert isinstance(book, BookName)
    assert (book.delay_ns, book.grouping, book.levels_max) == (ns, None, 10)


@pytest.mark.parametrize(
    ("grouping", "levels", "name"),
    [
        (0.0, 0, "book.BTC-PERPETUAL.none.all.raw"),
        (5.0, 1, "book.BTC-PERPETUAL.5.1.raw"),
        (0.1, 1000, "book.BTC-PERPETUAL.0.1.1000.raw"),
        (100.0, 20, "book.BTC-PERPETUAL.100.20.raw"),
    ],
)
def test_a_book_is_named_by_its_grouping_and_depth(grouping: float, levels: int, name: str):
    config = VenueConfig(book_grouping=grouping, book_levels=levels)
    assert channels.book(config, NAME) == name
    assert isinstance(parse(name), BookName)
