from __future__ import annotations

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from tests.signals_case import Signals


def test_flow_imbalance_is_buying_less_selling_over_both() -> None:
    signals = Signals()
    signals.trade(100.0, 3.0, 1)
    assert signals["flow_imbalance"] == 1.0
    signals.trade(100.0, 1.0, -1)
    assert signals["flow_imbalance"] == pytest.approx(0.5)
    # The price has no part in it
    signals.trade(1e6, 2.0, -1)
    assert signals["flow_imbalance"] == pytest.approx(0.0)


def test_trades_leave_the_window_with_time_alone() -> None:
    # Given a window of 32 s: buckets of one second
    signals = Signals(flow_window_s=32.0, gap_ms_max=3_600_000)
    signals.trade(100.0, 3.0, 1)
    signals.trade(100.0, 1.0, -1, after_ns=16 * NS_PER_S)
    # If only books come
    signals.book(100.0, 15 * NS_PER_S)
    assert signals["flow_imbalance"] == pytest.approx(0.5)
    # I expect the buying to be gone when it is a window old
    signals.book(100.0, NS_PER_S)
    assert signals["flow_imbalance"] == -1.0
    signals.book(100.0, 40 * NS_PER_S)
    assert signals["flow_imbalance"] == 0.0
    assert signals["trade_intensity_per_s"] == 0.0


def test_the_trade_rate_is_per_second_from_the_first_seconds_on() -> None:
    # Given ten trades a second in a window of 30 s
    signals = Signals(flow_window_s=30.0)
    for _ in range(50):
        signals.trade(100.0, 0.001, 1, 100 * NS_PER_MS)
    # I expect the rate of the time known, here and later
    assert signals["trade_intensity_per_s"] == pytest.approx(10.0, rel=0.1)
    for _ in range(1000):
        signals.trade(100.0, 0.001, 1, 100 * NS_PER_MS)
    assert signals["trade_intensity_per_s"] == pytest.approx(10.0, rel=0.02)


def test_a_long_run_gathers_no_rounding_error() -> None:
    signals = Signals(flow_window_s=3.2)
    for i in range(5000):
        signals.trade(100.0, 0.1 if i % 7 else 1e6, 1 if i % 3 else -1)
    signals.book(100.0, 4 * NS_PER_S)
    signals.trade(100.0, 0.3, 1)
    signals.trade(100.0, 0.1, -1)
    assert signals["flow_imbalance"] == pytest.approx(0.5, abs=1e-15)
