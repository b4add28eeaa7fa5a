"""From configuration and instrument to the parameter record of the kernels: units are converted here, once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import LIMITS_AGE_NS_MAX
from domain.units import lots_down
from trading.quoting.config import QuotingConfig
from trading.quoting.records import AVELLANEDA_STOIKOV, GLFT

MODELS = {"glft": GLFT, "avellaneda_stoikov": AVELLANEDA_STOIKOV}
_BPS = 1e-4


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
    lot_base = units.lot_size * units.contract_multiplier
    values: dict[str, float] = {
        "model": MODELS[config.model],
        "fair_is_micro": config.fair_price == "micro",
        "order_lots": lots_down(config.order_size_base, lot_base),
        "order_lots_min": max(units.order_lots_min, 1),
        "levels": config.levels,
        "level_spacing_ticks": config.level_spacing_ticks,
        "requote_ticks_min": config.requote_ticks_min,
        "sigma_grid_ns": config.sigma_grid_ms * NS_PER_MS,
        "sigma_gap_ns_max": config.sigma_gap_ms_max * NS_PER_MS,
        "sigma_samples_min": config.sigma_samples_min,
        "fit_arrivals": config.fit_arrivals,
        "fit_interval_ns": config.fit_interval_ms * NS_PER_MS,
        "fit_every_ns": round(config.fit_every_s * NS_PER_S),
        "fit_depths": config.fit_depths,
        "fit_depth_step_ticks": config.fit_depth_step_ticks,
        "fee_floor": config.fee_floor,
        "position_soft_lots": lots_down(config.position_soft_base, lot_base),
        "position_hard_lots": lots_down(config.position_hard_base, lot_base),
        "book_age_ns_max": config.book_age_ms_max * NS_PER_MS,
        "limits_age_ns_max": LIMITS_AGE_NS_MAX,
        "own_memory_ns": config.own_memory_ms * NS_PER_MS,
        "wish_refresh_ns": config.wish_refresh_ms * NS_PER_MS,
        "tick_size": units.tick_size,
        "lot_size": units.lot_size,
        "lot_base": lot_base,
        "risk_aversion": config.risk_aversion_per_usd,
        "xi": config.risk_aversion_per_usd if config.xi_per_usd is None else config.xi_per_usd,
        "horizon_s": config.horizon_s,
        "order_size": config.order_size_base,
        "level_size_factor": config.level_size_factor,
        "sigma_prior": config.sigma_prior_usd_per_sqrt_s or 0.0,
        "sigma_halflife_s": config.sigma_halflife_s,
        "sigma_min": config.sigma_min_usd_per_sqrt_s,
        "sigma_max": config.sigma_max_usd_per_sqrt_s,
        "arrival_rate_prior": config.arrival_rate_prior_per_s,
        "arrival_decay_prior": config.arrival_decay_prior_per_usd,
        "fit_window_s": config.fit_window_s,
        "fit_intervals_min": config.fit_intervals_min,
        "fit_r2_min": config.fit_r2_min,
        "fit_rate_min": config.fit_rate_per_s_min,
        "fit_rate_max": config.fit_rate_per_s_max,
        "fit_decay_min": config.fit_decay_per_usd_min,
        "fit_decay_max": config.fit_decay_per_usd_max,
        "inventory_weight": config.inventory_weight,
        "underlying_inventory_weight": config.underlying_inventory_weight,
        "fee_maker": config.fee_maker_bps * _BPS,
        "fee_margin": config.fee_margin_bps * _BPS,
        "half_spread_min": config.half_spread_min_usd,
        "half_spread_max": config.half_spread_max_usd,
    }
    assert set(values) == set(params.dtype.names or ()), "a parameter without a value, or the other way round"
    for name, value in values.items():
        params[name][0] = value
