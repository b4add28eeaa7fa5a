"""Step 6: both sides widen after a move: half-spread · min(max, 1 + widening · the move's excess)."""

from __future__ import annotations

from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.shaping.config import PATH_SLOTS

_DISPLACED = int(ClampFlag.DISPLACED)


@kernel
def note_path(params: Record, state: Record, time_ns: int) -> None:
    """Keep the mids of the window, one a slot: each slot holds the mid in force when it began."""
    path = state["path_mid"]
    slot_ns = params["displacement_slot_ns"]
    slots = (time_ns - state["path_time_ns"]) // slot_ns
    if state["path_slots"] == 0 or slots >= PATH_SLOTS:
        state["path_slot"] = 0
        state["path_slots"] = 1
        state["path_time_ns"] = time_ns
        path[0] = state["mid"]
        state["path_last_mid"] = state["mid"]
        return
    for _ in range(slots):  # below PATH_SLOTS; nearly always 0 or 1
        slot = (state["path_slot"] + 1) % PATH_SLOTS
        path[slot] = state["path_last_mid"]
        state["path_slot"] = slot
        state["path_slots"] = min(state["path_slots"] + 1, PATH_SLOTS)
    state["path_time_ns"] += slots * slot_ns
    state["path_last_mid"] = state["mid"]


@kernel
def displacement_factor(params: Record, state: Record, terms: Record) -> float:
    """Return the factor of both half-spreads for the mid's move over the window."""
    terms["displacement_factor"] = 1.0
    if params["displacement_guard"] == 0 or state["path_slots"] == 0:
        return 1.0
    slots = int(state["path_slots"])
    oldest = state["path_mid"][(state["path_slot"] + PATH_SLOTS - slots + 1) % PATH_SLOTS]
    excess = abs(state["mid"] / oldest - 1.0) - params["displacement_move_min"]
    if excess > 0.0:
        wanted = 1.0 + params["displacement_widening"] * excess
        terms["displacement_factor"] = min(wanted, params["displacement_factor_max"])
        terms["clamp_flags"] |= _DISPLACED
    return float(terms["displacement_factor"])
