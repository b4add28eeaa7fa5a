"""What fitted numbers imply for quotes: γ for a wished bound of the inventory, half-spread, fills an hour."""

from __future__ import annotations

import math

import msgspec

from trading.quoting.models.glft import glft

S_PER_HOUR = 3600.0
_GAMMA_MIN, _GAMMA_MAX = 1e-12, 1e9


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """GLFT with ξ = γ at a flat position, first level of each side.

    Attributes:
        half_spread_usd: from the fair price to each quote.
        skew_usd_per_base: how far both quotes move for each base unit held.
        fills_per_hour: expected, both sides together, were every arrival at that depth ours.
        is_extrapolated: the depth lies beyond those that A and κ were fitted on.
    """

    half_spread_usd: float
    skew_usd_per_base: float
    fills_per_hour: float
    is_extrapolated: bool


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """γ at which a position at the bound moves the quotes by a whole half-spread, and the quotes it gives.

    Attributes:
        model: what the model alone would quote.
        floored: what is quoted with the fee floor and the least half-spread of the configuration.
        floor_usd: that floor.
    """

    risk_aversion_per_usd: float
    inventory_bound_base: float
    order_size_base: float
    model: Quotes
    floored: Quotes
    floor_usd: float


def gamma_for_bound(sigma: float, rate: float, decay: float, order_size: float, bound: float) -> float:
    """Return the γ (1/$) at which skew·bound = half-spread; NaN when there is none within 1e-12 … 1e9.

    The ratio of the two grows with γ (c2 rises, c1 falls), so there is at most one; found by bisection. With
    bound ≤ Δ/2 the half-spread's own inventory term always exceeds the skew: no γ.
    """

    def excess(gamma: float) -> float:
        half_spread, skew = glft(sigma, rate, decay, gamma, gamma, order_size)
        return float(skew * bound - half_spread)

    low, high = _GAMMA_MIN, _GAMMA_MAX
    while math.isnan(excess(high)) and high > low:
        high /= 10.0
    if not (excess(low) < 0.0 < excess(high)):
        return math.nan
    while high / low > 1.0 + 1e-12:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if excess(middle) < 0.0 else (low, middle)
    return math.sqrt(low * high)


def fills_per_hour(rate: float, decay: float, depth: float) -> float:
    """Return the expected fills an hour of a quote at `depth` ($) on each side, both sides together."""
    return 2.0 * S_PER_HOUR * rate * math.exp(-decay * depth)


def suggest(
    sigma: float, rate: float, decay: float, *, order_size: float, bound: float, floor_usd: float, fitted_usd: float
) -> Suggestion | None:
    """Return the suggestion, None where no γ fits."""
    gamma = gamma_for_bound(sigma, rate, decay, order_size, bound)
    if math.isnan(gamma):
        return None
    half_spread, skew = glft(sigma, rate, decay, gamma, gamma, order_size)

    def quotes(half: float) -> Quotes:
        return Quotes(
            half_spread_usd=half,
            skew_usd_per_base=float(skew),
            fills_per_hour=fills_per_hour(rate, decay, half),
            is_extrapolated=half > fitted_usd,
        )

    return Suggestion(
        risk_aversion_per_usd=gamma,
        inventory_bound_base=bound,
        order_size_base=order_size,
        model=quotes(float(half_spread)),
        floored=quotes(max(float(half_spread), floor_usd)),
        floor_usd=floor_usd,
    )
