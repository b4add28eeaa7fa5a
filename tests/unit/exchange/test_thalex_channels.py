"""Channels: subscriptions, snapshots, changes, pacing, the account's streams and histories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_MS, NS_PER_S
from exchange.gateways.thalex import channel_names as names
from exchange.gateways.thalex.book_channel import BookChannel

PERPETUAL = "BTC-PERPETUAL"


class Listener:
    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)


class View:
    """A book as a client builds it from a channel's messages."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    def apply(self, message: dict[str, Any]) -> None:
        if message.get("snapshot"):
            self.bids.clear()
            self.asks.clear()
        for side, changes in ((self.bids, "bid_changes"), (self.asks, "ask_changes")):
            for price, amount, _ in message["notification"][changes]:
                if amount:
                    side[price] = amount
                else:
                    del side[price]


def fill_book(desk: Any) -> None:
    for distance in range(1, 13):
        desk.rest(Side.BUY, 100_000 - distance, 10 * distance)
        desk.rest(Side.SELL, 100_000 + distance, 10 * distance)


# -- subscribing -------------------------------------------------------------------------------


def test_the_response_lists_what_was_joined_and_first_messages_follow_it(desk: Any) -> None:
    client = desk.client()
    wanted = ["lwt.BTC-PERPETUAL.1000ms", "ticker.NOPE.raw", "nonsense", "price_index.BTCUSD"]
    joined = client.result("public/subscribe", channels=wanted)
    assert joined == ["lwt.BTC-PERPETUAL.1000ms", "price_index.BTCUSD"]
    assert [frame[:6] for frame in client.frames] == [b'{"id":', b'{"chan', b'{"chan']


def test_a_call_without_any_valid_channel_is_an_error(desk: Any, trader: Any) -> None:
    assert trader.error("public/subscribe", channels=["ticker.NOPE.raw"]) == 5
    assert trader.error("private/subscribe", channels=["ticker.BTC-PERPETUAL.raw"]) == 5
    assert trader.error("public/subscribe", channels=["session.orders"]) == 5
    assert trader.result("public/subscribe", channels=[]) == []


def test_subscribing_twice_changes_nothing(desk: Any) -> None:
    client = desk.client()
    for _ in range(2):
        assert client.result("public/subscribe", channels=["instruments"]) == ["instruments"]
    assert len(client.notes("instruments")) == 1


def test_unsubscribing_ends_the_stream_and_twice_is_an_error(desk: Any, trader: Any) -> None:
    trader.result("public/subscribe", channels=["price_index.BTCUSD"])
    trader.result("private/subscribe", channels=["account.orders"])
    assert trader.result("unsubscribe", channels=["price_index.BTCUSD", "account.orders", "system"]) == [
        "price_index.BTCUSD",
        "account.orders",
    ]
    before = len(trader.frames)
    desk.scheduler.advance(3 * NS_PER_S)
    assert len(trader.frames) == before
    assert trader.error("unsubscribe", channels=["price_index.BTCUSD"]) == 9


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("book.BTC-PERPETUAL.none.10.100ms", names.BookName(PERPETUAL, None, 10, 100 * NS_PER_MS)),
        ("book.BTC-PERPETUAL.0.5.all.raw", names.BookName(PERPETUAL, Decimal("0.5"), None, 0)),
        ("book.BTC-PERPETUAL.none.0.raw", None),
        ("book.BTC-PERPETUAL.none.ten.raw", None),
        ("book.BTC-PERPETUAL.none.10.7ms", None),
        ("book.BTC-PERPETUAL.10.raw", None),
        ("ticker.BTC-PERPETUAL.raw", names.TickerName(PERPETUAL, False, 0)),
        ("recent_trades.BTCUSD.all", names.TapeName("BTCUSD", "all")),
        ("recent_trades.BTCUSD", None),
        ("price_index.", None),
        ("", None),
    ],
)
def test_channel_names_are_split_from_both_ends(name: str, expected: Any) -> None:
    assert names.parse(name) == expected


# -- books -------------------------------------------------------------------------------------


def test_a_book_starts_with_a_snapshot_and_then_tells_changes_by_absolute_size(desk: Any) -> None:
    # Given a book
    fill_book(desk)
    client, name = desk.client(), "book.BTC-PERPETUAL.none.2.raw"
    client.result("public/subscribe", channels=[name])
    snapshot = client.notes(name)[0]
    assert snapshot["snapshot"] is True
    assert snapshot["notification"]["bid_changes"] == [[99_999, 0.01, 0.01], [99_998, 0.02, 0.02]]
    # If the best bid trades away
    desk.take(Side.SELL, 10, 99_999)
    # I expect the trade, the level gone, and the next one shown as it enters the window
    change = client.notes(name)[1]
    assert "snapshot" not in change
    assert change["notification"]["bid_changes"] == [[99_999, 0, 0], [99_997, 0.03, 0.03]]
    assert [trade[:3] for trade in change["notification"]["trades"]] == [[99_999, 0.01, "sell"]]
    assert change["notification"]["ask_changes"] == []


def test_a_later_listener_gets_a_snapshot_that_fits_the_changes_that_follow(desk: Any) -> None:
    # Given a paced channel with a change that has not been told yet
    fill_book(desk)
    name = "book.BTC-PERPETUAL.none.all.1000ms"
    desk.client().result("public/subscribe", channels=[name])
    desk.rest(Side.BUY, 99_999, 5)
    # If another client joins now
    late, view = desk.client(), View()
    late.result("public/subscribe", channels=[name])
    desk.scheduler.advance(2 * NS_PER_S)
    # I expect it to end with the same book
    for message in late.notes(name):
        view.apply(message)
    assert view.bids == {ticks: lots / 1000 for ticks, lots in desk.levels(Side.BUY)}


def test_a_grouped_book_adds_up_levels_away_from_the_middle(desk: Any) -> None:
    fill_book(desk)
    client, name = desk.client(), "book.BTC-PERPETUAL.5.2.raw"
    client.result("public/subscribe", channels=[name])
    book = client.notes(name)[0]["notification"]
    assert book["bid_changes"] == [[99_995, 0.15, 0.15], [99_990, 0.4, 0.4]]
    assert book["ask_changes"] == [[100_005, 0.15, 0.15], [100_010, 0.4, 0.4]]
    assert desk.client().error("public/subscribe", channels=["book.BTC-PERPETUAL.1.5.2.raw"]) == 5


actions = st.lists(
    st.tuples(st.sampled_from(["rest", "take"]), st.sampled_from(list(Side)), st.integers(1, 8), st.integers(1, 30)),
    max_size=40,
)


@given(actions=actions, shape=st.sampled_from([(1, None), (1, 3), (4, None), (4, 2)]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_client_that_applies_all_changes_has_the_book(
    venue_factory: Any, actions: Any, shape: tuple[int, int | None]
) -> None:
    # Given a channel of any shape on an empty book
    venue, listener = venue_factory(), Listener()

    def make_channel() -> BookChannel:
        group_ticks, levels_max = shape
        return BookChannel("b", venue.scheduler, 0, venue.market, group_ticks=group_ticks, levels_max=levels_max)

    channel = make_channel()
    channel.add(listener)
    # If the market does anything
    for kind, side, distance, lots in actions:
        sign = 1 if side is Side.BUY else -1
        if kind == "rest":
            venue.market.rest_anonymous(side, 100_000 - sign * distance, lots)
        else:
            venue.market.take_anonymous(side, lots, 100_000 + sign * 10)
        channel.on_book(venue.market.book.drain_changes())
    # I expect the client's view to be what a new snapshot says
    view, fresh = View(), View()
    for frame in listener.frames:
        view.apply(msgspec.json.decode(frame))
    fresh.apply(msgspec.json.decode(make_channel().first_message()))
    assert (view.bids, view.asks) == (fresh.bids, fresh.asks)


def test_a_paced_channel_sends_at_most_once_in_its_delay_and_then_the_newest(desk: Any) -> None:
    # Given a light ticker every 100 ms
    fill_book(desk)
    client, name = desk.client(), "lwt.BTC-PERPETUAL.100ms"
    client.result("public/subscribe", channels=[name])
    # If the best bid changes every 10 ms for half a second
    for lots in range(1, 51):
        desk.scheduler.advance(10 * NS_PER_MS)
        desk.rest(Side.BUY, 99_999, lots)
    desk.scheduler.advance(100 * NS_PER_MS)
    # I expect some five or six messages after the first, the last with everything
    notes = client.notes(name)
    assert 5 <= len(notes) - 1 <= 7
    assert notes[-1]["notification"]["b"][1] == (10 + sum(range(1, 51))) / 1000


def test_a_ticker_is_silent_while_nothing_it_shows_moves(desk: Any) -> None:
    fill_book(desk)
    client, name = desk.client(), "ticker.BTC-PERPETUAL.raw"
    client.result("public/subscribe", channels=[name])
    desk.rest(Side.BUY, 99_990, 5)
    assert len(client.notes(name)) == 1
    desk.rest(Side.BUY, 99_999, 5)
    assert len(client.notes(name)) == 2


# -- other public streams ----------------------------------------------------------------------


def test_a_ticker_has_every_field_that_clients_rely_on(desk: Any) -> None:
    ticker = desk.client().result("public/ticker", instrument_name=PERPETUAL)
    assert ticker["best_bid_price"] is None
    fill_book(desk)
    desk.take(Side.BUY, 5, 100_001)
    ticker = desk.client().result("public/ticker", instrument_name=PERPETUAL)
    assert (ticker["best_bid_price"], ticker["best_ask_amount"], ticker["last_price"]) == (99_999, 0.005, 100_001)
    assert (ticker["collar_low"], ticker["collar_high"], ticker["index"]) == (99_000, 101_000, 100_000)
    assert {"mark_price", "mark_timestamp", "forward", "funding_rate", "funding_mark", "open_interest"} <= set(ticker)
    assert (ticker["volume_24h"], ticker["value_24h"]) == (0.005, 500.005)


def test_the_tape_starts_with_what_has_traded(desk: Any) -> None:
    fill_book(desk)
    desk.take(Side.BUY, 5, 100_001)
    client = desk.client()
    for name in ("recent_trades.BTC-PERPETUAL.single", "recent_trades.BTCUSD.all"):
        client.result("public/subscribe", channels=[name])
        desk.take(Side.SELL, 1, 99_999)
        first, second = client.notes(name)
        assert first["snapshot"] is True
        assert first["notification"][0][:3] == [100_001, 0.005, "buy"]
        assert [row[:3] for row in second["notification"]] == [[99_999, 0.001, "sell"]]
        assert second["notification"][0][4:] == [PERPETUAL, False]


def test_the_index_comes_once_a_second(desk: Any) -> None:
    client = desk.client()
    client.result("public/subscribe", channels=["price_index.BTCUSD"])
    desk.scheduler.advance(3 * NS_PER_S)
    assert [note["notification"]["price"] for note in client.notes("price_index.BTCUSD")] == [100_000] * 4
    assert client.result("public/index", underlying="BTCUSD")["index_name"] == "BTCUSD"
    assert client.error("public/index", underlying="ETHUSD") == 40


def test_instruments_are_listed_and_filtered(desk: Any) -> None:
    client = desk.client()
    perpetual, future = client.result("public/instruments")
    assert perpetual | {"create_time": 0} == {
        "instrument_name": PERPETUAL,
        "product": "FBTCUSD",
        "tick_size": 1,
        "volume_tick_size": 0.001,
        "min_order_amount": 0.001,
        "underlying": "BTCUSD",
        "type": "perpetual",
        "base_currency": "USD",
        "create_time": 0,
    }
    assert (future["instrument_name"], future["expiry_date"]) == ("BTC-25DEC26", "2026-12-25")
    assert client.result("public/instrument", instrument_name="BTC-25DEC26") == future
    assert client.result("public/instruments", expiry_date="2026-12-25") == [future]
    assert client.result("public/all_instruments", instrument_type="options") == []
    assert client.error("public/instrument", instrument_name="X") == 5


# -- the account's streams ---------------------------------------------------------------------


def test_the_portfolio_starts_even_when_flat_and_then_tells_each_trade(desk: Any, trader: Any) -> None:
    # Given a flat account
    trader.result("private/subscribe", channels=["account.portfolio"])
    assert trader.notes("account.portfolio")[0]["notification"] == []
    # If it buys and sells again
    fill_book(desk)
    trader.result("private/buy", instrument_name=PERPETUAL, amount=0.01, order_type="market")
    trader.result("private/sell", instrument_name=PERPETUAL, amount=0.01, order_type="market")
    # I expect the line with the position, then once with none
    (bought,), (sold,) = (note["notification"] for note in trader.notes("account.portfolio")[1:])
    assert (bought["position"], bought["average_price"], bought["entry_value"]) == (0.01, 100_001, 1_000.01)
    assert bought["realised_pnl"] == -0.5
    assert (sold["position"], sold["realised_pnl"]) == (0, -1.02)


def test_the_portfolio_speaks_up_when_the_mark_has_moved_a_percent(desk: Any, trader: Any) -> None:
    fill_book(desk)
    trader.result("private/buy", instrument_name=PERPETUAL, amount=0.01, order_type="market")
    trader.result("private/subscribe", channels=["account.portfolio"])
    for price, count in ((100_900, 1), (101_100, 2), (101_200, 2)):
        desk.index_price = Decimal(price)
        desk.scheduler.advance(NS_PER_S)
        assert len(trader.notes("account.portfolio")) == count


def test_trades_reach_the_history_stream_after_the_fill(desk: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["account.trade_history", "session.orders"])
    fill_book(desk)
    trader.result("private/buy", instrument_name=PERPETUAL, amount=0.01, order_type="market", label="L")
    assert trader.notes("account.trade_history") == []
    desk.scheduler.advance(NS_PER_S)
    (trade,) = trader.notes("account.trade_history")[0]["notification"]
    assert (trade["fee"], trade["fee_rate"], trade["fee_basis"], trade["index"]) == (0.5, 0.0005, 100_000, 100_000)
    assert (trade["position_after"], trade["session_realised_after"], trade["maker_taker"]) == (0.01, -0.5, "taker")
    assert (trade["label"], trade["trade_type"]) == ("L", "normal")


def test_the_summary_adds_up(desk: Any, trader: Any) -> None:
    fill_book(desk)
    trader.result("private/buy", instrument_name=PERPETUAL, amount=0.01, order_type="market")
    summary = trader.result("private/account_summary")
    assert summary["margin"] == summary["cash_collateral"] + summary["session_realised_pnl"] + summary["unrealised_pnl"]
    assert summary["required_margin"] == 200
    trader.result("private/subscribe", channels=["account.summary"])
    desk.scheduler.advance(2 * NS_PER_S)
    assert len(trader.notes("account.summary")) == 3


def test_a_session_sees_its_own_orders_and_the_account_all(desk: Any, trader: Any) -> None:
    other = desk.client().login()
    for client in (trader, other):
        client.result("private/subscribe", channels=["session.orders", "account.orders"])
    other.result("private/buy", instrument_name=PERPETUAL, price=99_000, amount=0.01)
    assert [len(client.notes("session.orders")) for client in (trader, other)] == [1, 2]
    assert [len(client.notes("account.orders")) for client in (trader, other)] == [2, 2]


def test_trade_history_comes_in_pages_that_join(desk: Any, trader: Any) -> None:
    # Given five trades, one a second
    desk.rest(Side.SELL, 100_001, 100)
    for _ in range(5):
        trader.result("private/buy", instrument_name=PERPETUAL, amount=0.001, order_type="market")
        desk.scheduler.advance(NS_PER_S)
    # If they are read in pages of two, both ways
    for sort, expected in (("ascending", [1, 2, 3, 4, 5]), ("descending", [5, 4, 3, 2, 1])):
        seen, bookmark = [], None
        while True:
            page = trader.result("private/trade_history", limit=2, sort=sort, bookmark=bookmark)
            seen += [round(trade["position_after"] * 1000) for trade in page["trades"]]
            bookmark = page["bookmark"]
            if bookmark is None:
                break
        # I expect each of them once, in order
        assert seen == expected


def test_trade_history_is_cut_by_time(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_001, 100)
    for _ in range(5):
        trader.result("private/buy", instrument_name=PERPETUAL, amount=0.001, order_type="market")
        desk.scheduler.advance(NS_PER_S)
    times = [trade["time"] for trade in trader.result("private/trade_history", sort="ascending")["trades"]]
    page = trader.result("private/trade_history", time_low=times[1], time_high=times[3], sort="ascending")
    assert [trade["time"] for trade in page["trades"]] == times[1:4]
    assert trader.result("private/trade_history", instrument_names="BTC-25DEC26")["trades"] == []
    assert trader.error("private/trade_history", bookmark="yesterday") == 6
    assert trader.error("private/trade_history", limit=1001) == 6


def test_order_history_leaves_out_what_a_non_persistent_client_cancelled_unfilled(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_001, 100)
    order = {"instrument_name": PERPETUAL, "amount": 0.001}
    trader.result("private/buy", price=99_000, client_order_id=1, **order)
    trader.result("private/cancel", client_order_id=1)
    trader.result("private/set_cancel_on_disconnect", timeout_secs=9)
    trader.result("private/buy", price=99_000, client_order_id=2, **order)
    trader.result("private/cancel", client_order_id=2)
    trader.result("private/buy", price=100_001, client_order_id=3, **order)
    orders = trader.result("private/order_history")["orders"]
    assert [(o["client_order_id"], o["delete_reason"]) for o in orders] == [(3, "filled"), (1, "client_cancel")]


def test_a_connection_may_be_in_only_so_many_channels(make_desk: Any) -> None:
    client = make_desk(channels_max=3).client()
    delays = ("raw", "100ms", "200ms", "500ms")
    names = [f"ticker.{PERPETUAL}.{delay}" for delay in delays]
    assert client.result("public/subscribe", channels=names[:2]) == names[:2]
    assert client.error("public/subscribe", channels=names[1:]) == 11
    assert set(client.session.channels) == set(names[:2])
    assert client.result("public/subscribe", channels=names[:3]) == names[:3]
