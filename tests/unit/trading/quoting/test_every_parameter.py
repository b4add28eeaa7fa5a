"""Walks over every field of QuotingConfig and shows that it changes a quote, a size or a refusal.

A new parameter without a case here fails the first test.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest

from domain.codes import ClampFlag, OffReason
from tests.quoting_case import BARE, quote
from tests.quoting_scenarios import (
    Scenario,
    climbing,
    displaced,
    drifting,
    filled_often,
    filled_six_times,
    fine,
    flat,
    flowing,
    hedged,
    held,
    jumped,
    just_cancelled,
    just_filled,
    long,
    lopsided,
    moving,
    premium,
    referenced,
    reshaped,
    retuned,
    signalled,
    silent,
    stressed,
    trading,
    unchanged,
)
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import parameter_names

AS = BARE.with_values({"model": "avellaneda_stoikov"})
FEES = BARE.with_values({"fee_floor": True})
FIT = BARE.with_values(
    {"fit_arrivals": True, "fit_intervals_min": 20.0, "fit_every_s": 5.0, "fit_window_s": 1e6, "fit_r2_min": 0.0,
     "fit_depths": 8, "fit_depth_step_ticks": 100}
)  # fmt: skip
FAR = AS.with_values({"horizon_s": 1e6})
CJ = BARE.with_values({"model": "cartea_jaimungal", "order_size_base": 0.2})
MARK = BARE.with_values({"fair_price": "mark"})
INDEX = BARE.with_values({"fair_price": "index", "fair_offset_bps_max": 1000.0})
FUNDING = BARE.with_values({"funding_in_fair_price": True})
SIGNALS = BARE.with_values({"signals.is_enabled": True})


# parameter: (what is configured around it, value, other value, scenario)
CASES: dict[str, tuple[QuotingConfig, Any, Any, Scenario]] = {
    "model": (BARE, "glft", "avellaneda_stoikov", long),
    "risk_aversion_per_usd": (BARE, 0.01, 10.0, long),
    "xi_per_usd": (BARE, None, 500.0, flat),
    "horizon_s": (AS, 60.0, 6000.0, long),
    "fair_price": (BARE, "mid", "micro", lopsided),
    "vamp_levels": (BARE.with_values({"fair_price": "vamp"}), 1, 5, lopsided),
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
    # models and fair price
    "preset": (BARE, "none", "aggressive", flat),
    "horizon": (FAR, "rolling", "session_end", long),
    "session_end_utc": (FAR.with_values({"horizon": "session_end"}), "00:00", "12:00", long),
    "drift_usd_per_s": (BARE, 0.0, 0.05, flat),
    "drift_half_spreads_max": (BARE.with_values({"drift_usd_per_s": 1.0}), 1.0, 5.0, flat),
    "drift_momentum_usd_per_s": (SIGNALS, 0.0, 0.1, signalled),
    "inventory_penalty_usd_per_base2_s": (CJ, None, 5.0, long),
    "terminal_penalty_usd_per_base2": (CJ.with_values({"horizon_s": 1.0}), 0.0, 10.0, long),
    "table_tolerance": (CJ, 0.01, 1.0, retuned),
    "mark_weight": (MARK, 0.1, 0.2, referenced),
    "basis_average_s": (INDEX, 60.0, 1.0, premium),
    "fair_offset_bps_max": (MARK, 10.0, 1.0, referenced),
    "reference_age_ms_max": (MARK, 5000, 500, referenced),
    "funding_in_fair_price": (BARE, False, True, referenced),
    "funding_interval_h": (FUNDING, 8.0, 1.0, referenced),
    # estimators
    "sigma_estimator": (BARE.with_values({"sigma_samples_min": 1}), "ewma", "two_scale", moving),
    "sigma_slow_steps": (
        BARE.with_values({"sigma_samples_min": 1, "sigma_estimator": "two_scale"}),
        8,
        2,
        moving,
    ),
    "depth_proxy": (BARE, False, True, flat),
    "depth_proxy_average_s": (BARE.with_values({"depth_proxy": True}), 60.0, 0.1, reshaped),
}


def shaped(**changes: Any) -> QuotingConfig:
    return BARE.with_values({f"shaping.{name}": value for name, value in changes.items()})


FILTER = shaped(tick_filter=True)
GAMMA = shaped(dynamic_gamma=True, gamma_sigma_base_usd_per_sqrt_s=1.0)
STRESS = shaped(market_stress=True)
IMPACT = shaped(market_impact=True)
MEASURED_IMPACT = shaped(
    market_impact=True, measure_impact=True, impact_samples_min=10, impact_error_usd_per_base=1000.0
)
COST = shaped(inventory_cost=True)
GUARD = shaped(displacement_guard=True)
ASYMMETRIC = shaped(asymmetric_widening=True)
FILLS = shaped(fill_imbalance=True)
REGIME = SIGNALS.with_values({"shaping.regime_filter": True})

SHAPING_CASES: dict[str, tuple[QuotingConfig, Any, Any, Scenario]] = {
    "tick_filter": (BARE, False, True, jumped),
    "tick_filter_move_bps_max": (FILTER, 200.0, 500.0, jumped),
    "tick_filter_average_s": (FILTER.with_values({"shaping.tick_filter_move_bps_max": 330.0}), 10.0, 1000.0, jumped),
    "tick_filter_ticks": (FILTER, 10, 3, jumped),
    "dynamic_gamma": (GAMMA, False, True, long),
    "gamma_sigma_base_usd_per_sqrt_s": (GAMMA, None, 1.0, long),
    "gamma_factor_min": (GAMMA.with_values({"shaping.gamma_sigma_base_usd_per_sqrt_s": 50.0}), 0.5, 0.2, long),
    "gamma_factor_max": (GAMMA, 3.0, 4.0, long),
    "market_stress": (STRESS, False, True, stressed),
    "market_stress_max": (STRESS, 1.0, 3.0, stressed),
    "stress_fast_s": (STRESS, 5.0, 50.0, stressed),
    "stress_slow_s": (STRESS, 600.0, 10.0, stressed),
    "flow_widening_max": (SIGNALS, 0.0, 0.5, signalled),
    "market_impact": (BARE, False, True, fine),
    "impact_usd_per_base": (IMPACT, 10.0, 100.0, fine),
    "measure_impact": (MEASURED_IMPACT, False, True, flowing),
    "impact_error_usd_per_base": (MEASURED_IMPACT, 1000.0, 10.0, flowing),
    "impact_interval_ms": (MEASURED_IMPACT, 1000, 2000, flowing),
    "impact_halflife_s": (MEASURED_IMPACT, 600.0, 5.0, flowing),
    "impact_samples_min": (MEASURED_IMPACT, 10, 100, flowing),
    "impact_usd_per_base_min": (MEASURED_IMPACT, 0.0, 500.0, flowing),
    "impact_usd_per_base_max": (MEASURED_IMPACT, 1000.0, 50.0, flowing),
    "inventory_cost": (BARE, False, True, held),
    "inventory_cost_per_base_sqrt_s": (COST, 0.01, 0.0001, held),
    "inventory_cost_half_spreads_max": (COST, 1.0, 2.0, held),
    "displacement_guard": (BARE, False, True, displaced),
    "displacement_window_s": (GUARD, 30.0, 2.0, displaced),
    "displacement_move_bps_min": (GUARD, 10.0, 15.0, displaced),
    "displacement_widening_per_bps": (GUARD, 0.2, 0.1, displaced),
    "displacement_factor_max": (GUARD, 3.0, 1.5, displaced),
    "asymmetric_widening": (BARE, False, True, climbing),
    "asymmetry_ticks": (ASYMMETRIC, 20, 10, climbing),
    "asymmetry_move_bps_min": (ASYMMETRIC, 8.0, 20.0, climbing),
    "asymmetry_factor": (ASYMMETRIC, 1.2, 2.0, climbing),
    "fill_imbalance": (BARE, False, True, filled_often),
    "fill_imbalance_window": (FILLS, 10, 20, filled_often),
    "fill_imbalance_fills_min": (FILLS, 5, 8, filled_six_times),
    "fill_imbalance_share_min": (FILLS, 0.7, 0.9, filled_often),
    "fill_imbalance_age_s_max": (FILLS, 600.0, 3.0, filled_often),
    "fill_imbalance_factor": (FILLS, 1.3, 2.0, filled_often),
    "post_fill_pause": (BARE, False, True, just_filled),
    "post_fill_pause_s": (shaped(post_fill_pause=True), 3.0, 0.5, just_filled),
    "regime_filter": (SIGNALS, False, True, signalled),
    "regime_adx_max": (REGIME, 37.5, 60.0, signalled),
    "regime_trend_min": (REGIME, 0.2, 0.8, signalled),
    "ladder_spacing": (BARE.with_values({"levels": 5}), "linear", "fibonacci", flat),
    "ladder_size_multipliers": (BARE, (), (1.0, 2.0, 3.0), flat),
}
CASES |= {f"shaping.{name}": case for name, case in SHAPING_CASES.items()}
# The signals and the user's own files have tests of their own, in tests/unit/trading/signals and .../quoting/user.
ELSEWHERE = ("signals.", "file", "user")
PARAMETERS = [name for name in parameter_names(QuotingConfig) if not name.startswith(ELSEWHERE)]
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
    assert flowing(MEASURED_IMPACT)["impact_is_measured"] == 1
    assert flowing(IMPACT)["impact_is_measured"] == 0
    assert fitted["arrival_rate"] != FIT.arrival_rate_prior_per_s
    bounded = trading(FIT.with_values({"fit_decay_per_usd_min": 50.0}))
    assert bounded["clamp_flags"] & ClampFlag.ARRIVALS_BOUNDED
