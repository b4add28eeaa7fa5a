"""What holds for the gate whatever the numbers: nothing that breaks a limit passes, tightening never opens."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import LIMITS_AGE_NS_MAX, TradingState
from domain.records import LIMITS
from trading.risk.gate import (
    NO_OWN_ASK_TICKS,
    NO_OWN_BID_TICKS,
    Approved,
    Exposure,
    Order,
    Refused,
    check,
)

NOW_NS = 10_000_000_000
# Field -> values that a case draws from; small numbers, so that every limit binds often.
LIMIT_CHOICES: dict[str, list[float]] = {
    "written_time_ns": [NOW_NS, NOW_NS - 1, NOW_NS - LIMITS_AGE_NS_MAX, NOW_NS - LIMITS_AGE_NS_MAX - 1, 0, 2 * NOW_NS],
    "state": [0, 1, 1, 1, 2, 3, 7],
    "is_position_known": [1, 1, 1, 0],
    "position_lots": list(range(-12, 13)),
    "order_lots_max": list(range(8)),
    "position_lots_max": list(range(14)),
    "open_orders_max": list(range(6)),
    "order_rate_max": list(range(6)),
    "order_notional_max": [0.0, 300.0, 500.0, 1e9, math.nan],
    "gross_notional_room": [-500.0, 0.0, 400.0, 1000.0, 1e9, math.nan, math.inf],
    "mark_price": [100.0, 101.5, 100.0, math.nan, math.inf],
    "collar_low": [95.0, 99.0, math.nan],
    "collar_high": [105.0, 101.0, math.nan],
}  # fmt: skip
FLOAT_LIMITS = {"order_notional_max", "gross_notional_room", "mark_price", "collar_low", "collar_high"}
WORDS = {name: LIMITS.word(name) for name in LIMIT_CHOICES}
EXPOSURE_CHOICES: dict[str, list[Any]] = {
    "tick_size": [1.0, 1.0, 1.0, math.nan],
    "base_per_lot": [1.0, 1.0, 1.0, math.nan, -1.0],
    "is_position_known": [True, True, True, False],
    "position_lots": list(range(-12, 13)),
    "buy_lots": list(range(7)),
    "sell_lots": list(range(7)),
    "open_orders": list(range(6)),
    "messages_last_s": list(range(6)),
    "own_best_bid_ticks": [NO_OWN_BID_TICKS, 97, 99, 100],
    "own_best_ask_ticks": [NO_OWN_ASK_TICKS, 103, 101, 100],
    "other_notional": [0.0, 0.0, 100.0, math.nan],
}
ORDER_CHOICES: dict[str, list[Any]] = {
    "side": [1, -1, 1, -1, 0],
    "price_ticks": [94, 96, 98, 99, 100, 101, 102, 104, 106],
    "size_lots": list(range(8)),
    "is_reduce_only": [False, False, True],
    "is_operator": [False, False, True],
}


@dataclass
class Row:
    """The words of one LIMITS record, as a table reader has them."""

    ints: Any
    floats: Any


def empty_row() -> Row:
    record = np.zeros(1, LIMITS.dtype)
    return Row(memoryview(record.view(np.int64)), memoryview(record.view(np.float64)))


def fill(row: Row, values: dict[str, float]) -> Row:
    for name, value in values.items():
        if name in FLOAT_LIMITS:
            row.floats[WORDS[name]] = value
        else:
            row.ints[WORDS[name]] = int(value)
    return row


_ROW = empty_row()  # every case fills all of it


@dataclass
class Case:
    limits: dict[str, float]
    order: Order
    exposure: Exposure

    def decide(self) -> Approved | Refused:
        return check(fill(_ROW, self.limits), self.order, self.exposure, NOW_NS)


def draw_case(choose: Any) -> Case:
    """`choose(list) -> element` is hypothesis or a seeded generator."""
    return Case(
        {name: choose(values) for name, values in LIMIT_CHOICES.items()},
        Order(**{name: choose(values) for name, values in ORDER_CHOICES.items()}),
        Exposure(**{name: choose(values) for name, values in EXPOSURE_CHOICES.items()}),
    )


def broken_limits(case: Case) -> list[str]:
    """Return what the order breaks: said once more, from the words of the limits, without the gate's short cuts."""
    order, held, limits = case.order, case.exposure, case.limits
    broken = []
    numbers = [held.tick_size, held.base_per_lot]
    if not all(map(math.isfinite, numbers)) or held.base_per_lot <= 0:
        broken.append("not finite")
    if order.size_lots < 1 or order.side not in (1, -1):
        broken.append("not an order")
    own_lots = held.buy_lots if order.side == 1 else held.sell_lots
    if order.is_operator and order.is_reduce_only:
        after = held.position_lots + order.side * (own_lots + order.size_lots)
        flips = after * held.position_lots < 0 or abs(after) > abs(held.position_lots) or held.position_lots == 0
        if flips or not held.is_position_known:
            broken.append("does not reduce")
        return broken
    if abs(NOW_NS - limits["written_time_ns"]) > 500_000_000:
        broken.append("stale")
    if limits["state"] not in (TradingState.ACTIVE, TradingState.REDUCING, TradingState.RECOVERING):
        broken.append("halted")
    if not held.is_position_known or limits["is_position_known"] != 1:
        broken.append("unknown position")
    for position in (held.position_lots, limits["position_lots"]):
        after = position + order.side * (own_lots + order.size_lots)
        if (order.is_reduce_only or limits["state"] == TradingState.REDUCING) and (
            after * position < 0 or abs(after) > abs(position) or position == 0
        ):
            broken.append("does not reduce")
        if order.side * after > limits["position_lots_max"]:
            broken.append("position")
    if not all(math.isfinite(value) for value in (limits["mark_price"], held.other_notional)):
        broken.append("mark not finite")
    price = order.price_ticks * held.tick_size
    if order.size_lots > limits["order_lots_max"]:
        broken.append("size")
    if not order.size_lots * price * held.base_per_lot <= limits["order_notional_max"]:
        broken.append("notional")
    if not limits["collar_low"] <= price <= limits["collar_high"]:
        broken.append("collar")
    if held.open_orders + 1 > limits["open_orders_max"]:
        broken.append("open orders")
    if held.messages_last_s + 1 > limits["order_rate_max"]:
        broken.append("rate")
    if order.side == 1 and order.price_ticks >= held.own_best_ask_ticks:
        broken.append("crosses ourselves")
    if order.side == -1 and order.price_ticks <= held.own_best_bid_ticks:
        broken.append("crosses ourselves")
    if breaks_gross_notional(case):
        broken.append("gross notional")
    return broken


def breaks_gross_notional(case: Case) -> bool:
    order, held, limits = case.order, case.exposure, case.limits
    positions = (held.position_lots, limits["position_lots"])
    buys = held.buy_lots + (order.size_lots if order.side == 1 else 0)
    sells = held.sell_lots + (order.size_lots if order.side == -1 else 0)
    before = max(max(abs(p + held.buy_lots), abs(p - held.sell_lots), abs(p)) for p in positions)
    after = max(max(abs(p + buys), abs(p - sells), abs(p)) for p in positions)
    if after <= before:
        return False
    per_lot = limits["mark_price"] * held.base_per_lot
    added = (after - abs(limits["position_lots"])) * per_lot + held.other_notional
    return not added <= limits["gross_notional_room"]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_no_order_that_breaks_a_limit_is_approved(data: st.DataObject) -> None:
    # Given any limits, holdings and order
    case = draw_case(lambda values: data.draw(st.sampled_from(values)))
    # If it is approved, I expect that it breaks nothing; if it is refused, that it breaks something
    assert isinstance(case.decide(), Refused) == bool(broken_limits(case))


def test_a_hundred_thousand_seeded_orders_agree_with_the_limits_in_words() -> None:
    # Given a seeded stream of cases, most of them near the limits
    rng = random.Random(20261121)
    approved = 0
    for number in range(100_000):
        case = draw_case(rng.choice)
        if number % 2:  # half of the cases without the faults that hide every other limit
            case.limits.update(written_time_ns=NOW_NS, state=1 + number // 2 % 3, is_position_known=1, mark_price=100.0)
            case.exposure = Exposure(**{**_fields(case.exposure), "tick_size": 1.0, "base_per_lot": 1.0,
                                        "is_position_known": True, "other_notional": 0.0})  # fmt: skip
        # If the gate decides
        decision = case.decide()
        # I expect the same as the limits in words
        assert isinstance(decision, Refused) == bool(broken_limits(case)), (case, decision, broken_limits(case))
        approved += isinstance(decision, Approved)
    # and that the cases were not all of one kind
    assert 500 < approved < 90_000


def _fields(exposure: Exposure) -> dict[str, Any]:
    return {name: getattr(exposure, name) for name in exposure.__struct_fields__}


TIGHTER: dict[str, Any] = {
    "position_lots_max": lambda value, amount: value - amount,
    "order_lots_max": lambda value, amount: value - amount,
    "open_orders_max": lambda value, amount: value - amount,
    "order_rate_max": lambda value, amount: value - amount,
    "order_notional_max": lambda value, amount: value - 100.0 * amount,
    "gross_notional_room": lambda value, amount: value - 100.0 * amount,
    "collar_low": lambda value, amount: value + amount,
    "collar_high": lambda value, amount: value - amount,
    "written_time_ns": lambda value, amount: min(value, NOW_NS) - amount * 400_000_000,
    "is_position_known": lambda value, amount: 0,
    "state": lambda value, amount: {1: 2, 3: 2, 2: 0}.get(value, 0),
}


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(sorted(TIGHTER)), st.integers(1, 5))
def test_tightening_a_limit_never_turns_a_refusal_into_an_approval(data: st.DataObject, name: str, amount: int) -> None:
    # Given a refused order
    case = draw_case(lambda values: data.draw(st.sampled_from(values)))
    refused_before = isinstance(case.decide(), Refused)
    # If one limit is tightened
    case.limits[name] = TIGHTER[name](case.limits[name], amount)
    # I expect it to stay refused
    assert not (refused_before and isinstance(case.decide(), Approved))


@settings(max_examples=300, deadline=None)
@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([*sorted(FLOAT_LIMITS), "tick_size", "base_per_lot", "other_notional"]),
)
def test_a_number_that_is_not_finite_never_lets_an_order_pass(value: float, where: str) -> None:
    # Given limits under which a plain order passes
    generous = dict.fromkeys(FLOAT_LIMITS, 1e12) | {"mark_price": 100.0, "collar_low": 0.0}
    row = fill(
        empty_row(),
        generous | {"written_time_ns": NOW_NS, "state": 1, "is_position_known": 1, "order_lots_max": 10,
                    "position_lots_max": 100, "open_orders_max": 10, "order_rate_max": 10},
    )  # fmt: skip
    exposure = Exposure(1.0, 1.0, is_position_known=True)
    assert isinstance(check(row, Order(1, 100, 1), exposure, NOW_NS), Approved)
    # If one of the numbers is replaced
    if where in FLOAT_LIMITS:
        row.floats[LIMITS.word(where)] = value
    else:
        setattr(exposure, where, value)
    decision = check(row, Order(1, 100, 1), exposure, NOW_NS)
    # I expect a refusal whenever it is NaN, and a price or mark to be finite as well
    if math.isnan(value) or (math.isinf(value) and where in ("tick_size", "base_per_lot", "mark_price")):
        assert isinstance(decision, Refused)
