"""Binance recordings: what becomes of each line, how the snapshot joins, what is refused and what repaired."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backtest.data import builder
from backtest.data import lines as lines_module
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.events import (
    ASK,
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
from tests.backtest_samples import LATENCY_MS, NS_PER_MS, T0_MS, BinanceLines, small_market, told
from tests.conftest import REPOSITORY


def converted(tmp_path: Path, lines: BinanceLines, *repairs: Repair, name: str = "part.gz") -> np.ndarray:
    path = lines.write(tmp_path / name)
    convert([path], tmp_path / "out.events", Options(repairs=frozenset(repairs)))
    return EventFile(tmp_path / "out.events").rows


def test_every_line_becomes_rows_in_ticks_and_lots(tmp_path: Path) -> None:
    rows = converted(tmp_path, small_market())
    header = EventFile(tmp_path / "out.events").header
    assert (header.tick_size, header.lot_size, header.instrument) == (0.1, 0.025, "btcusdt")
    assert told(rows) == [
        (CLEAR, BID, EVERY_PRICE, 0),
        (CLEAR, ASK, EVERY_PRICE, 0),
        (SNAPSHOT_LEVEL, BID, 1000, 40),
        (SNAPSHOT_LEVEL, BID, 999, 80),
        (SNAPSHOT_LEVEL, ASK, 1001, 60),
        (SNAPSHOT_LEVEL, ASK, 1002, 100),
        (LEVEL, BID, 1000, 32),
        (LEVEL, ASK, 1001, 56),
        (TRADE, BID, 1001, 16),
        (LEVEL, BID, 999, 0),
        (LEVEL, ASK, 1001, 40),
        (BEST, BID, 1000, 28),
        (BEST, ASK, 1001, 36),
        (TRADE, ASK, 1000, 5),
        (LEVEL, ASK, 1002, 120),
    ]
    assert np.all(rows["flags"] & BOTH_SIDES == BOTH_SIDES)
    assert np.flatnonzero(rows["flags"] & FINAL).tolist() == [5, 7, 8, 10, 12, 13, 14]
    assert rows["exchange_time_ns"][0] == T0_MS * NS_PER_MS
    assert np.all(rows["local_time_ns"] - rows["exchange_time_ns"] == LATENCY_MS * NS_PER_MS)


def test_changes_before_the_snapshot_reach_the_book_with_it_and_older_ones_not(tmp_path: Path) -> None:
    lines = BinanceLines()
    lines.depth(0, [(100.0, 9.0)], [])  # before the snapshot's id
    lines.depth(5, [(100.0, 8.0)], [])  # the snapshot's id lies in this one
    late = BinanceLines(latency_ms=20)
    late.update = lines.update - 3
    lines.lines += late.snapshot(3, [(100.0, 1.0)], [(100.1, 1.0)]).lines
    lines.depth(30, [(100.0, 7.0)], [])
    rows = converted(tmp_path, lines)
    bids = rows[(rows["flags"] & BID != 0) & (rows["size_lots"] > 0)]
    assert bids["size_lots"].tolist() == [1, 8, 7]
    assert bids["local_time_ns"][1] == bids["local_time_ns"][0]


def test_a_message_that_overtook_another_stands_in_two_rows(tmp_path: Path) -> None:
    lines = small_market()
    lines.latency_ms = 100
    lines.trade(70, 100.0, 1.0)  # sent first, arrives at 170
    lines.latency_ms = LATENCY_MS
    fast = lines.trade(80, 100.1, 2.0).lines.pop()  # arrives at 83
    lines.lines.insert(-1, fast)
    path = lines.write(tmp_path / "part.gz")
    # the trade ids now run backwards, as if received twice: give them out in order of arrival
    text = gzip.decompress(path.read_bytes()).decode().replace('"t":54', '"t":x').replace('"t":53', '"t":54')
    path.write_bytes(gzip.compress(text.replace('"t":x', '"t":53').encode()))
    report = convert([path], tmp_path / "out.events", Options())
    rows = EventFile(tmp_path / "out.events").rows
    assert report.one_sided_rows == 2
    for side in (1 << 11, 1 << 12):
        seen = rows[rows["flags"] & side != 0]
        name = "exchange_time_ns" if side == 1 << 11 else "local_time_ns"
        assert np.all(np.diff(seen[name]) >= 0)
        assert len(seen) == len(rows) - 1


def test_trades_of_insurance_and_adl_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = small_market()
    lines.trade(70, 100.0, 1.0, kind="ADL")
    report = convert([lines.write(tmp_path / "part.gz")], tmp_path / "out.events")
    assert report.counts["trade"] == 2
    assert report.notes["trades of kind ADL left out"] == 1


@pytest.mark.parametrize(
    ("damage", "repair", "words"),
    [
        ("garbage", Repair.LINES, "part.gz:8: expected `<local time> <stream message>`"),
        ("cut_message", Repair.LINES, "part.gz:8: expected"),
        ("gap", Repair.GAPS, "part.gz:8: changes from"),
        ("duplicate_depth", Repair.DUPLICATES, "part.gz:8: changes to"),
        ("duplicate_trade", Repair.DUPLICATES, "part.gz:8: trade"),
        ("crossed", Repair.CROSSED, "book crossed: bid 1001 ticks at or above ask 1001 ticks"),
        ("clock", Repair.CLOCK, "part.gz:8: received 0.005 s before the exchange sent it"),
        ("cut_file", Repair.TRUNCATED, "the file is damaged or cut short"),
        ("no_snapshot", Repair.SNAPSHOT, "no depth snapshot"),
    ],
)
def test_damage_is_refused_with_one_line_and_repaired_when_asked(
    tmp_path: Path, damage: str, repair: Repair, words: str
) -> None:
    path = damaged(tmp_path, damage)
    with pytest.raises(DataError) as refused:
        convert([path], tmp_path / "out.events")
    text = str(refused.value)
    assert words.split("expected a")[0] in text or damage == "no_snapshot"
    assert f"--repair {repair}" in text
    assert "\n" not in text
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing half written

    report = convert([path], tmp_path / "out.events", Options(repairs=frozenset({repair})))
    assert report.repairs == {str(repair): 1}
    assert report.counts["trade"] >= 2


def damaged(tmp_path: Path, damage: str) -> Path:
    """Return a recording with one fault."""
    lines = small_market()
    match damage:
        case "garbage":
            lines.lines.append("no line of ours")
        case "cut_message":
            lines.lines.append(lines.lines[-1][:70])
        case "gap":
            lines.depth(70, [(99.8, 1.0)], [], after=lines.update + 40)
        case "duplicate_depth":
            lines.lines.append(lines.lines[-1])
        case "duplicate_trade":
            lines.lines.append(lines.lines[-2])
        case "crossed":
            lines.depth(70, [(100.1, 5.0)], [])
        case "clock":
            lines.latency_ms = -5
            lines.trade(200, 100.0, 1.0)
        case "no_snapshot":
            del lines.lines[0]
    path = lines.write(tmp_path / "part.gz")
    if damage == "cut_file":
        path.write_bytes(path.read_bytes()[:-12])
    return path


def test_a_crossed_book_loses_the_older_levels(tmp_path: Path) -> None:
    lines = small_market()
    lines.depth(70, [(100.1, 5.0)], [])
    rows = converted(tmp_path, lines, Repair.CROSSED)
    assert told(rows[-2:]) == [(LEVEL, BID, 1001, 200), (LEVEL, ASK, 1001, 0)]
    assert (rows["flags"][-2:] & FINAL != 0).tolist() == [False, True]


def test_the_clock_is_shifted_by_the_smallest_difference(tmp_path: Path) -> None:
    lines = BinanceLines(latency_ms=-1500)
    lines.snapshot(0, [(100.0, 1.0)], [(100.1, 1.0)])
    lines.latency_ms = -1510
    lines.trade(30, 100.0, 1.0)
    rows = converted(tmp_path, lines, Repair.CLOCK)
    latencies_ms = (rows["local_time_ns"] - rows["exchange_time_ns"]) // NS_PER_MS
    assert latencies_ms.tolist() == [10, 10, 10, 10, 0]
    assert EventFile(tmp_path / "out.events").header.clock_shift_ns == 1510 * NS_PER_MS


def test_a_second_instrument_is_refused_until_one_is_chosen(tmp_path: Path) -> None:
    lines = small_market()
    other = BinanceLines("ethusdt")
    lines.lines += other.trade(70, 3000.0, 1.0).lines
    path = lines.write(tmp_path / "part.gz")
    with pytest.raises(DataError, match=r"part\.gz:8: rows of ethusdt beside btcusdt: choose one with --instrument"):
        convert([path], tmp_path / "out.events")
    report = convert([path], tmp_path / "out.events", Options(instrument="BTCUSDT"))
    assert report.counts["trade"] == 2
    assert report.notes["rows of ethusdt left out"] == 1


def test_parts_join_into_one_recording(tmp_path: Path) -> None:
    lines = small_market()
    whole = converted(tmp_path, lines)
    first, second = BinanceLines(), BinanceLines()
    first.lines, second.lines = lines.lines[:4], lines.lines[4:]
    parts = [first.write(tmp_path / "a.gz"), second.write(tmp_path / "b.gz")]
    convert(parts, tmp_path / "parts.events")
    assert EventFile(tmp_path / "parts.events").rows.tobytes() == whole.tobytes()


def test_times_that_go_back_beyond_the_horizon_are_refused(tmp_path: Path) -> None:
    lines = small_market()
    for i in range(70_000):
        lines.trade(100 + i, 100.0, 1.0)
    lines.latency_ms = 60_000
    lines.trade(10_000, 100.0, 1.0)
    path = lines.write(tmp_path / "part.gz")
    with pytest.raises(DataError, match=r"part\.gz:70008: exchange time goes back by more than .* --repair order"):
        convert([path], tmp_path / "out.events")
    report = convert([path], tmp_path / "out.events", Options(repairs=frozenset({Repair.ORDER})))
    assert report.repairs == {"order": 1}


def test_the_size_of_the_blocks_read_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = small_market()
    generator = np.random.default_rng(5)
    for i in range(1500):
        lines.latency_ms = int(generator.integers(1, 40))
        if i % 3:
            lines.trade(100 + 7 * i, 100.0, 1.0)
        else:
            lines.best(100 + 7 * i, 100.0, 1.0, 100.1, 2.0)
    head, tail = lines.lines[:7], lines.lines[7:]
    lines.lines = head + sorted(tail, key=lambda line: int(line.split(" ")[0]))
    whole = converted(tmp_path, lines, Repair.DUPLICATES)
    monkeypatch.setattr(builder, "CHUNK_ROWS", 100)
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 3000)
    blocks = converted(tmp_path, lines, Repair.DUPLICATES)
    assert np.count_nonzero(whole["flags"] & BOTH_SIDES != BOTH_SIDES) > 100
    assert blocks.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("year", "trades", "best", "levels", "shift_s"),
    [("2024", 10_701, 52_260, 400_859, 1.52), ("2023", 12_934, 44_205, 322_682, 0.03)],
)
def test_the_real_recordings_are_read_to_the_last_line(
    recordings: Path, year: str, trades: int, best: int, levels: int, shift_s: float
) -> None:
    parts = sorted(str(path) for path in recordings.glob(f"*_{year}*"))
    command = [sys.executable, "-m", "backtest.data", "report", *parts, "--json", "--repair", "clock"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["counts"]["trade"] == trades
    assert report["counts"]["best"] == 2 * best
    assert levels - 500 < report["counts"]["level"] <= levels  # but for changes older than the snapshot
    assert report["repairs"] == {"clock": 1}  # no gap, no crossed book, nothing twice
    assert report["clock_shift_s"] == pytest.approx(shift_s, abs=0.01)
    assert report["latency_ms"]["min"] == 0.0
    assert report["spread_median"] == pytest.approx(0.1)
