"""Random accounts, limits and orders for the gate, in exact decimals; and the record that the gate is given.

An account is drawn as a person would state it (limits in lots and money, what is held, what is out), not as the gate
reads it: rooms are worked out here from limits and holdings. Every dimension is generous in most cases and tight in
some, so that each limit is often the only one in the way; one case in four has a fault besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from domain.codes import RiskReason
from domain.records import LIMITS
from trading.risk.gate import Added, Approved, Exposure, Order, Refused, check
from trading.risk.gate_kernel import NO_DUPLICATE_NS, NO_OWN_ASK_TICKS, NO_OWN_BID_TICKS

NOW_NS = 10_000_000_000
AGE_NS_MAX = 500_000_000
Choose = Callable[[Sequence[Any]], Any]

FAULTS = (
    "stale", "from the future", "never written", "halted", "unknown state", "risk knows no position",
    "we know no position", "tick is NaN", "tick is infinite", "lot is NaN", "lot is negative", "lot is 0",
    "mark is NaN", "mark is infinite", "order notional is NaN", "gross room is NaN", "net room is NaN",
    "collar is NaN", "others are NaN", "others' net is NaN", "size is 0", "size is negative", "side is 0",
)  # fmt: skip
_GENEROUS = Decimal(10) ** 9
_WORD = {field.name: LIMITS.word(field.name) for field in LIMITS.fields}


class Row:
    """The words of one LIMITS record, as a table reader has them."""

    def __init__(self) -> None:
        self.record = np.zeros(1, LIMITS.dtype)
        self.ints = memoryview(self.record.view(np.int64))
        self.floats = memoryview(self.record.view(np.float64))


@dataclass(slots=True)
class Case:
    """One order, what we hold and have out, and the limits that stand. Money in quote currency, sizes in lots.

    Attributes:
        is_exact: every number is a small multiple of a power of two, so that floats are as exact as decimals.
        gross_held: |position| × mark of all other instruments; `net_held` the same, signed.
        others: what orders of other instruments may add: gross, long, short.
    """

    fault: str
    is_exact: bool
    tick_size: Decimal
    base_per_lot: Decimal
    mark: Decimal
    state: int
    position_own: int
    position_risk: int
    buys: int
    sells: int
    best_bid: int
    best_ask: int
    open_orders: int
    messages: int
    duplicate_age_ns: int
    others: tuple[Decimal, Decimal, Decimal]
    gross_held: Decimal
    net_held: Decimal
    side: int
    price_ticks: int
    size: int
    is_reduce_only: bool
    is_operator: bool
    order_lots_max: int
    position_lots_max: int
    open_orders_max: int
    rate_max: int
    duplicate_window_ns: int
    order_notional_max: Decimal
    gross_max: Decimal
    net_max: Decimal
    room_reason: int
    collar_low: Decimal
    collar_high: Decimal
    age_ns: int

    @property
    def order(self) -> Order:
        side, size = self.side, self.size
        if self.fault == "side is 0":
            side = 0
        if self.fault in ("size is 0", "size is negative"):
            size = 0 if self.fault == "size is 0" else -size
        return Order(side, self.price_ticks, size, self.is_reduce_only, self.is_operator)

    @property
    def exposure(self) -> Exposure:
        fault = self.fault
        tick = {"tick is NaN": math.nan, "tick is infinite": math.inf}.get(fault, float(self.tick_size))
        lot = {"lot is NaN": math.nan, "lot is negative": -1.0, "lot is 0": 0.0}.get(fault, float(self.base_per_lot))
        gross, long, short = map(float, self.others)
        if fault == "others are NaN":
            gross = math.nan
        if fault == "others' net is NaN":
            long = short = math.nan
        return Exposure(
            tick, lot, fault != "we know no position", self.position_own, self.buys, self.sells, self.open_orders,
            self.messages, self.best_bid, self.best_ask, self.duplicate_age_ns, Added(gross, long, short),
        )  # fmt: skip

    def fill(self, row: Row) -> None:
        """Write the limits as risk would have."""
        fault, ints, floats = self.fault, row.ints, row.floats
        own_value = self.mark * self.base_per_lot * self.position_risk
        written = {"stale": NOW_NS - AGE_NS_MAX - 1, "from the future": NOW_NS + AGE_NS_MAX + 1, "never written": 0}
        ints[_WORD["written_time_ns"]] = written.get(fault, NOW_NS - self.age_ns)
        ints[_WORD["state"]] = {"halted": 0, "unknown state": 9}.get(fault, self.state)
        ints[_WORD["is_position_known"]] = int(fault != "risk knows no position")
        ints[_WORD["position_lots"]] = self.position_risk
        ints[_WORD["order_lots_max"]] = self.order_lots_max
        ints[_WORD["position_lots_max"]] = self.position_lots_max
        ints[_WORD["open_orders_max"]] = self.open_orders_max
        ints[_WORD["order_rate_max"]] = self.rate_max
        ints[_WORD["duplicate_window_ns"]] = self.duplicate_window_ns
        ints[_WORD["room_reason"]] = self.room_reason
        for name, value, its_fault in (
            ("order_notional_max", self.order_notional_max, "order notional is NaN"),
            ("gross_notional_room", self.gross_max - self.gross_held - abs(own_value), "gross room is NaN"),
            ("net_long_room", self.net_max - self.net_held - own_value, "net room is NaN"),
            ("net_short_room", self.net_max + self.net_held + own_value, "net room is NaN"),
            ("mark_price", self.mark, "mark is NaN"),
            ("collar_low", self.collar_low, "collar is NaN"),
            ("collar_high", self.collar_high, "collar is NaN"),
        ):
            floats[_WORD[name]] = math.nan if fault == its_fault else float(value)
        if fault == "mark is infinite":
            floats[_WORD["mark_price"]] = math.inf

    def decide(self, row: Row) -> Approved | Refused:
        self.fill(row)
        return check(row, self.order, self.exposure, NOW_NS)


def draw_case(choose: Choose) -> Case:
    """Draw a case; `choose(sequence)` returns one of its elements."""
    is_exact = choose((True, False))
    tick_size = Decimal(choose(("1", "0.5", "0.25") if is_exact else ("0.1", "0.01", "0.05", "5")))
    base_per_lot = Decimal(choose(("1", "0.25", "0.125") if is_exact else ("0.001", "0.01", "0.1", "10")))
    price_ticks = choose(range(390, 411))
    mark = tick_size * 400 + (0 if is_exact else Decimal(choose(("0", "0.003", "-0.017"))))
    per_lot = mark * base_per_lot
    side = choose((1, -1))
    return Case(
        fault=choose(FAULTS) if choose(range(4)) == 0 else "",
        is_exact=is_exact,
        tick_size=tick_size,
        base_per_lot=base_per_lot,
        mark=mark,
        state=choose((1, 1, 1, 1, 3, 2)),
        position_own=(own := choose(range(-12, 13))),
        position_risk=own if choose((True, True, False)) else choose(range(-12, 13)),
        buys=choose((0, 0, 1, 2, 5)),
        sells=choose((0, 0, 1, 2, 5)),
        best_bid=choose((*[NO_OWN_BID_TICKS] * 6, price_ticks - 1, price_ticks, price_ticks + 3)),
        best_ask=choose((*[NO_OWN_ASK_TICKS] * 6, price_ticks + 1, price_ticks, price_ticks - 3)),
        open_orders=choose(range(4)),
        messages=choose(range(4)),
        duplicate_age_ns=choose((NO_DUPLICATE_NS, NO_DUPLICATE_NS, NO_DUPLICATE_NS, 0, 3, 4, 5)),
        others=(per_lot * choose((0, 0, 1, 4)), per_lot * choose((0, 0, 1, 3)), per_lot * choose((0, 0, 1, 3))),
        gross_held=per_lot * choose((0, 0, 5)),
        net_held=per_lot * choose((0, 0, 5, -5)),
        side=side,
        price_ticks=price_ticks,
        size=choose((1, 1, 2, 3, 4, 7)),
        is_reduce_only=choose((*[False] * 7, True)),
        is_operator=choose((False, False, False, True)),
        order_lots_max=choose((*[1000] * 9, 1, 2, 3, 4)),
        position_lots_max=choose((*[1000] * 12, *range(0, 18, 3))),
        open_orders_max=choose((*[99] * 9, 0, 1, 2, 3)),
        rate_max=choose((*[99] * 9, 0, 1, 2, 3)),
        duplicate_window_ns=choose((0, 4)),
        order_notional_max=choose((_GENEROUS, _GENEROUS, price_ticks * tick_size * base_per_lot * choose((1, 2, 3)))),
        gross_max=choose((_GENEROUS, _GENEROUS, per_lot * choose(range(-2, 26)))),
        net_max=choose((_GENEROUS, _GENEROUS, per_lot * choose(range(20)))),
        room_reason=choose((0, RiskReason.NOTIONAL_LIMIT, RiskReason.MARGIN_USE, RiskReason.LIQUIDATION_NEAR)),
        collar_low=tick_size * choose((0, 0, 0, 0, 395, 399)),
        collar_high=tick_size * choose((1000, 1000, 1000, 1000, 405, 401)),
        age_ns=choose((0, 1, AGE_NS_MAX, -AGE_NS_MAX)),
    )
