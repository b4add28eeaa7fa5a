"""The other formats tell the same market: hftbacktest, Tardis, Bybit, our event files and Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.data.convert import Options, convert, inspect
from backtest.data.events import (
    ASK,
    AT_EXCHANGE,
    AT_LOCAL,
    BEST,
    BID,
    BOTH_SIDES,
    CLEAR,
    EVERY_PRICE,
    FINAL,
    LEVEL,
    SNAPSHOT_LEVEL,
    TRADE,
)
from backtest.data.findings import DataError, Repair
from backtest.data.formats import format_of
from tests.backtest_samples import (
    LATENCY_MS,
    NS_PER_MS,
    T0_MS,
    TARDIS_BOOK,
    TARDIS_QUOTES,
    TARDIS_TRADES,
    bybit_message,
    small_market,
    tardis_stamp,
    their_rows,
    told,
    write_bybit_book,
    write_csv,
)

BOTH = 3 << 30
BUY, SELL = 1 << 29, 1 << 28


def rows_of(tmp_path: Path, *paths: Path, **options: object) -> np.ndarray:
    convert(list(paths), tmp_path / "out.events", Options(**options))  # type: ignore[arg-type]
    return EventFile(tmp_path / "out.events").rows


def finals(rows: np.ndarray) -> list[int]:
    return np.flatnonzero(rows["flags"] & FINAL).tolist()


def test_hftbacktest_rows_keep_their_order_and_recipients(tmp_path: Path) -> None:
    theirs = their_rows(
        [
            (BOTH | BUY | 3, 0, 3, 99.0, 0.0),
            (BOTH | BUY | 4, 0, 3, 100.0, 2.0),
            (BOTH | SELL | 4, 0, 3, 100.5, 2.0),
            (BOTH | BUY | 2, 10, 13, 100.5, 0.5),
            (BOTH | BUY | 2, 10, 13, 100.5, 0.5),
            ((1 << 31) | SELL | 1, 12, 99, 100.5, 1.0),
            (BOTH | SELL | 1, 15, 18, 101.0, 3.0),
            ((1 << 30) | SELL | 1, 12, 99, 100.5, 1.0),
        ]
    )
    np.savez_compressed(tmp_path / "day.npz", data=theirs)
    rows = rows_of(tmp_path, tmp_path / "day.npz")
    assert told(rows) == [
        (CLEAR, BID, 198, 0),
        (SNAPSHOT_LEVEL, BID, 200, 4),
        (SNAPSHOT_LEVEL, ASK, 201, 4),
        (TRADE, BID, 201, 1),
        (TRADE, BID, 201, 1),
        (LEVEL, ASK, 201, 2),
        (LEVEL, ASK, 202, 6),
        (LEVEL, ASK, 201, 2),
    ]
    assert (rows["flags"] & BOTH_SIDES).tolist() == [BOTH_SIDES] * 5 + [AT_EXCHANGE, BOTH_SIDES, AT_LOCAL]
    assert finals(rows) == [2, 3, 4, 5, 6, 7]


def test_hftbacktest_messages_go_on_across_blocks(tmp_path: Path) -> None:
    snapshot = [(BOTH | BUY | 4, 0, 3, 100_000.0 - i / 2, 1.0) for i in range(70_000)]
    np.save(tmp_path / "day.npy", their_rows([*snapshot, (BOTH | SELL | 1, 10, 13, 100_000.5, 1.0)]))
    rows = rows_of(tmp_path, tmp_path / "day.npy")
    assert finals(rows) == [69_999, 70_000]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(BOTH | BUY | 99, 0, 3, 100.0, 2.0)], r"day\.npz:1: unknown kind of event 99"),
        ([(BOTH | BUY | 1, 9, 12, 100.0, 2.0), (BOTH | BUY | 1, 8, 12, 100.5, 3.0)], r"day\.npz:2: exchange time goes"),
        ([(BOTH | BUY | 1, 9, 12, 100.0, -2.0)], r"day\.npz:1: expected a size of 0 or more, found -2"),
        ([(BOTH | BUY | 1, 9, 8, 100.0, 2.0)], r"day\.npz:1: received 0\.001 s before the exchange sent it"),
    ],
)
def test_faulty_hftbacktest_rows_are_refused(
    tmp_path: Path, rows: list[tuple[int, int, int, float, float]], words: str
) -> None:
    np.savez(tmp_path / "day.npz", data=their_rows(rows))
    with pytest.raises(DataError, match=words):
        rows_of(tmp_path, tmp_path / "day.npz")


def tardis_book(tmp_path: Path) -> Path:
    lines = [
        f"{tardis_stamp(0)},true,bid,100.0,1",
        f"{tardis_stamp(0)},true,ask,100.5,2",
        f"{tardis_stamp(10)},false,bid,100.0,3",
        f"{tardis_stamp(10)},false,ask,100.5,0",
        f"{tardis_stamp(20)},true,bid,99.5,1",
        f"{tardis_stamp(20)},true,ask,101.0,2",
    ]
    return write_csv(tmp_path / "book.csv.gz", TARDIS_BOOK, lines)


def test_tardis_book_and_trades_merge_by_local_time_and_snapshots_clear(tmp_path: Path) -> None:
    trades = write_csv(
        tmp_path / "trades.csv", TARDIS_TRADES,
        [f"{tardis_stamp(5)},T1,buy,100.5,4", f"{tardis_stamp(10)},T2,sell,100,1", f"{tardis_stamp(12)},,unknown,1,1"],
    )  # fmt: skip
    rows = rows_of(tmp_path, tardis_book(tmp_path), trades)
    clears = [(CLEAR, BID, EVERY_PRICE, 0), (CLEAR, ASK, EVERY_PRICE, 0)]
    assert told(rows) == [
        *clears,
        (SNAPSHOT_LEVEL, BID, 200, 1),
        (SNAPSHOT_LEVEL, ASK, 201, 2),
        (TRADE, BID, 201, 4),
        (TRADE, ASK, 200, 1),  # at equal times a trade stands before its book
        (LEVEL, BID, 200, 3),
        (LEVEL, ASK, 201, 0),
        *clears,
        (SNAPSHOT_LEVEL, BID, 199, 1),
        (SNAPSHOT_LEVEL, ASK, 202, 2),
    ]
    assert finals(rows) == [3, 4, 5, 7, 11]
    assert EventFile(tmp_path / "out.events").header.instrument == "BTC-PERPETUAL"


def test_tardis_quotes_are_best_prices_and_an_empty_side_is_none(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "quotes.csv", TARDIS_QUOTES, [f"{tardis_stamp(0)},2,100.5,100.0,1", f"{tardis_stamp(9)},,,99.5,1"]
    )
    assert told(rows_of(tmp_path, path)) == [
        (BEST, BID, 200, 1),
        (BEST, ASK, 201, 2),
        (BEST, BID, 199, 1),
        (BEST, ASK, EVERY_PRICE, 0),
    ]


def test_tardis_book_snapshots_are_whole_books(tmp_path: Path) -> None:
    header = "exchange,symbol,timestamp,local_timestamp," + ",".join(
        f"asks[{i}].price,asks[{i}].amount,bids[{i}].price,bids[{i}].amount" for i in range(2)
    )
    path = write_csv(tmp_path / "snapshots.csv", header, [f"{tardis_stamp(0)},100.5,2,100.0,1,101.0,4,,"])
    rows = rows_of(tmp_path, path)
    assert told(rows) == [
        (CLEAR, BID, EVERY_PRICE, 0),
        (CLEAR, ASK, EVERY_PRICE, 0),
        (SNAPSHOT_LEVEL, BID, 200, 1),
        (SNAPSHOT_LEVEL, ASK, 201, 2),
        (SNAPSHOT_LEVEL, ASK, 202, 4),
    ]
    assert finals(rows) == [4]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("false,bid,abc,1", r"book\.csv:3: price: expected a number, found 'abc'"),
        ("maybe,bid,100,1", r"book\.csv:3: is_snapshot: expected true or false, found 'maybe'"),
        ("false,bid,100", r"book\.csv:3: expected 8 fields, found 7; refused: .* --repair lines"),
        ("false,bid,100.03,1", r"book\.csv:3: price 100\.03 is no multiple of 0\.5; give the venue's step with --tick"),
    ],
)
def test_a_bad_tardis_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    first = f"{tardis_stamp(0)},true,bid,100.5,1"
    path = write_csv(tmp_path / "book.csv", TARDIS_BOOK, [first, f"{tardis_stamp(1)},{line}"])
    with pytest.raises(DataError, match=words):
        convert([path], tmp_path / "out.events", Options(steps=_steps()))


def _steps() -> object:
    from backtest.data.grid import Steps

    return Steps(tick_size=0.5, lot_size=1.0)


def bybit_book(tmp_path: Path) -> Path:
    return write_bybit_book(
        tmp_path / "2024-01-01_BTCUSDT_ob500.data.zip",
        [
            bybit_message("snapshot", 0, 10, [(100.0, 1.0)], [(100.5, 2.0)]),
            bybit_message("delta", 10, 11, [(100.0, 0.0), (99.5, 3.0)], []),
            bybit_message("delta", 20, 12, [], [(100.5, 1.0)]),
        ],
    )


def test_bybit_book_and_trades_that_run_backwards(tmp_path: Path) -> None:
    seconds = T0_MS / 1000
    trades = write_csv(
        tmp_path / "BTCUSDT2024-01-01.csv.gz", "timestamp,symbol,side,size,price,tickDirection,trdMatchID",
        [f"{seconds + 0.025:.4f},BTCUSDT,Sell,1,99.5,Tick,b", f"{seconds + 0.012:.4f},BTCUSDT,Buy,2,100.5,Tick,a"],
    )  # fmt: skip
    rows = rows_of(tmp_path, bybit_book(tmp_path), trades)
    rows = rows[rows["flags"] & AT_LOCAL != 0]
    assert [row for row in told(rows) if row[0] == TRADE] == [(TRADE, BID, 201, 2), (TRADE, ASK, 199, 1)]
    assert told(rows[rows["flags"] & 0xFF == LEVEL]) == [
        (LEVEL, BID, 200, 0),
        (LEVEL, BID, 199, 3),
        (LEVEL, ASK, 201, 1),
    ]
    book = rows[rows["flags"] & 0xFF != TRADE]
    assert set((book["local_time_ns"] - book["exchange_time_ns"]).tolist()) == {LATENCY_MS * NS_PER_MS}


def test_a_latency_may_be_given_to_archives_without_local_times(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, bybit_book(tmp_path), latency_ns=7 * NS_PER_MS)
    assert set((rows["local_time_ns"] - rows["exchange_time_ns"]).tolist()) == {(LATENCY_MS + 7) * NS_PER_MS}


def test_a_gap_in_bybits_updates_is_refused(tmp_path: Path) -> None:
    first = bybit_message("snapshot", 0, 10, [(100.0, 1.0)], [(100.5, 2.0)])
    path = write_bybit_book(tmp_path / "ob500.zip", [first, bybit_message("delta", 9, 12, [(99.5, 3.0)], [])])
    with pytest.raises(DataError, match=r"zip:2: update 12 follows on 10: changes are missing; .* --repair gaps"):
        rows_of(tmp_path, path)


def test_event_files_join_and_survive_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    convert([small_market().write(tmp_path / "part.gz")], tmp_path / "a.events")
    convert([tmp_path / "a.events"], tmp_path / "a.parquet")
    convert([tmp_path / "a.parquet"], tmp_path / "b.events")
    first, second = EventFile(tmp_path / "a.events"), EventFile(tmp_path / "b.events")
    assert first.rows.tobytes() == second.rows.tobytes()
    assert first.header == second.header
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.events", "a.parquet", "b.events", "part.gz"]


@pytest.mark.parametrize("damage", ["short", "version", "magic"])
def test_a_damaged_event_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.events"
    convert([small_market().write(tmp_path / "part.gz")], path)
    data = path.read_bytes()
    match damage:
        case "short":
            data = data[:-8]
        case "version":
            data = data.replace(b'"version":1', b'"version":9')
        case "magic":
            data = b"NOEVENTS" + data[8:]
    path.write_bytes(data)
    expected = {"short": "expected .* for 15 rows", "version": "layout version 9, expected 1", "magic": "not an event"}
    with pytest.raises(DataError, match=expected[damage]):
        EventFile(path)


def test_a_report_keeps_nothing_and_tells_the_same_of_an_event_file(tmp_path: Path) -> None:
    path = small_market().write(tmp_path / "part.gz")
    told_raw = inspect([path])
    convert([path], tmp_path / "a.events")
    told_file = inspect([tmp_path / "a.events"])
    assert told_raw == told_file
    assert told_raw.spread_median == pytest.approx(0.1)
    assert told_raw.latency_ms == {"min": 3.0, "median": 3.0, "p99": 3.0, "max": 3.0}
    assert (told_raw.bought, told_raw.sold) == (pytest.approx(0.4), pytest.approx(0.125))


def test_formats_are_told_by_contents(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(DataError, match="x:1: unknown format"):
        format_of(tmp_path / "x")
    with pytest.raises(DataError, match="no/such: No such file"):
        format_of(Path("no/such"))
    small = small_market().write(tmp_path / "part.gz")
    with pytest.raises(DataError, match=r"book\.csv\.gz: is of format tardis, .*part\.gz of binance"):
        convert([small, tardis_book(tmp_path)], tmp_path / "out.events")


@pytest.mark.parametrize("repair", list(Repair))
def test_every_repair_has_a_description(repair: Repair) -> None:
    from backtest.data.findings import REPAIRS

    assert REPAIRS[repair]
