"""The compiled reconcile takes the very steps of execution's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.execution.desk import trimmed
from backtest.engine import reconcile as compiled
from trading.orders.reconcile import Hold, LiveOrder, Plan, reconcile

prices = st.integers(95, 105)
sizes = st.integers(1, 30)
levels = st.lists(st.tuples(prices, sizes), max_size=5, unique_by=lambda level: level[0])


@st.composite
def live_orders(draw: st.DrawFn) -> list[LiveOrder]:
    found = []
    for order_id in range(1, draw(st.integers(0, 5)) + 1):
        size = draw(st.integers(2, 30))
        filled = draw(st.integers(0, size - 1))
        found.append(LiveOrder(order_id, draw(prices), size, filled, draw(prices), draw(st.sampled_from(Hold))))
    return found


def plan_of(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], live: list[list[LiveOrder]], limits: tuple[int, int, int]
) -> Plan:
    """Return what the compiled function makes of it, as execution's would tell it."""
    desk = np.zeros(1, compiled.DESK)
    for side, wanted in enumerate((bids, asks)):
        desk["wanted"][0, side] = len(wanted)
        for i, (price, size) in enumerate(wanted):
            desk["wanted_ticks"][0, side, i] = price
            desk["wanted_lots"][0, side, i] = size
    for side, orders in enumerate(live):
        desk["counts"][0, side] = len(orders)
        for i, order in enumerate(orders):
            desk["live"][0, side, i] = (*order[:5], int(order.hold), order.size_lots)
    desk["threshold_ticks"], desk["tolerance_permille"], desk["fill_threshold_permille"] = limits
    compiled.reconcile(desk[0])
    steps = desk["steps"][0][: int(desk["step_count"][0])]
    return Plan([tuple(int(n) for n in step[:6]) for step in steps.tolist()], int(desk["held_back"][0]))  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(levels, levels, live_orders(), live_orders(), st.integers(1, 4), st.integers(0, 500), st.integers(0, 900))
def test_it_takes_the_steps_of_execution(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    live_bids: list[LiveOrder],
    live_asks: list[LiveOrder],
    threshold: int,
    tolerance: int,
    fill_threshold: int,
) -> None:
    bids, asks = sorted(bids, reverse=True), sorted(asks)
    expected = reconcile(
        bids,
        asks,
        live_bids,
        live_asks,
        amend_threshold_ticks=threshold,
        size_tolerance_permille=tolerance,
        fill_threshold_permille=fill_threshold,
    )
    found = plan_of(bids, asks, [live_bids, live_asks], (threshold, tolerance, fill_threshold))
    assert found.steps == [tuple(int(n) for n in step) for step in expected.steps]
    assert found.held_back == expected.held_back


@settings(max_examples=200, deadline=None)
@given(levels, live_orders(), st.integers(0, 9), st.integers(0, 100), st.integers(1, 5))
def test_what_is_wanted_leaves_room_for_what_is_on_its_way_out(
    wanted: list[tuple[int, int]], live: list[LiveOrder], shrinking_lots: int, room_lots: int, lots_min: int
) -> None:
    desk = np.zeros(1, compiled.DESK)
    desk["counts"][0, 0] = len(live)
    for i, order in enumerate(live):
        desk["live"][0, 0, i] = (*order[:5], int(order.hold), order.size_lots + shrinking_lots)
    leaving_lots = shrinking_lots * len(live) + sum(
        order.size_lots - order.filled_lots for order in live if order.hold is Hold.LEAVING
    )
    prices, sizes = (np.array([level[i] for level in wanted], np.int64) for i in (0, 1))
    compiled.want(desk[0], 0, len(wanted), prices, sizes, room_lots, lots_min)
    count = int(desk["wanted"][0, 0])
    found = [(int(desk["wanted_ticks"][0, 0, i]), int(desk["wanted_lots"][0, 0, i])) for i in range(count)]
    assert found == trimmed(wanted, room_lots - leaving_lots, lots_min, 10**9)
