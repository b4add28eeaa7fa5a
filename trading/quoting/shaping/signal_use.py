"""What the signals (trading/signals/use.py, bounded there) change: γ, σ, κ, the reservation price and the sizes."""

from __future__ import annotations

import math

from domain.codes import ClampFlag
from domain.jit import Record, kernel

_SIGNALS_USED = int(ClampFlag.SIGNALS_USED)


@kernel
def explain_signals(signals: Record, terms: Record) -> None:
    """Write the factors that the signals make, all 1 when they are off or not warm, and how often trades come."""
    terms["gamma_signal_factor"] = 1.0 + signals["gamma_added"]
    terms["sigma_signal_factor"] = 1.0 + signals["sigma_added"]
    terms["decay_signal_factor"] = 1.0 - signals["decay_cut"]
    terms["bid_size_factor"] = 1.0 - signals["bid_size_cut"]
    terms["ask_size_factor"] = 1.0 - signals["ask_size_cut"]
    is_flow_known = signals["flow_start_ns"] != 0
    terms["trade_intensity_per_s"] = signals["trade_intensity_per_s"] if is_flow_known else math.nan
    changes = (
        abs(signals["shift_half_spreads"]) + signals["gamma_added"] + signals["sigma_added"] + signals["decay_cut"]
        + signals["bid_size_cut"] + signals["ask_size_cut"]
    )  # fmt: skip
    if changes > 0.0:
        terms["clamp_flags"] |= _SIGNALS_USED


@kernel
def signal_shift(signals: Record, terms: Record, half_spread: float) -> float:
    """Step 2: return the shift of the reservation price ($), a bounded part of the half-spread."""
    terms["signal_shift"] = signals["shift_half_spreads"] * half_spread
    return float(terms["signal_shift"])


@kernel
def flow_factor(params: Record, signals: Record, terms: Record) -> float:
    """Step 2: return the factor of the half-spread for flow that is one-sided."""
    terms["flow_factor"] = 1.0 + params["flow_widening_max"] * abs(signals["flow_imbalance"])
    return float(terms["flow_factor"])
