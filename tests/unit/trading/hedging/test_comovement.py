"""Correlation and β of known series, within the confidence that their number of returns allows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from trading.hedging.comovement import ComovementConfig, Comovements, pair_row, pair_rows

CONFIG = ComovementConfig(grid_ms=1000, return_ms=1000, halflife_s=600.0, gap_ms_max=5000, samples_min=120)
OVERLAPPING = ComovementConfig(grid_ms=1000, return_ms=5000, halflife_s=600.0)
# An EWMA of half-life h samples weighs as much as (1+λ)/(1−λ) ≈ 2.885·h equal ones.
SAMPLES_EQUIVALENT = 2.885 * 600
ERRORS = 4.0  # standard errors that are allowed


def walk(correlation: float, volatilities: tuple[float, float], count: int = 8000, seed: int = 3) -> np.ndarray:
    """Return log prices of two random walks, shape (count, 2); volatility per √s, a step a second."""
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, count))
    mixed = correlation * first + math.sqrt(1 - correlation**2) * second
    return np.cumsum(np.stack([first * volatilities[0], mixed * volatilities[1]], axis=1), axis=0)


def measured(logs: np.ndarray, *, step_ns: int = NS_PER_S, jitter_ns: int = 0) -> Comovements:
    found = Comovements(logs.shape[1], CONFIG)
    rng = np.random.default_rng(1)
    for i, row in enumerate(logs):
        now_ns = (i + 1) * step_ns + (int(rng.integers(0, jitter_ns)) if jitter_ns else 0)
        found.look([100.0 * math.exp(value) for value in row], now_ns)
    return found


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.8, 0.99])
def test_correlation_and_beta_of_a_known_pair_are_found(correlation: float) -> None:
    sigma_a, sigma_b = 2e-5, 5e-5
    (pair,) = measured(walk(correlation, (sigma_a, sigma_b))).pairs
    error = (1 - correlation**2) / math.sqrt(SAMPLES_EQUIVALENT)
    beta_error = sigma_b / sigma_a * math.sqrt((1 - correlation**2) / SAMPLES_EQUIVALENT)
    print(f"ρ {pair.correlation:.4f} of {correlation} ± {error:.4f}, β {pair.beta_b_on_a:.4f} ± {beta_error:.4f}")
    assert pair.correlation == pytest.approx(correlation, abs=ERRORS * error + 1e-3)
    assert pair.beta_b_on_a == pytest.approx(correlation * sigma_b / sigma_a, abs=ERRORS * beta_error)
    assert math.sqrt(pair.variance_a) == pytest.approx(sigma_a, rel=ERRORS / math.sqrt(2 * SAMPLES_EQUIVALENT))


def test_late_looks_do_no_harm() -> None:
    """Looks that come up to 0.9 s late see a walk that went on meanwhile, and measure the same."""
    rng = np.random.default_rng(5)
    times_ns = np.arange(1, 8001) * NS_PER_S + rng.integers(0, 900 * NS_PER_MS, 8000)
    steps_s = np.diff(times_ns, prepend=0) / NS_PER_S
    shocks = rng.standard_normal((8000, 2)) * np.sqrt(steps_s)[:, None] * 3e-5
    logs = np.cumsum(np.stack([shocks[:, 0], 0.7 * shocks[:, 0] + math.sqrt(0.51) * shocks[:, 1]], axis=1), axis=0)
    found = Comovements(2, CONFIG)
    for now_ns, row in zip(times_ns, logs, strict=True):
        found.look([math.exp(value) for value in row], int(now_ns))
    (pair,) = found.pairs
    assert pair.correlation == pytest.approx(0.7, abs=ERRORS * 0.51 / math.sqrt(SAMPLES_EQUIVALENT))
    assert math.sqrt(pair.variance_a) == pytest.approx(3e-5, rel=ERRORS / math.sqrt(2 * SAMPLES_EQUIVALENT))


def asynchronous(logs: np.ndarray, rate_per_s: float, seed: int = 11) -> np.ndarray:
    """Return what two books show of log prices: each moves only when it trades, at moments of its own."""
    rng = np.random.default_rng(seed)
    seen = logs.copy()
    for column in range(2):
        trades = rng.random(len(logs)) < 1.0 - math.exp(-rate_per_s)
        trades[0] = True
        newest = np.maximum.accumulate(np.where(trades, np.arange(len(logs)), 0))
        seen[:, column] = logs[newest, column]
    return seen


def test_longer_returns_see_what_asynchronous_books_hide() -> None:
    # Given two prices of correlation 0.8 whose books follow at moments of their own, about one a second
    steps_per_s = 10
    logs = walk(0.8, (2e-5, 3e-5), count=20_000 * steps_per_s)
    seen = asynchronous(logs, 1.0 / steps_per_s)[::steps_per_s]
    found = {}
    for config in (CONFIG, OVERLAPPING):
        comovements = Comovements(2, config)
        for second, row in enumerate(seen, start=1):
            comovements.look([100.0 * math.exp(value) for value in row], second * NS_PER_S)
        found[config.return_ms] = comovements.pairs[0].correlation
    print(f"ρ 0.8: {found[1000]:.2f} with returns of 1 s, {found[5000]:.2f} of 5 s")
    # I expect a second to show less than half of it, and five seconds to show nearly all
    assert found[1000] < 0.4
    assert 0.6 < found[5000] < 0.8


def test_overlapping_returns_measure_a_synchronous_pair_as_single_ones_do() -> None:
    comovements = Comovements(2, OVERLAPPING)
    for second, row in enumerate(walk(0.8, (2e-5, 5e-5)), start=1):
        comovements.look([100.0 * math.exp(value) for value in row], second * NS_PER_S)
    (pair,) = comovements.pairs
    # Returns of 5 s that overlap carry as much as 1.5 times those apart would: about a third of the looks
    error = (1 - 0.8**2) / math.sqrt(SAMPLES_EQUIVALENT / 3.4)
    assert pair.correlation == pytest.approx(0.8, abs=ERRORS * error)
    assert math.sqrt(pair.variance_a) == pytest.approx(2e-5, rel=ERRORS / math.sqrt(2 * SAMPLES_EQUIVALENT / 3.4))


def test_an_outage_begins_long_returns_anew() -> None:
    found = Comovements(2, OVERLAPPING)
    for second in range(1, 6):
        assert found.look([100.0, 100.0], second * NS_PER_S) == []
    assert found.look([100.1, 100.1], 6 * NS_PER_S) == [0]
    # Given six seconds without a look, I expect five more before the next return
    learned = [found.look([100.2, 100.2], second * NS_PER_S) for second in range(12, 18)]
    assert learned == [[]] * 5 + [[0]]


def test_a_return_is_a_multiple_of_the_grid() -> None:
    with pytest.raises(ValueError, match="return_ms"):
        ComovementConfig(grid_ms=1000, return_ms=2500)


def test_an_outage_is_not_one_return() -> None:
    found = Comovements(2, CONFIG)
    found.look([100.0, 100.0], NS_PER_S)
    found.look([100.1, 100.1], 2 * NS_PER_S)
    assert found.look([200.0, 300.0], 8 * NS_PER_S) == [], "six seconds without a look"
    assert found.look([200.1, 300.2], 9 * NS_PER_S) == [0]
    assert found.pairs[0].samples == 2
    assert found.pairs[0].variance_a < 1e-5


def test_an_instrument_without_a_live_book_leaves_the_other_pairs_alone() -> None:
    found = Comovements(3, CONFIG)
    found.look([100.0, 100.0, 100.0], NS_PER_S)
    assert found.look([100.1, math.nan, 100.1], 2 * NS_PER_S) == [pair_row(0, 2, 3)]
    assert found.look([100.2, 100.2, 100.2], 3 * NS_PER_S) == [pair_row(0, 2, 3)], "a return needs both ends"
    assert found.look([100.3, 100.3, 100.3], 4 * NS_PER_S) == [0, 1, 2]


def test_looks_follow_the_clocks_grid() -> None:
    found = Comovements(2, CONFIG)
    assert found.is_due(0)
    found.look([1.0, 1.0], 1_300 * NS_PER_MS)
    assert not found.is_due(1_999 * NS_PER_MS)
    assert found.is_due(2_000 * NS_PER_MS)


def test_a_market_that_stands_still_has_no_beta() -> None:
    found = Comovements(2, CONFIG)
    for second in range(1, 10):
        found.look([100.0, 100.0 + second], second * NS_PER_S)
    (pair,) = found.pairs
    assert math.isnan(pair.correlation)
    assert math.isnan(pair.beta_b_on_a)
    assert pair.beta_a_on_b == 0.0


def test_rows_of_pairs_have_one_order() -> None:
    for count in range(1, 7):
        assert [pair_row(a, b, count) for a, b in pair_rows(count)] == list(range(count * (count - 1) // 2))
