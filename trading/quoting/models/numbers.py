"""What the models ask of their inputs and of their results."""

from __future__ import annotations

import math

from domain.jit import kernel

# Below this ξΔ/κ the limit ξ → 0 is exact to the last bit.
RATIO_MIN = 1e-15
EXPONENT_MAX = 700.0  # exp would overflow: nothing sane asks for this


@kernel
def is_positive(value: float) -> bool:
    """Return whether `value` is a positive finite number (False for NaN)."""
    return 0.0 < value < math.inf


@kernel
def finite_or_none(half_spread: float, skew: float) -> tuple[float, float]:
    """Return both numbers, or NaN for both when one of them left the range of float64."""
    if is_positive(half_spread) and 0.0 <= skew < math.inf:
        return half_spread, skew
    return math.nan, math.nan


@kernel
def liquidity_term(decay: float, aversion: float, order_size: float) -> tuple[float, float]:
    """Return (ln(1 + x) / (ξΔ) in $, (1 + 1/x)·ln(1 + x)) with x = ξΔ/κ; their limits 1/κ and 1 for ξ → 0."""
    ratio = aversion * order_size / decay
    if ratio < RATIO_MIN:
        return 1.0 / decay, 1.0
    log1p = math.log1p(ratio)
    return log1p / (aversion * order_size), (1.0 + 1.0 / ratio) * log1p
