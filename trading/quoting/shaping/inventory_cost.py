"""Step 3: a position that is held long is worth getting rid of: shift = factor · |q| · time held · σ, against it.

The time runs since the position last got its sign.
"""

from __future__ import annotations

from domain.clock import NS_PER_S
from domain.codes import ClampFlag
from domain.jit import Record, kernel

_BOUNDED = int(ClampFlag.INVENTORY_COST_BOUNDED)


@kernel
def note_position(state: Record, position_lots: int, now_ns: int) -> None:
    """Start the time anew when the position has another sign than before."""
    sign = 1 if position_lots > 0 else -1 if position_lots < 0 else 0
    if sign != state["held_sign"]:
        state["held_sign"] = sign
        state["held_since_ns"] = now_ns


@kernel
def inventory_cost(
    params: Record, state: Record, terms: Record, now_ns: int, position: float, sigma: float, half_spread: float
) -> float:
    """Return the shift ($) against the position (base units)."""
    terms["inventory_cost"] = 0.0
    if params["inventory_cost"] == 0 or position == 0.0:
        return 0.0
    held_s = max(now_ns - state["held_since_ns"], 0) / NS_PER_S
    cost = params["inventory_cost_per_base_sqrt_s"] * abs(position) * held_s * sigma
    largest = params["inventory_cost_half_spreads_max"] * half_spread
    if cost > largest:
        cost = largest
        terms["clamp_flags"] |= _BOUNDED
    terms["inventory_cost"] = -cost if position > 0.0 else cost
    return float(terms["inventory_cost"])
