"""The solved grids against eigenvectors, the asymptotics, and each other."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from trading.quoting.models.glft import glft, glft_drift_shift
from trading.quoting.models.value_table import (
    cartea_jaimungal_system,
    depths_at,
    exact_system,
    solve_log_value,
    write_depths,
)
from trading.quoting.shaping.half_spread import rate_under_impact

Floats = npt.NDArray[np.float64]
LONG_S = 1e5  # far beyond every relaxation time here: the infinite horizon
ERROR_MAX = 1e-3  # of a depth, in 1/κ


class Inputs(NamedTuple):
    sigma: float = 0.3
    rate: float = 0.9
    decay: float = 0.3
    gamma: float = 0.01
    order_size: float = 1.0
    horizon_s: float = LONG_S
    drift: float = 0.0


def exact(inputs: Inputs, orders: int, xi: float | None = None) -> tuple[Floats, Floats]:
    """Return (bid depths, ask depths) of the exact Avellaneda-Stoikov model."""
    nodes = 2 * orders + 1
    diagonal, value, log_value, bid, ask = (np.zeros(nodes) for _ in range(5))
    sigma, rate, decay, gamma, size, horizon_s, drift = inputs
    flow, c = exact_system(diagonal, value, sigma, rate, decay, gamma, gamma if xi is None else xi, size, drift)
    solve_log_value(diagonal, value, flow, horizon_s, log_value)
    write_depths(log_value, decay, c, bid, ask)
    return bid, ask


def cartea_jaimungal(inputs: Inputs, orders: int, running: float, terminal: float) -> tuple[Floats, Floats]:
    nodes = 2 * orders + 1
    diagonal, value, log_value, bid, ask = (np.zeros(nodes) for _ in range(5))
    flow, c = cartea_jaimungal_system(
        diagonal, value, inputs.rate, inputs.decay, running, terminal, inputs.order_size, inputs.drift
    )
    solve_log_value(diagonal, value, flow, inputs.horizon_s, log_value)
    write_depths(log_value, inputs.decay, c, bid, ask)
    return bid, ask


def by_eigenvectors(diagonal: Floats, start: Floats, flow: float, horizon_s: float) -> Floats:
    """Return ln v(τ), up to a constant, from the eigenvectors of the symmetric matrix."""
    off = np.full(len(diagonal) - 1, flow)
    values, vectors = np.linalg.eigh(np.diag(diagonal) - np.diag(off, 1) - np.diag(off, -1))
    weights = np.exp(-(values - values[0]) * horizon_s) * (vectors.T @ start)
    return np.log(np.abs(vectors @ weights))


def expected_bid_depths(inputs: Inputs, orders: int) -> Floats:
    """Return bid depths at −Q … Q−1 of the exact model, in its own matrix form."""
    sigma, rate, decay, gamma, size, horizon_s, drift = inputs
    n = np.arange(-orders, orders + 1)
    x = gamma * size / decay
    diagonal = 0.5 * decay * gamma * size * sigma**2 * n**2 - decay * drift * n
    log_value = by_eigenvectors(diagonal, np.ones(len(n)), rate * (1 + x) ** -(1 + 1 / x), horizon_s)
    return math.log1p(x) / (gamma * size) + (log_value[:-1] - log_value[1:]) / decay


def test_the_exact_solution_of_the_paper() -> None:
    # Given the paper's parameters with |q| ≤ 60
    bid, ask = exact(Inputs(horizon_s=600.0), orders=60)
    # I expect its depths at q = 0, 10 and −10
    assert (bid[60], ask[60]) == (pytest.approx(3.3130, abs=5e-5), pytest.approx(3.3130, abs=5e-5))
    assert (bid[70], ask[70]) == (pytest.approx(3.9929, abs=5e-5), pytest.approx(2.6328, abs=5e-5))
    assert (bid[50], ask[50]) == (pytest.approx(2.6328, abs=5e-5), pytest.approx(3.9929, abs=5e-5))


GRID = [
    Inputs(*values)
    for values in itertools.product((0.3, 5.0), (0.1, 1.0, 10.0), (0.1, 0.5), (0.001, 0.05), (0.01, 1.0), (1.0, 60.0))
]


def test_the_solver_agrees_with_eigenvectors_on_a_grid_of_parameters() -> None:
    worst, compared = 0.0, 0
    for inputs in GRID:
        expected = expected_bid_depths(inputs, orders=8)
        if np.ptp(np.cumsum(expected)) * inputs.decay > 25:  # there the eigenvectors themselves lose all digits
            continue
        compared += 1
        bid, ask = exact(inputs, orders=8)
        worst = max(worst, float(np.max(np.abs(bid[:-1] - expected))) * inputs.decay)
        assert ask[1:] == pytest.approx(bid[-2::-1], rel=1e-9)  # a mirror without drift
    print(f"largest error of a depth: {worst:.1e} of 1/κ over {compared} sets of parameters")
    assert worst < ERROR_MAX
    assert compared > len(GRID) / 2


@pytest.mark.parametrize(
    "inputs",
    [
        Inputs(sigma, rate, decay, gamma, size)
        for sigma, rate, decay, gamma, size in itertools.product(
            (0.3, 5.0), (0.9, 10.0), (0.3, 1.0), (0.001, 0.01), (0.01, 0.1)
        )
    ],
)
def test_the_asymptotics_agree_with_the_exact_solution_where_they_should(inputs: Inputs) -> None:
    # Given parameters under which the quadratic approximation is good: the value moves little from order to order
    half, skew = glft(inputs.sigma, inputs.rate, inputs.decay, inputs.gamma, inputs.gamma, inputs.order_size)
    bid, ask = exact(inputs, orders=40)
    step = skew * inputs.order_size * inputs.decay
    assert step < 0.25, "the case is outside of what the asymptotics claim"
    # I expect half-spread and skew near to the exact ones around q = 0
    for orders_held in (0, 3):
        exact_half = 0.5 * (bid[40 + orders_held] + ask[40 + orders_held])
        exact_shift = 0.5 * (ask[40 + orders_held] - bid[40 + orders_held])
        assert exact_half == pytest.approx(half, rel=0.01)
        assert exact_shift == pytest.approx(
            -skew * inputs.order_size * orders_held, abs=0.05 * step / inputs.decay + 0.01 * half
        )


def test_a_drift_shifts_the_exact_quotes_as_the_asymptotics_say() -> None:
    inputs = Inputs(drift=0.0005)
    _, skew = glft(0.3, 0.9, 0.3, 0.01, 0.01, 1.0)
    bid, ask = exact(inputs, orders=60)
    shift = 0.5 * (ask[60] - bid[60])
    assert shift == pytest.approx(glft_drift_shift(skew, 0.3, 0.01, 0.0005), rel=0.02)
    assert shift > 0


def test_market_impact_enters_as_a_lower_rate() -> None:
    # Given impact ζ per fill: the paper's matrix has η·exp(−κζ/2) in the place of η
    impact, inputs = 0.5, Inputs()
    lowered = rate_under_impact(inputs.rate, inputs.decay, impact)
    half, skew = glft(0.3, lowered, 0.3, 0.01, 0.01, 1.0)
    # I expect the asymptotic skew exp(κζ/4) times as strong, and the exact solution to agree
    assert skew == pytest.approx(glft(0.3, 0.9, 0.3, 0.01, 0.01, 1.0)[1] * math.exp(0.3 * impact / 4))
    bid, _ = exact(inputs._replace(rate=lowered), orders=60)
    assert bid[60] == pytest.approx(half, rel=1e-3)


def test_cartea_jaimungal_is_the_exact_model_without_aversion_to_not_being_filled() -> None:
    # Given φ = γσ²/2 and no terminal penalty
    inputs = Inputs(horizon_s=60.0)
    running = 0.5 * inputs.gamma * inputs.sigma**2
    # I expect the depths of the exact model with ξ → 0
    for ours, theirs in zip(cartea_jaimungal(inputs, 10, running, 0.0), exact(inputs, 10, xi=0.0), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("drift", [0.0, 0.01])
@pytest.mark.parametrize("terminal", [0.0, 0.05])
def test_cartea_jaimungal_agrees_with_eigenvectors(drift: float, terminal: float) -> None:
    inputs, running, orders = Inputs(horizon_s=20.0, drift=drift), 0.002, 10
    n = np.arange(-orders, orders + 1)
    diagonal = running * inputs.decay * n**2 - inputs.decay * drift * n
    start = np.exp(-terminal * inputs.decay * n**2)
    log_value = by_eigenvectors(diagonal, start, inputs.rate / math.e, inputs.horizon_s)
    bid, _ = cartea_jaimungal(inputs, orders, running, terminal)
    assert bid[:-1] == pytest.approx(1 / inputs.decay + (log_value[:-1] - log_value[1:]) / inputs.decay, abs=1e-3)


def test_with_no_time_left_only_the_liquidity_term_is_left() -> None:
    bid, ask = exact(Inputs(horizon_s=1e-9), orders=5)
    c = math.log1p(0.01 / 0.3) / 0.01
    assert bid == pytest.approx(np.full(11, c), rel=1e-6)
    assert ask == pytest.approx(np.full(11, c), rel=1e-6)


def test_no_parameters_give_a_depth_that_is_not_finite() -> None:
    for sigma, rate, decay, gamma in itertools.product((1e-6, 1e4), repeat=4):
        for size, horizon_s in itertools.product((1e-4, 10.0), (1.0, 1e6)):
            bid, ask = exact(Inputs(sigma, rate, decay, gamma, size, horizon_s), orders=5)
            assert np.all(np.isfinite(bid))
            assert np.all(np.isfinite(ask))


def test_between_two_positions_the_depths_are_interpolated_and_beyond_the_ends_they_stay() -> None:
    bid, ask = exact(Inputs(), orders=2)
    half, shift, slope, is_on_grid = depths_at(bid, ask, 5, 0.5)
    assert half == pytest.approx(0.25 * (bid[2] + bid[3] + ask[2] + ask[3]))
    assert shift == pytest.approx(0.25 * (ask[2] + ask[3] - bid[2] - bid[3]))
    assert slope == pytest.approx(0.5 * (ask[3] - bid[3] - ask[2] + bid[2]))
    assert is_on_grid
    assert depths_at(bid, ask, 5, 9.0)[:2] == depths_at(bid, ask, 5, 2.0)[:2]
    assert not depths_at(bid, ask, 5, 9.0)[3]
