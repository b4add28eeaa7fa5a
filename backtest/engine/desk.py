"""Our orders as we know them: what we hear of them, what we send to bring them to the ladder.

Messages follow the same rules as live (reconcile.py) and pass the same gate (trading/risk/gate_kernel.py). What was
sent is on its way: an order that is unanswered counts at every price and size that it may have, and is left alone until
it is answered.
"""

from __future__ import annotations

from backtest.engine import records
from backtest.engine.account import drawn
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
    wants_the_same,
)
from domain.clock import NS_PER_S
from domain.codes import OrderEventKind, RiskReason
from domain.jit import Array, Record, inlined_kernel, kernel
from trading.risk.gate_kernel import NO_DUPLICATE_NS, NO_OWN_ASK_TICKS, NO_OWN_BID_TICKS, gate_reason

REQUESTS_MAX = 1 << 12  # on the way at one time
_ACCEPTED = int(OrderEventKind.ACCEPTED)
_AMENDED = int(OrderEventKind.AMENDED)
_CANCELLED = int(OrderEventKind.CANCELLED)
_FILLED = int(OrderEventKind.FILLED)
_REJECTED = int(OrderEventKind.REJECTED)
_POSITION_LIMIT = int(RiskReason.POSITION_LIMIT)
_SEND_INSERT, _SEND_AMEND, _SEND_CANCEL = records.INSERT, records.AMEND, records.CANCEL


@inlined_kernel
def is_brought(desk: Record, ladder: Record) -> bool:
    """Return whether this ladder needed no message when it was last looked at, and nothing is new since."""
    return bool(desk["is_settled"] == 1 and wants_the_same(desk, ladder))


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
    if desk["step_count"] == 0:
        desk["is_settled"] = 1
        return
    desk["is_settled"] = 0
    _expose(desk)
    for i in range(desk["step_count"]):
        step = desk["steps"][i]
        side = 1 if step["is_buy"] == 1 else -1
        if step["kind"] == CANCEL:
            desk["live"][1 - step["is_buy"]][step["place"]]["hold"] = LEAVING
            run["cancels"] += 1
            _send(run, requests, _SEND_CANCEL, step["order_id"], side, 0, 0, now_ns)
        elif _gate(run, desk, step, side, limits_ints, limits_floats, now_ns) != 0:
            run["denied"] += 1
        elif step["kind"] == AMEND:
            _send_amend(run, desk, step, side, now_ns, requests)
        elif step["kind"] == INSERT:
            _send_insert(run, desk, step, side, now_ns, requests)


@kernel
def _expose(desk: Record) -> None:
    """Sum up what all our orders may have open, and find their best prices."""
    best_bid = NO_OWN_BID_TICKS
    best_ask = NO_OWN_ASK_TICKS
    buy_lots = 0
    sell_lots = 0
    for i in range(desk["counts"][0]):
        order = desk["live"][0][i]
        buy_lots += order["exposed_lots"] - order["filled_lots"]
        best_bid = max(best_bid, order["aggressive_price_ticks"])
    for i in range(desk["counts"][1]):
        order = desk["live"][1][i]
        sell_lots += order["exposed_lots"] - order["filled_lots"]
        best_ask = min(best_ask, order["aggressive_price_ticks"])
    desk["open_lots"][0] = buy_lots
    desk["open_lots"][1] = sell_lots
    desk["best_bid_ticks"] = best_bid
    desk["best_ask_ticks"] = best_ask


@kernel
def _gate(
    run: Record, desk: Record, step: Record, side: int, limits_ints: Array, limits_floats: Array, now_ns: int
) -> int:
    """Return the gate's reason against an insert or amend; 0 = it may be sent."""
    buy_lots = desk["open_lots"][0]
    sell_lots = desk["open_lots"][1]
    open_orders = desk["counts"][0] + desk["counts"][1]
    if step["kind"] == AMEND:  # what is amended does not count beside itself
        order = desk["live"][1 - step["is_buy"]][step["place"]]
        open_orders -= 1
        if side > 0:
            buy_lots -= order["exposed_lots"] - order["filled_lots"]
        else:
            sell_lots -= order["exposed_lots"] - order["filled_lots"]
    others_lots = run["position_lots"] + buy_lots if side > 0 else sell_lots - run["position_lots"]
    if others_lots + step["open_lots"] > run["reach_lots"]:
        return _POSITION_LIMIT
    return int(
        gate_reason(
            limits_ints, limits_floats, now_ns, False, False, side, step["price_ticks"], step["open_lots"],
            run["tick_size"], run["lot_base"], True, run["position_lots"], buy_lots, sell_lots, open_orders,
            run["sent_this_second"], desk["best_bid_ticks"], desk["best_ask_ticks"],
            NO_DUPLICATE_NS, run["other_gross"], run["other_long"], run["other_short"],
        )
    )  # fmt: skip


@kernel
def _send_amend(run: Record, desk: Record, step: Record, side: int, now_ns: int, requests: Array) -> None:
    order = desk["live"][1 - step["is_buy"]][step["place"]]
    order["hold"] = BUSY
    order["price_ticks"] = step["price_ticks"]
    order["size_lots"] = step["size_lots"]
    if step["size_lots"] > order["exposed_lots"]:
        desk["open_lots"][1 - step["is_buy"]] += step["size_lots"] - order["exposed_lots"]
        order["exposed_lots"] = step["size_lots"]
    if side * (step["price_ticks"] - order["aggressive_price_ticks"]) > 0:
        order["aggressive_price_ticks"] = step["price_ticks"]
        _note_best(desk, side, step["price_ticks"])
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
    desk["open_lots"][1 - step["is_buy"]] += step["size_lots"]
    _note_best(desk, side, step["price_ticks"])
    run["inserts"] += 1
    _send(run, requests, _SEND_INSERT, run["order_ids"], side, step["price_ticks"], step["size_lots"], now_ns)


@kernel
def _note_best(desk: Record, side: int, ticks: int) -> None:
    if side > 0:
        desk["best_bid_ticks"] = max(desk["best_bid_ticks"], ticks)
    else:
        desk["best_ask_ticks"] = min(desk["best_ask_ticks"], ticks)


@kernel
def _send(
    run: Record, requests: Array, kind: int, order_id: int, side: int, price_ticks: int, size_lots: int, now_ns: int
) -> None:
    """Put a request on its way; on one connection none overtakes another."""
    request = requests[run["requests"] & (REQUESTS_MAX - 1)]
    run["requests"] += 1
    assert run["requests"] - run["first_request"] <= REQUESTS_MAX
    latency_ns = run["entry_ns"][kind]
    if run["is_latency_sampled"] == 1:
        latency_ns = drawn(run, run["entry_steps"])
    arrival_ns = max(now_ns + latency_ns, run["last_arrival_ns"])
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
def note_answer(desk: Record, answer: Record) -> None:
    """Take an answer of the exchange into the order that it tells of."""
    kind = answer["kind"]
    side = 0 if answer["side"] > 0 else 1
    desk["is_settled"] = 0
    place = -1
    for i in range(desk["counts"][side]):
        if desk["live"][side][i]["order_id"] == answer["order_id"]:
            place = i
            break
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
    elif kind == _REJECTED and answer["remaining_lots"] > 0:  # the order goes on as it was
        order["price_ticks"] = answer["price_ticks"]
        order["size_lots"] = answer["size_lots"]
        order["aggressive_price_ticks"] = answer["price_ticks"]
        order["exposed_lots"] = answer["size_lots"]
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
