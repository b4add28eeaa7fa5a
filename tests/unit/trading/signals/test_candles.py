from __future__ import annotations

import numpy as np
import pytest

from domain.clock import NS_PER_S
from tests.signals_case import START_NS, Signals
from trading.signals.candles import candle_delta, candle_index
from trading.signals.config import CANDLES_KEPT


def newest(signals: Signals) -> dict[str, float]:
    i = candle_index(signals.record[0], 0)
    names = [name for name in signals.record.dtype.names if name.startswith("candle_")]
    return {name.removeprefix("candle_"): signals.record[name][0][i].item() for name in names}


def test_a_candle_closes_with_the_trade_that_brings_it_to_its_volume() -> None:
    # Given candles of 0.1
    signals = Signals(candle_volume_base=0.1)
    # If trades of 0.04 come
    signals.trade(100.0, 0.04, 1)
    signals.trade(103.0, 0.04, -1)
    assert signals["candles"] == 0
    signals.trade(99.0, 0.04, 1)
    # I expect the third to close it, whole
    assert signals["candles"] == 1
    assert newest(signals) == {
        "time_ns": signals.time_ns, "open": 100.0, "high": 103.0, "low": 99.0, "close": 99.0,
        "bought": pytest.approx(0.08), "sold": pytest.approx(0.04),
    }  # fmt: skip
    assert candle_delta(signals.record[0], 0) == pytest.approx(1 / 3)


def test_a_candle_closes_at_its_age_without_any_trade() -> None:
    # Given an open candle, and books that come every second
    signals = Signals(candle_age_s_max=180.0)
    signals.trade(100.0, 0.01, 1)
    for _ in range(179):
        signals.book(100.0, NS_PER_S)
    assert signals["candles"] == 0
    # If it is 180 s old, I expect it to be closed
    signals.book(100.0, NS_PER_S)
    assert signals["candles"] == 1
    # and none to follow while nothing trades
    for _ in range(400):
        signals.book(100.0, NS_PER_S)
    assert signals["candles"] == 1


def test_one_trade_closes_at_most_one_candle() -> None:
    signals = Signals(candle_volume_base=0.1)
    signals.trade(100.0, 5.0, 1)
    assert signals["candles"] == 1
    assert newest(signals)["bought"] == 5.0


def test_the_volume_counts_base_units_where_a_contract_is_not_one() -> None:
    # Given contracts of 0.01 base units: a lot of 0.001 contracts is 0.00001 base units
    signals = Signals(lot_base=0.001 * 0.01, candle_volume_base=0.1)
    signals.trade(100.0, 9.9, 1)
    assert signals["candles"] == 0
    signals.trade(100.0, 0.1, 1)
    assert signals["candles"] == 1


def test_two_hundred_candles_are_kept() -> None:
    # If 250 candles close at rising prices
    signals = Signals(candle_volume_base=0.1)
    for i in range(250):
        signals.trade(100.0 + i, 0.1, 1)
    # I expect the last 200 of them
    closes = sorted(signals.record["candle_close"][0].tolist())
    assert CANDLES_KEPT == 200
    assert closes == [100.0 + i for i in range(50, 250)]
    ages = [signals.record["candle_close"][0][candle_index(signals.record[0], age)] for age in range(200)]
    assert ages == closes[::-1]


@pytest.mark.parametrize(("price", "size"), [(np.nan, 1.0), (np.inf, 1.0), (0.0, 1.0), (-1.0, 1.0), (100.0, np.nan),
                                             (100.0, 0.0), (100.0, -1.0), (100.0, np.inf)])  # fmt: skip
def test_a_trade_without_a_usable_price_or_size_is_not_counted(price: float, size: float) -> None:
    signals = Signals()
    before = signals.record.view(np.int64).copy()
    signals.trade(price, size, 1)
    assert np.array_equal(signals.record.view(np.int64), before)


def test_a_silence_drops_the_open_candle_and_brings_every_signal_to_rest() -> None:
    # Given signals of candles
    signals = Signals(candles_min=2, window_candles=2, gap_ms_max=10_000)
    for _ in range(3):
        signals.candle(100.0, 101.0, delta=0.5)
    signals.trade(100.0, 0.05, 1)
    assert signals["is_warm"] == 1
    assert signals["momentum"] > 0.0
    assert signals["shift_half_spreads"] > 0.0
    # If nothing comes for 11 s
    signals.trade(150.0, 0.06, 1, after_ns=11 * NS_PER_S)
    # I expect a new candle, and no signal across the gap until enough have closed
    assert signals["candles"] == 3
    assert signals["is_warm"] == 0
    assert signals["momentum"] == 0.0
    signals.trade(150.0, 0.06, 1)
    assert signals["is_warm"] == 0
    signals.candle(150.0, 151.0, delta=0.5)
    assert signals["is_warm"] == 1
    assert signals["momentum"] == pytest.approx(1.0 * 1.5 * 100.0 * (151.0 / 150.0 - 1.0) * (0.12 + 0.05) / 0.22)


def test_signals_that_are_switched_off_come_to_rest_and_start_cold() -> None:
    signals = Signals(candles_min=1, window_candles=2)
    signals.candle(100.0, 101.0, delta=0.5)
    signals.candle(101.0, 102.0, delta=0.5)
    assert signals["shift_half_spreads"] > 0.0
    signals.configure(is_enabled=False)
    signals.book(100.0)
    for name in ("is_warm", "momentum", "shift_half_spreads", "bid_size_cut", "gamma_added", "flow_imbalance"):
        assert signals[name] == 0.0
    rest = signals.record.view(np.int64).copy()
    signals.trade(100.0, 1.0, 1)
    assert np.array_equal(signals.record.view(np.int64), rest)
    signals.configure(is_enabled=True, candles_min=5)
    signals.trade(100.0, 1.0, 1)
    assert signals["is_warm"] == 0


def test_books_and_trades_may_come_in_either_order() -> None:
    # Given a book newer than the trade after it, as two rings give them
    signals = Signals()
    signals.book(100.0)
    signals.trade(100.0, 0.1, 1, after_ns=-50_000_000)
    # I expect no time to run back
    assert signals["last_time_ns"] == START_NS + 100_000_000
    assert signals["candles"] == 1
