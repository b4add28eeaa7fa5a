"""What a broken, a planned and a restarted connection cost: no trade twice, and no book without data when planned."""

from __future__ import annotations

from typing import Any

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from runtime.session import SessionSegments
from tests.market_rig import BTC, ETH, INSTRUMENTS, NAMES, Market
from venues.thalex.feed_link import FeedLink

TAPE = "recent_trades.BTC-PERPETUAL.single"
T0 = 1795223039.0


def _trades(*numbers: int) -> list[list[Any]]:
    return [[100.0 + n, 0.3, "sell" if n % 2 else "buy", T0 + n, NAMES[BTC], False] for n in numbers]


def _prices(market: Market) -> list[float]:
    return [float(trade["price"]) for trade in market.trades.read()]


def _snapshots(market: Market, *rows: int, bid: float = 100.0) -> None:
    for row in rows:
        market.book([[bid, 2.0]], [[bid + 1, 3.0]], row=row, snapshot=True)


def _is_valid(market: Market) -> list[int]:
    return [int(market.book_table.snapshot(row)[0]["is_valid"]) for row in (BTC, ETH)]


# ---- trades ----------------------------------------------------------------------------------------------


def test_trades_missed_during_an_outage_are_published_once_and_said(market: Market):
    market.notify(TAPE, _trades(0, 1), snapshot=True)
    market.notify(TAPE, _trades(2))
    market.disconnect()
    market.connect()
    market.notify(TAPE, _trades(0, 1, 2, 3, 4), snapshot=True)
    market.notify(TAPE, _trades(5))
    assert _prices(market) == [102.0, 103.0, 104.0, 105.0]
    counts = market.counters.values()
    assert (counts["trades"], counts["trades_recovered"], counts["trade_gaps"]) == (4, 2, 0)


def test_a_gap_that_the_venue_cannot_fill_is_counted(market: Market, capsys: pytest.CaptureFixture[str]):
    market.notify(TAPE, _trades(0), snapshot=True)
    market.disconnect()
    market.connect()
    market.notify(TAPE, _trades(7, 8), snapshot=True)
    assert _prices(market) == [107.0, 108.0]
    assert market.counters.values()["trade_gaps"] == 1
    assert "trades may be missing" in capsys.readouterr().out


def test_a_restarted_actor_fetches_what_it_missed(segments: SessionSegments):
    first = Market(segments)
    first.attach()
    first.connect()
    first.notify(TAPE, _trades(0), snapshot=True)
    first.notify(TAPE, _trades(1, 2))
    second = Market(segments)
    second.attach()
    second.connect()
    second.notify(TAPE, _trades(0, 1, 2, 3), snapshot=True)
    second.notify("recent_trades.ETH-PERPETUAL.single", _trades(0), snapshot=True)
    assert _prices(second) == [101.0, 102.0, 103.0]
    assert second.counters.values()["trades_recovered"] == 1


# ---- planned reconnects ----------------------------------------------------------------------------------


@pytest.fixture
def planned(market: Market) -> Market:
    """A market with both books live, whose venue has just asked for a reconnect."""
    _snapshots(market, BTC, ETH)
    market.notify("system", {"event": "reconnect"})
    market.books.read()
    return market


def test_a_planned_reconnect_leaves_no_book_without_data(planned: Market):
    old, new = planned.feed.links
    planned.connect()
    assert planned.feed.links == [old, new]
    _snapshots(planned, BTC, bid=101.0)
    # ETH is still told by the old connection, BTC by the new one alone
    planned.book([[102.0, 1.0]], [], row=ETH, link=old)
    planned.book([[90.0, 1.0]], [], row=BTC, link=old)
    planned.book([[101.5, 1.0]], [], row=BTC)
    assert planned.dropped == []
    _snapshots(planned, ETH, bid=103.0)
    assert planned.feed.links == [new]
    assert planned.dropped == ["planned reconnect: the next connection carries everything"]
    old.on_closed("closing")
    told = [(int(book["instrument"]), float(book["bid_price"][0])) for book in planned.books.read()]
    assert told == [(BTC, 101.0), (ETH, 102.0), (BTC, 101.5), (ETH, 103.0)]
    assert _is_valid(planned) == [1, 1]
    assert planned.feed_table.snapshot(0)[0]["is_connected"] == 1
    assert planned.feed_table.snapshot(0)[0]["connections"] == 2


def test_trades_that_both_connections_tell_are_published_once(planned: Market):
    old = planned.feed.link
    planned.notify(TAPE, _trades(0), snapshot=True, link=old)
    planned.connect()
    planned.notify(TAPE, _trades(0), snapshot=True)
    for number in (1, 2, 3):
        planned.notify(TAPE, _trades(number), link=old)
        planned.notify(TAPE, _trades(number))
    assert _prices(planned) == [101.0, 102.0, 103.0]
    assert planned.counters.values()["trades_recovered"] == 0


def test_tickers_come_from_the_connection_that_has_the_book(planned: Market):
    old = planned.feed.link
    planned.connect()
    planned.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 1.0})
    planned.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 2.0}, link=old)
    _snapshots(planned, BTC)
    planned.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 3.0}, link=old)
    planned.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 4.0})
    assert [float(ticker["mark_price"]) for ticker in planned.tickers.read()] == [2.0, 4.0]


def test_a_venue_that_closes_early_costs_only_what_has_not_been_told_yet(planned: Market):
    old, new = planned.feed.links
    planned.connect()
    _snapshots(planned, BTC, bid=101.0)
    old.on_closed("the venue closed it")
    assert _is_valid(planned) == [1, 0]
    assert planned.feed.is_connected
    assert planned.feed.links == [new]
    _snapshots(planned, ETH)
    assert _is_valid(planned) == [1, 1]


def test_a_venue_that_closes_before_the_next_connection_stands_costs_everything(planned: Market):
    old, new = planned.feed.links
    old.on_closed("the venue closed it")
    assert _is_valid(planned) == [0, 0]
    assert planned.feed_table.snapshot(0)[0]["is_connected"] == 0
    planned.connect()
    _snapshots(planned, BTC, ETH)
    assert planned.feed.links == [new]
    assert _is_valid(planned) == [1, 1]


def test_a_next_connection_that_breaks_costs_what_it_had_taken_over(planned: Market):
    old, new = planned.feed.links
    planned.connect()
    _snapshots(planned, BTC, bid=101.0)
    new.on_closed("broken")
    assert _is_valid(planned) == [0, 1]
    assert planned.feed.is_connected
    planned.connect()
    _snapshots(planned, BTC, ETH, bid=102.0)
    assert planned.feed.links == [new]
    assert _is_valid(planned) == [1, 1]
    assert old not in planned.feed.links


def test_a_doubt_about_a_book_goes_to_the_connection_that_tells_it(planned: Market):
    old, new = planned.feed.links
    planned.connect()
    _snapshots(planned, BTC, bid=101.0)
    planned.sent.clear()
    planned.book([[200.0, 1.0]], [], row=BTC)  # crossed
    assert [request["method"] for request in planned.sent] == ["unsubscribe"]
    assert (old.subscriptions.resyncs, new.subscriptions.resyncs) == (0, 1)


def test_a_resync_of_the_next_connection_leaves_the_present_book_alone(planned: Market):
    planned.connect()
    planned.clock.advance(1100 * NS_PER_MS)  # the snapshot does not come
    now_ns = planned.clock.monotonic_ns()
    for link in planned.feed.links:
        link.connection.alive_time_ns = now_ns
    planned.feed.check(now_ns)
    assert planned.counters.values()["resyncs"] == 0
    assert _is_valid(planned) == [1, 1]


def test_an_instrument_that_the_venue_does_not_list_any_more_holds_nothing_up(planned: Market):
    new = planned.feed.links[1]
    planned.connect([INSTRUMENTS[ETH]])
    _snapshots(planned, ETH)
    assert planned.feed.links == [new]
    assert _is_valid(planned) == [0, 1]


def test_a_venue_that_asks_every_connection_again_is_followed_after_a_pause(planned: Market):
    def is_asked(link: FeedLink) -> None:
        planned.notify("system", {"event": "reconnect"}, link=link)

    old, new = planned.feed.links
    is_asked(old)
    planned.connect()
    is_asked(new)
    assert planned.feed.links == [old, new]
    _snapshots(planned, BTC, ETH)
    assert planned.feed.links == [new]
    planned.clock.advance(5 * NS_PER_S)
    new.connection.alive_time_ns = planned.clock.monotonic_ns()
    planned.feed.check(planned.clock.monotonic_ns())
    assert len(planned.feed.links) == 2


# ---- a connection that answers and tells nothing -----------------------------------------------------------


def _rejoin(market: Market) -> None:
    """Have the book of BTC asked for anew, and the venue say that it tells it."""
    market.sent.clear()
    market.feed.link.doubt_book(BTC)
    channel = f"book.{NAMES[BTC]}.none.20.raw"
    market.answer("unsubscribe", None)
    market.answer("public/subscribe", [channel])


def test_a_connection_that_tells_nothing_after_a_book_was_asked_for_anew_is_left(market: Market):
    # Given a book that is asked for anew, and a venue that answers everything
    _snapshots(market, BTC, ETH)
    market.check(10)
    _rejoin(market)
    # If neither its snapshot nor anything else comes in time
    market.check(400)
    assert market.dropped == []
    market.check(200)
    # I expect the connection to be left
    assert market.dropped == ["it answers, and tells nothing: not even the book that was asked for anew"]


def test_a_book_that_is_missing_alone_is_asked_for_again_on_the_same_connection(market: Market):
    _snapshots(market, BTC, ETH)
    market.check(10)
    _rejoin(market)
    market.check(400)
    market.book([[101.0, 1.0]], [], row=ETH)
    market.check(500)
    assert market.dropped == []
