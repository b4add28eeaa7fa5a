"""Step 8: a side that is filled again and again widens, and may rest for a while after each fill."""

from __future__ import annotations

from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.shaping.config import FILLS_MAX

_BID = int(ClampFlag.BID_FILLED_OFTEN)
_ASK = int(ClampFlag.ASK_FILLED_OFTEN)


@kernel
def note_fill(state: Record, side: int, time_ns: int) -> None:
    """Keep side and time of one of our fills."""
    slot = state["ring_fills"] % FILLS_MAX
    state["ring_fill_side"][slot] = side
    state["ring_fill_time_ns"][slot] = time_ns
    state["ring_fills"] += 1
    if side > 0:
        state["bid_fill_time_ns"] = time_ns
    else:
        state["ask_fill_time_ns"] = time_ns


@kernel
def explain_fill_imbalance(params: Record, state: Record, terms: Record, now_ns: int) -> None:
    """Write the factors of either half-spread."""
    terms["bid_fill_factor"] = 1.0
    terms["ask_fill_factor"] = 1.0
    if params["fill_imbalance"] == 0:
        return
    oldest_ns = now_ns - params["fill_imbalance_age_ns_max"]
    fills = int(state["ring_fills"])
    counted = 0
    bought = 0
    for i in range(min(fills, int(params["fill_imbalance_window"]))):
        slot = (fills - 1 - i) % FILLS_MAX
        if state["ring_fill_time_ns"][slot] < oldest_ns:
            break
        counted += 1
        if state["ring_fill_side"][slot] > 0:
            bought += 1
    if counted < params["fill_imbalance_fills_min"]:
        return
    share = params["fill_imbalance_share_min"] * counted
    if bought >= share:
        terms["bid_fill_factor"] = params["fill_imbalance_factor"]
        terms["clamp_flags"] |= _BID
    elif counted - bought >= share:
        terms["ask_fill_factor"] = params["fill_imbalance_factor"]
        terms["clamp_flags"] |= _ASK


@kernel
def rests_after_fill(params: Record, fill_time_ns: int, now_ns: int) -> bool:
    """Return whether a side last filled at `fill_time_ns` (0 = never) is to rest still."""
    rests = params["post_fill_pause"] == 1 and fill_time_ns > 0
    return bool(rests and now_ns - fill_time_ns < params["post_fill_pause_ns"])
