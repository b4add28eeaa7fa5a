"""The gate's own doors, one by one, and that machine code decides as the interpreter does."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.codes import RiskReason
from domain.order import TradingState
from domain.records import LIMITS
from trading.risk.gate import (
    NOTHING_ADDED,
    UNKNOWN_ADDED,
    Added,
    Approved,
    Exposure,
    Order,
    Refused,
    check,
    notional_added,
    total_added,
)
from trading.risk.gate_kernel import NO_DUPLICATE_NS, gate_reason

NOW_NS = 7_000_000_000
REPO = Path(__file__).parents[4]


class Row:
    """One LIMITS record as a reader holds it, wide open unless told otherwise."""

    def __init__(self, **values: float) -> None:
        self.record = np.zeros(1, LIMITS.dtype)
        self.ints = memoryview(self.record.view(np.int64))
        self.floats = memoryview(self.record.view(np.float64))
        wide: dict[str, float] = {
            "written_time_ns": NOW_NS, "state": TradingState.ACTIVE, "is_position_known": 1, "order_lots_max": 100,
            "position_lots_max": 1000, "open_orders_max": 10, "order_rate_max": 40, "order_notional_max": 1e9,
            "gross_notional_room": 1e9, "net_long_room": 1e9, "net_short_room": 1e9,
            "mark_price": 100.0, "collar_low": 90.0, "collar_high": 110.0,
        }  # fmt: skip
        for name, value in (wide | values).items():
            self.record[name] = value


def exposure(**values: Any) -> Exposure:
    return Exposure(**({"tick_size": 1.0, "base_per_lot": 0.001, "is_position_known": True} | values))


def reason(row: Row, order: Order, held: Exposure | None = None) -> RiskReason:
    decision = check(row, order, held or exposure(), NOW_NS)
    return RiskReason.NONE if isinstance(decision, Approved) else decision.reason


BUY = Order(side=1, price_ticks=100, size_lots=10)
SELL = Order(side=-1, price_ticks=100, size_lots=10)


def test_an_order_within_every_limit_is_approved_as_it_is() -> None:
    assert check(Row(), BUY, exposure(), NOW_NS) == Approved(BUY, NOW_NS)


@pytest.mark.parametrize(
    ("limits", "held", "expected"),
    [
        ({"written_time_ns": NOW_NS - 500_000_001}, {}, RiskReason.LIMITS_STALE),
        ({"written_time_ns": 0}, {}, RiskReason.LIMITS_STALE),
        ({"state": TradingState.HALTED}, {}, RiskReason.HALTED),
        ({"state": TradingState.REDUCING}, {}, RiskReason.REDUCE_ONLY),
        ({"is_position_known": 0}, {}, RiskReason.POSITION_UNKNOWN),
        ({}, {"is_position_known": False}, RiskReason.POSITION_UNKNOWN),
        ({"mark_price": float("nan")}, {}, RiskReason.STALE_PRICE),
        ({"mark_price": float("inf")}, {}, RiskReason.STALE_PRICE),
        ({"order_lots_max": 9}, {}, RiskReason.ORDER_SIZE),
        ({"order_notional_max": 0.99}, {}, RiskReason.ORDER_NOTIONAL),
        ({"order_notional_max": float("nan")}, {}, RiskReason.ORDER_NOTIONAL),
        ({"position_lots_max": 29}, {"position_lots": 10, "buy_lots": 10}, RiskReason.POSITION_LIMIT),
        ({"position_lots_max": 29, "position_lots": 20}, {}, RiskReason.POSITION_LIMIT),
        ({"gross_notional_room": 0.99}, {}, RiskReason.NOTIONAL_LIMIT),
        ({"gross_notional_room": 2.0}, {"others": Added(1.5, 0.0, 0.0)}, RiskReason.NOTIONAL_LIMIT),
        ({"gross_notional_room": 0.99, "room_reason": RiskReason.MARGIN_USE}, {}, RiskReason.MARGIN_USE),
        ({"gross_notional_room": 0.99, "room_reason": RiskReason.LIQUIDATION_NEAR}, {}, RiskReason.LIQUIDATION_NEAR),
        ({"gross_notional_room": 0.99, "room_reason": RiskReason.KILL}, {}, RiskReason.NOTIONAL_LIMIT),
        ({}, {"others": UNKNOWN_ADDED}, RiskReason.NOT_FINITE),
        ({"net_long_room": 0.99}, {}, RiskReason.NET_NOTIONAL),
        ({"net_long_room": 2.0}, {"others": Added(0.0, 1.5, 0.0)}, RiskReason.NET_NOTIONAL),
        ({"net_long_room": 2.0}, {"buy_lots": 11}, RiskReason.NET_NOTIONAL),
        ({"net_long_room": float("nan")}, {}, RiskReason.NET_NOTIONAL),
        ({"duplicate_window_ns": 5}, {"duplicate_age_ns": 4}, RiskReason.DUPLICATE),
        ({"open_orders_max": 3}, {"open_orders": 3}, RiskReason.OPEN_ORDERS),
        ({"order_rate_max": 40}, {"messages_last_s": 40}, RiskReason.ORDER_RATE),
        ({"collar_low": 101.0}, {}, RiskReason.PRICE_COLLAR),
        ({"collar_high": 99.0}, {}, RiskReason.PRICE_COLLAR),
        ({}, {"own_best_ask_ticks": 100}, RiskReason.SELF_CROSS),
    ],
)
def test_each_limit_has_its_own_reason(limits: dict[str, float], held: dict[str, Any], expected: RiskReason) -> None:
    assert reason(Row(**limits), BUY, exposure(**held)) is expected


def test_a_record_that_nobody_has_written_refuses_everything() -> None:
    # Given the zeros of a fresh segment
    row = Row()
    row.record[:] = np.zeros(1, LIMITS.dtype)
    # If orders of both sides are checked, I expect refusals
    assert isinstance(check(row, BUY, exposure(), NOW_NS), Refused)
    assert isinstance(check(row, SELL, exposure(), NOW_NS), Refused)


def test_reducing_lets_orders_pass_up_to_the_position_and_not_beyond() -> None:
    # Given 10 lots short, of which 4 are already being bought back
    row = Row(state=TradingState.REDUCING, position_lots=-10)
    held = exposure(position_lots=-10, buy_lots=4)
    # If 6 more are bought, or 7, or any sold
    # I expect only the 6 to pass: 7 could flip the position
    assert reason(row, Order(1, 100, 6), held) is RiskReason.NONE
    assert reason(row, Order(1, 100, 7), held) is RiskReason.REDUCE_ONLY
    assert reason(row, Order(-1, 100, 1), held) is RiskReason.REDUCE_ONLY


def test_a_position_above_its_limit_can_still_be_reduced() -> None:
    # Given a long position above the limit and no room in the gross notional
    row = Row(position_lots_max=50, position_lots=80, gross_notional_room=-3.0)
    held = exposure(position_lots=80)
    # If it is sold off, I expect the gate to be open; buying stays shut
    assert reason(row, SELL, held) is RiskReason.NONE
    assert reason(row, BUY, held) is RiskReason.POSITION_LIMIT


@pytest.mark.parametrize("limits", [{"state": TradingState.HALTED}, {"written_time_ns": 0}, {"is_position_known": 0}])
def test_the_operators_reduce_only_order_passes_when_risk_halted_or_is_silent(limits: dict[str, float]) -> None:
    # Given a long position of 10 lots that risk no longer lets anybody trade
    row, held = Row(**limits), exposure(position_lots=10)
    # If the operator sells it off, I expect the gate to be open, but never for more than the position
    assert reason(row, Order(-1, 100, 10, is_reduce_only=True, is_operator=True), held) is RiskReason.NONE
    assert reason(row, Order(-1, 100, 11, is_reduce_only=True, is_operator=True), held) is RiskReason.REDUCE_ONLY
    assert reason(row, Order(1, 100, 1, is_reduce_only=True, is_operator=True), held) is RiskReason.REDUCE_ONLY
    # nor with a number that is not finite, nor for a position that nobody knows
    order = Order(-1, 100, 10, is_reduce_only=True, is_operator=True)
    assert reason(row, order, exposure(position_lots=10, tick_size=float("nan"))) is RiskReason.NOT_FINITE
    unknown = exposure(position_lots=10, is_position_known=False)
    assert reason(row, order, unknown) is RiskReason.POSITION_UNKNOWN


def test_a_refusal_names_the_value_and_the_limit() -> None:
    decision = check(Row(order_lots_max=9), BUY, exposure(), NOW_NS)
    assert isinstance(decision, Refused)
    assert decision.text == "ORDER_SIZE: buy 10 lots at 100: limit 9 lots"


def test_orders_of_another_instrument_take_room_from_gross_and_net_notional() -> None:
    # Given 5 lots long where risk knows of 2, with 10 more being bought and 4 sold, at 0.1 a lot
    row = Row(position_lots=2)
    held = exposure(position_lots=5, buy_lots=10, sell_lots=4)
    # If asked what they may add to what risk knows
    # I expect (5 + 10 - 2) lots of gross and of long notional, and (2 + 4 - 2) lots short
    assert notional_added(row, held) == pytest.approx(Added(1.3, 1.3, 0.4))
    # and for a short that execution has not heard of, that it may be closed already
    assert notional_added(Row(position_lots=-3), exposure()) == pytest.approx(Added(0.0, 0.3, 0.0))


def test_an_unknown_mark_matters_only_where_something_may_be_added() -> None:
    unknown = Row(mark_price=float("nan"), position_lots=7)
    assert notional_added(unknown, exposure(position_lots=7)) == NOTHING_ADDED
    assert all(np.isnan(notional_added(unknown, exposure(position_lots=7, sell_lots=1))))
    assert all(np.isnan(total_added([NOTHING_ADDED, UNKNOWN_ADDED])))
    assert total_added([Added(1.0, 2.0, 3.0), Added(4.0, 5.0, 6.0)]) == Added(5.0, 7.0, 9.0)


def test_an_order_that_brings_net_notional_back_passes() -> None:
    # Given a net notional 3 $ beyond its limit on the long side, of other instruments too
    row = Row(net_long_room=-3.0, net_short_room=25.0)
    # If 1 $ is sold, I expect the gate to be open; buying, also to cover a short of this one, would add to it
    assert reason(row, SELL) is RiskReason.NONE
    assert (
        reason(Row(net_long_room=-3.0, position_lots=-10), BUY, exposure(position_lots=-10)) is RiskReason.NET_NOTIONAL
    )


def test_what_risk_counts_already_takes_no_room_twice() -> None:
    # Given 10 lots long that risk knows of, at 0.1 $ a lot, and room for 10 more, gross and net
    row = Row(position_lots=10, gross_notional_room=1.05, net_long_room=1.05)
    # If 10 are bought, I expect it to pass; 11 not, nor 10 after a fill that risk has not heard of
    assert reason(row, BUY, exposure(position_lots=10)) is RiskReason.NONE
    assert reason(row, Order(1, 100, 11), exposure(position_lots=10)) is RiskReason.NOTIONAL_LIMIT
    assert reason(row, BUY, exposure(position_lots=11)) is RiskReason.NOTIONAL_LIMIT
    # and selling what is held, without any room
    assert reason(Row(position_lots=10, gross_notional_room=-1.0), SELL, exposure(position_lots=10)) is RiskReason.NONE


def test_what_others_may_sell_takes_room_from_a_sell() -> None:
    row, others = Row(net_short_room=2.0), Added(0.0, 0.0, 1.5)
    assert reason(row, SELL, exposure(others=others)) is RiskReason.NET_NOTIONAL
    assert reason(row, BUY, exposure(others=others)) is RiskReason.NONE


def test_an_order_that_is_not_answered_is_not_sent_again() -> None:
    # Given a window of 5 ms
    row = Row(duplicate_window_ns=5_000_000)
    # If the same order is unanswered, 4 ms old, 5 ms old, or was never sent, I expect the first two to be refused
    ages_ns = [0, 4_999_999, 5_000_000, NO_DUPLICATE_NS]
    refused = [reason(row, BUY, exposure(duplicate_age_ns=age_ns)) for age_ns in ages_ns]
    assert refused == [RiskReason.DUPLICATE, RiskReason.DUPLICATE, RiskReason.NONE, RiskReason.NONE]
    # and none when the window is closed, nor the way out of the operator
    assert reason(Row(), BUY, exposure(duplicate_age_ns=0)) is RiskReason.NONE
    flatten = Order(-1, 100, 10, is_reduce_only=True, is_operator=True)
    assert reason(row, flatten, exposure(duplicate_age_ns=0, position_lots=10)) is RiskReason.NONE


COMPILED = """
import json, sys
import numpy as np
from trading.risk import gate_kernel as gate
cases = json.load(sys.stdin)
assert hasattr(gate.gate_reason, "py_func"), "not compiled"
out = []
for ints, floats, args in cases:
    out.append(int(gate.gate_reason(np.array(ints), np.array(floats), *args)))
print(json.dumps(out))
"""


def test_machine_code_decides_as_the_interpreter_does(tmp_path: Path) -> None:
    # Given some hundred seeded orders
    rng = random.Random(5)
    cases, expected = [], []
    for _ in range(400):
        row = Row(state=rng.choice([0, 1, 1, 2, 3]), position_lots=rng.randint(-30, 30), position_lots_max=40,
                  order_lots_max=12, order_notional_max=1.1, gross_notional_room=rng.choice([0.5, 9.0]),
                  net_long_room=rng.choice([1.0, 9.0]), net_short_room=rng.choice([1.0, 9.0]), duplicate_window_ns=5,
                  room_reason=rng.choice([0, 5, 29, 30]))  # fmt: skip
        args = (
            NOW_NS + rng.choice([0, 10**9]), rng.random() < 0.2, rng.random() < 0.4, rng.choice([1, -1]),
            rng.randint(88, 112), rng.randint(0, 14), 1.0, 0.001, rng.random() < 0.95, rng.randint(-30, 30),
            rng.randint(0, 9), rng.randint(0, 9), rng.randint(0, 11), rng.randint(0, 41), 95, 105,
            rng.choice([0, 9, NO_DUPLICATE_NS]), rng.choice([0.0, 0.5]), rng.choice([0.0, 0.5]), rng.choice([0.0, 0.5]),
        )  # fmt: skip
        expected.append(gate_reason(row.ints, row.floats, *args))
        cases.append((list(row.ints), list(row.floats), args))
    # If a process that compiles its kernels decides them
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=REPO,
        env={**os.environ, "RINGMAKER_JIT": "1", "RINGMAKER_CACHE_DIR": str(tmp_path)},
        timeout=100,
        check=False,
    )
    # I expect the same reasons, of more than a few kinds
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
    assert len(set(expected)) > 9
