from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from tests.signals_case import Signals
from trading.signals.bars import take_bar

NAN = math.nan


class Row(NamedTuple):
    """A bar, and what follows from it by hand with n = 2, a fast EMA over 1 and a slow one over 2."""

    high: float
    low: float
    close: float
    range_sum: float
    up_sum: float
    down_sum: float
    dx: float
    adx: float
    close_slow: float


# true range 3, 2, 4, 2, 4; +DM 2, 1, 0, 0, 3; -DM 0, 0, 3, 0, 0. Sums: 3+2; then S - S/2 + x.
TABLE = (
    Row(10, 8, 9, 0, 0, 0, NAN, 0.0, 9.0),
    Row(12, 9, 11, 3, 2, 0, NAN, 0.0, 9 + 4 / 3),
    Row(13, 11, 12, 5, 3, 0, 100.0, 0.0, 31 / 3 + 2 / 3 * (12 - 31 / 3)),
    Row(12, 8, 9, 6.5, 1.5, 3, 100 / 3, 200 / 3, 9.8148148148),
    Row(11, 9, 10, 5.25, 0.75, 1.5, 100 / 3, 50.0, 9.9382716049),
    Row(14, 10, 13, 6.625, 3.375, 0.75, 63.6363636364, 56.8181818182, 11.9794238683),
)


def test_wilder_s_smoothing_gives_the_values_of_a_table_made_by_hand() -> None:
    # Given n = 2
    signals = Signals(adx_bars=2, trend_fast_bars=1, trend_slow_bars=2, adx_trending=100.0)
    for row in TABLE:
        # If the bars of the table close
        take_bar(signals.params[0], signals.record[0], row.high, row.low, row.close)
        # I expect its sums and its ADX
        assert (signals["range_sum"], signals["up_sum"], signals["down_sum"]) == (
            row.range_sum,
            row.up_sum,
            row.down_sum,
        )
        assert signals["adx"] == pytest.approx(row.adx)
        assert signals["close_fast"] == row.close
        assert signals["close_slow"] == pytest.approx(row.close_slow)
        assert signals["atr"] == (0.0 if math.isnan(row.dx) else row.range_sum / 2)
    # and from the last: (13 − 11.979424)/3.3125 = 0.308099 in ATR, as trend and, from half of it, as reversion
    assert signals["trend"] == pytest.approx(0.3080984 * 0.5681818, rel=1e-5)
    assert signals["mean_reversion"] == pytest.approx(-0.3080984 / 2 * (1 - 0.5681818), rel=1e-5)


def test_adx_is_zero_until_two_n_bars_have_closed() -> None:
    signals = Signals(adx_bars=14)
    for i in range(27):
        take_bar(signals.params[0], signals.record[0], 101.0 + i, 99.0 + i, 100.5 + i)
        assert signals["adx"] == 0.0
        assert signals["trend"] == 0.0
    take_bar(signals.params[0], signals.record[0], 128.0, 126.0, 127.5)
    assert signals["adx"] == pytest.approx(100.0)  # it has only ever gone up
    assert signals["trend"] > 0.5
    assert signals["mean_reversion"] == 0.0


def test_bars_are_cut_by_real_time_not_by_ticks() -> None:
    # Given bars of 1 s
    signals = Signals(bar_s=1.0)
    signals.book(100.0)
    # If 50 books come within the first
    for i in range(50):
        signals.book(100.0 + (5.0 if i == 20 else -3.0 if i == 30 else 1.0), 10 * NS_PER_MS)
    assert signals["bars"] == 0
    signals.book(200.0, 500 * NS_PER_MS)
    # I expect one bar, with the mids that were in force in it
    assert signals["bars"] == 1
    assert (signals["last_bar_high"], signals["last_bar_low"], signals["last_bar_close"]) == (105.0, 97.0, 101.0)
    # and the newest mid in the next one
    signals.book(200.0, NS_PER_S)
    assert (signals["last_bar_high"], signals["last_bar_low"], signals["last_bar_close"]) == (200.0, 101.0, 200.0)


def test_a_quiet_market_closes_flat_bars() -> None:
    signals = Signals(bar_s=1.0)
    signals.book(100.0)
    signals.book(110.0, 5 * NS_PER_S + NS_PER_MS)
    assert signals["bars"] == 5
    assert (signals["last_bar_high"], signals["last_bar_low"], signals["last_bar_close"]) == (100.0, 100.0, 100.0)


def test_an_outage_is_no_bar() -> None:
    # Given an ADX that is warm
    signals = Signals(bar_s=1.0, adx_bars=2, gap_ms_max=10_000)
    for i in range(8):
        signals.book(100.0 + i, NS_PER_S)
    assert signals["adx"] == pytest.approx(100.0)
    # If the feed is silent for 11 s and comes back far away
    signals.book(500.0, 11 * NS_PER_S)
    # I expect the smoothing to begin anew, without that jump
    assert signals["adx"] == signals["trend"] == signals["atr"] == 0.0
    assert signals["bars"] == 0
    for _ in range(10):
        signals.book(500.0, NS_PER_S)
    assert signals["range_sum"] == 0.0


@pytest.mark.parametrize("away", [2.0, -2.0])
def test_reversion_points_back_to_the_average_when_there_is_no_trend(away: float) -> None:
    # Given a market that goes up and down without a trend
    signals = Signals(bar_s=1.0, adx_bars=5, trend_slow_bars=21)
    for i in range(120):
        signals.book(100.0 + (i % 2), NS_PER_S)
    assert signals["adx"] < 25.0
    # If it jumps, I expect a way back
    signals.book(100.5 + away, NS_PER_S)
    signals.book(100.5 + away, NS_PER_S)
    assert 0.1 < abs(signals["mean_reversion"]) <= 1.0
    assert signals["mean_reversion"] * away < 0.0


def test_one_old_move_is_no_trend_for_ever() -> None:
    """The ratio of two fading sums stays 100 when nothing follows."""
    signals = Signals(bar_s=1.0, adx_bars=5)
    for i in range(20):
        signals.book(100.0 + i, NS_PER_S)
    assert signals["adx"] > 90.0
    for _ in range(60):
        signals.book(120.0, NS_PER_S)
    assert signals["adx"] < 5.0


def test_a_market_that_never_moves_has_neither_trend_nor_range() -> None:
    signals = Signals(bar_s=1.0, adx_bars=2)
    for _ in range(60):
        signals.book(100.0, NS_PER_S)
    assert signals["adx"] == signals["trend"] == signals["mean_reversion"] == signals["atr"] == 0.0
