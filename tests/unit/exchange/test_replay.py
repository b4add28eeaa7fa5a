"""Replay: the book from a recording, what it does to our orders, and broken recordings."""

from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.background.recording import Depth, RecordedTrade, Recording, Snapshot
from exchange.background.replay import Replay
from exchange.core.engine import Engine
from exchange.core.instrument import make_perpetual
from exchange.core.orders import NewOrder, OrderUpdate, Side, Status
from exchange.core.scheduler import NS_PER_MS, NS_PER_S, SimScheduler
from exchange.failure import RecordingError

START_US = 1_680_652_700_000_000


class Maker:
    """Writes a recording line by line, one every millisecond."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._update_id = 100

    def raw(self, content: Any, stamp: str | None = None) -> Maker:
        body = content if isinstance(content, str) else json.dumps(content)
        stamp = str(START_US + 1_000 * len(self.lines)) if stamp is None else stamp
        self.lines.append(f"{stamp} {body}\n".encode())
        return self

    def snapshot(self, bids: Any, asks: Any) -> Maker:
        return self.raw({"lastUpdateId": self._update_id, "bids": _rows(bids), "asks": _rows(asks)})

    def depth(self, bids: Any = (), asks: Any = (), **ids: int) -> Maker:
        first = self._update_id + 1
        previous, self._update_id = self._update_id, self._update_id + 5
        data = {"e": "depthUpdate", "U": first, "u": self._update_id, "pu": previous, **ids}
        return self.raw({"stream": "btcusdt@depth@0ms", "data": {**data, "b": _rows(bids), "a": _rows(asks)}})

    def trade(self, price: str, amount: str, aggressor: Side, kind: str = "MARKET") -> Maker:
        data = {"e": "trade", "p": price, "q": amount, "X": kind, "m": aggressor is Side.SELL}
        return self.raw({"stream": "btcusdt@trade", "data": data})

    def ticker(self) -> Maker:
        return self.raw({"stream": "btcusdt@bookTicker", "data": {"b": "1.00", "a": "2.00"}})

    def write(self, path: Path) -> Path:
        path.write_bytes(gzip.compress(b"".join(self.lines)))
        return path


def _rows(levels: Any) -> list[list[str]]:
    return [[str(price), str(amount)] for price, amount in levels]


BIDS = [("28000.10", "2.000"), ("28000.00", "1.000")]
ASKS = [("28000.20", "2.000"), ("28000.30", "1.001")]


class Played:
    """A replay under a clock of our own, with one account."""

    def __init__(self, path: Path) -> None:
        self.recording = Recording.open([path])
        self.scheduler = SimScheduler()
        self.engine = Engine(self.scheduler)
        self.market = self.engine.add_market(make_perpetual("BTC", self.recording.grid, 0.0))
        self.account = self.engine.add_account("A", Decimal(100_000))
        self.errors: list[RecordingError] = []
        self.replay = Replay(self.engine, self.market, self.recording, self.errors.append)
        self.replay.start()
        self.engine.start()

    def insert(self, side: Side, price: str, amount: str = "0.100", **fields: Any) -> OrderUpdate:
        update = self.market.insert(NewOrder(self.account, "S", side, Decimal(amount), Decimal(price), **fields))
        self.engine.commit()
        return update

    def play(self, milliseconds: int = 1_000) -> None:
        self.scheduler.advance(milliseconds * NS_PER_MS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part.gz"


# -- the book ----------------------------------------------------------------------------------


def test_the_book_is_joined_to_the_snapshot_and_followed(path: Path) -> None:
    # Given changes before the snapshot, of which the first is too old
    maker = Maker().raw(
        {"stream": "x@depth", "data": {"U": 90, "u": 95, "pu": 89, "b": _rows([("28000.10", "9.000")]), "a": []}}
    )
    joining = {"U": 96, "u": 103, "pu": 95, "b": _rows([("27999.90", "3.000")]), "a": []}
    maker.raw({"stream": "x@depth", "data": joining})
    maker.snapshot(BIDS, ASKS)
    maker.depth(bids=[("28000.10", "0.000")], asks=[("28000.20", "1.500")], pu=103)
    played = Played(maker.write(path))
    # If it starts, I expect snapshot and the change that joins it
    assert played.market.book.bids.top(None) == [(280_001, 2_000), (280_000, 1_000), (279_999, 3_000)]
    # If it goes on, I expect the next change too
    played.play()
    assert played.market.book.bids.top(None) == [(280_000, 1_000), (279_999, 3_000)]
    assert played.market.book.asks.best_level().total_lots == 1_500
    assert played.replay.ended


def test_steps_are_the_smallest_seen(path: Path) -> None:
    grid = Recording.open([Maker().snapshot(BIDS, ASKS).write(path)]).grid
    assert (grid.tick_size, grid.lot_size) == (Decimal("0.1"), Decimal("0.001"))


def test_insurance_trades_and_other_streams_are_dropped(path: Path) -> None:
    maker = Maker().snapshot(BIDS, ASKS).ticker()
    maker.trade("28000.10", "1.000", Side.SELL, kind="INSURANCE_FUND").trade("28000.10", "0.500", Side.SELL)
    lines = list(Recording.open([maker.write(path)]).lines())
    assert [type(line.record) for line in lines] == [Snapshot, RecordedTrade]
    assert lines[1].number == 4


# -- our orders --------------------------------------------------------------------------------


def test_our_resting_order_is_published_with_the_recorded_size(path: Path) -> None:
    played = Played(Maker().snapshot(BIDS, ASKS).write(path))
    played.insert(Side.BUY, "28000.1")
    assert played.market.book.bids.best_level().total_lots == 2_100


def test_trades_fill_us_behind_the_queue_ahead(path: Path) -> None:
    # Given 2.0 ahead of our 0.1
    maker = Maker().snapshot(BIDS, ASKS)
    maker.trade("28000.10", "1.990", Side.SELL).trade("28000.10", "0.050", Side.SELL)
    maker.trade("28000.10", "5.000", Side.SELL)
    played = Played(maker.write(path))
    order = played.insert(Side.BUY, "28000.1").order
    # If 1.99 trade, I expect nothing; with 0.05 more, 0.04; then all
    played.play(1)
    assert order.filled_lots == 0
    played.play(1)
    assert order.filled_lots == 40
    played.play(1)
    assert order.status is Status.FILLED
    assert played.account.trades[0].is_maker


def test_two_of_our_orders_share_one_trade(path: Path) -> None:
    # Given two orders of ours behind 2.0
    played = Played(Maker().snapshot(BIDS, ASKS).trade("28000.10", "2.150", Side.SELL).write(path))
    first, second = (played.insert(Side.BUY, "28000.1").order for _ in range(2))
    # If 2.15 trade, I expect the first filled and half of the second
    played.play()
    assert (first.filled_lots, second.filled_lots) == (100, 50)


def test_buys_do_not_fill_our_bids(path: Path) -> None:
    played = Played(Maker().snapshot(BIDS, ASKS).trade("28000.20", "9.000", Side.BUY).write(path))
    order = played.insert(Side.BUY, "28000.1").order
    played.play()
    assert order.filled_lots == 0


def test_a_trade_through_a_recorded_level_fills_us_in_full(path: Path) -> None:
    played = Played(Maker().snapshot(BIDS, ASKS).trade("28000.00", "0.001", Side.SELL).write(path))
    order = played.insert(Side.BUY, "28000.1", "5.000").order
    played.play()
    assert order.status is Status.FILLED


def test_alone_in_front_we_are_filled_by_the_size_of_the_trade(path: Path) -> None:
    # Given a wide recorded spread and our bid inside it
    maker = Maker().snapshot(BIDS, [("28000.50", "1.001")]).trade("28000.10", "0.030", Side.SELL)
    played = Played(maker.write(path))
    order = played.insert(Side.BUY, "28000.3").order
    # If a small sell trades at the recorded bid, I expect it to have met us first, with its size
    played.play()
    assert order.filled_lots == 30


def test_the_other_side_coming_to_our_price_fills_us(path: Path) -> None:
    maker = Maker().snapshot(BIDS, ASKS)
    maker.depth(bids=[("28000.10", "0.000")], asks=[("28000.10", "0.700")])
    played = Played(maker.write(path))
    order = played.insert(Side.BUY, "28000.1", "3.000").order
    played.play()
    assert order.status is Status.FILLED
    assert played.market.book.bids.best_ticks() == 280_000


def test_cancels_ahead_bring_us_forward(path: Path) -> None:
    maker = Maker().snapshot(BIDS, ASKS).depth(bids=[("28000.10", "0.500")]).trade("28000.10", "0.550", Side.SELL)
    played = Played(maker.write(path))
    order = played.insert(Side.BUY, "28000.1").order
    played.play()
    assert order.filled_lots == 50


def test_our_taker_walks_the_recorded_book_which_comes_back(path: Path) -> None:
    # Given two ask levels of 2.0 and 1.001
    maker = Maker().snapshot(BIDS, ASKS).depth(asks=[("28000.20", "2.000")])
    played = Played(maker.write(path))
    # If we take 2.5, I expect fills at both, and the book without them
    update = played.insert(Side.BUY, "28000.3", "2.500")
    assert [(fill.price_ticks, fill.lots) for fill in update.fills] == [(280_002, 2_000), (280_003, 500)]
    assert played.market.book.asks.top(None) == [(280_003, 501)]
    # If the recording names the level again, I expect it back
    played.play()
    assert played.market.book.asks.top(None) == [(280_002, 2_000), (280_003, 501)]


def test_a_post_only_order_keeps_outside_the_recorded_book(path: Path) -> None:
    played = Played(Maker().snapshot(BIDS, ASKS).write(path))
    assert played.insert(Side.BUY, "28000.5", post_only=True).price_ticks == 280_001


def test_after_the_end_the_last_book_stands(path: Path) -> None:
    played = Played(Maker().snapshot(BIDS, ASKS).ticker().write(path))
    assert played.replay.ended
    played.play(60_000)
    assert played.market.book.bids.best_ticks() == 280_001
    assert played.market.mark.index_price == Decimal("28000.15")


# -- broken recordings -------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        Recording.open([path])
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nope.gz: no such recording" in refused(tmp_path / "nope.gz")


def test_plain_lines_are_read_like_gzip_whatever_the_file_is_called(path: Path, tmp_path: Path) -> None:
    # Given a recording, and the same lines unpacked
    packed = Maker().snapshot(BIDS, ASKS).depth(bids=BIDS).trade("28000.20", "0.500", Side.BUY).write(path)
    plain = tmp_path / "part.jsonl"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    # If both are opened
    found, expected = Recording.open([plain]), Recording.open([packed])
    # I expect the same records and the same steps
    assert (found.grid.tick_size, found.grid.lot_size) == (expected.grid.tick_size, expected.grid.lot_size)
    records = [line.record for line in found.lines()]
    assert records == [line.record for line in expected.lines()]
    assert len(records) == 3


def test_a_file_of_something_else_is_named_with_what_was_found(path: Path) -> None:
    path.write_bytes(b"%PDF-1.4\n")
    assert "line 1: expected a local time of 13, 16 or 19 digits first, found '%PDF-1.4'" in refused(path)


def test_a_truncated_file_is_found_before_the_start_with_its_last_line(path: Path) -> None:
    maker = Maker().snapshot(BIDS, ASKS)
    for number in range(2_000):
        maker.depth(bids=[("28000.10", f"{number % 7 + 1}.{number % 1000:03d}")])
    data = maker.write(path).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    text = refused(path)
    assert "cut short" in text
    assert "after line 1" in text


def test_flipped_bits_are_found_before_the_start(path: Path) -> None:
    data = bytearray(Maker().snapshot(BIDS, ASKS).depth(bids=BIDS).write(path).read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "expected sound gzip data" in refused(path)


@pytest.mark.parametrize(
    ("content", "stamp", "expected"),
    [
        ('{"stream":"x@depth@0ms","data":{"U":1', None, "expected the feed's JSON"),
        ('{"stream":"x@depth@0ms","data":{"U":1}}', None, "missing required field `u`"),
        ({"stream": "x@trade", "data": {"p": "dear", "q": "1", "m": True}}, None, "expected the feed's JSON"),
        ({"stream": "x@trade", "data": {}}, "12:30:00", "expected a local time of 13, 16 or 19 digits"),
        ("", "", "expected a local time"),
    ],
)
def test_a_bad_line_is_named_with_its_number(path: Path, content: Any, stamp: str | None, expected: str) -> None:
    text = refused(Maker().snapshot(BIDS, ASKS).raw(content, stamp).write(path))
    assert f"{path} line 2: " in text
    assert expected in text


def test_a_recording_without_a_snapshot_says_so(path: Path) -> None:
    assert "expected a depth snapshot" in refused(Maker().depth(bids=BIDS).write(path))


def test_a_recording_of_nothing_says_so(tmp_path: Path, path: Path) -> None:
    good = Maker().snapshot(BIDS, ASKS).write(path)
    empty = Maker().write(tmp_path / "empty.gz")
    with pytest.raises(RecordingError, match=r"empty\.gz: expected depth and trade lines, found none in 0 lines"):
        Recording.open([good, empty])


def test_a_line_that_is_bad_later_stops_the_replay_with_its_number(path: Path) -> None:
    # Given a recording that has passed its check
    played = Played(Maker().snapshot(BIDS, ASKS).depth(bids=BIDS).write(path))
    # If a line then turns out bad
    played.replay._lines = _failing(path)
    played.play()
    # I expect the error to be told once
    assert [str(error) for error in played.errors] == [f"{path} line 3: bad"]


def _failing(path: Path) -> Any:
    raise_at = itertools.count()
    while True:
        if next(raise_at) == 0:
            raise RecordingError(f"{path} line 3: bad")
        yield None


# -- the real ones -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("usdm_btcusdt_20240718.gz", "usdm_btcusdt_20240719.gz"),
        ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz"),
    ],
)
def test_a_real_recording_plays_without_gaps_or_crossed_books(recordings: Path, names: tuple[str, str]) -> None:
    # Given a real recording in two parts
    recording = Recording.open([recordings / name for name in names])
    assert (recording.grid.tick_size, recording.grid.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    scheduler = SimScheduler()
    engine = Engine(scheduler, speed=100.0)
    market = engine.add_market(make_perpetual("BTC", recording.grid, 0.0))
    replay = Replay(engine, market, recording, lambda error: pytest.fail(str(error)))
    replay.start()
    engine.start()
    # If it plays at a hundred times its speed
    spreads = []
    while not replay.ended:
        scheduler.advance(NS_PER_S // 100)
        bid, ask = market.book.bids.best_ticks(), market.book.asks.best_ticks()
        assert bid is not None
        assert ask is not None
        spreads.append(ask - bid)
    # I expect its eight minutes, a book that never crosses, no gap, and the median spread of 0.1 USD
    assert 470 <= len(spreads) <= 520
    assert min(spreads) >= 1
    assert sorted(spreads)[len(spreads) // 2] == 1
    assert replay._book.gaps == 0
    assert market.statistics.volume_lots > 0


def test_parts_in_the_wrong_order_say_so(recordings: Path) -> None:
    with pytest.raises(RecordingError, match="give the parts in order"):
        Recording.open([recordings / "usdm_btcusdt_20240719.gz", recordings / "usdm_btcusdt_20240718.gz"])


def test_depth_keeps_the_ids_of_the_feed(path: Path) -> None:
    lines = Recording.open([Maker().snapshot(BIDS, ASKS).depth(bids=BIDS).write(path)]).lines()
    depth = [line.record for line in lines][1]
    assert isinstance(depth, Depth)
    assert (depth.previous_id, depth.first_id, depth.last_id) == (100, 101, 105)
