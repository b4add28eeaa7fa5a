"""Step 0: a mid that jumped away from its average is refused until it has held.

The filter re-anchors: after `tick_filter_ticks` refused books that agree with each other the new level is the
market. Without that, a true gap would be refused for ever.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.quoting.averages import moved_average

TAKEN = 0
REFUSED = 1
ANCHORED_ANEW = 2


@kernel
def filter_tick(params: Record, state: Record, elapsed_s: float) -> int:
    """Return whether the mid in `state` is taken, refused, or taken as a new level."""
    mid = state["mid"]
    move_max = params["tick_filter_move_max"]
    average = state["tick_average"]
    if average == 0.0 or abs(mid - average) <= move_max * average:
        state["tick_average"] = moved_average(average, mid, elapsed_s, params["tick_filter_average_s"])
        state["tick_refused"] = 0
        return TAKEN
    candidate = state["tick_candidate"]
    agrees = state["tick_refused"] > 0 and abs(mid - candidate) <= move_max * candidate
    state["tick_refused"] = state["tick_refused"] + 1 if agrees else 1
    state["tick_candidate"] = mid
    if state["tick_refused"] < params["tick_filter_ticks"]:
        return REFUSED
    state["tick_average"] = mid
    state["tick_refused"] = 0
    return ANCHORED_ANEW
