"""σ without the bounce, and κ from the shape of the book, against markets whose true values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag
from tests.quoting_case import BARE, UNITS, Case
from trading.quoting.config import QuotingConfig

FINE = UNITS._replace(tick_size=0.01)
SIGMA = 5.0
GRID_S = 0.25


def measured(config: QuotingConfig, noise: float, seed: int, seconds: int = 1500) -> float:
    """Return σ as used after a diffusion of 5 $/√s whose mid bounces by `noise` ($, standard deviation)."""
    rng = np.random.default_rng(seed)
    case = Case(config, FINE)
    price = 100_000.0
    for _ in range(round(seconds / GRID_S)):
        price += rng.normal(0.0, SIGMA * math.sqrt(GRID_S))
        mid = price + rng.normal(0.0, noise)
        case.set_book(round(mid - 0.5, 2), round(mid + 0.5, 2), levels=1)
        case.tick(250 * NS_PER_MS)
    return float(case.decide()["sigma"])


def config(estimator: str) -> QuotingConfig:
    return BARE.with_values({"sigma_estimator": estimator, "sigma_halflife_s": 300.0})


def test_two_scales_see_through_the_bounce() -> None:
    # Given noise that triples the variance of a return on the grid: 2ω²/g = 2·σ²
    noise = SIGMA * math.sqrt(GRID_S)
    # I expect the plain estimate at √3·σ, and the two-scale one at σ, within four standard errors
    assert measured(config("ewma"), noise, seed=1) == pytest.approx(math.sqrt(3) * SIGMA, rel=0.15)
    assert measured(config("two_scale"), noise, seed=1) == pytest.approx(SIGMA, rel=0.25)


def test_without_noise_both_agree() -> None:
    plain, two_scale = (measured(config(name), 0.0, seed=2) for name in ("ewma", "two_scale"))
    assert plain == pytest.approx(SIGMA, rel=0.15)
    assert two_scale == pytest.approx(SIGMA, rel=0.25)


def test_a_quiet_market_brings_both_scales_down_and_neither_below_zero() -> None:
    case = Case(config("two_scale").with_values({"sigma_halflife_s": 2.0, "sigma_samples_min": 1}))
    for i in range(200):
        case.set_book(100_000.0 + i % 2, 100_001.0 + i % 2)  # nothing but bounce
        case.tick(250 * NS_PER_MS)
    view = case.decide()
    assert view["sigma"] == pytest.approx(0.1)  # the configured floor
    assert view["clamp_flags"] & ClampFlag.SIGMA_MIN
    for _ in range(5):
        case.tick(9 * NS_PER_S)
    assert case.decide()["sigma"] == pytest.approx(0.1)


def test_an_outage_starts_both_scales_anew() -> None:
    case = Case(config("two_scale").with_values({"sigma_samples_min": 1, "sigma_halflife_s": 1.0}))
    for _ in range(20):
        case.tick(250 * NS_PER_MS)
    calm = case.decide()["sigma"]
    case.set_book(101_000.0, 101_001.0)
    case.tick(11 * NS_PER_S)
    for _ in range(20):
        case.tick(250 * NS_PER_MS)
    assert case.decide()["sigma"] <= calm


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"sigma_estimator": "ewma"}, {"sigma_estimator": "two_scale"}),
        ({"sigma_slow_steps": 4}, {"sigma_slow_steps": 32}),
    ],
)
def test_a_change_of_the_scales_while_running_makes_no_return_out_of_old_mids(
    before: dict[str, object], after: dict[str, object]
) -> None:
    # Given a market that was $500 lower a while ago
    usual = config("two_scale").with_values({"sigma_samples_min": 1, "sigma_halflife_s": 5.0})
    case = Case(usual.with_values(before))
    case.tick()
    for dollars in range(0, 501, 10):
        case.set_book(100_000.0 + dollars, 100_001.0 + dollars)
        case.tick(250 * NS_PER_MS)
    for _ in range(400):
        case.tick(250 * NS_PER_MS)
    # If the estimator is set otherwise, I expect σ to stay as quiet as the market
    case.quoter.configure(usual.with_values(after), case.units)
    for _ in range(80):
        case.tick(250 * NS_PER_MS)
        assert case.decide()["sigma"] < 0.2


@pytest.mark.parametrize("decay", [0.2, 1.0, 5.0])
def test_kappa_is_found_in_a_book_whose_size_falls_exponentially(decay: float) -> None:
    # Given sizes exp(−κδ) at ten levels that reach far enough to hold nearly all of it
    case = Case(BARE.with_values({"depth_proxy": True}), FINE)
    step = round(0.5 / decay, 2)
    for i in range(10):
        case.book["bid_price"][0, i] = 100_000.0 - i * step
        case.book["ask_price"][0, i] = 100_000.0 + step + i * step
        case.book["bid_size"][0, i] = case.book["ask_size"][0, i] = 50.0 * math.exp(-decay * (i + 0.5) * step)
    view = case.quote()
    # I expect κ within the error of a coarse grid that ends after five mean distances
    assert view["arrival_decay"] == pytest.approx(decay, rel=0.1)
    assert view["arrivals_are_measured"] == 2


def test_our_own_orders_are_no_part_of_that_shape() -> None:
    config = BARE.with_values({"depth_proxy": True})
    without, with_ours = Case(config), Case(config)
    with_ours.book["bid_size"][0, 9] += 0.5
    with_ours.work("bid", (99_991, 500))
    assert with_ours.quote()["arrival_decay"] == pytest.approx(without.quote()["arrival_decay"])


def test_that_shape_is_held_within_the_bounds_of_a_fit() -> None:
    view = Case(BARE.with_values({"depth_proxy": True, "fit_decay_per_usd_min": 2.0})).quote()
    assert view["arrival_decay"] == 2.0
    assert view["clamp_flags"] & ClampFlag.ARRIVALS_BOUNDED
