"""Avellaneda-Stoikov, as in the paper: its approximation for a finite horizon."""

from __future__ import annotations

import math

from domain.jit import kernel
from trading.quoting.models.numbers import finite_or_none, is_positive, liquidity_term


@kernel
def avellaneda_stoikov(
    sigma: float, decay: float, gamma: float, order_size: float, horizon_s: float
) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit held) with τ = `horizon_s` to go.

    Source: Avellaneda & Stoikov (2008), Quantitative Finance 8(3), equations (29) and (30), with the order
    size Δ restored::

        half_spread = ½·(γσ²τΔ + (2/(γΔ))·ln(1 + γΔ/κ))         skew = γσ²τ

    An input that is zero, negative, infinite or NaN gives (NaN, NaN).
    """
    usable = is_positive(sigma) and is_positive(decay) and is_positive(gamma)
    if not (usable and is_positive(order_size) and is_positive(horizon_s)):
        return math.nan, math.nan
    skew = gamma * sigma * sigma * horizon_s
    liquidity, _ = liquidity_term(decay, gamma, order_size)
    return finite_or_none(0.5 * skew * order_size + liquidity, skew)
