"""What holds for the gate whatever the numbers: nothing that breaks a limit leaves, nothing else is denied."""

from __future__ import annotations

import math
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.codes import RiskReason
from domain.records import LIMITS
from tests.gate_cases import NOW_NS, Case, Row, draw_case
from tests.gate_oracle import broken_limits
from trading.risk.gate import Added, Approved, Exposure, Order, Refused, check

SEED = 20261121
SHORT, LONG = 20_000, 1_000_000
_ROW = Row()  # every case fills all of it
# What the gate can say; each must come up, and be the only limit in the way of some order.
REASONS = frozenset(
    {
        RiskReason.LIMITS_STALE, RiskReason.HALTED, RiskReason.POSITION_UNKNOWN, RiskReason.NOT_FINITE,
        RiskReason.STALE_PRICE, RiskReason.ORDER_SIZE, RiskReason.ORDER_NOTIONAL, RiskReason.POSITION_LIMIT,
        RiskReason.NOTIONAL_LIMIT, RiskReason.NET_NOTIONAL, RiskReason.MARGIN_USE, RiskReason.LIQUIDATION_NEAR,
        RiskReason.OPEN_ORDERS, RiskReason.ORDER_RATE, RiskReason.PRICE_COLLAR, RiskReason.DUPLICATE,
        RiskReason.SELF_CROSS, RiskReason.REDUCE_ONLY,
    }
)  # fmt: skip


def agree(case: Case) -> Approved | Refused:
    """Return the gate's decision; assert that it is the one which the limits in words ask for."""
    decision, broken = case.decide(_ROW), broken_limits(case)
    if isinstance(decision, Approved):
        assert not broken.must_be_refused, (case, broken)
        assert decision.order == case.order
    else:
        assert not broken.must_pass, (case, decision)
        assert decision.reason in broken.surely | broken.perhaps, (case, decision, broken)
    return decision


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_the_gate_denies_what_breaks_a_limit_and_nothing_else(data: st.DataObject) -> None:
    agree(draw_case(lambda values: data.draw(st.sampled_from(values))))


@pytest.mark.parametrize("orders", [SHORT, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_random_orders_and_states_agree_with_the_limits_in_words(orders: int) -> None:
    # Given a seeded stream of orders in random states of the account
    choose = random.Random(SEED + orders).choice
    said: Counter[RiskReason] = Counter()
    alone: Counter[RiskReason] = Counter()
    near = 0
    for _ in range(orders):
        case = draw_case(choose)
        # If the gate decides, I expect what the limits in words ask for, and a reason that is true
        decision = agree(case)
        said[decision.reason if isinstance(decision, Refused) else RiskReason.NONE] += 1
        broken = broken_limits(case)
        near += bool(broken.perhaps)
        if len(broken.surely) == 1:
            alone.update(broken.surely)
    # and every reason to have come up, alone too, with enough orders that passed
    assert set(said) == REASONS | {RiskReason.NONE}
    assert set(alone) == REASONS
    assert said[RiskReason.NONE] > orders // 50
    print(f"{orders} orders: {said[RiskReason.NONE]} passed, {near} within rounding of a limit")
    print({reason.name: (count, alone[reason]) for reason, count in said.most_common()})


TIGHTER: dict[str, Any] = {
    "position_lots_max": lambda value, amount: value - amount,
    "order_lots_max": lambda value, amount: value - amount,
    "open_orders_max": lambda value, amount: value - amount,
    "rate_max": lambda value, amount: value - amount,
    "duplicate_window_ns": lambda value, amount: value + amount,
    "order_notional_max": lambda value, amount: value - 100 * amount,
    "gross_max": lambda value, amount: value - 100 * amount,
    "net_max": lambda value, amount: value - 100 * amount,
    "collar_low": lambda value, amount: value + amount,
    "collar_high": lambda value, amount: value - amount,
    "buys": lambda value, amount: value + amount,
    "sells": lambda value, amount: value + amount,
    "others": lambda value, amount: tuple(one + Decimal(amount) for one in value),
    "age_ns": lambda value, amount: abs(value) + amount * 400_000_000,
    "fault": lambda value, amount: "risk knows no position",
    "state": lambda value, amount: {1: 2, 3: 2}.get(value, 0),
}


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(sorted(TIGHTER)), st.integers(1, 5))
def test_tightening_a_limit_never_turns_a_refusal_into_an_approval(data: st.DataObject, name: str, amount: int) -> None:
    # Given a refused order of a quoter: the operator's way out obeys none of these
    case = draw_case(lambda values: data.draw(st.sampled_from(values)))
    case.is_operator = False
    if case.fault and name == "fault":
        return
    refused_before = isinstance(case.decide(_ROW), Refused)
    # If one limit is tightened, or more is out
    if name in ("buys", "sells") and name != ("buys" if case.side > 0 else "sells"):
        return  # more on the other side is a worse case that this order need not make worse
    setattr(case, name, TIGHTER[name](getattr(case, name), amount))
    # I expect it to stay refused
    assert not (refused_before and isinstance(case.decide(_ROW), Approved))


FLOATS = ("order_notional_max", "gross_notional_room", "net_long_room", "mark_price", "collar_low", "collar_high")


@settings(max_examples=300, deadline=None)
@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([*FLOATS, "tick_size", "base_per_lot", "gross", "long"]),
)
def test_a_number_that_is_not_finite_never_lets_an_order_pass(value: float, where: str) -> None:
    # Given limits under which a plain order passes
    row = Row()
    for name in FLOATS:
        row.record[name] = 1e12
    for name, number in {"mark_price": 100.0, "collar_low": 0.0, "written_time_ns": NOW_NS, "state": 1,
                         "is_position_known": 1, "order_lots_max": 10, "position_lots_max": 100, "open_orders_max": 10,
                         "order_rate_max": 10}.items():  # fmt: skip
        row.record[name] = number
    exposure = Exposure(1.0, 1.0, is_position_known=True)
    assert isinstance(check(row, Order(1, 100, 1), exposure, NOW_NS), Approved)
    # If one of the numbers is replaced
    if where in FLOATS:
        row.floats[LIMITS.word(where)] = value
    elif where in ("gross", "long"):
        exposure.others = Added(0.0, 0.0, 0.0)._replace(**{where: value})
    else:
        setattr(exposure, where, value)
    decision = check(row, Order(1, 100, 1), exposure, NOW_NS)
    # I expect a refusal whenever it is NaN, and a price, mark or sum of others to be finite as well
    must_be_finite = ("tick_size", "base_per_lot", "mark_price", "gross")
    if math.isnan(value) or (math.isinf(value) and where in must_be_finite) or (value == math.inf and where == "long"):
        assert isinstance(decision, Refused)
