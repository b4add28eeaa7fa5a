"""Our side of the wire: what we know of our orders, what we hear, what we send.

The quotes come from the same functions as live (trading/quoting/standard.py), messages from the same rules
(reconcile.py) and through the same gate (trading/risk/gate_kernel.py). What was sent is on its way: an order that is
unanswered counts at every price at which it may rest, and is left alone until it is answered.
"""

from __future__ import annotations

import numpy as np

from backtest.book import fill_record, is_usable
from backtest.engine import records
from backtest.engine.reconcile import (
    AMEND,
    BUSY,
    CANCEL,
    FREE,
    INSERT,
    LEAVING,
    LIVE_MAX,
    reconcile,
    want,
)
from domain.codes import OrderEventKind, RiskReason
from domain.jit import Array, Record, kernel
from trading.quoting.standard import on_book, on_fill, quote, solve
from trading.risk.gate_kernel import NO_DUPLICATE_NS, NO_OWN_ASK_TICKS, NO_OWN_BID_TICKS, gate_reason

REQUESTS_MAX = 1 << 12  # on the way at one time
NS_PER_S = 1_000_000_000
_ACCEPTED = int(OrderEventKind.ACCEPTED)
_AMENDED = int(OrderEventKind.AMENDED)
_CANCELLED = int(OrderEventKind.CANCELLED)
_FILLED = int(OrderEventKind.FILLED)
_REJECTED = int(OrderEventKind.REJECTED)
_POSITION_LIMIT = int(RiskReason.POSITION_LIMIT)
_POST_ONLY = records.POST_ONLY
_SEND_INSERT, _SEND_AMEND, _SEND_CANCEL = records.INSERT, records.AMEND, records.CANCEL

RUN = np.dtype(
    [
        *((name, "<i8") for name in (
            "next_exchange", "next_local",  # rows of the block
            "heard",  # answers of the block
            "first_request", "requests",  # ring: oldest on the way, all sent so far
            "last_arrival_ns",
            "step_ns",  # between two decisions; 0 = at every message
            "next_step_ns",
            "data_time_ns",  # last row that we have seen
            "position_lots",  # as we know it
            "reach_lots",  # no order may lead to a larger |position|
            "order_ids",
            "flags",  # of every insert
            "second_ns", "sent_this_second",
            "decisions", "inserts", "amends", "cancels", "denied", "unsent",
            "fills_heard",
            "is_ladder_old",  # it was made before the last fill that we heard of
            "sample_ns", "next_sample_ns", "samples",
            "is_last_block",
        )),
        ("tick_size", "<f8"), ("lot_size", "<f8"), ("lot_base", "<f8"),
        ("entry_ns", "<i8", (records.REQUEST_KINDS,)),
    ]
)  # fmt: skip


@kernel
def decide(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, book: Record, bids: Array,
    asks: Array, row: Record, now_ns: int, requests: Array,
) -> None:  # fmt: skip
    """Look at the book, quote, and send what brings our orders to it. `row`: the last one seen."""
    run["decisions"] += 1
    fill_record(book, bids, asks, row, run["tick_size"], run["lot_size"], q["book"])
    q["book"]["receive_time_ns"] = now_ns
    if is_usable(book):
        q["limits"]["mark_price"] = 0.5 * (book["best_bid_ticks"] + book["best_ask_ticks"]) * run["tick_size"]
    on_book(q)
    requote(run, desk, q, limits_ints, limits_floats, now_ns, requests)


@kernel
def requote(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, now_ns: int, requests: Array
) -> None:
    """Quote on what is known now, and send what brings our orders to it."""
    q["account"]["position_lots"] = run["position_lots"]
    q["limits"]["written_time_ns"] = now_ns
    q["limits"]["position_lots"] = run["position_lots"]
    moment = q["moment"]
    moment["now_ns"] = now_ns
    moment["realtime_ns"] = now_ns
    moment["alive_time_ns"] = run["data_time_ns"]
    quote(q)
    run["is_ladder_old"] = 0
    bring(run, desk, q, limits_ints, limits_floats, now_ns, requests)
    solve(q)


@kernel
def bring(
    run: Record, desk: Record, q: Record, limits_ints: Array, limits_floats: Array, now_ns: int, requests: Array
) -> None:
    """Send what brings our orders to the ladder wanted last."""
    ladder = q["ladder"]
    lots_min = q["params"]["order_lots_min"]
    position_lots = run["position_lots"]
    want(
        desk, 0, ladder["bid_count"], ladder["bid_price_ticks"], ladder["bid_size_lots"],
        run["reach_lots"] - position_lots, lots_min,
    )  # fmt: skip
    want(
        desk, 1, ladder["ask_count"], ladder["ask_price_ticks"], ladder["ask_size_lots"],
        run["reach_lots"] + position_lots, lots_min,
    )  # fmt: skip
    reconcile(desk)
    for i in range(desk["step_count"]):
        step = desk["steps"][i]
        side = 1 if step["is_buy"] == 1 else -1
        if step["kind"] == CANCEL:
            place = _find(desk, 1 - step["is_buy"], step["order_id"])
            desk["live"][1 - step["is_buy"]][place]["hold"] = LEAVING
            run["cancels"] += 1
            _send(run, requests, _SEND_CANCEL, step["order_id"], side, 0, 0, now_ns)
            continue
        if _gate(run, desk, step, side, limits_ints, limits_floats, now_ns) != 0:
            run["denied"] += 1
        elif step["kind"] == AMEND:
            _send_amend(run, desk, step, side, now_ns, requests)
        elif step["kind"] == INSERT:
            _send_insert(run, desk, step, side, now_ns, requests)


@kernel
def _send_amend(run: Record, desk: Record, step: Record, side: int, now_ns: int, requests: Array) -> None:
    order = desk["live"][1 - step["is_buy"]][_find(desk, 1 - step["is_buy"], step["order_id"])]
    order["hold"] = BUSY
    order["price_ticks"] = step["price_ticks"]
    order["size_lots"] = step["size_lots"]
    order["exposed_lots"] = max(order["exposed_lots"], step["size_lots"])
    if side * (step["price_ticks"] - order["aggressive_price_ticks"]) > 0:
        order["aggressive_price_ticks"] = step["price_ticks"]
    run["amends"] += 1
    _send(run, requests, _SEND_AMEND, step["order_id"], side, step["price_ticks"], step["size_lots"], now_ns)


@kernel
def _send_insert(run: Record, desk: Record, step: Record, side: int, now_ns: int, requests: Array) -> None:
    place = desk["counts"][1 - step["is_buy"]]
    if place >= LIVE_MAX:
        run["unsent"] += 1
        return
    desk["counts"][1 - step["is_buy"]] += 1
    run["order_ids"] += 1
    order = desk["live"][1 - step["is_buy"]][place]
    order["order_id"] = run["order_ids"]
    order["price_ticks"] = step["price_ticks"]
    order["size_lots"] = step["size_lots"]
    order["exposed_lots"] = step["size_lots"]
    order["filled_lots"] = 0
    order["aggressive_price_ticks"] = step["price_ticks"]
    order["hold"] = BUSY
    run["inserts"] += 1
    _send(run, requests, _SEND_INSERT, run["order_ids"], side, step["price_ticks"], step["size_lots"], now_ns)


@kernel
def _send(
    run: Record, requests: Array, kind: int, order_id: int, side: int, price_ticks: int, size_lots: int, now_ns: int
) -> None:
    """Put a request on its way; on one connection none overtakes another."""
    request = requests[run["requests"] & (REQUESTS_MAX - 1)]
    run["requests"] += 1
    assert run["requests"] - run["first_request"] <= REQUESTS_MAX
    arrival_ns = max(now_ns + run["entry_ns"][kind], run["last_arrival_ns"])
    run["last_arrival_ns"] = arrival_ns
    request["local_time_ns"] = now_ns
    request["arrival_time_ns"] = arrival_ns
    request["kind"] = kind
    request["order_id"] = order_id
    request["side"] = side
    request["price_ticks"] = price_ticks
    request["size_lots"] = size_lots
    request["flags"] = run["flags"]
    if now_ns - run["second_ns"] >= NS_PER_S:
        run["second_ns"] = now_ns
        run["sent_this_second"] = 0
    run["sent_this_second"] += 1


@kernel
def _gate(
    run: Record, desk: Record, step: Record, side: int, limits_ints: Array, limits_floats: Array, now_ns: int
) -> int:
    """Return the gate's reason against an insert or amend; 0 = it may be sent."""
    buy_lots = 0
    sell_lots = 0
    best_bid = NO_OWN_BID_TICKS
    best_ask = NO_OWN_ASK_TICKS
    for i in range(desk["counts"][0]):
        order = desk["live"][0][i]
        if order["order_id"] != step["order_id"]:
            buy_lots += order["exposed_lots"] - order["filled_lots"]
            best_bid = max(best_bid, order["aggressive_price_ticks"])
    for i in range(desk["counts"][1]):
        order = desk["live"][1][i]
        if order["order_id"] != step["order_id"]:
            sell_lots += order["exposed_lots"] - order["filled_lots"]
            best_ask = min(best_ask, order["aggressive_price_ticks"])
    others_lots = run["position_lots"] + buy_lots if side > 0 else sell_lots - run["position_lots"]
    if others_lots + step["open_lots"] > run["reach_lots"]:
        return _POSITION_LIMIT
    open_orders = desk["counts"][0] + desk["counts"][1] - (1 if step["kind"] == AMEND else 0)
    return int(
        gate_reason(
            limits_ints, limits_floats, now_ns, False, False, side, step["price_ticks"], step["open_lots"],
            run["tick_size"], run["lot_base"], True, run["position_lots"], buy_lots, sell_lots, open_orders,
            run["sent_this_second"], best_bid, best_ask, NO_DUPLICATE_NS, 0.0, 0.0, 0.0,
        )
    )  # fmt: skip


@kernel
def _find(desk: Record, side: int, order_id: int) -> int:
    """Return the place of a live order; it is there."""
    place = 0
    while desk["live"][side][place]["order_id"] != order_id:
        place += 1
    return place


@kernel
def hear(run: Record, desk: Record, q: Record, answer: Record) -> None:
    """Take one answer of the exchange in. After a fill the ladder wanted is no longer for the position we have."""
    kind = answer["kind"]
    side = 0 if answer["side"] > 0 else 1
    place = -1
    for i in range(desk["counts"][side]):
        if desk["live"][side][i]["order_id"] == answer["order_id"]:
            place = i
    if kind == _FILLED:
        run["position_lots"] += answer["side"] * answer["size_lots"]
        run["fills_heard"] += 1
        run["is_ladder_old"] = 1
        on_fill(q, answer["side"], answer["size_lots"], answer["local_time_ns"])
    if place < 0:
        return
    order = desk["live"][side][place]
    if kind == _FILLED:
        order["filled_lots"] += answer["size_lots"]
        if answer["remaining_lots"] == 0:
            _forget(desk, side, place)
    elif kind in (_ACCEPTED, _AMENDED):
        order["aggressive_price_ticks"] = answer["price_ticks"]
        order["exposed_lots"] = answer["size_lots"]
        if order["hold"] == BUSY:
            order["hold"] = FREE
    elif kind in (_CANCELLED, _REJECTED):
        _forget(desk, side, place)


@kernel
def _forget(desk: Record, side: int, place: int) -> None:
    """Take an order that is gone out of the list; the others keep their order."""
    live = desk["live"][side]
    desk["counts"][side] -= 1
    for i in range(place, desk["counts"][side]):
        to = live[i]
        was = live[i + 1]
        to["order_id"] = was["order_id"]
        to["price_ticks"] = was["price_ticks"]
        to["size_lots"] = was["size_lots"]
        to["filled_lots"] = was["filled_lots"]
        to["aggressive_price_ticks"] = was["aggressive_price_ticks"]
        to["exposed_lots"] = was["exposed_lots"]
        to["hold"] = was["hold"]
