"""What a quoter measures while it runs: σ of the mid, and the arrivals A and κ.

σ: EWMA of ΔS²/Δt over mids sampled on a clock grid, $/√s. The mid at a point of the grid is the one that was
in force then, so a quiet market gives zero returns. An outage gives none: after a gap, an unusable book or a
restart the grid starts anew. Or two_scale.py, which takes out the bounce.

A, κ: from hypothetical quotes. One lives for `fit_interval`; it was reached at depth δ when a public trade went
as far as δ from the mid *at its posting*. With p̂ the ratio reached at δ, λ̂ = −ln(1 − p̂)/interval; ln λ̂ = ln A − κδ
is fitted by least squares weighted by counts. Not the distance from the latest mid, and not own fills: both
are biased. Only a fit that is good enough replaces the last good one, or the priors.
"""

from __future__ import annotations

import math

from domain.jit import Record, kernel
from trading.quoting.two_scale import start_slow_scale, two_scale_variance, update_slow_variance

NS_PER_S = 1e9
_REACHED_MIN = 1.0  # depths seen reached less often carry no information
_DEPTHS_MIN = 3
_TICK_TOLERANCE = 1e-7


@kernel
def forget_times(state: Record) -> None:
    """Start grid and interval anew: what lies between then and now is no return."""
    state["sigma_anchor_time_ns"] = 0
    state["fit_start_time_ns"] = 0
    state["average_time_ns"] = 0
    state["impact_start_time_ns"] = 0


@kernel
def update_sigma(params: Record, state: Record, time_ns: int) -> None:
    """Take the mid in `state`, seen at `time_ns`, into the estimate of σ."""
    anchor_ns = state["sigma_anchor_time_ns"]
    mid = state["mid"]
    if anchor_ns == 0:
        state["sigma_anchor_time_ns"] = time_ns
        state["sigma_anchor_mid"] = mid
        state["sigma_last_mid"] = mid
        start_slow_scale(state, mid)
        return
    grid_ns = params["sigma_grid_ns"]
    steps = (time_ns - anchor_ns) // grid_ns
    if steps > 0:
        move = state["sigma_last_mid"] - state["sigma_anchor_mid"]
        duration_s = steps * grid_ns / NS_PER_S
        keep = math.exp(-math.log(2.0) * duration_s / params["sigma_halflife_s"])
        variance = state["sigma_variance"]
        if state["sigma_samples"] == 0:
            variance = params["sigma_prior"] * params["sigma_prior"]
            if variance == 0.0:
                variance = move * move / duration_s
        sample = move * move / duration_s
        if sample < math.inf:
            state["sigma_variance"] = keep * variance + (1.0 - keep) * sample
            state["sigma_samples"] += 1
        if params["sigma_is_two_scale"] == 1:
            update_slow_variance(params, state, steps, state["sigma_last_mid"])
        else:  # switched on later, it begins with what is measured then
            start_slow_scale(state, state["sigma_last_mid"])
            state["sigma_slow_variance"] = 0.0
        state["sigma_anchor_time_ns"] = anchor_ns + steps * grid_ns
        state["sigma_anchor_mid"] = state["sigma_last_mid"]
    state["sigma_last_mid"] = mid


@kernel
def sigma_used(params: Record, state: Record) -> tuple[float, bool]:
    """Return (σ before its bounds, whether it is measured); σ is NaN when there is neither sample nor prior."""
    if state["sigma_samples"] >= params["sigma_samples_min"]:
        if params["sigma_is_two_scale"] == 1:
            return math.sqrt(two_scale_variance(params, state)), True
        return math.sqrt(state["sigma_variance"]), True
    if params["sigma_prior"] > 0.0:
        return params["sigma_prior"], False
    return math.nan, False


@kernel
def roll_intervals(params: Record, state: Record, time_ns: int) -> None:
    """Close the hypothetical quote's intervals that ended before `time_ns`, and post the next one."""
    start_ns = state["fit_start_time_ns"]
    if start_ns != 0 and time_ns < start_ns + params["fit_interval_ns"]:
        return
    if start_ns != 0:
        intervals = (time_ns - start_ns) // params["fit_interval_ns"]
        _count_intervals(params, state, intervals)
        state["fit_start_time_ns"] = start_ns + intervals * params["fit_interval_ns"]
    else:
        state["fit_start_time_ns"] = time_ns
    if state["fit_next_time_ns"] <= time_ns:
        if state["fit_next_time_ns"] != 0:
            fit_arrivals(params, state)
        state["fit_next_time_ns"] = time_ns + params["fit_every_ns"]
    state["fit_mid"] = state["mid"]
    state["fit_reach_bid"] = -1.0
    state["fit_reach_ask"] = -1.0


@kernel
def _count_intervals(params: Record, state: Record, intervals: int) -> None:
    """Count `intervals` of both sides, the first with the reach so far, the others (a quiet market) with none."""
    interval_s = params["fit_interval_ns"] / NS_PER_S
    keep = math.exp(-intervals * interval_s / params["fit_window_s"])
    state["fit_intervals"] = state["fit_intervals"] * keep + 2.0 * intervals
    step = params["fit_depth_step_ticks"] * params["tick_size"]
    slack = params["tick_size"] * _TICK_TOLERANCE
    reached = state["fit_reached"]
    for i in range(params["fit_depths"]):
        depth = (i + 1) * step - slack
        reached[i] *= keep
        if state["fit_reach_bid"] >= depth:
            reached[i] += 1.0
        if state["fit_reach_ask"] >= depth:
            reached[i] += 1.0


@kernel
def note_trade(state: Record, price: float, aggressor_side: int) -> None:
    """Note how far a public trade at `price` ($) went from the mid at posting time."""
    if state["fit_start_time_ns"] == 0:
        return
    if aggressor_side > 0:
        state["fit_reach_ask"] = max(state["fit_reach_ask"], price - state["fit_mid"])
    else:
        state["fit_reach_bid"] = max(state["fit_reach_bid"], state["fit_mid"] - price)


@kernel
def fit_arrivals(params: Record, state: Record) -> bool:
    """Fit A and κ to the counts; on success replace the last good fit, else leave it. Returns success."""
    total = state["fit_intervals"]
    if total < params["fit_intervals_min"]:
        return False
    interval_s = params["fit_interval_ns"] / NS_PER_S
    step = params["fit_depth_step_ticks"] * params["tick_size"]
    n = 0
    w = wx = wy = wxx = wxy = wyy = 0.0
    for i in range(params["fit_depths"]):
        count = state["fit_reached"][i]
        if count < _REACHED_MIN or count >= total:
            continue
        x = (i + 1) * step
        y = math.log(-math.log1p(-count / total) / interval_s)
        n += 1
        w += count
        wx += count * x
        wy += count * y
        wxx += count * x * x
        wxy += count * x * y
        wyy += count * y * y
    if n < _DEPTHS_MIN:
        return False
    sxx = wxx - wx * wx / w
    sxy = wxy - wx * wy / w
    syy = wyy - wy * wy / w
    if not (sxx > 0.0 and syy > 0.0 and sxy < 0.0):
        return False
    slope = sxy / sxx
    state["fit_r2"] = sxy * slope / syy
    if state["fit_r2"] < params["fit_r2_min"]:
        return False
    _keep_fit(params, state, math.exp((wy - slope * wx) / w), -slope)
    return True


@kernel
def _keep_fit(params: Record, state: Record, rate: float, decay: float) -> None:
    bounded_rate = min(max(rate, params["fit_rate_min"]), params["fit_rate_max"])
    bounded_decay = min(max(decay, params["fit_decay_min"]), params["fit_decay_max"])
    state["arrivals_bounded"] = 1 if bounded_rate != rate or bounded_decay != decay else 0
    state["arrival_rate"] = bounded_rate
    state["arrival_decay"] = bounded_decay
    state["fits"] += 1
