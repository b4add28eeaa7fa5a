"""Simulated fills against live ones: figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.metrics.leg import FILL_LINE, UNKNOWN_MID
from backtest.scoring.agreement import agreement_of

MS = 10**6
LOT = 0.001


def fills(*rows: tuple[int, int, int], mid2_1s: int = UNKNOWN_MID) -> np.ndarray:
    """Return buys at 100 ticks: (order, time in ms, lots)."""
    lines = np.zeros(len(rows), FILL_LINE)
    for line, (order, time_ms, lots) in zip(lines, rows, strict=True):
        line["order_id"], line["time_ns"], line["size_lots"] = order, time_ms * MS, lots
        line["side"], line["price_ticks"] = 1, 100
        line["mid2_ticks_1s"], line["mid2_ticks_5s"] = mid2_1s, UNKNOWN_MID
    return lines


def test_the_same_fills_agree_wholly() -> None:
    same = fills((1, 10, 5), (2, 20, 3), (1, 30, 5))
    told = agreement_of(same, same, LOT)
    assert (told.agreement, told.found, told.right, told.volume_ratio, told.delay_ms) == (1.0, 1.0, 1.0, 1.0, 0.0)
    assert told.live_volume == pytest.approx(0.013)


def test_lots_are_compared_order_by_order_whatever_fills_they_came_in() -> None:
    # Given 10 lots of order 1 and 4 of order 2 live, simulated 6 of order 1 in two fills and 4 of order 3
    told = agreement_of(fills((1, 10, 10), (2, 20, 4)), fills((1, 15, 2), (1, 30, 4), (3, 40, 4)), LOT)
    # I expect 6 in common, of 10 + 4 + 4 in either
    assert told.agreement == pytest.approx(6 / 18)
    assert told.found == pytest.approx(6 / 14)
    assert told.right == pytest.approx(6 / 10)
    assert told.volume_ratio == pytest.approx(10 / 14)
    assert told.delay_ms == pytest.approx(5.0)


def test_a_simulation_whose_fills_did_better_afterwards_flatters() -> None:
    told = agreement_of(fills((1, 10, 5), mid2_1s=198), fills((1, 10, 5), mid2_1s=202), LOT)
    assert told.markout_difference_bps == {"1s": pytest.approx(200.0), "5s": None}


def test_without_fills_there_is_nothing_to_tell() -> None:
    told = agreement_of(fills(), fills(), LOT)
    assert (told.agreement, told.volume_ratio, told.delay_ms) == (None, None, None)
    assert agreement_of(fills(), fills((1, 10, 5)), LOT).agreement == 0.0
