"""Our own recordings as events: the book that they rebuild is the recorded one after every message."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actors.recorder.finishing import finish_all
from actors.recorder.tape import Tape
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.events import ASK, BID, CLEAR, FINAL, KIND_MASK, TRADE
from backtest.data.findings import DataError
from backtest.engine.arguments import recorded
from domain.codes import SegmentKind
from domain.records import BOOK, BOOK_LEVELS
from domain.records import TRADE as TRADE_RECORD
from runtime.recordings.columns import KINDS_BY_NAME
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment

TICK, LOT, START_NS = 0.5, 0.001, 1_796_036_400 * 10**9
MS = 1_000_000
NAMES = ["BTC-PERPETUAL", "ETH-PERPETUAL"]
Ladder = dict[int, int]  # lots by ticks


class Market:
    """A market that writes books and trades into rings, and knows what it wrote."""

    def __init__(self, run: Path, segment_name: Callable[[], str]) -> None:
        self.run = run
        self.now_ns = START_NS
        self.rings = {
            name: create_segment(segment_name(), SegmentKind.RING, record, 4096)
            for name, record in (("books", BOOK), ("trades", TRADE_RECORD))
        }
        self.writers = {name: RingWriter(ring) for name, ring in self.rings.items()}
        self.told: list[tuple[int, tuple[Ladder, Ladder]]] = []
        folder = run / "recordings"
        folder.mkdir()
        grid = {"tick_size": TICK, "lot_size": LOT, "contract_multiplier": 1.0}
        (folder / "instruments.json").write_text(json.dumps(dict.fromkeys(NAMES, grid)))

    def book(self, bids: Ladder, asks: Ladder, *, instrument: int = 0, is_valid: bool = True) -> None:
        writer = self.writers["books"]
        writer.scratch[:] = np.zeros(1, BOOK.dtype)
        row = writer.scratch[0]
        for side, ladder in (("bid", sorted(bids.items(), reverse=True)), ("ask", sorted(asks.items()))):
            for level, (ticks, lots) in enumerate(ladder[:BOOK_LEVELS]):
                row[f"{side}_price"][level] = ticks * TICK
                row[f"{side}_size"][level] = lots * LOT
        row["is_valid"] = is_valid
        row["instrument"] = instrument
        self._stamp(row)
        writer.publish()
        if instrument == 0:
            shown = (dict(sorted(bids.items())[-BOOK_LEVELS:]), dict(sorted(asks.items())[:BOOK_LEVELS]))
            self.told.append((self.now_ns, shown if is_valid else ({}, {})))

    def trade(self, ticks: int, lots: int, side: int) -> None:
        row = self.writers["trades"].scratch[0]
        row["price"], row["size"], row["aggressor_side"] = ticks * TICK, lots * LOT, side
        self._stamp(row)
        self.writers["trades"].publish()

    def record(self) -> None:
        for name, ring in self.rings.items():
            folder = self.run / "recordings" / name
            folder.mkdir(exist_ok=True)
            tape = Tape(KINDS_BY_NAME[name], name, "market_data", RingReader(ring, "oldest"), folder, 1, NAMES, print)
            tape.write()
            tape.close()

    def _stamp(self, row: np.void) -> None:
        self.now_ns += MS
        row["receive_realtime_ns"] = self.now_ns
        row["exchange_time_ns"] = self.now_ns - 300_000


@pytest.fixture
def market(tmp_path: Path, segment_name: Callable[[], str]) -> Market:
    return Market(tmp_path, segment_name)


def test_the_folder_of_a_run_is_data_for_a_command(market: Market) -> None:
    market.book({99: 5}, {101: 5})
    market.trade(101, 2, 1)
    market.record()
    with recorded([market.run], Options(instrument="BTC-PERPETUAL")) as file:
        assert file.header.instrument == "BTC-PERPETUAL"
        assert np.count_nonzero(file.rows["flags"] & KIND_MASK == TRADE) == 1


def test_a_run_that_recorded_no_market_is_refused(market: Market) -> None:
    with pytest.raises(DataError), recorded([market.run], Options()):
        pass


def rebuilt(file: EventFile) -> list[tuple[int, tuple[Ladder, Ladder]]]:
    """Return (local time, book) after every message of the book."""
    book: tuple[Ladder, Ladder] = ({}, {})
    found = []
    for row in file.rows:
        kind, side = row["flags"] & KIND_MASK, book[0 if row["flags"] & BID else 1]
        if kind == TRADE:
            continue
        if kind == CLEAR:
            side.clear()
        elif row["size_lots"]:
            side[int(row["price_ticks"])] = int(row["size_lots"])
        else:
            del side[int(row["price_ticks"])]
        if row["flags"] & FINAL:
            found.append((int(row["local_time_ns"]), (dict(book[0]), dict(book[1]))))
    return found


def changes(told: list[tuple[int, tuple[Ladder, Ladder]]]) -> list[tuple[int, tuple[Ladder, Ladder]]]:
    """Return the books that differ from the one before."""
    empty: tuple[Ladder, Ladder] = ({}, {})
    before = [empty, *(book for _, book in told[:-1])]
    return [(time_ns, book) for (time_ns, book), earlier in zip(told, before, strict=True) if book != earlier]


@pytest.mark.parametrize("finished", [True, False])
def test_the_book_that_the_events_rebuild_is_the_recorded_one_after_every_message(
    market: Market, finished: bool
) -> None:
    rng = random.Random(7)
    bids = {1000 - 2 * i: 10 + i for i in range(15)}
    asks = {1001 + 2 * i: 10 + i for i in range(15)}
    for step in range(400):
        for ladder in (bids, asks):
            ticks = rng.choice(list(ladder))
            ladder[ticks] = rng.randint(0, 5)
            if not ladder[ticks] and len(ladder) > 3:
                del ladder[ticks]
            else:
                ladder[ticks] = max(ladder[ticks], 1)
        bids[rng.randint(950, 1000)] = asks[rng.randint(1001, 1050)] = 3
        market.book(bids, asks, is_valid=step % 50 != 20)
        if step % 3 == 0:
            market.trade(min(asks), 2, rng.choice((1, -1)))
            market.book({1: 1}, {2: 1}, instrument=1)
    market.record()
    if finished:
        assert finish_all(market.run / "recordings" / "books") == 1
        assert finish_all(market.run / "recordings" / "trades") == 1
    output = market.run / "session.events"
    convert([market.run], output, Options(instrument="BTC-PERPETUAL"))
    file = EventFile(output)
    assert (file.header.tick_size, file.header.lot_size, file.header.instrument) == (TICK, LOT, "BTC-PERPETUAL")
    assert rebuilt(file) == changes(market.told)
    trades = file.rows[file.rows["flags"] & KIND_MASK == TRADE]
    assert len(trades) == 134
    assert set((trades["flags"] & (BID | ASK)).tolist()) == {BID, ASK}
    assert (trades["local_time_ns"] - trades["exchange_time_ns"] == 300_000).all()


def test_several_instruments_want_one_chosen(market: Market) -> None:
    market.book({10: 1}, {11: 1})
    market.trade(11, 1, 1)
    market.record()
    with pytest.raises(DataError, match="holds BTC-PERPETUAL, ETH-PERPETUAL: choose one with --instrument"):
        convert([market.run], market.run / "x.events")


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder without recordings/: give that of a recorded session"):
        convert([tmp_path], tmp_path / "x.events")
