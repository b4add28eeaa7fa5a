"""Walks over every field of QuotingConfig and shows that it changes a quote, a size or a refusal.

A new parameter without a case here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
import numpy as np
import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ClampFlag, OffReason
from tests.quoting_case import BARE, UNITS, Case, quote
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import parameter_names

FINE = UNITS._replace(tick_size=0.01)  # where an effect of a cent counts
View = dict[str, Any]
Scenario = Callable[[QuotingConfig], View]

AS = BARE.with_values({"model": "avellaneda_stoikov"})
FEES = BARE.with_values({"fee_floor": True})
FIT = BARE.with_values(
    {"fit_arrivals": True, "fit_intervals_min": 20.0, "fit_every_s": 5.0, "fit_window_s": 1e6, "fit_r2_min": 0.0,
     "fit_depths": 8, "fit_depth_step_ticks": 100}
)  # fmt: skip


def flat(config: QuotingConfig) -> View:
    return quote(config)


def lopsided(config: QuotingConfig) -> View:
    case = Case(config)
    case.set_book(100_000.0, 100_010.0, bid_size=9.0, ask_size=1.0)
    return case.quote()


def long(config: QuotingConfig) -> View:
    return quote(config, position_lots=2000)


def hedged(config: QuotingConfig) -> View:
    """Long here, and as short elsewhere."""
    case = Case(config)
    case.hold(2000)
    case.net_delta = 0.0
    return case.quote()


def moving(config: QuotingConfig) -> View:
    """The mid jumps up and down by $10, an uneven number of times in each second, and rests at last."""
    case = Case(config, FINE)
    case.hold(2000)
    for i in range(40):
        case.set_book(100_000.0 + 10.0 * (i % 3 == 0), 100_001.0 + 10.0 * (i % 3 == 0))
        case.tick(170 * NS_PER_MS)
    case.set_book(100_000.0, 100_001.0)
    case.tick(2 * NS_PER_S)
    return case.quote(2 * NS_PER_S)


def trading(config: QuotingConfig) -> View:
    """Public trades go as far from the mid as an exponential law says."""
    case = Case(config, FINE)
    case.hold(2000)
    rng = np.random.default_rng(7)
    case.set_book(100_000.0, 100_001.0)
    case.tick()
    for _ in range(400):
        side = int(rng.choice([-1, 1]))
        case.trade(100_000.5 + side * (0.5 + round(rng.exponential(3.0))), side, 100 * NS_PER_MS)
        case.tick(150 * NS_PER_MS)
    return case.quote()


def silent(config: QuotingConfig) -> View:
    case = Case(config)
    case.tick()
    case.alive_time_ns = case.now_ns
    return case.decide(after_ns=1500 * NS_PER_MS)


def unchanged(config: QuotingConfig) -> View:
    case = Case(config)
    case.quote()
    return case.decide(after_ns=60 * NS_PER_MS)


def just_cancelled(config: QuotingConfig) -> View:
    """Our order is gone, 50 ms ago, but the book still shows it."""
    case = Case(config)
    case.set_book(99_980.0, 100_020.0)
    case.book["bid_price"][0, 0] = 100_000.0
    case.work("bid", (100_000, 1000))
    case.tick()
    case.work("bid")
    return case.quote(50 * NS_PER_MS)


def drifting(config: QuotingConfig) -> View:
    """The market moves by a single tick."""
    case = Case(config)
    case.quote()
    case.set_book(100_001.0, 100_002.0)
    return case.quote(50 * NS_PER_MS)


# parameter: (what is configured around it, value, other value, scenario)
CASES: dict[str, tuple[QuotingConfig, Any, Any, Scenario]] = {
    "model": (BARE, "glft", "avellaneda_stoikov", long),
    "risk_aversion_per_usd": (BARE, 0.01, 10.0, long),
    "xi_per_usd": (BARE, None, 500.0, flat),
    "horizon_s": (AS, 60.0, 6000.0, long),
    "fair_price": (BARE, "mid", "micro", lopsided),
    "own_memory_ms": (BARE, 200, 20, just_cancelled),
    "order_size_base": (BARE, 0.01, 0.02, flat),
    "levels": (BARE, 3, 5, flat),
    "level_spacing_ticks": (BARE, 5, 7, flat),
    "requote_ticks_min": (BARE, 1, 2, drifting),
    "level_size_factor": (BARE, 1.0, 2.0, flat),
    "sigma_prior_usd_per_sqrt_s": (BARE, 5.0, 50.0, long),
    "sigma_halflife_s": (BARE.with_values({"sigma_samples_min": 1}), 60.0, 0.5, moving),
    "sigma_grid_ms": (BARE.with_values({"sigma_samples_min": 1}), 250, 1000, moving),
    "sigma_gap_ms_max": (BARE.with_values({"sigma_samples_min": 1, "sigma_halflife_s": 1.0}), 10_000, 1_500, moving),
    "sigma_samples_min": (BARE, 1, 1000, moving),
    "sigma_min_usd_per_sqrt_s": (BARE, 0.1, 50.0, long),
    "sigma_max_usd_per_sqrt_s": (BARE, 200.0, 1.0, long),
    "arrival_rate_prior_per_s": (BARE, 1.0, 0.01, long),
    "arrival_decay_prior_per_usd": (BARE, 0.5, 0.05, flat),
    "fit_arrivals": (FIT, False, True, trading),
    "fit_interval_ms": (FIT, 1000, 300, trading),
    "fit_window_s": (FIT, 1e6, 5.0, trading),
    "fit_every_s": (FIT, 5.0, 1000.0, trading),
    "fit_depths": (FIT, 8, 3, trading),
    "fit_depth_step_ticks": (FIT, 100, 200, trading),
    "fit_intervals_min": (FIT, 20.0, 1e6, trading),
    "fit_r2_min": (FIT, 0.0, 1.0, trading),
    "fit_rate_per_s_min": (FIT, 0.001, 500.0, trading),
    "fit_rate_per_s_max": (FIT, 1000.0, 0.002, trading),
    "fit_decay_per_usd_min": (FIT, 0.001, 50.0, trading),
    "fit_decay_per_usd_max": (FIT, 100.0, 0.002, trading),
    "inventory_weight": (BARE, 1.0, 0.0, long),
    "underlying_inventory_weight": (BARE, 0.0, 0.5, hedged),
    "fee_floor": (BARE, False, True, flat),
    "fee_maker_bps": (FEES, 1.0, 2.0, flat),
    "fee_margin_bps": (FEES, 0.0, 1.0, flat),
    "half_spread_min_usd": (BARE, 0.0, 20.0, flat),
    "half_spread_max_usd": (BARE, 500.0, 1.0, flat),
    "position_soft_base": (BARE, 5.0, 1.0, long),
    "position_hard_base": (BARE.with_values({"position_soft_base": 1.0}), 10.0, 1.5, long),
    "book_age_ms_max": (BARE, 2000, 1000, silent),
    "wish_refresh_ms": (BARE, 100, 50, unchanged),
}
PARAMETERS = [name for name in parameter_names(QuotingConfig) if not name.startswith("signals.")]
# What a user sees of a quote; terms of the explanation alone would not prove an effect.
VISIBLE = ("bids", "bid_lots", "asks", "ask_lots", "bid_off_reason", "ask_off_reason", "is_written")


def test_every_parameter_has_a_case() -> None:
    assert sorted(CASES) == sorted(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_moves_a_quote_a_size_or_a_refusal(name: str) -> None:
    # Given two configurations that differ in one parameter
    around, value, other, scenario = CASES[name]
    # If both see the same market
    first = scenario(around.with_values({name: value}))
    second = scenario(around.with_values({name: other}))
    # I expect different quotes
    assert [first[key] for key in VISIBLE] != [second[key] for key in VISIBLE]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_has_a_description(name: str) -> None:
    *path, last = name.split(".")
    kind: Any = QuotingConfig
    for part in path:
        kind = get_type_hints(kind)[part]
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"][last]
    texts = [schema.get("description"), *(part.get("description") for part in schema.get("anyOf", []))]
    assert any(texts), f"{name} has no description"


def test_the_effects_have_the_right_sign() -> None:
    # If σ, γ or 1/A grows, I expect wider quotes or a stronger skew
    calm, wild = quote(BARE), quote(BARE.with_values({"sigma_prior_usd_per_sqrt_s": 50.0}))
    assert wild["half_spread"] > calm["half_spread"]
    # If long, I expect both quotes lower
    assert quote(BARE, 2000)["reservation_price"] < quote(BARE)["reservation_price"]
    assert quote(BARE, -2000)["reservation_price"] > quote(BARE)["reservation_price"]
    # If the feed is silent for too long, I expect the reason, not only an absence
    stale = silent(BARE.with_values({"book_age_ms_max": 1000}))
    assert stale["bid_off_reason"] == stale["ask_off_reason"] == OffReason.BOOK_STALE


def test_a_measured_number_is_told_from_a_prior() -> None:
    assert quote()["sigma_is_measured"] == 0
    assert moving(BARE.with_values({"sigma_samples_min": 1}))["sigma_is_measured"] == 1
    fitted = trading(FIT)
    assert fitted["arrivals_are_measured"] == 1
    assert fitted["arrival_rate"] != FIT.arrival_rate_prior_per_s
    bounded = trading(FIT.with_values({"fit_decay_per_usd_min": 50.0}))
    assert bounded["clamp_flags"] & ClampFlag.ARRIVALS_BOUNDED
