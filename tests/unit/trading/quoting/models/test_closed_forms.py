from __future__ import annotations

import math

import numpy as np
import pytest

from domain.clock import NS_PER_S
from trading.quoting.config import QuotingConfig
from trading.quoting.models.avellaneda_stoikov import avellaneda_stoikov
from trading.quoting.models.glft import glft, glft_drift_shift
from trading.quoting.models.horizon import horizon_s
from trading.quoting.params import Units, write_params
from trading.quoting.records import PARAMS


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


@pytest.mark.parametrize("drift", [-0.05, 0.0, 0.05])
def test_a_drift_counts_as_a_position_the_other_way(drift: float) -> None:
    sigma, gamma = 4.47, 0.005
    _, skew = glft(sigma=sigma, rate=4.0, decay=0.5, gamma=gamma, xi=gamma, order_size=0.001)
    position_of_drift = drift / (gamma * sigma**2)
    assert glft_drift_shift(skew, sigma, gamma, drift) == pytest.approx(skew * position_of_drift)


def test_a_session_that_ends_counts_down_and_begins_anew() -> None:
    # Given a session that ends at 16:00 UTC, with at most an hour in view
    params = np.zeros(1, PARAMS)
    config = QuotingConfig(horizon="session_end", session_end_utc="16:00", horizon_s=3600.0)
    write_params(params, config, Units(1.0, 0.001))
    midnight_ns = 1_700_006_400 * NS_PER_S

    def to_go_s(hours: float) -> float:
        return horizon_s(params[0], midnight_ns + round(hours * 3600 * NS_PER_S))

    # I expect the hour before it to run down to a second, and a new session after it
    assert [to_go_s(hours) for hours in (3.0, 15.0, 15.5, 15.75)] == [3600.0, 3600.0, 1800.0, 900.0]
    assert to_go_s(16 - 0.1 / 3600) == 1.0
    assert to_go_s(16.0) == 1.0
    assert to_go_s(16 + 1 / 3600) == 3600.0
    # and a rolling one never to move
    write_params(params, QuotingConfig(horizon_s=60.0), Units(1.0, 0.001))
    assert to_go_s(15.9999) == 60.0
