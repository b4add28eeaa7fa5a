"""Step 7: the side against the short-term move widens: asks while the mid rises, bids while it falls."""

from __future__ import annotations

from domain.codes import ClampFlag
from domain.jit import Record, kernel
from trading.quoting.shaping.config import MOVES_MAX

_BID = int(ClampFlag.BID_ASYMMETRIC)
_ASK = int(ClampFlag.ASK_ASYMMETRIC)


@kernel
def note_move(state: Record) -> None:
    """Keep the mid when it differs from the one before."""
    moves = state["moves"]
    if moves == 0 or state["move_mid"][(moves - 1) % MOVES_MAX] != state["mid"]:
        state["move_mid"][moves % MOVES_MAX] = state["mid"]
        state["moves"] = moves + 1


@kernel
def explain_asymmetry(params: Record, state: Record, terms: Record) -> None:
    """Write the factors of either half-spread."""
    terms["bid_asymmetry_factor"] = 1.0
    terms["ask_asymmetry_factor"] = 1.0
    ticks = params["asymmetry_ticks"]
    if params["asymmetric_widening"] == 0 or state["moves"] <= ticks:
        return
    before = state["move_mid"][(state["moves"] - 1 - ticks) % MOVES_MAX]
    move = state["mid"] / before - 1.0
    if move > params["asymmetry_move_min"]:
        terms["ask_asymmetry_factor"] = params["asymmetry_factor"]
        terms["clamp_flags"] |= _ASK
    elif move < -params["asymmetry_move_min"]:
        terms["bid_asymmetry_factor"] = params["asymmetry_factor"]
        terms["clamp_flags"] |= _BID
