from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from trading.signals.candle_log import CandleLine, CandleLog, read_candle_lines


def line(candle: int, mid: float | None = 100.0, is_fresh: bool = False, **signals: float) -> CandleLine:
    zeros = dict.fromkeys(
        ("momentum", "reversal", "exhaustion", "flow_imbalance", "trend", "mean_reversion", "user_signal", "volatility",
         "adx", "trade_intensity_per_s"), 0.0,
    )  # fmt: skip
    return CandleLine(
        instrument="BTC-PERPETUAL", candle=candle, time=candle, is_fresh=is_fresh, is_warm=True, open=100.0, high=100.0,
        low=100.0, close=100.0, bought=0.05, sold=0.05, mid=mid, **{**zeros, **signals},
    )  # fmt: skip


def test_a_line_is_given_out_with_the_mids_1_3_5_and_10_candles_later() -> None:
    # Given candles after each of which a book came, with mids 1, 2, 3 …
    log = CandleLog()
    for i in range(1, 12):
        assert log.take(line(i, is_fresh=i == 1), float(i - 1)) == []
    # If the eleventh candle's own book has come, and the twelfth closes
    (done,) = log.take(line(12), 11.0)
    # I expect the first, complete
    assert (done.candle, done.mid_0, done.mid_1, done.mid_3, done.mid_5, done.mid_10) == (1, 1.0, 2.0, 4.0, 6.0, 11.0)
    # and the others, as far as they are known, at the end
    rest = log.end()
    assert [entry.candle for entry in rest] == list(range(2, 13))
    assert (rest[5].mid_0, rest[5].mid_1, rest[5].mid_3, rest[5].mid_5) == (7.0, 8.0, 10.0, None)
    assert (rest[-1].mid_0, rest[-1].mid_1) == (None, None)
    assert log.end() == []


def test_candles_of_one_sweep_foretell_nothing_of_it() -> None:
    # Given three candles that close before the book shows what happened, and one after it
    log = CandleLog()
    log.take(line(1, is_fresh=True), None)
    log.take(line(2), 100.0)
    log.take(line(3), None)
    log.take(line(4), None)
    log.take(line(5), 110.0)
    log.take(line(6), 111.0)
    # I expect the same mid for all three: between them nobody could have acted
    first, *sweep, last, _ = log.end()
    assert (first.mid_0, first.mid_1, first.mid_3) == (100.0, 110.0, 110.0)
    assert [entry.mid_0 for entry in sweep] == [110.0] * 3
    assert [entry.mid_1 for entry in sweep] == [110.0, 110.0, 111.0]
    assert last.mid_0 == 111.0


def test_no_mid_is_taken_from_beyond_a_gap() -> None:
    log = CandleLog()
    log.take(line(1, is_fresh=True), None)
    log.take(line(2), 1.0)
    done = log.take(line(3, is_fresh=True), 500.0)
    assert [(entry.candle, entry.mid_0, entry.mid_1) for entry in done] == [(1, 1.0, None), (2, None, None)]


def test_candles_without_any_book_are_not_held_back_for_ever() -> None:
    log = CandleLog()
    done = [entry for i in range(1, 1001) for entry in log.take(line(i, is_fresh=i == 1), None)]
    assert 700 < len(done) < 1000
    assert all(entry.mid_0 is None for entry in done)


def test_a_log_is_read_back_without_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    whole = [line(i, mid=100.0 + i, momentum=0.25) for i in range(3)]
    text = b"".join(msgspec.json.encode(entry) + b"\n" for entry in whole)
    path.write_bytes(text + b'{"instrument": "BTC-PER')
    assert read_candle_lines(path) == whole
    path.write_bytes(text + b'{"instrument": 5}\n')
    with pytest.raises(ValueError, match=r"signals.jsonl:4: expected a candle"):
        read_candle_lines(path)
