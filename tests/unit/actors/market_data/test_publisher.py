"""What the publisher makes of the venue's frames, in shared memory."""

from __future__ import annotations

import math

import pytest

from domain.clock import NS_PER_MS
from domain.codes import OffReason
from domain.errors import ConfigError, ConnectivityError
from runtime.session import SessionSegments
from tests.market_rig import BTC, ETH, INSTRUMENTS, Market


def test_a_snapshot_becomes_a_valid_book_with_its_stamps(market: Market):
    market.book([[99.0, 1.0, 1.0], [100.0, 2.0, 2.0]], [[101.0, 3.0, 3.0]], snapshot=True)
    (record,) = market.books.read()
    assert (record["instrument"], record["is_valid"], record["update_count"]) == (BTC, 1, 0)
    assert (record["bid_count"], record["ask_count"]) == (2, 1)
    assert list(record["bid_price"][:3]) == [100.0, 99.0, 0.0]
    assert list(record["bid_size"][:3]) == [2.0, 1.0, 0.0]
    assert (record["ask_price"][0], record["ask_size"][0]) == (101.0, 3.0)
    assert record["exchange_time_ns"] == 1_795_223_038_660_000_000
    assert record["receive_time_ns"] == market.clock.monotonic_ns()
    assert record["receive_realtime_ns"] == market.clock.realtime_ns()
    assert market.wakes == 1


def test_the_table_holds_the_same_book_as_the_newest_record_of_the_ring(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[100.0, 0.0], [99.5, 4.0]], [])
    record = market.books.read()[-1]
    row = market.book_table.snapshot(BTC)[0]
    for field in record.dtype.names:
        if field != "sequence":
            assert (record[field] == row[field]).all(), field
    assert list(row["bid_price"][:2]) == [99.5, 0.0]


def test_the_best_ten_levels_are_published_of_a_deeper_book(market: Market):
    bids = [[100.0 - i, 1.0 + i] for i in range(15)]
    asks = [[101.0 + i, 2.0 + i] for i in range(15)]
    market.book(bids, asks, snapshot=True)
    (record,) = market.books.read()
    assert (record["bid_count"], record["ask_count"]) == (10, 10)
    assert list(record["bid_price"]) == [100.0 - i for i in range(10)]
    assert list(record["ask_size"]) == [2.0 + i for i in range(10)]
    # and the levels behind come up when the best go
    market.book([[100.0 - i, 0.0] for i in range(10)], [])
    (record,) = market.books.read()
    assert list(record["bid_price"][: record["bid_count"]]) == [90.0, 89.0, 88.0, 87.0, 86.0]


def test_changes_before_the_snapshot_are_not_published(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]])
    assert len(market.books.read()) == 0


def test_a_crossed_book_is_invalid_and_asked_for_again(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[101.5, 1.0]], [])
    assert market.books.read()[-1]["is_valid"] == 0
    assert [request["method"] for request in market.sent if request["method"] == "unsubscribe"] == ["unsubscribe"]
    # what was under way is not applied; the snapshot after joining again is
    market.book([[101.5, 0.0]], [])
    assert len(market.books.read()) == 0
    market.sent = [request for request in market.sent if request["method"] == "unsubscribe"]
    market.answer("unsubscribe", ["book.BTC-PERPETUAL.none.20.raw"])
    market.answer("public/subscribe", ["book.BTC-PERPETUAL.none.20.raw"])
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    assert market.books.read()[-1]["is_valid"] == 1
    market.publisher.publish_feed()
    assert market.feed_table.snapshot(0)[0]["resyncs"] == 1
    assert market.counters.values()["resyncs"] == 1


def test_a_resync_of_one_book_leaves_the_other_alone(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    market.book([[101.5, 1.0]], [])
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    assert market.book_table.snapshot(ETH)[0]["is_valid"] == 1


def test_a_one_sided_book_is_published_but_not_valid(market: Market):
    market.book([[100.0, 2.0]], [], snapshot=True)
    (record,) = market.books.read()
    assert (record["is_valid"], record["bid_count"], record["ask_count"]) == (0, 1, 0)
    market.book([], [[101.0, 1.0]])
    assert market.books.read()[-1]["is_valid"] == 1


def test_a_lost_connection_invalidates_every_book_at_once(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    market.wakes = 0
    market.disconnect()
    assert [market.book_table.snapshot(row)[0]["is_valid"] for row in (BTC, ETH)] == [0, 0]
    assert market.feed_table.snapshot(0)[0]["is_connected"] == 0
    assert market.wakes == 2
    # after the reconnect only a snapshot makes a book
    market.connect()
    market.book([[100.0, 2.0]], [[101.0, 3.0]])
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1
    feed = market.feed_table.snapshot(0)[0]
    assert (feed["is_connected"], feed["connections"]) == (1, 2)
    assert market.counters.values()["reconnects"] == 1


def test_a_restarted_actor_begins_with_invalid_books_and_goes_on_counting(segments: SessionSegments):
    first = Market(segments)
    first.attach()
    first.connect()
    first.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    # given that it was killed there: the table still says valid
    second = Market(segments)
    assert second.book_table.snapshot(BTC)[0]["is_valid"] == 1
    second.attach()
    assert second.book_table.snapshot(BTC)[0]["is_valid"] == 0
    second.connect()
    assert second.feed_table.snapshot(0)[0]["connections"] == 2


@pytest.mark.parametrize(
    ("frame", "refusal"),
    [
        (b"{", "json"),
        (b"\xff\xfe\x00", "json"),
        (b'{"channel_name":"ticker.BTC-PERPETUAL.raw","notification":{"mark_price":"high"}}', "type"),
        (b'{"channel_name":"recent_trades.BTC-PERPETUAL.single","notification":[[1,1,"up",1]]}', "type"),
        (b'{"channel_name":"instruments","notification":7}', "type"),
        (b'{"channel_name":"system","notification":7}', "type"),
        (b'{"channel_name":"recent_trades.BTC-PERPETUAL.single","notification":[[1,1,"\xff",1]]}', "json"),
        (b'{"channel_name":"system","notification":' + b"[" * 100_000, "depth"),
        (b'{"jsonrpc":"2.0"}', "envelope"),
    ],
)
def test_a_malformed_frame_is_counted_by_kind_and_skipped(market: Market, frame: bytes, refusal: str):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.frame(frame)
    counted = {
        name: count for name, count in market.counters.values().items() if name.startswith("bad_frames") and count
    }
    assert counted == {"bad_frames": 1, f"bad_frames_{refusal}": 1}
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        b'{"channel_name":"book.BTC-PERPETUAL.none.20.raw","notification":{"bid_changes":[["x",1]]}}',
        b'{"channel_name":"book.BTC-PERPETUAL.none.20.raw","notification":{"bid_changes":[[99,1]',
        b'{"channel_name":"book.BTC-PERPETUAL.none.20.raw","notification":{"bid_changes":[[99]]}}',
    ],
)
def test_a_change_that_cannot_be_read_makes_its_book_doubtful(market: Market, frame: bytes):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.frame(frame)
    assert market.counters.values()["bad_frames"] == 1
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    assert market.counters.values()["resyncs"] == 1


def test_unknown_channels_and_fields_are_ignored(market: Market):
    market.notify("novelty.X", {"a": 1})
    market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 5.0, "novelty": [1, {"b": 2}]})
    assert market.counters.values()["bad_frames"] == 0
    assert market.tickers.read()[0]["mark_price"] == 5.0


def test_a_ticker_without_index_takes_it_from_the_index_channel(market: Market):
    market.notify("price_index.BTCUSD", {"index_name": "BTCUSD", "price": 100031.2, "timestamp": 1.0})
    market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 100050.5, "mark_timestamp": 1795223038.66})
    (record,) = market.tickers.read()
    assert (record["mark_price"], record["index_price"]) == (100050.5, 100031.2)
    assert record["exchange_time_ns"] == 1_795_223_038_660_000_000
    for field in ("last_price", "best_bid_price", "funding_rate", "collar_low"):
        assert math.isnan(record[field]), field


def test_the_history_that_a_subscription_begins_with_is_not_news(market: Market):
    channel = "recent_trades.BTC-PERPETUAL.single"
    market.notify(channel, [[99.0, 0.3, "buy", 1795223000.0, "BTC-PERPETUAL", False]], snapshot=True)
    assert len(market.trades.read()) == 0
    market.notify(channel, [[100.0, 0.3, "sell", 1795223039.0], [101.0, 0.1, "buy", 1795223039.1]])
    first, second = market.trades.read()
    assert (first["price"], first["size"], first["aggressor_side"]) == (100.0, 0.3, -1)
    assert (second["aggressor_side"], second["instrument"]) == (1, BTC)
    assert market.counters.values()["trades"] == 2
    assert market.wakes == 1


def test_the_instruments_table_tells_ticks_and_lots(market: Market):
    row = market.instruments.snapshot(ETH)[0]
    assert (row["name"], row["underlying"]) == (b"ETH-PERPETUAL", b"ETHUSD")
    assert (row["tick_size"], row["lot_size"], row["order_lots_min"], row["is_ready"]) == (0.1, 0.001, 2, 1)


def test_an_instrument_that_the_venue_removes_is_not_ready_and_has_no_book(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    market.notify("instruments", [{"removed": INSTRUMENTS[BTC]}])
    row = market.instruments.snapshot(BTC)[0]
    assert (row["is_ready"], row["off_reason"]) == (0, OffReason.INSTRUMENT_REMOVED)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    # and the other goes on
    assert market.instruments.snapshot(ETH)[0]["is_ready"] == 1
    assert market.book_table.snapshot(ETH)[0]["is_valid"] == 1


def test_another_tick_or_lot_size_switches_an_instrument_off_and_is_not_taken(market: Market):
    for changed in ({"tick_size": 0.5}, {"volume_tick_size": 0.0001}, {"min_order_amount": 0.005}):
        market.notify("instruments", [{"added": {**INSTRUMENTS[ETH], **changed}}])
        row = market.instruments.snapshot(ETH)[0]
        assert (row["is_ready"], row["off_reason"]) == (0, OffReason.INSTRUMENT_CHANGED), changed
        # the session's own grid stays: prices and sizes in shared memory mean nothing else
        assert (row["tick_size"], row["lot_size"], row["order_lots_min"]) == (0.1, 0.001, 2)
        assert market.instruments.snapshot(BTC)[0]["is_ready"] == 1
    # if the venue takes it back
    market.notify("instruments", [{"removed": INSTRUMENTS[ETH]}, {"added": INSTRUMENTS[ETH]}])
    row = market.instruments.snapshot(ETH)[0]
    assert (row["is_ready"], row["off_reason"]) == (1, 0)


def test_another_definition_after_a_reconnect_or_a_restart_switches_an_instrument_off(segments: SessionSegments):
    first = Market(segments)
    first.attach()
    first.connect()
    first.disconnect()
    smaller_lot = [INSTRUMENTS[BTC], {**INSTRUMENTS[ETH], "volume_tick_size": 0.0001}]
    first.connect(smaller_lot)
    assert first.instruments.snapshot(ETH)[0]["is_ready"] == 0
    second = Market(segments)
    second.attach()
    second.connect(smaller_lot)
    row = second.instruments.snapshot(ETH)[0]
    assert (row["is_ready"], row["lot_size"]) == (0, 0.001)


def test_an_instrument_that_is_gone_at_a_reconnect_leaves_the_others_alone(segments: SessionSegments):
    market = Market(segments)
    market.attach()
    market.connect()
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.disconnect()
    # if BTC is no longer listed, to this process or to a restarted one
    for again in (market, Market(segments)):
        again.attach()
        channels = again.connect([INSTRUMENTS[ETH]])
        assert channels
        assert not [channel for channel in channels if "BTC" in channel]
        row = again.instruments.snapshot(BTC)[0]
        assert (row["is_ready"], row["off_reason"]) == (0, OffReason.INSTRUMENT_REMOVED)
        assert again.feed.is_connected
        again.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
        assert [again.book_table.snapshot(row)[0]["is_valid"] for row in (BTC, ETH)] == [0, 1]
        again.disconnect()


def test_an_instrument_that_was_never_listed_is_a_mistake_of_the_configuration(segments: SessionSegments):
    market = Market(segments)
    market.attach()
    dropped: list[str] = []
    market.feed.link.connection.drop = dropped.append  # type: ignore[method-assign]
    errors: list[Exception | None] = []
    market.feed.link._settle = errors.append  # type: ignore[method-assign]
    market.feed.link.begin_session()
    market.answer("public/instruments", [INSTRUMENTS[ETH]])
    assert isinstance(errors[0], ConfigError)
    assert len(dropped) == 1


def test_a_removed_instrument_that_comes_back_needs_a_new_snapshot(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.notify("instruments", [{"removed": INSTRUMENTS[BTC]}])
    market.book([[100.5, 2.0]], [[100.6, 3.0]])
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    market.sent.clear()
    market.notify("instruments", [{"added": INSTRUMENTS[BTC]}])
    channels = ["recent_trades.BTC-PERPETUAL.single", "ticker.BTC-PERPETUAL.raw", "book.BTC-PERPETUAL.none.20.raw"]
    market.answer("unsubscribe", channels)
    (join,) = market.sent
    assert join["params"] == {"channels": channels}
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1


def test_a_book_that_stands_still_against_the_tickers_is_doubted(market: Market):
    def tick(bid: float) -> None:
        market.notify("ticker.BTC-PERPETUAL.raw", {"best_bid_price": bid, "best_ask_price": 101.0})
        market.check(after_ms=200)

    for row in (BTC, ETH):
        market.book([[100.0, 2.0]], [[101.0, 3.0]], row=row, snapshot=True)
    # agreeing tickers in a quiet market are no reason, nor is a short lead of the ticker
    for _ in range(10):
        tick(100.0)
    tick(100.5)
    market.book([[100.5, 1.0]], [])
    tick(100.25)
    tick(100.25)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1
    market.check(after_ms=101)  # 501 ms after the first
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0
    assert market.counters.values()["resyncs"] == 1


def test_a_book_that_waits_in_the_socket_while_the_loop_stands_still_is_not_doubted(market: Market):
    for row in (BTC, ETH):
        market.book([[100.0, 2.0]], [[101.0, 3.0]], row=row, snapshot=True)
    market.check(after_ms=3000)  # quiet
    market.notify("ticker.BTC-PERPETUAL.raw", {"best_bid_price": 100.5, "best_ask_price": 101.0})
    # If timers run before sockets are read when the loop goes on
    market.check_late(after_ms=390)
    market.book([[100.5, 1.0]], [])
    market.check(after_ms=500)
    # I expect the book to have been kept
    assert market.counters.values()["resyncs"] == 0
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1


def test_a_loop_that_stands_still_again_and_again_still_doubts_a_dead_book(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.check(after_ms=3000)
    market.notify("ticker.BTC-PERPETUAL.raw", {"best_bid_price": 100.5, "best_ask_price": 101.0})
    for _ in range(2):
        market.check_late(after_ms=390)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0


def test_a_silent_instrument_is_asked_and_a_quiet_one_keeps_its_book(segments: SessionSegments):
    market = Market(segments, instrument_probe_ms=250, channel_silent_ms=0)
    market.attach()
    market.connect()
    market.sent.clear()
    for row in (BTC, ETH):
        market.book([[100.0, 2.0]], [[101.0, 3.0]], row=row, snapshot=True)

    def pass_by(touch: tuple[float, float]) -> None:
        """A quarter of a second in which ETH ticks and BTC does not, but answers when it is asked."""
        market.pass_by(250)
        market.notify("ticker.ETH-PERPETUAL.raw", {"best_bid_price": 100.0, "best_ask_price": 101.0})
        market.check()
        for asked in [each for each in market.sent if each["method"] == "public/ticker"]:
            assert asked["params"] == {"instrument_name": "BTC-PERPETUAL"}
            bid, ask = touch
            market.answer("public/ticker", {"mark_price": 100.5, "best_bid_price": bid, "best_ask_price": ask})

    # Given a market so quiet that only its answers say that the book is right
    for _ in range(40):
        pass_by((100.0, 101.0))
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1
    # If the market has moved and its channels have not told it, I expect no valid book within half a second
    waited = 0
    while market.book_table.snapshot(BTC)[0]["is_valid"]:
        pass_by((100.5, 101.5))
        waited += 1
    assert waited <= 2
    assert [market.book_table.snapshot(row)[0]["is_valid"] for row in (BTC, ETH)] == [0, 1]


class Silence:
    """A market whose venue answers requests as it likes, while the connection lives."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.left: list[tuple[float, list[str]]] = []  # seconds since the start, channels
        self._start_ns = market.clock.monotonic_ns()

    def last(self, seconds: float, *, is_btc_quiet: bool = True, is_answered: bool = False) -> None:
        """Let time pass: pongs come, ETH's ticker comes; BTC's only if it is not quiet."""
        market = self.market
        for _ in range(round(seconds * 2)):
            market.clock.advance(500 * NS_PER_MS)
            market.feed.link.connection.on_control()
            market.notify("ticker.ETH-PERPETUAL.raw", {"mark_price": 10.0})
            if not is_btc_quiet:
                market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 100.0})
            now_ns = market.clock.monotonic_ns()
            market.feed.check(now_ns)
            self._answer((now_ns - self._start_ns) / 10**9, is_answered)

    def _answer(self, at_s: float, is_answered: bool) -> None:
        market = self.market
        for request in [each for each in market.sent if each["method"] == "unsubscribe"]:
            channels = request["params"]["channels"]
            self.left.append((at_s, channels))
            market.answer("unsubscribe", channels)
            market.answer("public/subscribe", channels)
            if is_answered:
                market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)


def test_an_instrument_whose_ticker_and_book_fell_silent_is_subscribed_anew(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    silence = Silence(market)
    silence.last(10)
    assert (silence.left, market.book_table.snapshot(BTC)[0]["is_valid"]) == ([], 1)
    # if it lasts longer, both channels are left and joined, and there is no book until data is back
    silence.last(1)
    ((_, channels),) = silence.left
    assert {"book.BTC-PERPETUAL.none.20.raw", "ticker.BTC-PERPETUAL.raw"} <= set(channels)
    assert [market.book_table.snapshot(row)[0]["is_valid"] for row in (BTC, ETH)] == [0, 1]
    # with ever longer pauses while the venue gives nothing
    silence.last(300)
    times = [at for at, channels in silence.left if "ticker.BTC-PERPETUAL.raw" in channels]
    assert len(times) == len(silence.left)
    assert 5 < len(times) < 14
    assert times[-1] - times[-2] > 60
    # and quotes again with the first snapshot
    silence.last(70, is_answered=True)
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 1
    assert market.feed.is_connected


def test_the_watch_on_silent_channels_can_be_switched_off(segments: SessionSegments):
    market = Market(segments, channel_silent_ms=0)
    market.attach()
    market.connect()
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    silence = Silence(market)
    silence.last(600)
    assert silence.left == []


def test_a_quiet_market_keeps_its_book_while_tickers_come(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.book([[10.0, 2.0]], [[10.1, 3.0]], row=ETH, snapshot=True)
    silence = Silence(market)
    silence.last(600, is_btc_quiet=False)
    assert silence.left == []
    assert [market.book_table.snapshot(row)[0]["is_valid"] for row in (BTC, ETH)] == [1, 1]


def test_a_silent_venue_is_asked_and_only_its_answers_are_signs_of_life(segments: SessionSegments):
    market = Market(segments, channel_silent_ms=0)
    market.attach()
    market.connect()
    for row in (BTC, ETH):
        market.book([[100.0, 2.0]], [[101.0, 3.0]], row=row, snapshot=True)
    dropped: list[str] = []
    connection = market.feed.link.connection
    connection.drop = dropped.append  # type: ignore[method-assign]
    market.answer("public/subscribe", [])  # what can be done without
    # Given a market so quiet that nothing comes but the answers to what is asked
    for _ in range(100):
        market.clock.advance(250 * NS_PER_MS)
        market.feed.check(market.clock.monotonic_ns())
        market.answer("public/system_info", {})
    assert dropped == []
    # If only pongs come, I expect the feed to be dead all the same
    for _ in range(5):
        market.clock.advance(250 * NS_PER_MS)
        connection.on_control()
        market.feed.check(market.clock.monotonic_ns())
    assert dropped == []
    market.clock.advance(NS_PER_MS)
    market.feed.check(market.clock.monotonic_ns())
    assert dropped == ["no frame for 1251 ms"]


def test_a_request_without_an_answer_costs_the_connection(market: Market):
    for row in (BTC, ETH):
        market.book([[100.0, 2.0]], [[101.0, 3.0]], row=row, snapshot=True)
    dropped: list[str] = []
    market.feed.link.connection.drop = dropped.append  # type: ignore[method-assign]
    for _ in range(6):  # tickers come, and the answer to the subscription of the optional channels does not
        market.clock.advance(500 * NS_PER_MS)
        market.notify("ticker.ETH-PERPETUAL.raw", {"mark_price": 10.0})
        market.feed.check(market.clock.monotonic_ns())
    assert dropped == ["no answer to public/subscribe within 3000 ms"]


def test_sending_on_a_dead_connection_does_not_crash_the_feed(market: Market):
    def refuse(_frame: bytes) -> None:
        raise ConnectivityError("gone")

    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    market.feed.link.connection.send = refuse  # type: ignore[method-assign]
    market.book([[101.5, 1.0]], [])
    assert market.book_table.snapshot(BTC)[0]["is_valid"] == 0


def test_a_book_is_announced_before_it_is_decoded_whatever_becomes_of_it(market: Market):
    market.book([[100.0, 2.0]], [[101.0, 3.0]], snapshot=True)
    assert market.announced == [market.clock.monotonic_ns()]
    market.clock.advance(NS_PER_MS)
    market.notify("book.BTC-PERPETUAL.none.20.raw", {"bid_changes": "x"})
    assert market.announced[1:] == [market.clock.monotonic_ns()], "an unreadable one cannot be known before"
    market.notify("ticker.BTC-PERPETUAL.raw", {"mark_price": 100.0})
    assert len(market.announced) == 2, "nobody quotes at once for a ticker"
