"""The market_data actor as a process of its own, fed by the local exchange or by a peer that misbehaves."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.sync.client import connect

from domain.codes import ActorPhase
from runtime.heartbeats import read_heartbeat
from shm.histogram import quantiles
from shm.record import TableReader
from shm.ring import RingReader
from tests.market_process import PERPETUAL, MarketDataProcess
from tests.sessions import StandaloneExchange

StartMarketData = Callable[..., MarketDataProcess]


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str
    pid: int


def _admin(url: str, method: str, **params: Any) -> None:
    with connect(url, proxy=None) as socket:
        socket.send(json.dumps({"method": method, "id": 1, "params": params}))
        socket.recv()


@pytest.mark.parametrize("transport", ["picows", "websockets"])
def test_books_tickers_and_trades_reach_shared_memory(
    exchange: Exchange, start_market_data: StartMarketData, transport: str
):
    md = start_market_data(exchange.url, ("BTC-PERPETUAL", "BTC-25DEC26"), transport=transport)
    trades = RingReader(md.segments["trades"], "oldest")
    md.until(lambda: md.is_valid(0) and md.is_valid(1), "both books")
    md.until(lambda: len(trades.read()) > 0, "a trade")
    md.until(
        lambda: read_heartbeat(TableReader(md.segments["heartbeats.market_data"])).phase is ActorPhase.LIVE, "live"
    )
    book = md.book_table.snapshot(PERPETUAL)[0]
    bids, asks = book["bid_price"][: book["bid_count"]], book["ask_price"][: book["ask_count"]]
    assert bids[0] < asks[0]
    assert list(bids) == sorted(bids, reverse=True)
    assert list(asks) == sorted(asks)
    assert (book["bid_size"][: book["bid_count"]] > 0).all()
    assert 0 <= time.monotonic_ns() - book["receive_time_ns"] < 30 * 10**9
    ticker = TableReader(md.segments["ticker_table"]).snapshot(PERPETUAL)[0]
    assert abs(ticker["mark_price"] / ticker["index_price"] - 1) < 0.05
    instrument = TableReader(md.segments["instruments"]).snapshot(PERPETUAL)[0]
    assert (instrument["tick_size"], instrument["lot_size"], instrument["is_ready"]) == (1.0, 0.001, 1)
    assert md.doorbells["strategy"].clear() > 0
    assert md.doorbells["execution"].clear() == 0
    # and it ends cleanly when asked
    assert md.process is not None
    md.process.send_signal(signal.SIGTERM)
    assert md.wait_exit()[0] == 0


def test_light_tickers_forwards_and_other_indices_come_when_asked(tmp_path: Path, start_market_data: StartMarketData):
    with StandaloneExchange(tmp_path, "--underlyings", "BTC,ETH", "--no-options") as exchange:
        _expect_light_tickers_forwards_and_indices(exchange.url, start_market_data)


def _expect_light_tickers_forwards_and_indices(url: str, start_market_data: StartMarketData) -> None:
    future = "BTC-25DEC26"
    md = start_market_data(
        url, ("BTC-PERPETUAL", future), ticker_channel="lwt", ticker_delay="100ms", book_delay="100ms",
        book_levels=0, forward_prices=True, extra_underlyings=["ETHUSD"],
    )  # fmt: skip
    tickers = TableReader(md.segments["ticker_table"])
    table = TableReader(md.segments["index_table"])
    md.until(lambda: md.is_valid(0) and md.is_valid(1), "both books")

    def indices() -> dict[bytes, float]:
        rows = [table.snapshot(row)[0] for row in range(5) if table.sequence(row)]
        return {bytes(row["name"]): float(row["price"]) for row in rows}

    wanted = {b"BTCUSD", b"ETHUSD", b"BTCUSD.2026-12-25"}
    md.until(lambda: set(indices()) == wanted, f"{wanted} in the index table")
    md.until(lambda: tickers.snapshot(1)[0]["forward_price"] > 0, "a ticker with a forward price")
    now = indices()
    assert 0.5 < now[b"BTCUSD.2026-12-25"] / now[b"BTCUSD"] < 2
    perpetual = tickers.snapshot(PERPETUAL)[0]
    assert abs(perpetual["mark_price"] / perpetual["index_price"] - 1) < 0.05
    assert math.isnan(perpetual["collar_high"])  # lwt has none
    assert md.book_table.snapshot(PERPETUAL)[0]["bid_count"] == 10


def test_a_grouped_book_is_not_quoted_on(exchange: Exchange, start_market_data: StartMarketData):
    code, said = start_market_data(exchange.url, book_grouping=10).wait_exit()
    assert code == 2
    assert "venue.book_grouping = 10 hides the touch of BTC-PERPETUAL" in said


def test_books_stay_right_over_many_updates(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url)
    seen = 0

    def many() -> bool:
        nonlocal seen
        records = md.books.read()
        valid = records[records["is_valid"] == 1]
        assert (valid["bid_price"][:, 0] < valid["ask_price"][:, 0]).all()
        assert (valid["receive_time_ns"][1:] >= valid["receive_time_ns"][:-1]).all()
        seen += len(valid)
        return seen > 100

    md.until(many, "100 books")
    # the venue's own book, asked for separately, agrees with ours once the market stands still
    _admin(exchange.url, "admin/stop_flow")
    try:
        with connect(exchange.url, proxy=None) as socket:
            socket.send(json.dumps({"method": "public/book", "id": 1, "params": {"instrument_name": "BTC-PERPETUAL"}}))
            theirs = json.loads(socket.recv())["result"]
        levels = [[level[0], level[1]] for level in theirs["bids"]]

        def agrees() -> bool:
            ours = md.book_table.snapshot(PERPETUAL)[0]
            return [
                [float(p), float(s)] for p, s in zip(ours["bid_price"][:5], ours["bid_size"][:5], strict=True)
            ] == levels

        md.until(agrees, f"our bids equal the venue's {levels}")
    finally:
        _admin(exchange.url, "admin/start_flow")
    assert md.feed("resyncs") == 0
    decode = TableReader(md.segments["latency.market_data"]).snapshot(0)[0]
    p50_us = quantiles(decode["bucket"], int(decode["max_ns"])).p50_ns / 1000
    print(f"decode p50 {p50_us:.1f} us over {decode['count']} frames")
    assert decode["count"] > 50  # counted a little later than the books are out


def test_a_cut_connection_is_seen_at_once_and_comes_back(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url)
    md.until(md.is_valid, "the book")
    md.books.read()
    _admin(exchange.url, "admin/disconnect_all")
    md.until(lambda: md.feed("connections") == 2, "the reconnect")
    md.until(md.is_valid, "the book again")
    records = md.books.read()
    assert (records["is_valid"] == 0).any()  # in between the book was known to be invalid


def test_a_frozen_venue_is_noticed_and_a_quiet_one_is_not(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url, feed_dead_ms=1500, feed_probe_ms=100)
    md.until(md.is_valid, "the book")
    _admin(exchange.url, "admin/stop_flow")
    try:
        time.sleep(2.0)
        assert md.is_valid()
        assert md.feed("connections") == 1
    finally:
        _admin(exchange.url, "admin/start_flow")
    os.kill(exchange.pid, signal.SIGSTOP)
    try:
        md.until(lambda: not md.is_valid() and not md.feed("is_connected"), "the silence is noticed")
    finally:
        os.kill(exchange.pid, signal.SIGCONT)
    md.until(md.is_valid, "the book again")


def test_a_session_that_only_answers_pings_is_left(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url, feed_dead_ms=1500, feed_probe_ms=100, ping_interval_ms=100)
    md.until(md.is_valid, "the book")
    _admin(exchange.url, "admin/fault", kind="half_open")
    struck_ns = time.monotonic_ns()
    # Pongs go on, and are no sign of life: what strategy and risk judge the feed by stands still
    time.sleep(0.5)
    assert md.feed("alive_time_ns") < struck_ns + 50_000_000
    md.until(lambda: md.feed("connections") == 2, "the reconnect")
    md.until(md.is_valid, "the book again")


@pytest.mark.parametrize("dead", [("book.BTC-PERPETUAL",), ("book.BTC-PERPETUAL", "ticker.BTC-PERPETUAL")])
def test_a_dead_channel_of_a_living_connection_costs_its_book_and_no_other(
    exchange: Exchange, start_market_data: StartMarketData, dead: tuple[str, ...]
):
    md = start_market_data(exchange.url, ("BTC-PERPETUAL", "BTC-25DEC26"))
    md.until(lambda: md.is_valid(0) and md.is_valid(1), "both books")
    md.books.read()
    for channel in dead:
        _admin(exchange.url, "admin/fault", kind="drop", channel=channel, duration_s=5.0)
    started = time.monotonic()
    try:
        md.until(lambda: not md.is_valid(0), "the dead channel is noticed")
        print(f"{' and '.join(dead)} dead: book invalid after {(time.monotonic() - started) * 1e3:.0f} ms")
        assert time.monotonic() - started < 5.0  # five times the bound, which is a second after the market moves
    finally:
        _admin(exchange.url, "admin/clear_faults")
    md.until(lambda: md.is_valid(0), "the book again")
    records = md.books.read()
    assert (records["is_valid"][records["instrument"] == 1] == 1).all()
    assert md.feed("connections") == 1


def test_a_killed_actor_starts_again_with_invalid_books(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url)
    md.until(md.is_valid, "the book")
    md.kill()
    position = md.books.head
    md.start()
    md.until(lambda: md.books.head > position, "the first record of the second life")
    assert md.books.to_numpy(last=md.books.head - position)[0]["is_valid"] == 0
    md.until(md.is_valid, "the book again")
    assert md.feed("connections") == 2


def test_an_unlisted_instrument_is_named_with_what_is_near(exchange: Exchange, start_market_data: StartMarketData):
    md = start_market_data(exchange.url, ("BTC-PERPETUL",))
    code, said = md.wait_exit()
    assert code == 2
    assert "BTC-PERPETUL" in said
    assert "did you mean BTC-PERPETUAL" in said


def test_a_venue_that_is_not_there_is_exit_code_6(start_market_data: StartMarketData):
    md = start_market_data("ws://127.0.0.1:1/", connect_tries_max=2, backoff_ms_min=1, backoff_ms_max=2)
    code, said = md.wait_exit()
    assert code == 6
    assert "unreachable after 2 tries" in said


# ---- a peer that misbehaves ------------------------------------------------------------------------------

INSTRUMENT = {
    "instrument_name": "BTC-PERPETUAL",
    "tick_size": 1,
    "volume_tick_size": 0.001,
    "min_order_amount": 0.001,
    "underlying": "BTCUSD",
    "type": "perpetual",
}
BOOK_CHANNEL = "book.BTC-PERPETUAL.none.10.raw"


def _book(bid: float, ask: float, *, snapshot: bool) -> str:
    payload = {"bid_changes": [[bid, 1, 1]], "ask_changes": [[ask, 1, 1]], "time": 1795223038.66}
    message: dict[str, Any] = {"channel_name": BOOK_CHANNEL, "notification": payload}
    return json.dumps({**message, "snapshot": True} if snapshot else message)


async def _crossing_peer(socket: ServerConnection) -> None:
    """Send garbage and a crossed book after the first snapshot, and a good one to whoever joins again."""
    joined = 0
    async for frame in socket:
        request = json.loads(frame)
        channels = request["params"].get("channels", [])
        result: Any = channels if channels else [INSTRUMENT]
        await socket.send(json.dumps({"id": request["id"], "result": result}))
        if BOOK_CHANNEL in channels and request["method"] == "public/subscribe":
            joined += 1
            await socket.send(_book(100 + joined, 110, snapshot=True))
            if joined == 1:
                await socket.send("no json at all")
                await socket.send(_book(115, 120, snapshot=False))


@pytest.fixture
def crossing_url() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> Any:
        return await serve(_crossing_peer, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"

    async def shut() -> None:
        server.close()
        await server.wait_closed()

    asyncio.run_coroutine_threadsafe(shut(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_a_crossed_book_is_thrown_away_and_joined_again(crossing_url: str, start_market_data: StartMarketData):
    md = start_market_data(crossing_url, book_resync_ms=200)
    md.until(lambda: md.is_valid() and md.book_table.snapshot(0)[0]["bid_price"][0] == 102, "the second snapshot")
    md.until(lambda: md.feed("resyncs") == 1, "the count of resyncs")
    assert md.feed("connections") == 1
    records = md.books.read()
    crossed = records[(records["bid_count"] > 0) & (records["bid_price"][:, 0] >= records["ask_price"][:, 0])]
    assert len(crossed) == 1
    assert (crossed["is_valid"] == 0).all()
