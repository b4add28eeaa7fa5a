"""Market impact: by how much public trades move the mid, $ for each base unit that takers bought more than sold.

On a clock grid, r is the change of the mid over an interval, q the signed volume traded in it (bought − sold by takers)
and p that of the interval before::

    r = now·q + later·p + noise                       impact = now + later

`now` is what the flow of an interval does to the mid within it, `later` what the next interval adds or takes back. A
level that was swept and fills up again moves the mid only for a while: that temporary part is in `now`, and leaves
again in `later`. What is left after two intervals counts as permanent, and that is what a fill costs its maker. Flow
that goes on for several intervals does not count twice, for each interval is regressed on both. Means are taken as
zero, as is right for seconds.

Source: the regression of price changes on signed volume is Kyle's λ (1985), Econometrica 53(6); with lagged volume, as
the permanent part in Hasbrouck (1991), Journal of Finance 46(1), cut off after one lag.

Weights halve every `impact_halflife_s`. The standard error is White's, which holds where the market moves more when
more is traded, from residuals against the estimate that was in force before. Faded observations count as so much less
information, so it grows again while nothing is traded, and the estimate goes back to the configured one.
"""

from __future__ import annotations

import math

from domain.jit import Record, kernel

NS_PER_S = 1e9
_PARALLEL = 1e-6  # 1 − ρ² of q and p below which the two cannot be told apart
_INPUT_MAX = 1e15  # of a move in $ and of a volume: the sums of their products stay finite
_INFORMATION_MIN = 1e-60  # of Σq²·Σp²; what is less has faded away
_ERROR_MAX = 1e15

# Places in `impact_sums`: of the products of q, p and r; E marks those of the squared residual with q and p.
_QQ, _QP, _PP, _RQ, _RP, _RR, _EQQ, _EQP, _EPP = range(9)


@kernel
def impact_on_book(params: Record, state: Record, time_ns: int) -> None:
    """Take the mid in `state`, which is in force from `time_ns` on."""
    if state["impact_start_time_ns"] == 0:
        state["impact_start_time_ns"] = time_ns
        state["impact_start_mid"] = state["mid"]
        state["impact_intervals"] = 0
        state["impact_flow"] = 0.0
    else:
        _close_intervals(params, state, time_ns)
    state["impact_last_mid"] = state["mid"]


@kernel
def impact_on_trade(params: Record, state: Record, time_ns: int, size: float, aggressor_side: int) -> None:
    """Take a public trade of `size` (size units); `aggressor_side` +1 the buyer crossed, -1 the seller."""
    if state["impact_start_time_ns"] == 0 or not (0.0 < size < _INPUT_MAX):
        return
    _close_intervals(params, state, time_ns)
    state["impact_flow"] += size if aggressor_side > 0 else -size


@kernel
def _close_intervals(params: Record, state: Record, time_ns: int) -> None:
    """Take the intervals that ended by `time_ns` into the regression, with the mid that was in force at their end."""
    start_ns = state["impact_start_time_ns"]
    interval_ns = params["impact_interval_ns"]
    intervals = (time_ns - start_ns) // interval_ns
    if intervals <= 0:
        return
    _take_interval(params, state, state["impact_last_mid"] - state["impact_start_mid"])
    if intervals > 1:  # without a book or a trade: of these, only the first has flow before it
        _take_interval(params, state, 0.0)
    if intervals > 2:
        _fade(params, state, intervals - 2)
    state["impact_start_time_ns"] = start_ns + intervals * interval_ns
    state["impact_start_mid"] = state["impact_last_mid"]


@kernel
def _take_interval(params: Record, state: Record, move: float) -> None:
    """Take one interval in which the mid moved by `move` ($), and begin the flow of the next."""
    flow = state["impact_flow"] * (params["lot_base"] / params["lot_size"])
    before = state["impact_flow_before"]
    is_first = state["impact_intervals"] == 0
    state["impact_intervals"] += 1
    state["impact_flow"] = 0.0
    state["impact_flow_before"] = flow
    _fade(params, state, 1)
    if is_first or not (abs(move) < _INPUT_MAX and abs(flow) < _INPUT_MAX and abs(before) < _INPUT_MAX):
        return
    _add(params, state, move, flow, before)
    _solve(state)


@kernel
def _fade(params: Record, state: Record, intervals: int) -> None:
    """Let the sums lose weight for the time of `intervals`."""
    duration_s = intervals * params["impact_interval_ns"] / NS_PER_S
    keep = math.exp(-math.log(2.0) * duration_s / params["impact_halflife_s"])
    sums = state["impact_sums"]
    for i in range(len(sums)):
        sums[i] *= keep


@kernel
def _add(params: Record, state: Record, move: float, flow: float, before: float) -> None:
    """Add one interval to the sums; until there is an estimate to judge it by, its residual is the whole move."""
    residual = move
    if state["impact_samples"] >= params["impact_samples_min"]:
        residual -= state["impact_now"] * flow + state["impact_later"] * before
    weight = residual * residual
    sums = state["impact_sums"]
    sums[_QQ] += flow * flow
    sums[_QP] += flow * before
    sums[_PP] += before * before
    sums[_RQ] += move * flow
    sums[_RP] += move * before
    sums[_RR] += move * move
    sums[_EQQ] += weight * flow * flow
    sums[_EQP] += weight * flow * before
    sums[_EPP] += weight * before * before
    if flow != 0.0 or before != 0.0:
        state["impact_samples"] += 1


@kernel
def _solve(state: Record) -> None:
    """Set the estimate, its standard error and R² from the sums; they stay where q and p cannot be told apart."""
    sums = state["impact_sums"]
    qq, qp, pp = sums[_QQ], sums[_QP], sums[_PP]
    determinant = qq * pp - qp * qp
    if not (qq * pp > _INFORMATION_MIN and determinant > _PARALLEL * qq * pp):
        return
    now = (pp * sums[_RQ] - qp * sums[_RP]) / determinant
    later = (qq * sums[_RP] - qp * sums[_RQ]) / determinant
    if not (abs(now) < _INPUT_MAX and abs(later) < _INPUT_MAX):
        return
    of_q = (pp - qp) / determinant  # now + later = Σ (of_q·q + of_p·p)·r
    of_p = (qq - qp) / determinant
    variance = of_q * of_q * sums[_EQQ] + 2.0 * of_q * of_p * sums[_EQP] + of_p * of_p * sums[_EPP]
    error = math.sqrt(max(variance, 0.0)) if variance < _ERROR_MAX * _ERROR_MAX else _ERROR_MAX
    state["impact_now"] = now
    state["impact_later"] = later
    state["impact_error"] = error
    explained = now * sums[_RQ] + later * sums[_RP]
    state["impact_r2"] = min(max(explained / sums[_RR], 0.0), 1.0) if sums[_RR] > 0.0 else 0.0
    state["impact_is_known"] = 1


@kernel
def known_impact(params: Record, state: Record) -> tuple[float, float, bool]:
    """Return (impact in $ per base unit, before bounds, its standard error, whether measured).

    The measured and the configured one, each weighted by 1/error²: the fewer trades, the more the latter counts.
    """
    prior = params["impact"]
    prior_error = params["impact_prior_error"]
    is_measured = state["impact_is_known"] == 1 and state["impact_samples"] >= params["impact_samples_min"]
    if params["measure_impact"] != 1 or not is_measured:
        return prior, prior_error, False
    error = state["impact_error"]
    both = prior_error * prior_error + error * error
    share = prior_error * prior_error / both  # of the measured one
    measured = state["impact_now"] + state["impact_later"]
    return prior + share * (measured - prior), prior_error * error / math.sqrt(both), True
