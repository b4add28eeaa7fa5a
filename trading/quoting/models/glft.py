"""GLFT, infinite horizon: the default model."""

from __future__ import annotations

import math

from domain.jit import kernel
from trading.quoting.models.numbers import EXPONENT_MAX, finite_or_none, is_positive, liquidity_term


@kernel
def glft(sigma: float, rate: float, decay: float, gamma: float, xi: float, order_size: float) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit held).

    Source: Guéant (2017), "Optimal market making", arXiv:1605.01862, equations (4.6) and (4.7)::

        c1 = ln(1 + ξΔ/κ) / (ξΔ)                           → 1/κ           for ξ → 0
        c2 = √( γ/(2AΔκ) · (1 + ξΔ/κ)^(1 + κ/(ξΔ)) )        → √(γe/(2AΔκ))
        half_spread = c1 + (Δ/2)·σ·c2         skew = σ·c2

    An input that is zero, negative, infinite or NaN gives (NaN, NaN); ξ alone may be zero.
    """
    usable = is_positive(sigma) and is_positive(rate) and is_positive(decay) and is_positive(gamma)
    if not (usable and is_positive(order_size) and 0.0 <= xi < math.inf):
        return math.nan, math.nan
    scale = 2.0 * rate * order_size * decay
    if not is_positive(scale):
        return math.nan, math.nan
    c1, log_power = liquidity_term(decay, xi, order_size)
    if log_power > EXPONENT_MAX:
        return math.nan, math.nan
    c2 = math.sqrt(gamma / scale * math.exp(log_power))
    return finite_or_none(c1 + 0.5 * order_size * sigma * c2, sigma * c2)


@kernel
def glft_drift_shift(skew: float, sigma: float, gamma: float, drift: float) -> float:
    """Return the shift ($) of both quotes for a mid that drifts by `drift` $/s.

    Source: Guéant, Lehalle & Fernandez-Tapia (2013), MAFE 7(4), the section on trends: the position q counts as
    q − μ/(γσ²).
    """
    return skew * drift / (gamma * sigma * sigma)
