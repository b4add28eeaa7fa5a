"""The pre-trade gate: every order passes it or is denied; a cancel never asks.

`gate_reason` is a pure function of numbers and the LIMITS record, so execution interprets it and the
backtest compiles it. It fails closed: a silent risk, an unknown position or a NaN refuse. All checks use the
worst case: that everything on the order's side which is working or sent fills.

`check` wraps it in types: only an `Approved` may be sent, and only this module makes one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from domain.codes import RiskReason
from domain.jit import kernel
from domain.order import LIMITS_AGE_NS_MAX, Side, TradingState
from domain.records import LIMITS

NO_OWN_BID_TICKS = -(2**62)  # below every price, rolls' negative ones too
NO_OWN_ASK_TICKS = 2**62

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
_ORDER_NOTIONAL_MAX = LIMITS.word("order_notional_max")
_GROSS_NOTIONAL_ROOM = LIMITS.word("gross_notional_room")
_MARK_PRICE = LIMITS.word("mark_price")
_COLLAR_LOW = LIMITS.word("collar_low")
_COLLAR_HIGH = LIMITS.word("collar_high")


@kernel
def worst_case_lots(position_lots: int, buy_lots: int, sell_lots: int) -> int:
    """Return the largest |position| that can come about if any of the working orders fill."""
    long_lots = position_lots + buy_lots
    short_lots = sell_lots - position_lots
    return long_lots if long_lots > short_lots else short_lots


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
    other_notional: float,
) -> int:
    """Return a RiskReason as int: 0 lets the order pass, anything else denies it.

    The limits record comes as its words, once as int64 and once as float64 (memoryviews or arrays). The rest is
    `Order` and `Exposure`, field by field; see there for meaning and units.
    """
    price = price_ticks * tick_size
    if not (math.isfinite(price) and math.isfinite(base_per_lot)) or base_per_lot <= 0.0:
        return _NOT_FINITE
    if size_lots <= 0 or (side != 1 and side != -1):
        return _ORDER_SIZE

    # The operator's way out stays open when risk is silent or has halted: it must reduce, nothing else.
    if is_operator and is_reduce_only:
        if not is_position_known:
            return _POSITION_UNKNOWN
        same_side_lots = buy_lots if side == 1 else sell_lots
        return _NONE if same_side_lots + size_lots <= -side * position_lots else _REDUCE_ONLY

    age_ns = now_ns - limits_ints[_WRITTEN_TIME_NS]
    if age_ns > LIMITS_AGE_NS_MAX or age_ns < -LIMITS_AGE_NS_MAX:
        return _LIMITS_STALE
    state = limits_ints[_STATE]
    if state != _STATE_ACTIVE and state != _STATE_REDUCING and state != _STATE_RECOVERING:
        return _HALTED
    if not is_position_known or limits_ints[_IS_POSITION_KNOWN] != 1:
        return _POSITION_UNKNOWN

    # Execution hears of its fills first, risk has the venue's word: the worse of the two counts.
    risk_position_lots = limits_ints[_LIMITS_POSITION_LOTS]
    position_high = position_lots if position_lots > risk_position_lots else risk_position_lots
    position_low = position_lots if position_lots < risk_position_lots else risk_position_lots
    if side == 1:
        exposed_lots = position_high + buy_lots + size_lots
        if price_ticks >= own_best_ask_ticks:
            return _SELF_CROSS
    else:
        exposed_lots = sell_lots + size_lots - position_low
        if price_ticks <= own_best_bid_ticks:
            return _SELF_CROSS
    if (is_reduce_only or state == _STATE_REDUCING) and exposed_lots > 0:
        return _REDUCE_ONLY  # filled with all that works on its side, it would open or flip the position
    if exposed_lots > limits_ints[_POSITION_LOTS_MAX]:
        return _POSITION_LIMIT
    if size_lots > limits_ints[_ORDER_LOTS_MAX]:
        return _ORDER_SIZE

    # Comparisons are written so that a NaN on either side denies.
    notional_per_lot = abs(price) * base_per_lot
    mark_per_lot = limits_floats[_MARK_PRICE] * base_per_lot
    if not math.isfinite(mark_per_lot) or not math.isfinite(other_notional):
        return _NOT_FINITE
    if not size_lots * notional_per_lot <= limits_floats[_ORDER_NOTIONAL_MAX]:
        return _ORDER_NOTIONAL
    if not limits_floats[_COLLAR_LOW] <= price <= limits_floats[_COLLAR_HIGH]:
        return _PRICE_COLLAR
    before_lots = worst_case_lots(position_high, buy_lots, sell_lots)
    short_lots = sell_lots - position_low
    if short_lots > before_lots:
        before_lots = short_lots
    if exposed_lots > before_lots:
        held_lots = risk_position_lots if risk_position_lots >= 0 else -risk_position_lots
        added_notional = (exposed_lots - held_lots) * mark_per_lot + other_notional
        if not added_notional <= limits_floats[_GROSS_NOTIONAL_ROOM]:
            return _NOTIONAL_LIMIT

    if open_orders >= limits_ints[_OPEN_ORDERS_MAX]:
        return _OPEN_ORDERS
    if messages_last_s >= limits_ints[_ORDER_RATE_MAX]:
        return _ORDER_RATE
    return _NONE


class Order(msgspec.Struct, frozen=True, gc=False):
    """What shall be sent: an insert, or an amend told by the price and remaining size that it leads to.

    Attributes:
        side: +1 buy, -1 sell (a `Side` or its value).
        size_lots: unsigned; of an amend what would be left to fill.
        is_reduce_only: it may only reduce the position, whatever the state.
        is_operator: asked for by a person or a halt (flatten); with `is_reduce_only` it passes in every state.
    """

    side: int
    price_ticks: int
    size_lots: int
    is_reduce_only: bool = False
    is_operator: bool = False


class Exposure(msgspec.Struct, gc=False):
    """What execution holds and has out in one instrument; kept and overwritten by execution, read by the gate.

    For an amend, leave the order that is amended out of the lots, the count and the best prices.

    Attributes:
        tick_size: quote currency for a tick.
        base_per_lot: lot size times contract multiplier, base units.
        is_position_known: True once recovered from the venue.
        position_lots: signed, fills counted.
        buy_lots: remaining size of all buy orders, working or sent and unanswered.
        sell_lots: the same for sell orders.
        open_orders: number of those orders.
        messages_last_s: inserts and amends sent in the last second, all instruments.
        own_best_bid_ticks: highest price of those buy orders; NO_OWN_BID_TICKS when there are none.
        own_best_ask_ticks: lowest price of those sell orders; NO_OWN_ASK_TICKS when there are none.
        other_notional: quote currency that the orders of all other instruments may add; the sum of
            `notional_added` over them, 0 with a single instrument.
    """

    tick_size: float
    base_per_lot: float
    is_position_known: bool = False
    position_lots: int = 0
    buy_lots: int = 0
    sell_lots: int = 0
    open_orders: int = 0
    messages_last_s: int = 0
    own_best_bid_ticks: int = NO_OWN_BID_TICKS
    own_best_ask_ticks: int = NO_OWN_ASK_TICKS
    other_notional: float = 0.0


class LimitsRow(Protocol):
    """The words of one LIMITS record; a `shm` table reader after `load(row)` is one."""

    @property
    def ints(self) -> Sequence[int]: ...
    @property
    def floats(self) -> Sequence[float]: ...


class Approved(msgspec.Struct, frozen=True, gc=False):
    """Leave to send exactly this order, now."""

    order: Order
    checked_time_ns: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The order is denied; `text` says which limit and by how much."""

    reason: RiskReason
    text: str


def check(limits: LimitsRow, order: Order, exposure: Exposure, now_ns: int) -> Approved | Refused:
    """Return `Approved`, or `Refused` with the reason. `now_ns` is monotonic."""
    reason = gate_reason(
        limits.ints,
        limits.floats,
        now_ns,
        order.is_operator,
        order.is_reduce_only,
        order.side,
        order.price_ticks,
        order.size_lots,
        exposure.tick_size,
        exposure.base_per_lot,
        exposure.is_position_known,
        exposure.position_lots,
        exposure.buy_lots,
        exposure.sell_lots,
        exposure.open_orders,
        exposure.messages_last_s,
        exposure.own_best_bid_ticks,
        exposure.own_best_ask_ticks,
        exposure.other_notional,
    )
    if reason == _NONE:
        return Approved(order, now_ns)
    return Refused(RiskReason(reason), _explain(reason, limits, order, exposure, now_ns))


def notional_added(limits: LimitsRow, exposure: Exposure) -> float:
    """Return what the orders of one instrument may add to the gross exposure that risk knows, in quote currency.

    NaN when the mark is unknown, which closes the gate for every instrument.
    """
    mark_per_lot = limits.floats[_MARK_PRICE] * exposure.base_per_lot
    worst = worst_case_lots(exposure.position_lots, exposure.buy_lots, exposure.sell_lots)
    added_lots = worst - abs(limits.ints[_LIMITS_POSITION_LOTS])
    return added_lots * mark_per_lot if added_lots > 0 else 0.0 * mark_per_lot


def _explain(reason: int, limits: LimitsRow, order: Order, exposure: Exposure, now_ns: int) -> str:
    """Return one line with the offending values; only built for denied orders."""
    ints, floats = limits.ints, limits.floats
    price = order.price_ticks * exposure.tick_size
    side_lots = exposure.buy_lots if order.side == Side.BUY else exposure.sell_lots
    exposed = f"position {exposure.position_lots} (risk: {ints[_LIMITS_POSITION_LOTS]}), {side_lots} lots out"
    notional = order.size_lots * abs(price) * exposure.base_per_lot
    age_ms, age_ms_max = (now_ns - ints[_WRITTEN_TIME_NS]) / 1e6, LIMITS_AGE_NS_MAX / 1e6
    details = {
        _LIMITS_STALE: f"limits are {age_ms:.0f} ms old, {age_ms_max:.0f} allowed",
        _HALTED: f"state {ints[_STATE]} lets no order pass",
        _POSITION_UNKNOWN: "the venue has not told the position yet",
        _NOT_FINITE: f"price {price}, mark {floats[_MARK_PRICE]}, notional of others {exposure.other_notional}",
        _REDUCE_ONLY: f"only reducing orders pass: {exposed}",
        _POSITION_LIMIT: f"{exposed}, limit {ints[_POSITION_LOTS_MAX]} lots",
        _ORDER_SIZE: f"limit {ints[_ORDER_LOTS_MAX]} lots",
        _ORDER_NOTIONAL: f"notional {notional:.2f}, limit {floats[_ORDER_NOTIONAL_MAX]:.2f} in quote currency",
        _NOTIONAL_LIMIT: f"room for {floats[_GROSS_NOTIONAL_ROOM]:.2f} in quote currency; {exposed}",
        _PRICE_COLLAR: f"collar {floats[_COLLAR_LOW]:.10g} to {floats[_COLLAR_HIGH]:.10g}",
        _OPEN_ORDERS: f"{exposure.open_orders} orders out, limit {ints[_OPEN_ORDERS_MAX]}",
        _ORDER_RATE: f"{exposure.messages_last_s} messages in the last second, limit {ints[_ORDER_RATE_MAX]}",
        _SELF_CROSS: f"would meet our own {exposure.own_best_bid_ticks} / {exposure.own_best_ask_ticks} ticks",
    }
    side = "buy" if order.side == Side.BUY else "sell"
    return f"{RiskReason(reason).name}: {side} {order.size_lots} lots at {price:.10g}: {details[reason]}"
