from __future__ import annotations

import math

import numpy as np
import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from tests.quoting_case import BARE, Case

MEASURED = BARE.with_values({"sigma_samples_min": 1, "sigma_grid_ms": 250, "sigma_halflife_s": 300.0})


def diffuse(case: Case, sigma: float, seconds: float, seed: int = 1, step_ms: int = 50) -> None:
    """Let the mid be a random walk of `sigma` $/√s, with a book every `step_ms`."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, sigma * math.sqrt(step_ms / 1000), round(seconds * 1000 / step_ms))
    mid = 100_000.0
    for step in steps:
        mid += step
        bid = round(mid)
        case.set_book(bid, bid + 1)
        case.tick(step_ms * NS_PER_MS)


@pytest.mark.parametrize("sigma", [3.0, 12.0])
def test_sigma_of_a_random_walk_is_found(sigma: float) -> None:
    # Given a prior that is far off, and twenty half-lives of a walk
    case = Case(MEASURED.with_values({"sigma_prior_usd_per_sqrt_s": 50.0, "sigma_halflife_s": 30.0}))
    diffuse(case, sigma, seconds=600)
    # I expect σ within 15 %: some 350 returns count, and rounding to ticks adds a little
    assert case.quote()["sigma"] == pytest.approx(sigma, rel=0.15)


def test_sigma_does_not_depend_on_how_often_the_book_comes() -> None:
    found = []
    for step_ms in (10, 250):
        case = Case(MEASURED.with_values({"sigma_halflife_s": 30.0}))
        diffuse(case, 5.0, seconds=200, step_ms=step_ms)
        found.append(case.quote()["sigma"])
    assert found[0] == pytest.approx(found[1], rel=0.25)


def test_an_outage_is_not_one_return() -> None:
    # Given a calm market
    case = Case(MEASURED)
    for _ in range(40):
        case.tick(250 * NS_PER_MS)
    before = case.quote()["sigma"]
    samples = int(case.quoter.record["state"]["sigma_samples"][0])
    # If the book is silent for a minute and comes back $1000 higher
    case.set_book(101_000.0, 101_001.0)
    case.tick(60 * NS_PER_S)
    case.tick(250 * NS_PER_MS)
    # I expect no return for it
    assert case.quote()["sigma"] <= before
    assert int(case.quoter.record["state"]["sigma_samples"][0]) == samples + 1


@pytest.mark.parametrize("outage", ["invalid", "resumed"])
def test_a_resync_and_a_restart_are_no_return_either(outage: str) -> None:
    case = Case(MEASURED)
    for _ in range(10):
        case.tick(250 * NS_PER_MS)
    before = case.quote()["sigma"]
    if outage == "invalid":
        case.book["is_valid"] = 0
        case.tick(100 * NS_PER_MS)
        case.book["is_valid"] = 1
    else:
        case.quoter.take_outage()
    case.set_book(101_000.0, 101_001.0)
    case.tick(250 * NS_PER_MS)
    case.tick(250 * NS_PER_MS)
    assert case.quote()["sigma"] <= before


def test_a_quiet_market_gives_zero_returns() -> None:
    case = Case(MEASURED.with_values({"sigma_halflife_s": 5.0, "sigma_prior_usd_per_sqrt_s": 10.0}))
    case.tick()
    case.tick(5 * NS_PER_S)
    # one half-life without a move: half the variance of the prior
    assert case.quote()["sigma"] == pytest.approx(10.0 / math.sqrt(2), rel=1e-6)


def test_the_mid_in_force_at_the_grid_point_counts_not_the_one_after_it() -> None:
    case = Case(MEASURED.with_values({"sigma_prior_usd_per_sqrt_s": None, "sigma_grid_ms": 1000}))
    case.tick()
    case.set_book(100_004.0, 100_005.0)
    case.tick(500 * NS_PER_MS)
    case.set_book(100_900.0, 100_901.0)
    case.tick(600 * NS_PER_MS)
    assert case.quote()["sigma"] == pytest.approx(4.0)


def trades_of(case: Case, rate: float, decay: float, seconds: int, seed: int) -> None:
    """Trades of both sides arrive so that depth δ from the mid is reached at rate·exp(−decay·δ)."""
    rng = np.random.default_rng(seed)
    mid = 100_000.5
    for _ in range(seconds):
        events = []
        for side in (1, -1):
            # reach δ_min = 0.5 or deeper: a Poisson stream thinned exponentially in depth
            for at in rng.uniform(0, 1, rng.poisson(rate)):
                depth = rng.exponential(1 / decay)
                events.append((at, side, mid + side * depth))
        events.sort()
        previous = 0.0
        for at, side, price in events:
            case.trade(price, side, round((at - previous) * NS_PER_S))
            previous = at
        case.tick(round((1.0 - previous) * NS_PER_S))


@pytest.mark.parametrize(("rate", "decay"), [(2.0, 0.3), (0.8, 0.6)])
def test_arrivals_of_known_rate_and_decay_are_found(rate: float, decay: float) -> None:
    # Given public trades that reach depth δ at rate A·exp(−κδ)
    config = {"fit_arrivals": True, "fit_depths": 10, "fit_window_s": 1e6, "fit_interval_ms": 500}
    case = Case(BARE.with_values(config))
    case.tick()
    trades_of(case, rate, decay, seconds=2500, seed=3)
    view = case.quote(after_ns=15 * NS_PER_S)
    # I expect A and κ within 15 %, marked as measured
    assert view["arrivals_are_measured"] == 1
    assert view["arrival_rate"] == pytest.approx(rate, rel=0.15)
    assert view["arrival_decay"] == pytest.approx(decay, rel=0.15)
    assert float(case.quoter.record["state"]["fit_r2"][0]) > 0.9


def test_a_bad_fit_leaves_the_last_good_one() -> None:
    config = BARE.with_values({"fit_arrivals": True, "fit_depths": 10, "fit_window_s": 100.0, "fit_interval_ms": 500})
    case = Case(config)
    case.tick()
    trades_of(case, 2.0, 0.3, seconds=300, seed=5)
    good = case.quote()
    # If trading stops for so long that the counts fade away
    for _ in range(600):
        case.tick(2 * NS_PER_S)
    # I expect the last good fit, still
    assert good["arrivals_are_measured"] == 1
    assert case.quote()["arrival_decay"] == pytest.approx(good["arrival_decay"], rel=0.5)
    assert case.quote()["arrival_rate"] > 0


def test_time_in_which_nothing_was_fitted_counts_as_no_quiet_market() -> None:
    fitting = BARE.with_values({"fit_arrivals": True, "fit_depths": 10})
    case = Case(fitting)
    for _ in range(20):
        case.tick(500 * NS_PER_MS)
    before = float(case.quoter.record["state"]["fit_intervals"][0])
    # If the fit is switched off for a minute
    case.quoter.configure(BARE, case.units)
    for _ in range(60):
        case.tick(NS_PER_S)
    case.quoter.configure(fitting, case.units)
    case.tick(NS_PER_S)
    # I expect no interval of that minute
    assert float(case.quoter.record["state"]["fit_intervals"][0]) == before


def test_depth_is_counted_from_the_mid_at_posting_time() -> None:
    # Given a quote posted when the mid was 100,000.5
    case = Case(BARE.with_values({"fit_arrivals": True, "fit_depths": 10}))
    case.tick()
    # If the mid runs up by $5 and a buyer then pays $0.5 more than the new mid
    case.set_book(100_005.0, 100_006.0)
    case.tick(200 * NS_PER_MS)
    case.trade(100_006.0, 1, 200 * NS_PER_MS)
    case.tick(700 * NS_PER_MS)
    # I expect depths up to $5.5 counted as reached, on one of two sides
    reached = case.quoter.record["state"]["fit_reached"][0][:10].tolist()
    assert reached == [1.0] * 5 + [0.0] * 5
    assert float(case.quoter.record["state"]["fit_intervals"][0]) == 2.0
