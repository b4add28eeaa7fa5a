"""Why risk takes a side away, in words: what stands in the limits record, the only thing that strategy saw of it."""

from __future__ import annotations

from domain.codes import RiskReason
from domain.order import LIMITS_AGE_NS_MAX, TradingState
from domain.records import LIMITS
from shm.record import TableReader

_RULES_BY_STATE = {
    TradingState.HALTED: "halted{why}",
    TradingState.REDUCING: "reducing{why}: this side would add to the position",
    TradingState.RECOVERING: "recovering{why}: positions up to {position:.10g}, orders up to {order:.10g} for now",
}


def why_risk(limits: TableReader, lot_size: float, now_ns: int) -> str:
    """Return why risk leaves a side no room, from the loaded row of an instrument. `now_ns` is monotonic."""
    ints, floats = limits.ints, limits.floats
    age_ns = now_ns - ints[LIMITS.word("written_time_ns")]
    if age_ns > LIMITS_AGE_NS_MAX:
        return f"silent for {age_ns / 1e9:.1f} s"
    state, reason = TradingState(ints[LIMITS.word("state")]), RiskReason(ints[LIMITS.word("reason")])
    position = ints[LIMITS.word("position_lots_max")] * lot_size
    if (rule := _RULES_BY_STATE.get(state)) is not None:
        why = f" ({reason.name.lower()})" if reason is not RiskReason.NONE else ""
        return rule.format(why=why, position=position, order=ints[LIMITS.word("order_lots_max")] * lot_size)
    room = floats[LIMITS.word("gross_notional_room")]
    if not room > 0.0:
        return f"no room left ({RiskReason(ints[LIMITS.word('room_reason')]).name.lower()})"
    low, high = floats[LIMITS.word("collar_low")], floats[LIMITS.word("collar_high")]
    return f"positions up to {position:.10g}, {room:,.0f} $ more in all, prices {low:.10g} to {high:.10g}"
