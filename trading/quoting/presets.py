"""Values for many parameters at once: `preset = "conservative"` under [strategy].

Sizes, position limits and what describes the market (priors, fees) are the user's own: no preset sets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading.quoting.dotted import nested, overlaid

PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "conservative": {
        "risk_aversion_per_usd": 0.05,
        "levels": 2,
        "level_spacing_ticks": 10,
        "requote_ticks_min": 3,
        "sigma_estimator": "two_scale",
        "inventory_weight": 1.5,
        "fee_floor": True,
        "fee_margin_bps": 0.5,
        "half_spread_min_usd": 2.0,
        "shaping.tick_filter": True,
        "shaping.dynamic_gamma": True,
        "shaping.gamma_factor_min": 1.0,
        "shaping.gamma_factor_max": 4.0,
        "shaping.market_stress": True,
        "shaping.inventory_cost": True,
        "shaping.displacement_guard": True,
        "shaping.asymmetric_widening": True,
        "shaping.fill_imbalance": True,
        "shaping.post_fill_pause": True,
        "shaping.ladder_spacing": "fibonacci",
    },
    "aggressive": {
        "risk_aversion_per_usd": 0.002,
        "levels": 4,
        "level_spacing_ticks": 3,
        "requote_ticks_min": 1,
        "inventory_weight": 0.8,
        "fee_margin_bps": 0.0,
        "half_spread_min_usd": 0.1,
        "shaping.tick_filter": True,
        "shaping.dynamic_gamma": True,
        "shaping.gamma_factor_min": 0.5,
        "shaping.gamma_factor_max": 2.0,
        "shaping.displacement_guard": True,
    },
}


def with_preset(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a [strategy] section laid over the values of the preset that it names.

    An unknown name is left for the types to refuse.
    """
    return overlaid(nested(PRESETS.get(str(section.get("preset")), {})), section)
