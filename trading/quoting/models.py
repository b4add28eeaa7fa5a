"""The quoting models: half-spread and skew from volatility, arrivals and risk aversion.

Symbols: S fair price ($), q position and Δ order size (base units), σ ($/√s), A (1/s) and κ (1/$) of the
arrivals A·exp(−κδ) at depth δ ($), γ risk aversion and ξ aversion to not being filled (1/$), τ (s).

    bid = S − (half_spread + skew·q)        ask = S + (half_spread − skew·q)

Pure functions of numbers. An input that is zero, negative, infinite or NaN gives (NaN, NaN), which no quote
survives; ξ alone may be zero.
"""

from __future__ import annotations

import math

from domain.jit import kernel

# Below this ξΔ/κ the limit ξ → 0 is exact to the last bit.
_RATIO_MIN = 1e-15


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
def glft(sigma: float, rate: float, decay: float, gamma: float, xi: float, order_size: float) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit held), infinite horizon.

    Source: Guéant (2017), "Optimal market making", arXiv:1605.01862, equations (4.6) and (4.7)::

        c1 = ln(1 + ξΔ/κ) / (ξΔ)                           → 1/κ           for ξ → 0
        c2 = √( γ/(2AΔκ) · (1 + ξΔ/κ)^(1 + κ/(ξΔ)) )        → √(γe/(2AΔκ))
        half_spread = c1 + (Δ/2)·σ·c2         skew = σ·c2
    """
    usable = is_positive(sigma) and is_positive(rate) and is_positive(decay) and is_positive(gamma)
    if not (usable and is_positive(order_size) and 0.0 <= xi < math.inf):
        return math.nan, math.nan
    scale = 2.0 * rate * order_size * decay
    if not is_positive(scale):
        return math.nan, math.nan
    ratio = xi * order_size / decay
    if ratio < _RATIO_MIN:
        c1 = 1.0 / decay
        log_power = 1.0
    else:
        log1p = math.log1p(ratio)
        c1 = log1p / (xi * order_size)
        log_power = (1.0 + 1.0 / ratio) * log1p
    if log_power > 700.0:  # exp would overflow: nothing sane asks for this
        return math.nan, math.nan
    c2 = math.sqrt(gamma / scale * math.exp(log_power))
    return finite_or_none(c1 + 0.5 * order_size * sigma * c2, sigma * c2)


@kernel
def avellaneda_stoikov(
    sigma: float, decay: float, gamma: float, order_size: float, horizon_s: float
) -> tuple[float, float]:
    """Return (half-spread in $, skew in $ per base unit held) at a constant time to the horizon.

    Source: Avellaneda & Stoikov (2008), Quantitative Finance 8(3), equations (29) and (30), with the order
    size Δ restored::

        half_spread = ½·(γσ²τΔ + (2/(γΔ))·ln(1 + γΔ/κ))         skew = γσ²τ
    """
    usable = is_positive(sigma) and is_positive(decay) and is_positive(gamma)
    if not (usable and is_positive(order_size) and is_positive(horizon_s)):
        return math.nan, math.nan
    skew = gamma * sigma * sigma * horizon_s
    ratio = gamma * order_size / decay
    liquidity = 1.0 / decay if ratio < _RATIO_MIN else math.log1p(ratio) / (gamma * order_size)
    return finite_or_none(0.5 * skew * order_size + liquidity, skew)
