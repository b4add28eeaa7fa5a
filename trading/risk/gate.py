"""The pre-trade gate: every order passes it or is denied; a cancel never asks.

`check` wraps the decision (gate_kernel.py) in types: only an `Approved` may be sent, and only this module makes one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from domain.codes import RiskReason
from domain.order import LIMITS_AGE_NS_MAX, Side
from domain.records import LIMITS
from trading.risk.gate_kernel import NO_DUPLICATE_NS, NO_OWN_ASK_TICKS, NO_OWN_BID_TICKS, gate_reason

_NONE = int(RiskReason.NONE)
_WRITTEN_TIME_NS = LIMITS.word("written_time_ns")
_STATE = LIMITS.word("state")
_LIMITS_POSITION_LOTS = LIMITS.word("position_lots")
_ORDER_LOTS_MAX = LIMITS.word("order_lots_max")
_POSITION_LOTS_MAX = LIMITS.word("position_lots_max")
_OPEN_ORDERS_MAX = LIMITS.word("open_orders_max")
_ORDER_RATE_MAX = LIMITS.word("order_rate_max")
_DUPLICATE_WINDOW_NS = LIMITS.word("duplicate_window_ns")
_ORDER_NOTIONAL_MAX = LIMITS.word("order_notional_max")
_GROSS_NOTIONAL_ROOM = LIMITS.word("gross_notional_room")
_NET_LONG_ROOM = LIMITS.word("net_long_room")
_NET_SHORT_ROOM = LIMITS.word("net_short_room")
_MARK_PRICE = LIMITS.word("mark_price")
_COLLAR_LOW = LIMITS.word("collar_low")
_COLLAR_HIGH = LIMITS.word("collar_high")


class Added(NamedTuple):
    """What the orders of an instrument may add to what risk knows, at worst, in quote currency; 0 or more.

    NaN while it is not known, which closes the gate for every other instrument.

    Attributes:
        gross: to the sum of |position| × mark.
        long: to the sum of position × mark, should only the buy orders fill.
        short: taken from that sum, should only the sell orders fill.
    """

    gross: float
    long: float
    short: float


NOTHING_ADDED = Added(0.0, 0.0, 0.0)
UNKNOWN_ADDED = Added(math.nan, math.nan, math.nan)


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
        duplicate_age_ns: time since an order of the same side, price and size was sent; 0 while one is unanswered,
            NO_DUPLICATE_NS when there is none.
        others: what the orders of all other instruments may add: the sum of `notional_added` over them; nothing with
            a single instrument.
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
    duplicate_age_ns: int = NO_DUPLICATE_NS
    others: Added = NOTHING_ADDED


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
    gross, long, short = exposure.others
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
        exposure.duplicate_age_ns,
        gross,
        long,
        short,
    )
    if reason == _NONE:
        return Approved(order, now_ns)
    return Refused(RiskReason(reason), _explain(RiskReason(reason), limits, order, exposure, now_ns))


def notional_added(limits: LimitsRow, exposure: Exposure) -> Added:
    """Return what the orders of one instrument may add to the exposure that risk knows."""
    risk_lots, own_lots = limits.ints[_LIMITS_POSITION_LOTS], exposure.position_lots
    high_lots, low_lots = max(own_lots, risk_lots), min(own_lots, risk_lots)
    long_lots = high_lots + exposure.buy_lots - risk_lots
    short_lots = risk_lots + exposure.sell_lots - low_lots
    if not long_lots and not short_lots:
        return NOTHING_ADDED  # whatever its mark is
    mark_per_lot = limits.floats[_MARK_PRICE] * exposure.base_per_lot
    gross_lots = max(high_lots + exposure.buy_lots, exposure.sell_lots - low_lots) - abs(risk_lots)
    return Added(max(gross_lots, 0) * mark_per_lot, long_lots * mark_per_lot, short_lots * mark_per_lot)


def total_added(added: Iterable[Added]) -> Added:
    """Return what several instruments may add together."""
    gross = long = short = 0.0
    for one in added:
        gross += one.gross
        long += one.long
        short += one.short
    return Added(gross, long, short)


def _explain(reason: RiskReason, limits: LimitsRow, order: Order, exposure: Exposure, now_ns: int) -> str:
    """Return one line with the offending values; only built for denied orders."""
    ints, floats = limits.ints, limits.floats
    price = order.price_ticks * exposure.tick_size
    side_lots = exposure.buy_lots if order.side == Side.BUY else exposure.sell_lots
    exposed = f"position {exposure.position_lots} (risk: {ints[_LIMITS_POSITION_LOTS]}), {side_lots} lots out"
    notional = order.size_lots * abs(price) * exposure.base_per_lot
    others = exposure.others
    left, taken = floats[_GROSS_NOTIONAL_ROOM], others.gross
    room = f"room for {left:.2f} in quote currency, others may take {taken:.2f}; {exposed}"
    net_room = f"room to buy {floats[_NET_LONG_ROOM]:.2f} and to sell {floats[_NET_SHORT_ROOM]:.2f} in quote currency"
    age_ms, age_ms_max = (now_ns - ints[_WRITTEN_TIME_NS]) / 1e6, LIMITS_AGE_NS_MAX / 1e6
    sent_ms, window_ms = exposure.duplicate_age_ns / 1e6, ints[_DUPLICATE_WINDOW_NS] / 1e6
    why = RiskReason
    details = {
        why.LIMITS_STALE: f"limits are {age_ms:.0f} ms old, {age_ms_max:.0f} allowed",
        why.HALTED: f"state {ints[_STATE]} lets no order pass",
        why.POSITION_UNKNOWN: "the venue has not told the position yet",
        why.NOT_FINITE: f"price {price}, lot {exposure.base_per_lot}, other instruments may add {others.gross}",
        why.STALE_PRICE: f"mark {floats[_MARK_PRICE]}: the venue has not told it, or not lately",
        why.REDUCE_ONLY: f"only reducing orders pass: {exposed}",
        why.POSITION_LIMIT: f"{exposed}, limit {ints[_POSITION_LOTS_MAX]} lots",
        why.ORDER_SIZE: f"limit {ints[_ORDER_LOTS_MAX]} lots",
        why.ORDER_NOTIONAL: f"notional {notional:.2f}, limit {floats[_ORDER_NOTIONAL_MAX]:.2f} in quote currency",
        why.NOTIONAL_LIMIT: f"gross notional: {room}",
        why.MARGIN_USE: f"margin: {room}",
        why.LIQUIDATION_NEAR: f"way to liquidation: {room}",
        why.NET_NOTIONAL: f"{net_room}, others may take {others.long:.2f} and {others.short:.2f}; {exposed}",
        why.PRICE_COLLAR: f"collar {floats[_COLLAR_LOW]:.10g} to {floats[_COLLAR_HIGH]:.10g}",
        why.DUPLICATE: f"the same was sent {sent_ms:.3f} ms ago (0 = it is unanswered), window {window_ms:g} ms",
        why.OPEN_ORDERS: f"{exposure.open_orders} orders out, limit {ints[_OPEN_ORDERS_MAX]}",
        why.ORDER_RATE: f"{exposure.messages_last_s} messages in the last second, limit {ints[_ORDER_RATE_MAX]}",
        why.SELF_CROSS: f"would meet our own {exposure.own_best_bid_ticks} / {exposure.own_best_ask_ticks} ticks",
    }
    side = "buy" if order.side == Side.BUY else "sell"
    return f"{reason.name}: {side} {order.size_lots} lots at {price:.10g}: {details[reason]}"
