"""Where the mid goes after fills, and how many there are."""

from __future__ import annotations

import math

import pytest

from domain.clock import NS_PER_S
from trading.risk.markouts import Markouts


def test_a_market_that_goes_on_through_us_is_negative_on_both_sides() -> None:
    # Given a buy at 100 and a sale at 100, judged after 5 s over two fills
    markouts = Markouts(5.0, 2)
    markouts.on_fill(1, 100.0, 0)
    markouts.on_fill(-1, 100.0, NS_PER_S)
    # If the mid is 99 when the first is due and 102 when the second is
    markouts.on_mid(101.0, 4 * NS_PER_S)
    markouts.on_mid(99.0, 5 * NS_PER_S)
    assert math.isnan(markouts.mean_bps())
    markouts.on_mid(102.0, 6 * NS_PER_S)
    # I expect -100 and -200 bps
    assert markouts.mean_bps() == pytest.approx(-150.0)


def test_a_fill_that_finds_no_mid_is_not_judged() -> None:
    markouts = Markouts(5.0, 1)
    markouts.on_fill(1, 100.0, 0)
    markouts.on_mid(math.nan, 5 * NS_PER_S)
    assert math.isnan(markouts.mean_bps())


def test_fills_are_counted_over_a_minute() -> None:
    markouts = Markouts(5.0, 1)
    for second in range(3):
        markouts.on_fill(1, 100.0, second * NS_PER_S)
    assert markouts.fills_last_minute(60 * NS_PER_S) == 2
