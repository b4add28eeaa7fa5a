from __future__ import annotations

import math

import pytest

from trading.quoting.models.avellaneda_stoikov import avellaneda_stoikov
from trading.quoting.models.glft import glft


def test_glft_gives_the_exact_solution_of_the_paper() -> None:
    # Given the paper's parameters, for which the exact eigenvector solution is known
    half, skew = glft(sigma=0.3, rate=0.9, decay=0.3, gamma=0.01, xi=0.01, order_size=1.0)
    # I expect its asymptotic depths at q = 0 and q = 10, and the exact ones within 0.002
    assert half == pytest.approx(3.3129, abs=5e-5)
    assert half + 10 * skew == pytest.approx(3.9916, abs=5e-5)
    assert half - 10 * skew == pytest.approx(2.6343, abs=5e-5)
    assert half == pytest.approx(3.3130, abs=2e-3)
    assert half + 10 * skew == pytest.approx(3.9929, abs=2e-3)


@pytest.mark.parametrize(("gamma", "half", "skew"), [(0.005, 2.004, 8.24), (0.5, 2.040, 82.4), (5.0, 2.121, 261.0)])
def test_glft_at_the_scale_of_bitcoin(gamma: float, half: float, skew: float) -> None:
    got = glft(sigma=4.47, rate=4.0, decay=0.5, gamma=gamma, xi=gamma, order_size=0.001)
    assert got == (pytest.approx(half, abs=5e-4), pytest.approx(skew, rel=1e-3))


@pytest.mark.parametrize("xi", [0.0, 1e-300, 1e-14, 1e-9, 1e-6])
def test_a_vanishing_xi_gives_model_b(xi: float) -> None:
    half, skew = glft(sigma=4.47, rate=4.0, decay=0.5, gamma=0.005, xi=xi, order_size=0.001)
    c2 = math.sqrt(0.005 * math.e / (2 * 4.0 * 0.001 * 0.5))
    assert half == pytest.approx(1 / 0.5 + 0.0005 * 4.47 * c2, rel=1e-6)
    assert skew == pytest.approx(4.47 * c2, rel=1e-6)


def test_avellaneda_stoikov_gives_the_spread_of_the_paper() -> None:
    half, skew = avellaneda_stoikov(sigma=2.0, decay=1.5, gamma=0.1, order_size=1.0, horizon_s=1.0)
    assert 2 * half == pytest.approx(1.6908, abs=5e-5)
    assert skew == pytest.approx(0.4)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("position", range(6))
def test_a_bad_input_gives_no_number(bad: float, position: int) -> None:
    # Given good inputs but one
    inputs = [4.47, 4.0, 0.5, 0.005, 0.005, 0.001]
    inputs[position] = bad
    is_xi = position == 4
    half, skew = glft(*inputs)
    # I expect NaN, but for a ξ of zero, which is model B
    assert math.isnan(half) == (not (is_xi and bad == 0.0))
    assert math.isnan(skew) == math.isnan(half)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("position", range(5))
def test_a_bad_input_gives_no_number_in_avellaneda_stoikov(bad: float, position: int) -> None:
    inputs = [2.0, 1.5, 0.1, 1.0, 1.0]
    inputs[position] = bad
    assert all(math.isnan(value) for value in avellaneda_stoikov(*inputs))


def test_a_power_that_would_overflow_gives_no_number() -> None:
    half, _ = glft(sigma=1.0, rate=1.0, decay=1e-320, gamma=1.0, xi=1.0, order_size=1.0)
    assert math.isnan(half)
