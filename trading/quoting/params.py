"""From configuration and instrument to the parameter record of the kernels: units are converted here, once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import LIMITS_AGE_NS_MAX
from domain.units import lots_down
from trading.quoting.config import ORDERS_MAX, QuotingConfig
from trading.quoting.records import (
    AVELLANEDA_STOIKOV,
    AVELLANEDA_STOIKOV_EXACT,
    CARTEA_JAIMUNGAL,
    FAIR_INDEX,
    FAIR_MARK,
    FAIR_MICRO,
    FAIR_MID,
    FAIR_VAMP,
    GLFT,
    PENALTY_OF_GAMMA,
    XI_IS_GAMMA,
)
from trading.quoting.shaping.config import LEVELS_MAX, PATH_SLOTS, ShapingConfig

MODELS = {
    "glft": GLFT,
    "avellaneda_stoikov": AVELLANEDA_STOIKOV,
    "avellaneda_stoikov_exact": AVELLANEDA_STOIKOV_EXACT,
    "cartea_jaimungal": CARTEA_JAIMUNGAL,
}
FAIR_PRICES = {"mid": FAIR_MID, "micro": FAIR_MICRO, "mark": FAIR_MARK, "index": FAIR_INDEX, "vamp": FAIR_VAMP}
LEVEL_STEPS = {"linear": tuple(range(LEVELS_MAX)), "fibonacci": (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)}
GRID_ORDERS_MIN = 2
_BPS = 1e-4
_NS_PER_HOUR = 3600 * NS_PER_S

Values = dict[str, float | list[float]]


class Units(NamedTuple):
    """What the venue says of the instrument.

    Attributes:
        tick_size: price step, $.
        lot_size: size step, in the units of the book's sizes.
        contract_multiplier: base units for one unit of size.
        order_lots_min: smallest order, lots.
    """

    tick_size: float
    lot_size: float
    contract_multiplier: float = 1.0
    order_lots_min: int = 1


def write_params(params: npt.NDArray[np.void], config: QuotingConfig, units: Units) -> None:
    """Fill a PARAMS record, shape (1,).

    Raises:
        ValueError: if the instrument's steps are not positive.
    """
    if not (units.tick_size > 0 and units.lot_size > 0 and units.contract_multiplier > 0):
        raise ValueError(f"tick, lot and multiplier of an instrument must be positive, not {units}")
    values = {
        **_instrument_values(config, units),
        **_model_values(config),
        **_fair_price_values(config),
        **_sigma_values(config),
        **_arrival_values(config),
        **_ladder_values(config),
        **_adjustment_values(config),
        **_shaping_values(config.shaping),
    }
    assert set(values) == set(params.dtype.names or ()), "a parameter without a value, or the other way round"
    for name, value in values.items():
        params[name][0] = value


def _instrument_values(config: QuotingConfig, units: Units) -> Values:
    lot_base = units.lot_size * units.contract_multiplier
    return {
        "tick_size": units.tick_size,
        "lot_size": units.lot_size,
        "lot_base": lot_base,
        "order_lots": lots_down(config.order_size_base, lot_base),
        "order_lots_min": max(units.order_lots_min, 1),
        "position_soft_lots": lots_down(config.position_soft_base, lot_base),
        "position_hard_lots": lots_down(config.position_hard_base, lot_base),
        "book_age_ns_max": config.book_age_ms_max * NS_PER_MS,
        "limits_age_ns_max": LIMITS_AGE_NS_MAX,
        "own_memory_ns": config.own_memory_ms * NS_PER_MS,
        "wish_refresh_ns": config.wish_refresh_ms * NS_PER_MS,
    }


def _model_values(config: QuotingConfig) -> Values:
    hours, minutes = config.session_end_utc.split(":")
    penalty = config.inventory_penalty_usd_per_base2_s
    orders = math.ceil(config.position_hard_base / config.order_size_base - 1e-9)
    return {
        "model": MODELS[config.model],
        "risk_aversion": config.risk_aversion_per_usd,
        "xi": XI_IS_GAMMA if config.xi_per_usd is None else config.xi_per_usd,
        "order_size": config.order_size_base,
        "has_session_end": config.horizon == "session_end",
        "session_end_ns": (60 * int(hours) + int(minutes)) * 60 * NS_PER_S,
        "horizon_s": config.horizon_s,
        "drift": config.drift_usd_per_s,
        "drift_momentum": config.drift_momentum_usd_per_s,
        "drift_half_spreads_max": config.drift_half_spreads_max,
        "running_penalty": PENALTY_OF_GAMMA if penalty is None else penalty,
        "terminal_penalty": config.terminal_penalty_usd_per_base2,
        "table_tolerance": config.table_tolerance,
        "grid_orders": min(max(orders, GRID_ORDERS_MIN), ORDERS_MAX),
    }


def _fair_price_values(config: QuotingConfig) -> Values:
    return {
        "fair_kind": FAIR_PRICES[config.fair_price],
        "vamp_levels": config.vamp_levels,
        "mark_weight": config.mark_weight,
        "basis_average_s": config.basis_average_s,
        "fair_offset_max": config.fair_offset_bps_max * _BPS,
        "reference_age_ns_max": config.reference_age_ms_max * NS_PER_MS,
        "funding_in_fair_price": config.funding_in_fair_price,
        "funding_interval_ns": round(config.funding_interval_h * _NS_PER_HOUR),
    }


def _sigma_values(config: QuotingConfig) -> Values:
    return {
        "sigma_is_two_scale": config.sigma_estimator == "two_scale",
        "sigma_slow_steps": config.sigma_slow_steps,
        "sigma_prior": config.sigma_prior_usd_per_sqrt_s or 0.0,
        "sigma_halflife_s": config.sigma_halflife_s,
        "sigma_grid_ns": config.sigma_grid_ms * NS_PER_MS,
        "sigma_gap_ns_max": config.sigma_gap_ms_max * NS_PER_MS,
        "sigma_samples_min": config.sigma_samples_min,
        "sigma_min": config.sigma_min_usd_per_sqrt_s,
        "sigma_max": config.sigma_max_usd_per_sqrt_s,
    }


def _arrival_values(config: QuotingConfig) -> Values:
    return {
        "arrival_rate_prior": config.arrival_rate_prior_per_s,
        "arrival_decay_prior": config.arrival_decay_prior_per_usd,
        "fit_arrivals": config.fit_arrivals,
        "fit_interval_ns": config.fit_interval_ms * NS_PER_MS,
        "fit_every_ns": round(config.fit_every_s * NS_PER_S),
        "fit_depths": config.fit_depths,
        "fit_depth_step_ticks": config.fit_depth_step_ticks,
        "fit_window_s": config.fit_window_s,
        "fit_intervals_min": config.fit_intervals_min,
        "fit_r2_min": config.fit_r2_min,
        "fit_rate_min": config.fit_rate_per_s_min,
        "fit_rate_max": config.fit_rate_per_s_max,
        "fit_decay_min": config.fit_decay_per_usd_min,
        "fit_decay_max": config.fit_decay_per_usd_max,
        "depth_proxy": config.depth_proxy,
        "depth_proxy_average_s": config.depth_proxy_average_s,
    }


def _ladder_values(config: QuotingConfig) -> Values:
    steps = LEVEL_STEPS[config.shaping.ladder_spacing]
    multipliers = config.shaping.ladder_size_multipliers
    sizes = [config.level_size_factor**level for level in range(LEVELS_MAX)]
    sizes[: len(multipliers)] = multipliers
    return {
        "levels": config.levels,
        "level_offset_ticks": [config.level_spacing_ticks * step for step in steps],
        "level_size": sizes,
        "requote_ticks_min": config.requote_ticks_min,
    }


def _adjustment_values(config: QuotingConfig) -> Values:
    return {
        "inventory_weight": config.inventory_weight,
        "fee_floor": config.fee_floor,
        "underlying_inventory_weight": config.underlying_inventory_weight,
        "fee_maker": config.fee_maker_bps * _BPS,
        "fee_margin": config.fee_margin_bps * _BPS,
        "half_spread_min": config.half_spread_min_usd,
        "half_spread_max": config.half_spread_max_usd,
    }


def _shaping_values(shaping: ShapingConfig) -> Values:
    return {
        "tick_filter": shaping.tick_filter,
        "tick_filter_ticks": shaping.tick_filter_ticks,
        "tick_filter_move_max": shaping.tick_filter_move_bps_max * _BPS,
        "tick_filter_average_s": shaping.tick_filter_average_s,
        "dynamic_gamma": shaping.dynamic_gamma,
        "gamma_sigma_base": shaping.gamma_sigma_base_usd_per_sqrt_s or 0.0,
        "gamma_factor_min": shaping.gamma_factor_min,
        "gamma_factor_max": shaping.gamma_factor_max,
        "market_stress": shaping.market_stress,
        "market_stress_max": shaping.market_stress_max,
        "stress_fast_s": shaping.stress_fast_s,
        "stress_slow_s": shaping.stress_slow_s,
        "flow_widening_max": shaping.flow_widening_max,
        "market_impact": shaping.market_impact,
        "impact": shaping.impact_usd_per_base,
        "measure_impact": shaping.measure_impact,
        "impact_interval_ns": shaping.impact_interval_ms * NS_PER_MS,
        "impact_halflife_s": shaping.impact_halflife_s,
        "impact_samples_min": shaping.impact_samples_min,
        "impact_prior_error": shaping.impact_error_usd_per_base,
        "impact_min": shaping.impact_usd_per_base_min,
        "impact_max": shaping.impact_usd_per_base_max,
        "inventory_cost": shaping.inventory_cost,
        "inventory_cost_per_base_sqrt_s": shaping.inventory_cost_per_base_sqrt_s,
        "inventory_cost_half_spreads_max": shaping.inventory_cost_half_spreads_max,
        "displacement_guard": shaping.displacement_guard,
        "displacement_slot_ns": round(shaping.displacement_window_s * NS_PER_S / (PATH_SLOTS - 1)),
        "displacement_move_min": shaping.displacement_move_bps_min * _BPS,
        "displacement_widening": shaping.displacement_widening_per_bps / _BPS,
        "displacement_factor_max": shaping.displacement_factor_max,
        "asymmetric_widening": shaping.asymmetric_widening,
        "asymmetry_ticks": shaping.asymmetry_ticks,
        "asymmetry_move_min": shaping.asymmetry_move_bps_min * _BPS,
        "asymmetry_factor": shaping.asymmetry_factor,
        "fill_imbalance": shaping.fill_imbalance,
        "fill_imbalance_window": shaping.fill_imbalance_window,
        "fill_imbalance_fills_min": shaping.fill_imbalance_fills_min,
        "fill_imbalance_share_min": shaping.fill_imbalance_share_min,
        "fill_imbalance_age_ns_max": round(shaping.fill_imbalance_age_s_max * NS_PER_S),
        "fill_imbalance_factor": shaping.fill_imbalance_factor,
        "post_fill_pause": shaping.post_fill_pause,
        "post_fill_pause_ns": round(shaping.post_fill_pause_s * NS_PER_S),
        "regime_filter": shaping.regime_filter,
        "regime_adx_max": shaping.regime_adx_max,
        "regime_trend_min": shaping.regime_trend_min,
    }
