"""Connections that the venue cuts, as planned or not, seen from a witness whose own connection is spared."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from websockets.sync.client import ClientConnection, connect

from shm.ring import RingReader
from tests.market_process import PERPETUAL, MarketDataProcess
from venues.thalex.market_wire import stamp_ns

TAPE = "recent_trades.BTC-PERPETUAL.single"
Trade = tuple[int, float, float, int]  # time, price, size, side


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str


class Witness:
    """A connection of its own that hears every trade and asks for faults, which spare it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._id = 0
        self.trades: list[Trade] = []
        self.since_ns = -1
        self.ask("public/subscribe", channels=[TAPE])
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def ask(self, method: str, **params: Any) -> None:
        self._id += 1
        self._socket.send(json.dumps({"method": method, "id": self._id, "params": params}))

    def _listen(self) -> None:
        for frame in self._socket:
            message = json.loads(frame)
            if message.get("channel_name") != TAPE:
                continue
            trades = [
                (stamp_ns(time), float(price), float(size), 1 if side == "buy" else -1)
                for price, size, side, time, *_ in message["notification"]
            ]
            if not message.get("snapshot"):
                self.trades += trades

    def begin(self) -> None:
        """Forget what was heard so far."""
        self.since_ns = self.trades[-1][0]
        self.trades.clear()

    def join(self) -> None:
        self._thread.join(10)


@pytest.fixture
def witness(exchange: Exchange) -> Iterator[Witness]:
    with connect(exchange.url, proxy=None) as socket:
        made = Witness(socket)
        yield made
        made.ask("admin/start_flow")
        socket.close()
        made.join()


def _published(md: MarketDataProcess, witness: Witness) -> Counter[Trade]:
    """Return what market_data has published since the witness began to listen."""
    records = RingReader(md.segments["trades"], "oldest").read()
    records = records[records["instrument"] == PERPETUAL]
    fields = ("exchange_time_ns", "price", "size", "aggressor_side")
    trades = zip(*(records[field].tolist() for field in fields), strict=True)
    return Counter(trade for trade in trades if trade[0] > witness.since_ns)


def _expect_every_trade_once(md: MarketDataProcess, witness: Witness) -> None:
    """Stop the market, then hold what was published against what was heard."""
    witness.ask("admin/stop_flow")
    md.until(lambda: _published(md, witness) == Counter(witness.trades), "every trade once")
    heard = Counter(witness.trades)
    assert heard.total() > 10
    assert _published(md, witness) == heard


@pytest.mark.parametrize("transport", ["picows", "websockets"])
def test_trades_of_an_outage_are_fetched_and_none_counts_twice(
    exchange: Exchange, start_market_data: Callable[..., MarketDataProcess], witness: Witness, transport: str
):
    md = start_market_data(exchange.url, transport=transport, backoff_ms_min=1500)
    md.until(md.is_valid, "the book")
    md.until(lambda: bool(witness.trades), "a trade")
    witness.begin()
    for cut in (2, 3):
        heard = len(witness.trades)
        md.until(lambda heard=heard: len(witness.trades) > heard + 3, "some trades")
        witness.ask("admin/fault", kind="disconnect")
        md.until(lambda cut=cut: md.feed("connections") == cut, "the reconnect")
        md.until(md.is_valid, "the book again")
    _expect_every_trade_once(md, witness)
    # the outages took a second each, in which the witness went on hearing
    assert md.counter("trades_recovered") > 0
    assert md.counter("trade_gaps") == 0


def test_a_planned_reconnect_has_no_dark_time_and_loses_no_trade(
    exchange: Exchange, start_market_data: Callable[..., MarketDataProcess], witness: Witness
):
    md = start_market_data(exchange.url, ("BTC-PERPETUAL", "BTC-25DEC26"))
    md.until(lambda: md.is_valid(0) and md.is_valid(1), "both books")
    md.until(lambda: len(witness.trades) > 5, "some trades")
    md.books.read()
    witness.begin()
    for connections in (2, 3):
        witness.ask("admin/fault", kind="reconnect", notice_s=10.0)
        md.until(lambda connections=connections: md.feed("connections") == connections, "the next connection")
    md.until(lambda: len(witness.trades) > 10, "more trades")
    books = md.books.read()
    assert len(books) > 20
    assert (books["is_valid"] == 1).all()
    assert md.feed("is_connected") == 1
    assert md.feed("resyncs") == 0
    _expect_every_trade_once(md, witness)
