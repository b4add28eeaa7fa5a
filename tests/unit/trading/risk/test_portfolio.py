"""√(x'Σx) with signed notionals, and what follows from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.risk.portfolio import combined_deviation, portfolio_risk

SAME = [[1.0, 1.0], [1.0, 1.0]]


def test_a_hedge_takes_risk_away_and_a_second_long_adds_it() -> None:
    # Given two legs that move as one
    # If they are held against each other, I expect no risk; on one side, the sum
    assert combined_deviation([1000.0, -1000.0], [0.01, 0.01], SAME) == 0.0
    assert combined_deviation([1000.0, 1000.0], [0.01, 0.01], SAME) == pytest.approx(20.0)
    assert combined_deviation([1000.0, 1000.0], [0.01, 0.01], [[1.0, 0.0], [0.0, 1.0]]) == pytest.approx(200**0.5)


def test_what_is_flat_needs_no_sigma_and_what_is_held_does() -> None:
    assert combined_deviation([1000.0, 0.0], [0.01, math.nan], [[1.0, math.nan], [math.nan, 1.0]]) == pytest.approx(10)
    assert math.isnan(combined_deviation([1000.0, 1.0], [0.01, math.nan], SAME))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.lists(st.floats(1e-6, 0.1), min_size=3, max_size=3),
    st.floats(-0.49, 0.99),
)
def test_it_is_the_matrix_product(notionals: list[float], sigmas: list[float], correlation: float) -> None:
    matrix = np.full((3, 3), correlation)
    np.fill_diagonal(matrix, 1.0)
    risks = np.array(notionals) * np.array(sigmas)
    expected = math.sqrt(max(risks @ matrix @ risks, 0.0))
    assert combined_deviation(notionals, sigmas, matrix.tolist()) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_value_at_risk_and_expected_shortfall_of_a_normal_loss() -> None:
    # Given 2 $/√s over 100 s
    risk = portfolio_risk(2.0, 100.0, 0.99)
    # I expect the quantile 2.3263 and the tail mean 2.6652 of 20 $
    assert risk.deviation == 20.0
    assert risk.value_at_risk == pytest.approx(46.527, abs=1e-3)
    assert risk.expected_shortfall == pytest.approx(53.304, abs=1e-3)
