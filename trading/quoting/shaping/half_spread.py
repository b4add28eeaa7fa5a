"""Steps 2 to 5 of the half-spread: impact, flow, fee floor, bounds."""

from __future__ import annotations

import math

from domain.codes import ClampFlag
from domain.jit import Record, kernel

_FEE_FLOOR = int(ClampFlag.FEE_FLOOR)
_HALF_SPREAD_MIN = int(ClampFlag.HALF_SPREAD_MIN)
_HALF_SPREAD_MAX = int(ClampFlag.HALF_SPREAD_MAX)


@kernel
def rate_under_impact(rate: float, decay: float, impact: float) -> float:
    """Return A·exp(−κζ/2): what the models see of the arrivals when each fill moves the mid by ζ.

    Source: Guéant, Lehalle & Fernandez-Tapia (2013), MAFE 7(4), the section on market impact: their matrix has
    η·exp(−kξ/2) for η, and every depth grows by ξ/2 (their ξ is our ζ).
    """
    return rate * math.exp(-0.5 * decay * impact) if impact > 0.0 else rate


@kernel
def floored_and_bounded(params: Record, state: Record, terms: Record, half_spread: float) -> float:
    """Return the half-spread ($) above fee and margin, and within its bounds."""
    fee_half = state["mid"] * (params["fee_maker"] + 0.5 * params["fee_margin"])
    terms["half_spread_fee_floor"] = fee_half
    if params["fee_floor"] == 1 and half_spread < fee_half:
        half_spread = fee_half
        terms["clamp_flags"] |= _FEE_FLOOR
    if half_spread < params["half_spread_min"]:
        half_spread = params["half_spread_min"]
        terms["clamp_flags"] |= _HALF_SPREAD_MIN
    if half_spread > params["half_spread_max"]:
        half_spread = params["half_spread_max"]
        terms["clamp_flags"] |= _HALF_SPREAD_MAX
    return half_spread
