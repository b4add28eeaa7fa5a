"""Order-by-order recordings: orders are numbered as they join a queue, and the levels they make are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.events import (
    ADD,
    ASK,
    AT_EXCHANGE,
    AT_LOCAL,
    BID,
    BOTH_SIDES,
    CANCEL,
    CLEAR,
    EVENT,
    FILL,
    FINAL,
    KIND_MASK,
    LEVEL,
    MODIFY,
    TRADE,
)
from backtest.data.findings import DataError, Findings, Repair
from backtest.data.formats import format_of
from backtest.data.hftbacktest import THEIR_EVENT
from backtest.data.orders import CHUNK_ROWS, MarketOrders
from tests.engine_case import BUY, SELL
from tests.orders_case import OrderTape, numbered

COLUMNS = "exchange_time_ns,local_time_ns,event,side,price,size,order_id"


def told(rows: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (kind, ticks, lots, number) of every row."""
    kinds = rows["flags"] & KIND_MASK
    names = ("price_ticks", "size_lots", "venue_id")
    return list(zip(kinds.tolist(), *(rows[name].tolist() for name in names), strict=True))


def test_orders_become_numbers_and_levels() -> None:
    tape = OrderTape().add(0, 70, BUY, 99, 10).add(1, 50, BUY, 99, 5).modify(2, 70, 99, 4)
    tape.fill(3, 70, 4).cancel(4, 70).modify(5, 50, 98, 5)
    assert told(numbered(tape)) == [
        (ADD, 99, 10, 1), (LEVEL, 99, 10, 0),
        (ADD, 99, 5, 2), (LEVEL, 99, 15, 0),
        (CANCEL, 99, 6, 1), (LEVEL, 99, 9, 0),
        (FILL, 99, 4, 1),
        (CANCEL, 99, 4, 1), (LEVEL, 99, 5, 0),
        (CANCEL, 99, 5, 2), (LEVEL, 99, 0, 0), (ADD, 98, 5, 3), (LEVEL, 98, 5, 0),
    ]  # fmt: skip


def test_the_last_row_that_comes_of_a_message_ends_it() -> None:
    tape = OrderTape().add(0, 1, SELL, 101, 10).modify(1, 1, 102, 10).modify(2, 1, 102, 10)
    rows = numbered(tape)
    ends = [bool(flags & FINAL) for flags in rows["flags"].tolist()]
    assert ends == [False, True, False, False, False, True, True]
    assert told(rows)[-1] == (MODIFY, 102, 0, 0)  # nothing changed: a row that ends the message


def test_orders_that_come_back_after_a_clear_keep_their_numbers() -> None:
    tape = OrderTape().add(0, 1, BUY, 99, 10).add(1, 2, BUY, 99, 5).add(2, 3, SELL, 101, 5)
    tape.clear(3, BUY).add(4, 2, BUY, 99, 5).add(5, 1, BUY, 99, 11)
    assert told(numbered(tape))[-4:] == [
        (ADD, 99, 5, 2), (LEVEL, 99, 5, 0),
        (ADD, 99, 11, 4), (LEVEL, 99, 16, 0),  # larger than it was: at the end
    ]  # fmt: skip


def test_unknown_and_doubled_orders_are_refused_or_left_out() -> None:
    unknown = OrderTape().add(0, 1, BUY, 99, 10).cancel(1, 2)
    with pytest.raises(
        DataError, match=r"orders.csv:0: an event of an order that was never added .* --repair snapshot"
    ):
        numbered(unknown)
    assert told(numbered(unknown, Repair.SNAPSHOT))[2:] == [(MODIFY, 0, 0, 0)]
    doubled = OrderTape().add(0, 1, BUY, 99, 10).add(1, 1, BUY, 98, 10)
    with pytest.raises(DataError, match=r"adds an order that is there already .* --repair duplicates"):
        numbered(doubled)
    assert told(numbered(doubled, Repair.DUPLICATES))[:2] == [(ADD, 99, 10, 1), (LEVEL, 99, 10, 0)]


def test_levels_beside_orders_are_refused() -> None:
    tape = OrderTape().add(0, 1, BUY, 99, 10)
    rows = np.array([*tape.rows, (0, 0, LEVEL | BID | FINAL | BOTH_SIDES, 99, 10, 0)], EVENT)
    with pytest.raises(DataError, match="tells orders and price levels too"):
        MarketOrders(Findings([Path("orders.csv")])).take(rows)


def test_each_side_sees_orders_as_they_come_to_it() -> None:
    tape = OrderTape().add(0, 1, BUY, 99, 10).add(1, 2, BUY, 99, 5)
    rows = np.array([tape.rows[0], tape.rows[1], tape.rows[0]], EVENT)
    rows["flags"][0] ^= AT_LOCAL  # the first one overtakes nobody at the exchange, and the second one on its way to us
    rows["flags"][2] ^= AT_EXCHANGE
    sides = MarketOrders(Findings([Path("orders.csv")])).take(rows)
    exchange, ours = (told(sides[sides["flags"] & side != 0]) for side in (AT_EXCHANGE, AT_LOCAL))
    assert exchange == [(ADD, 99, 10, 1), (LEVEL, 99, 10, 0), (ADD, 99, 5, 2), (LEVEL, 99, 15, 0)]
    assert ours == [(ADD, 99, 5, 1), (LEVEL, 99, 5, 0), (ADD, 99, 10, 2), (LEVEL, 99, 15, 0)]


def test_more_orders_than_the_table_began_with_are_kept_and_gone_ones_are_not() -> None:
    orders = MarketOrders(Findings([Path("orders.csv")]))
    rng = np.random.default_rng(5)
    live: dict[int, tuple[int, int]] = {}
    levels: dict[int, int] = {}
    for block in range(6):
        tape = OrderTape()
        for place in range(CHUNK_ROWS):
            if live and rng.random() < (0.2 if block < 4 else 0.9):
                order_id = next(iter(live))
                ticks, lots = live.pop(order_id)
                tape.cancel(place, order_id)
                levels[ticks] -= lots
            else:
                order_id = int(rng.integers(1, 2**62))
                ticks, lots = int(rng.integers(1, 2000)), int(rng.integers(1, 50))
                live[order_id] = (ticks, lots)
                tape.add(place, order_id, BUY, ticks, lots)
                levels[ticks] = levels.get(ticks, 0) + lots
        rows = orders.take(np.array(tape.rows, EVENT))
        last = {ticks: lots for kind, ticks, lots, _ in told(rows) if kind == LEVEL}
        assert all(levels[ticks] == lots for ticks, lots in last.items())


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join([COLUMNS, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_csv_of_orders_is_told_by_its_columns_and_read(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "1000,1500,clear,,,,0",
        "1000,1500,add,bid,99.5,0.3,7",
        "1000,1500,add,ask,100.5,0.2,8",
        "2000,2500,trade,sell,99.5,0.1,0",
        "2000,2500,fill,bid,99.5,0.1,7",
        "2000,2500,modify,bid,99.5,0.2,7",
        "3000,3500,cancel,,,,8",
        "4000,4500,add,ask,101,0.2,9",
    )
    assert format_of(path) == ("orders", "")
    convert([path], tmp_path / "out.events", Options())
    file = EventFile(tmp_path / "out.events")
    assert (file.header.tick_size, file.header.lot_size) == (0.5, 0.1)
    assert told(file.rows) == [
        (CLEAR, -(2**62), 0, 0),
        (ADD, 199, 3, 1), (LEVEL, 199, 3, 0), (ADD, 201, 2, 2), (LEVEL, 201, 2, 0),
        (TRADE, 199, 1, 0), (FILL, 199, 1, 1), (CANCEL, 199, 1, 1), (LEVEL, 199, 2, 0),
        (CANCEL, 201, 2, 2), (LEVEL, 201, 0, 0),
        (ADD, 202, 2, 3), (LEVEL, 202, 2, 0),
    ]  # fmt: skip
    assert np.flatnonzero(file.rows["flags"] & FINAL).tolist() == [4, 5, 8, 10, 12]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,add,,99,1,7", r"orders.csv:2: side: expected one in a line of add, found none"),
        ("1,2,modify,bid,,1,7", r"orders.csv:2: price: expected one in a line of modify, found none"),
        ("1,2,insert,bid,99,1,7", r"orders.csv:2: event: expected add or modify or .*, found 'insert'"),
        ("1,2,add,bid,99,1,x", r"orders.csv:2: order_id: expected a whole number, found 'x'"),
    ],
)
def test_a_bad_line_of_a_csv_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        convert([csv(tmp_path, line)], tmp_path / "out.events", Options())


def test_orders_of_hftbacktest_are_read(tmp_path: Path) -> None:
    both, buy, sell = 3 << 30, 1 << 29, 1 << 28
    theirs = np.array(
        [
            (both | 3, 1000, 1500, 0.0, 0.0, 0, 0, 0.0),
            (both | buy | 10, 1000, 1500, 99.0, 3.0, 7, 0, 0.0),
            (both | sell | 10, 1000, 1500, 101.0, 2.0, 8, 0, 0.0),
            (both | sell | 2, 2000, 2500, 99.0, 1.0, 0, 0, 0.0),
            (both | buy | 13, 2000, 2500, 99.0, 1.0, 7, 0, 0.0),
            (both | buy | 12, 2000, 2500, 99.0, 2.0, 7, 0, 0.0),
            (both | sell | 11, 3000, 3500, 101.0, 2.0, 8, 0, 0.0),
        ],
        THEIR_EVENT,
    )
    np.savez(tmp_path / "l3.npz", data=theirs)
    convert([tmp_path / "l3.npz"], tmp_path / "out.events", Options())
    rows = EventFile(tmp_path / "out.events").rows
    assert rows["flags"][0] & (BID | ASK) == BID | ASK  # a clear of no side is one of both
    assert told(rows)[1:] == [
        (ADD, 99, 3, 1), (LEVEL, 99, 3, 0), (ADD, 101, 2, 2), (LEVEL, 101, 2, 0),
        (TRADE, 99, 1, 0), (FILL, 99, 1, 1), (CANCEL, 99, 1, 1), (LEVEL, 99, 2, 0),
        (CANCEL, 101, 2, 2), (LEVEL, 101, 0, 0),
    ]  # fmt: skip
    assert np.flatnonzero(rows["flags"] & FINAL).tolist() == [0, 4, 5, 8, 10]
