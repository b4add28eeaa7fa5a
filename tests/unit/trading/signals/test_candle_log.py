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
    # Given a log that takes candles whose mids count up
    log = CandleLog()
    for i in range(1, 11):
        assert log.take(line(i, mid=float(i))) == []
    # If the tenth candle after the first closes
    (done,) = log.take(line(11, mid=11.0))
    # I expect the first, complete
    assert (done.candle, done.mid, done.mid_1, done.mid_3, done.mid_5, done.mid_10) == (1, 1.0, 2.0, 4.0, 6.0, 11.0)
    # and the others, as far as they are known, at the end
    rest = log.end()
    assert [entry.candle for entry in rest] == list(range(2, 12))
    assert (rest[5].mid_1, rest[5].mid_3, rest[5].mid_5, rest[5].mid_10) == (8.0, 10.0, None, None)
    assert (rest[-1].mid_1, rest[-1].mid_10) == (None, None)
    assert log.end() == []


def test_no_mid_is_taken_from_beyond_a_gap() -> None:
    log = CandleLog()
    log.take(line(1, mid=1.0))
    log.take(line(2, mid=2.0))
    done = log.take(line(3, mid=500.0, is_fresh=True))
    assert [(entry.candle, entry.mid_1) for entry in done] == [(1, 2.0), (2, None)]


def test_a_mid_that_is_not_known_is_left_out() -> None:
    log = CandleLog()
    log.take(line(1))
    log.take(line(2, mid=None))
    assert log.end()[0].mid_1 is None


def test_a_log_is_read_back_without_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    whole = [line(i, mid=100.0 + i, momentum=0.25) for i in range(3)]
    text = b"".join(msgspec.json.encode(entry) + b"\n" for entry in whole)
    path.write_bytes(text + b'{"instrument": "BTC-PER')
    assert read_candle_lines(path) == whole
    path.write_bytes(text + b'{"instrument": 5}\n')
    with pytest.raises(ValueError, match=r"signals.jsonl:4: expected a candle"):
        read_candle_lines(path)
