"""σ² without the bounce: two scales of the same grid.

A mid that carries noise of variance ω² around the price gives E[ΔS²/Δt] = σ² + 2ω²/Δt. On the grid (Δt = g) and on K
points of it (Δt = K·g, a return for every point, so they overlap) that is::

    fast = σ² + 2ω²/g        slow = σ² + 2ω²/(K·g)        σ² = (K·slow − fast) / (K − 1)

Source: Zhang, Mykland & Aït-Sahalia (2005), "A tale of two time scales", JASA 100, equation (55), with averages that
forget in place of sums over a day.
"""

from __future__ import annotations

import math

from domain.clock import NS_PER_S
from domain.jit import Record, kernel
from trading.quoting.config import GRID_STEPS_MAX


@kernel
def start_slow_scale(state: Record, mid: float) -> None:
    """Begin the grid at `mid`: no return reaches back beyond it. The slow variance stays."""
    state["sigma_grid_mid"][0] = mid
    state["sigma_points"] = 1


@kernel
def update_slow_variance(params: Record, state: Record, steps: int, mid: float) -> None:
    """Take `steps` points of the grid, at all of which `mid` was in force, into the slow variance."""
    slow_steps = int(params["sigma_slow_steps"])
    grid_s = params["sigma_grid_ns"] / NS_PER_S
    keep = math.exp(-math.log(2.0) * grid_s / params["sigma_halflife_s"])
    ring = state["sigma_grid_mid"]
    slots = GRID_STEPS_MAX + 1  # whatever `sigma_slow_steps` is, for it may change
    points = int(state["sigma_points"])
    variance = state["sigma_slow_variance"]
    if variance == 0.0:
        variance = state["sigma_variance"]
    told_apart = min(steps, slots)  # after these, every return over the slow scale is zero
    for _ in range(told_apart):
        if points >= slow_steps:
            move = mid - ring[(points - slow_steps) % slots]
            sample = move * move / (slow_steps * grid_s)
            if sample < math.inf:
                variance = sample if variance == 0.0 else keep * variance + (1.0 - keep) * sample
        ring[points % slots] = mid
        points += 1
    if steps > told_apart:
        variance *= keep ** (steps - told_apart)
        points += steps - told_apart
        for i in range(slots):
            ring[i] = mid
    state["sigma_points"] = points
    state["sigma_slow_variance"] = variance


@kernel
def two_scale_variance(params: Record, state: Record) -> float:
    """Return σ² in $²/s, at least 0; the grid's own until the slow scale has a value."""
    fast = state["sigma_variance"]
    slow = state["sigma_slow_variance"]
    if slow == 0.0:
        return float(fast)
    slow_steps = float(params["sigma_slow_steps"])
    return float(max((slow_steps * slow - fast) / (slow_steps - 1.0), 0.0))
