"""σ, A, κ and market impact as a quote uses them: measured or prior, in bounds, with what the signals make of them."""

from __future__ import annotations

import math

from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.estimators import sigma_used
from trading.quoting.impact import known_impact

FITTED = 1
BOOK_SHAPE = 2

_SIGMA_MIN = int(ClampFlag.SIGMA_MIN)
_SIGMA_MAX = int(ClampFlag.SIGMA_MAX)
_ARRIVALS_BOUNDED = int(ClampFlag.ARRIVALS_BOUNDED)
_IMPACT_BOUNDED = int(ClampFlag.IMPACT_BOUNDED)


@kernel
def used_sigma(params: Record, state: Record, terms: Record) -> float:
    """Return σ in $/√s, NaN when it is not known, and explain it."""
    raw, is_measured = sigma_used(params, state)
    sigma = math.nan
    if raw >= 0.0:
        raw *= terms["sigma_signal_factor"]
        sigma = min(max(raw, params["sigma_min"]), params["sigma_max"])
        if sigma > raw:
            terms["clamp_flags"] |= _SIGMA_MIN
        elif sigma < raw:
            terms["clamp_flags"] |= _SIGMA_MAX
    terms["sigma"] = sigma
    terms["sigma_is_measured"] = 1 if is_measured else 0
    return sigma


@kernel
def used_arrivals(params: Record, state: Record, terms: Record) -> tuple[float, float]:
    """Return (A in 1/s, κ in 1/$) and explain them: the last good fit, the book's shape, or the priors."""
    rate = params["arrival_rate_prior"]
    decay = params["arrival_decay_prior"]
    source = 0
    if params["fit_arrivals"] == 1 and state["fits"] > 0:
        source = FITTED
        rate = state["arrival_rate"]
        decay = state["arrival_decay"]
        if state["arrivals_bounded"] == 1:
            terms["clamp_flags"] |= _ARRIVALS_BOUNDED
    elif params["depth_proxy"] == 1 and state["depth_decay"] > 0.0:
        source = BOOK_SHAPE
        wanted = state["depth_decay"]
        decay = min(max(wanted, params["fit_decay_min"]), params["fit_decay_max"])
        if decay != wanted:
            terms["clamp_flags"] |= _ARRIVALS_BOUNDED
    decay *= terms["decay_signal_factor"]
    terms["arrivals_are_measured"] = source
    terms["arrival_rate"] = rate
    terms["arrival_decay"] = decay
    return rate, decay


@kernel
def used_impact_per_fill(params: Record, state: Record, terms: Record) -> float:
    """Return ζ, by how many $ the mid moves against us when one order of ours is filled; 0 when switched off.

    The impact itself is explained whether or not quotes pay for it.
    """
    impact, error, is_measured = known_impact(params, state)
    if is_measured:
        measured = impact
        impact = min(max(measured, params["impact_min"]), params["impact_max"])
        if impact != measured:
            terms["clamp_flags"] |= _IMPACT_BOUNDED
    terms["impact_per_base"] = impact
    terms["impact_error"] = error
    terms["impact_is_measured"] = 1 if is_measured else 0
    return float(impact * params["order_size"]) if params["market_impact"] == 1 else 0.0
