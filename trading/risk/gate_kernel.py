"""The gate's decision: a pure function of numbers and the LIMITS record.

Execution interprets it and the backtest compiles it. It fails closed: a silent risk, an unknown position or a NaN
refuse. All checks use the worst case: that everything on the order's side which is working or sent fills, in every
instrument. gate.py wraps it in types.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from domain.codes import RiskReason
from domain.jit import kernel
from domain.order import LIMITS_AGE_NS_MAX, TradingState
from domain.records import LIMITS

NO_OWN_BID_TICKS = -(2**62)  # below every price, rolls' negative ones too
NO_OWN_ASK_TICKS = 2**62
NO_DUPLICATE_NS = 2**62  # older than every window

# Plain integers: numba freezes them as constants, and the interpreter compares them faster than enum members.
_NONE = int(RiskReason.NONE)
_POSITION_UNKNOWN = int(RiskReason.POSITION_UNKNOWN)
_POSITION_LIMIT = int(RiskReason.POSITION_LIMIT)
_NOTIONAL_LIMIT = int(RiskReason.NOTIONAL_LIMIT)
_ORDER_RATE = int(RiskReason.ORDER_RATE)
_LIMITS_STALE = int(RiskReason.LIMITS_STALE)
_ORDER_SIZE = int(RiskReason.ORDER_SIZE)
_ORDER_NOTIONAL = int(RiskReason.ORDER_NOTIONAL)
_PRICE_COLLAR = int(RiskReason.PRICE_COLLAR)
_OPEN_ORDERS = int(RiskReason.OPEN_ORDERS)
_REDUCE_ONLY = int(RiskReason.REDUCE_ONLY)
_NOT_FINITE = int(RiskReason.NOT_FINITE)
_SELF_CROSS = int(RiskReason.SELF_CROSS)
_HALTED = int(RiskReason.HALTED)
_NET_NOTIONAL = int(RiskReason.NET_NOTIONAL)
_MARGIN_USE = int(RiskReason.MARGIN_USE)
_LIQUIDATION_NEAR = int(RiskReason.LIQUIDATION_NEAR)
_DUPLICATE = int(RiskReason.DUPLICATE)
_STALE_PRICE = int(RiskReason.STALE_PRICE)

_STATE_ACTIVE = int(TradingState.ACTIVE)
_STATE_REDUCING = int(TradingState.REDUCING)
_STATE_RECOVERING = int(TradingState.RECOVERING)

_WRITTEN_TIME_NS = LIMITS.word("written_time_ns")
_STATE = LIMITS.word("state")
_IS_POSITION_KNOWN = LIMITS.word("is_position_known")
_LIMITS_POSITION_LOTS = LIMITS.word("position_lots")
_ORDER_LOTS_MAX = LIMITS.word("order_lots_max")
_POSITION_LOTS_MAX = LIMITS.word("position_lots_max")
_OPEN_ORDERS_MAX = LIMITS.word("open_orders_max")
_ORDER_RATE_MAX = LIMITS.word("order_rate_max")
_DUPLICATE_WINDOW_NS = LIMITS.word("duplicate_window_ns")
_ROOM_REASON = LIMITS.word("room_reason")
_ORDER_NOTIONAL_MAX = LIMITS.word("order_notional_max")
_GROSS_NOTIONAL_ROOM = LIMITS.word("gross_notional_room")
_NET_LONG_ROOM = LIMITS.word("net_long_room")
_NET_SHORT_ROOM = LIMITS.word("net_short_room")
_MARK_PRICE = LIMITS.word("mark_price")
_COLLAR_LOW = LIMITS.word("collar_low")
_COLLAR_HIGH = LIMITS.word("collar_high")


@kernel
def gate_reason(
    limits_ints: Any,
    limits_floats: Any,
    now_ns: int,
    is_operator: bool,
    is_reduce_only: bool,
    side: int,
    price_ticks: int,
    size_lots: int,
    tick_size: float,
    base_per_lot: float,
    is_position_known: bool,
    position_lots: int,
    buy_lots: int,
    sell_lots: int,
    open_orders: int,
    messages_last_s: int,
    own_best_bid_ticks: int,
    own_best_ask_ticks: int,
    duplicate_age_ns: int,
    other_gross: float,
    other_long: float,
    other_short: float,
) -> int:
    """Return a RiskReason as int: 0 lets the order pass, anything else denies it.

    The limits record comes as its words, once as int64 and once as float64 (memoryviews or arrays). The rest is
    `Order`, `Exposure` and `Added` of gate.py, field by field; see there for meaning and units.
    """
    price = price_ticks * tick_size
    if not (isfinite(price) and isfinite(base_per_lot)) or base_per_lot <= 0.0:
        return _NOT_FINITE
    if size_lots <= 0 or (side != 1 and side != -1):
        return _ORDER_SIZE
    if is_operator and is_reduce_only:
        same_side_lots = buy_lots if side == 1 else sell_lots
        return _way_out_reason(is_position_known, -side * position_lots, same_side_lots + size_lots)
    reason = _silence_reason(limits_ints, now_ns, is_position_known)
    if reason:
        return reason

    # Execution hears of its fills first, risk has the venue's word: the worse of the two counts.
    risk_position_lots = limits_ints[_LIMITS_POSITION_LOTS]
    position_high = position_lots if position_lots > risk_position_lots else risk_position_lots
    position_low = position_lots if position_lots < risk_position_lots else risk_position_lots
    if side == 1:
        exposed_lots = position_high + buy_lots + size_lots
        opposite_lots = sell_lots - position_low
        if price_ticks >= own_best_ask_ticks:
            return _SELF_CROSS
    else:
        exposed_lots = sell_lots + size_lots - position_low
        opposite_lots = position_high + buy_lots
        if price_ticks <= own_best_bid_ticks:
            return _SELF_CROSS
    reason = _lots_reason(limits_ints, is_reduce_only, exposed_lots, size_lots, duplicate_age_ns)
    if reason:
        return reason
    mark_per_lot = limits_floats[_MARK_PRICE] * base_per_lot
    reason = _price_reason(limits_floats, price, size_lots * (abs(price) * base_per_lot), mark_per_lot)
    if reason:
        return reason

    if not isfinite(other_gross):
        return _NOT_FINITE
    if exposed_lots > opposite_lots:  # else the other side stays the worst case, and no room is needed
        held_lots = risk_position_lots if risk_position_lots >= 0 else -risk_position_lots
        if not (exposed_lots - held_lots) * mark_per_lot + other_gross <= limits_floats[_GROSS_NOTIONAL_ROOM]:
            return _no_room_reason(limits_ints[_ROOM_REASON])
    # Net notional has one room for each side: an order that brings it back from beyond its limit passes.
    if side == 1:
        if not (exposed_lots - risk_position_lots) * mark_per_lot + other_long <= limits_floats[_NET_LONG_ROOM]:
            return _NET_NOTIONAL
    elif not (exposed_lots + risk_position_lots) * mark_per_lot + other_short <= limits_floats[_NET_SHORT_ROOM]:
        return _NET_NOTIONAL

    if open_orders >= limits_ints[_OPEN_ORDERS_MAX]:
        return _OPEN_ORDERS
    if messages_last_s >= limits_ints[_ORDER_RATE_MAX]:
        return _ORDER_RATE
    return _NONE


@kernel
def _way_out_reason(is_position_known: bool, held_lots: int, closing_lots: int) -> int:
    """Return why the operator's way out is closed: open when risk is silent or has halted, it must reduce."""
    if not is_position_known:
        return _POSITION_UNKNOWN
    return _NONE if closing_lots <= held_lots else _REDUCE_ONLY


@kernel
def _silence_reason(limits_ints: Any, now_ns: int, is_position_known: bool) -> int:
    """Return why nothing passes at all: risk is silent, has halted, or the position is not known."""
    age_ns = now_ns - limits_ints[_WRITTEN_TIME_NS]
    if age_ns > LIMITS_AGE_NS_MAX or age_ns < -LIMITS_AGE_NS_MAX:
        return _LIMITS_STALE
    state = limits_ints[_STATE]
    if state != _STATE_ACTIVE and state != _STATE_REDUCING and state != _STATE_RECOVERING:
        return _HALTED
    if not is_position_known or limits_ints[_IS_POSITION_KNOWN] != 1:
        return _POSITION_UNKNOWN
    return _NONE


@kernel
def _lots_reason(
    limits_ints: Any, is_reduce_only: bool, exposed_lots: int, size_lots: int, duplicate_age_ns: int
) -> int:
    """Return why the size does not pass: what it opens, what it leads to, itself, or that it was just sent."""
    if (is_reduce_only or limits_ints[_STATE] == _STATE_REDUCING) and exposed_lots > 0:
        return _REDUCE_ONLY  # filled with all that works on its side, it would open or flip the position
    if exposed_lots > limits_ints[_POSITION_LOTS_MAX]:
        return _POSITION_LIMIT
    if size_lots > limits_ints[_ORDER_LOTS_MAX]:
        return _ORDER_SIZE
    if duplicate_age_ns < limits_ints[_DUPLICATE_WINDOW_NS]:
        return _DUPLICATE
    return _NONE


@kernel
def _price_reason(limits_floats: Any, price: float, notional: float, mark_per_lot: float) -> int:
    """Return why the price does not pass: no mark, a value too large, or outside of the collar; a NaN denies."""
    if not isfinite(mark_per_lot):
        return _STALE_PRICE
    if not notional <= limits_floats[_ORDER_NOTIONAL_MAX]:
        return _ORDER_NOTIONAL
    if not limits_floats[_COLLAR_LOW] <= price <= limits_floats[_COLLAR_HIGH]:
        return _PRICE_COLLAR
    return _NONE


@kernel
def _no_room_reason(room_reason: int) -> int:
    """Return which limit of the whole account leaves no room."""
    return room_reason if room_reason in (_MARGIN_USE, _LIQUIDATION_NEAR) else _NOTIONAL_LIMIT
