"""What the exchange does with our requests, by the rules of Thalex.

Post-only prices that cross are moved to one tick before the other side, or cancelled on wish. An amend's size is the
new total: no more than was filled ends the order; the same price with a smaller size keeps the place in the queue,
anything else goes to the end of it, and may take. Takers walk the recorded book and use it up until the recording
next tells a level. A taker that meets an order of our own is cancelled there.
"""

from __future__ import annotations

from backtest.engine.account import may_come
from backtest.engine.answers import answer, close_order, fill_order, find_best, heard_ns, link, set_best, unlink
from backtest.engine.market import market_ask, market_bid, recorded_lots
from backtest.engine.records import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    IMMEDIATE_OR_CANCEL,
    INSERT,
    ORDERS_MAX,
    PLACE_MASK,
    POST_ONLY,
    REJECT_POST_ONLY,
    FillRule,
    Reason,
)
from backtest.engine.weave import ASKS, BIDS, EMPTY_ASK, EMPTY_BID
from domain.codes import OrderEventKind
from domain.jit import Array, Record, kernel
from domain.order import LiquiditySide
from fills.queue import ahead_after_trade

_ACCEPTED = int(OrderEventKind.ACCEPTED)
_AMENDED = int(OrderEventKind.AMENDED)
_CANCELLED = int(OrderEventKind.CANCELLED)
_REJECTED = int(OrderEventKind.REJECTED)
_NONE = int(Reason.NONE)
_UNKNOWN_ORDER = int(Reason.UNKNOWN_ORDER)
_DUPLICATE_ID = int(Reason.DUPLICATE_ID)
_BAD_SIZE = int(Reason.BAD_SIZE)
_TOO_MANY_ORDERS = int(Reason.TOO_MANY_ORDERS)
_WOULD_TAKE = int(Reason.WOULD_TAKE)
_IOC = int(Reason.IMMEDIATE_OR_CANCEL)
_SELF_TRADE = int(Reason.SELF_TRADE)
_CLIENT = int(Reason.CLIENT)
_RATE_LIMIT = int(Reason.RATE_LIMIT)
_LIQUIDATION = int(Reason.LIQUIDATION)
LIQUIDATION_ID = -1
_TAKEN = int(FillRule.TAKEN)
_TAKER = int(LiquiditySide.TAKER)


@kernel
def serve(venue: Record, orders: Array, levels: Record, request: Record, answers: Array) -> None:
    """Carry out one request that has arrived."""
    kind = request["kind"]
    time_ns = request["arrival_time_ns"]
    if not may_come(venue, 1 if kind in (CANCEL, CANCEL_ALL) else 0, time_ns):
        _reject_for_rate(venue, orders, request, time_ns, answers)
        return
    if venue["is_liquidated"] == 1 and kind in (INSERT, AMEND):
        _reject(venue, answers, request, _LIQUIDATION, 0, time_ns)
        return
    if kind == INSERT:
        _insert(venue, orders, levels, request, time_ns, answers)
        return
    if kind == CANCEL_ALL:
        for i in range(venue["slots"]):
            if orders[i]["is_open"] == 1:
                close_order(venue, orders, levels, i, time_ns)
                answer(venue, answers, orders[i], _CANCELLED, _CLIENT, CANCEL_ALL, time_ns)
        return
    index = find_order(venue, orders, request["order_id"])
    if index < 0:
        _reject(venue, answers, request, _UNKNOWN_ORDER, 0, time_ns)
    elif kind == CANCEL:
        close_order(venue, orders, levels, index, time_ns)
        answer(venue, answers, orders[index], _CANCELLED, _CLIENT, CANCEL, time_ns)
    else:
        _amend(venue, orders, levels, request, index, time_ns, answers)


@kernel
def liquidate(venue: Record, orders: Array, levels: Record, time_ns: int, answers: Array) -> None:
    """Cancel all our orders, close the position at the market, and take no more."""
    venue["is_liquidated"] = 1
    for i in range(venue["slots"]):
        if orders[i]["is_open"] == 1:
            close_order(venue, orders, levels, i, time_ns)
            answer(venue, answers, orders[i], _CANCELLED, _LIQUIDATION, CANCEL_ALL, time_ns)
    index = _free_slot(venue, orders)
    order = orders[index]
    side = -1 if venue["position_lots"] > 0 else 1
    order["is_open"] = 1
    order["order_id"] = LIQUIDATION_ID
    order["side"] = side
    order["size_lots"] = abs(venue["position_lots"])
    order["filled_lots"] = 0
    order["flags"] = IMMEDIATE_OR_CANCEL
    order["price_ticks"] = EMPTY_ASK - 1 if side > 0 else EMPTY_BID + 1
    venue["open_orders"] += 1
    _place(venue, orders, levels, index, INSERT, _ACCEPTED, time_ns, answers)


@kernel
def _reject_for_rate(venue: Record, orders: Array, request: Record, time_ns: int, answers: Array) -> None:
    """Refuse a message beyond the rate; the order that it was for goes on as it is, and the answer says how that is."""
    index = find_order(venue, orders, request["order_id"]) if request["kind"] != INSERT else -1
    if index < 0:
        _reject(venue, answers, request, _RATE_LIMIT, 0, time_ns)
        return
    order = orders[index]
    answer(venue, answers, order, _REJECTED, _RATE_LIMIT, request["kind"], time_ns)


@kernel
def find_order(venue: Record, orders: Array, order_id: int) -> int:
    """Return the slot of an open order, -1 when there is none of that id."""
    for i in range(venue["slots"]):
        if orders[i]["is_open"] == 1 and orders[i]["order_id"] == order_id:
            return i
    return -1


@kernel
def _reject(venue: Record, answers: Array, request: Record, reason: int, left: int, time_ns: int) -> None:
    """Refuse a request; `left` is what stays open of an order that goes on as it was."""
    row = answers[venue["answers"]]
    venue["answers"] += 1
    row["exchange_time_ns"] = time_ns
    row["local_time_ns"] = heard_ns(venue, request["kind"], time_ns)
    row["kind"] = _REJECTED
    row["order_id"] = request["order_id"]
    row["side"] = request["side"]
    row["price_ticks"] = request["price_ticks"]
    row["size_lots"] = request["size_lots"]
    row["remaining_lots"] = left
    row["position_lots"] = venue["position_lots"]
    row["liquidity_side"] = 0
    row["reason"] = reason
    row["fee"] = 0
    row["market_bid_ticks"] = venue["whole_bid_ticks"] if venue["whole_bid_ticks"] != EMPTY_BID else 0
    row["market_ask_ticks"] = venue["whole_ask_ticks"] if venue["whole_ask_ticks"] != EMPTY_ASK else 0


@kernel
def _insert(venue: Record, orders: Array, levels: Record, request: Record, time_ns: int, answers: Array) -> None:
    reason = _NONE
    left = 0
    before = find_order(venue, orders, request["order_id"])
    if request["size_lots"] <= 0:
        reason = _BAD_SIZE
    elif before >= 0:
        reason = _DUPLICATE_ID
        left = orders[before]["size_lots"] - orders[before]["filled_lots"]
    elif venue["open_orders"] >= ORDERS_MAX:
        reason = _TOO_MANY_ORDERS
    if reason != _NONE:
        _reject(venue, answers, request, reason, left, time_ns)
        return
    index = _free_slot(venue, orders)
    order = orders[index]
    order["is_open"] = 1
    order["order_id"] = request["order_id"]
    order["side"] = request["side"]
    order["size_lots"] = request["size_lots"]
    order["filled_lots"] = 0
    order["flags"] = request["flags"]
    order["price_ticks"] = request["price_ticks"]
    venue["open_orders"] += 1
    _place(venue, orders, levels, index, INSERT, _ACCEPTED, time_ns, answers)


@kernel
def _free_slot(venue: Record, orders: Array) -> int:
    for i in range(venue["slots"]):
        if orders[i]["is_open"] == 0:
            return i
    venue["slots"] += 1
    return int(venue["slots"] - 1)


@kernel
def _amend(
    venue: Record, orders: Array, levels: Record, request: Record, index: int, time_ns: int,
    answers: Array,
) -> None:  # fmt: skip
    order = orders[index]
    size = request["size_lots"]
    if size <= order["filled_lots"]:
        close_order(venue, orders, levels, index, time_ns)
        answer(venue, answers, order, _CANCELLED, _CLIENT, AMEND, time_ns)
        return
    keeps_place = request["price_ticks"] == order["price_ticks"] and size <= order["size_lots"]
    order["size_lots"] = size
    if keeps_place:
        answer(venue, answers, order, _AMENDED, _NONE, AMEND, time_ns)
        return
    was_best = order["price_ticks"] == (venue["best_bid_ticks"] if order["side"] > 0 else venue["best_ask_ticks"])
    unlink(orders, levels, index)
    order["price_ticks"] = request["price_ticks"]
    if was_best:
        order["is_open"] = 0  # between two places
        find_best(venue, orders, order["side"], time_ns)
        order["is_open"] = 1
    _place(venue, orders, levels, index, AMEND, _AMENDED, time_ns, answers)


@kernel
def _place(
    venue: Record, orders: Array, levels: Record, index: int, request_kind: int,
    answer_kind: int, time_ns: int, answers: Array,
) -> None:  # fmt: skip
    """Bring an order with a new price or size to the market: move it back, let it take, let it rest, as it is."""
    order = orders[index]
    side = order["side"]
    order["rank"] = venue["ranks"]
    order["arrivals"] = venue["arrivals"]
    venue["ranks"] += 1
    other = _other_best(venue, levels, side)
    is_crossing = order["price_ticks"] >= other if side > 0 else order["price_ticks"] <= other
    if is_crossing and order["flags"] & POST_ONLY != 0:
        if order["flags"] & REJECT_POST_ONLY != 0:
            close_order(venue, orders, levels, index, time_ns)
            answer(venue, answers, order, _CANCELLED, _WOULD_TAKE, request_kind, time_ns)
            return
        order["price_ticks"] = other - side
        venue["moved_orders"] += 1
        is_crossing = False
    answer(venue, answers, order, answer_kind, _NONE, request_kind, time_ns)
    if is_crossing and _take(venue, orders, levels, index, time_ns, answers):
        return
    if order["flags"] & IMMEDIATE_OR_CANCEL != 0:
        close_order(venue, orders, levels, index, time_ns)
        answer(venue, answers, order, _CANCELLED, _IOC, request_kind, time_ns)
        return
    shown = recorded_lots(venue, levels, BIDS if side > 0 else ASKS, order["price_ticks"])
    order["seen_lots"] = shown
    order["ahead"] = float(shown)
    order["traded"] = 0.0
    link(orders, levels, index)
    best = venue["best_bid_ticks"] if side > 0 else venue["best_ask_ticks"]
    if side * (order["price_ticks"] - best) > 0:
        set_best(venue, side, order["price_ticks"], time_ns)


@kernel
def _other_best(venue: Record, levels: Record, side: int) -> int:
    """Return the best price on the other side, the recorded and our own; EMPTY_ASK or EMPTY_BID when there is none."""
    if side > 0:
        return int(min(market_ask(venue, levels), venue["best_ask_ticks"]))
    return int(max(market_bid(venue, levels), venue["best_bid_ticks"]))


@kernel
def _own_ahead(venue: Record, orders: Array, side: int, ticks: int) -> int:
    """Return the lots before the first of our open orders of `side` at a price, rounded down."""
    ahead = -1.0
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] == 1 and order["side"] == side and order["price_ticks"] == ticks:
            ahead = order["ahead"] if ahead < 0.0 else min(ahead, order["ahead"])
    return int(max(ahead, 0.0))


@kernel
def _take(venue: Record, orders: Array, levels: Record, index: int, time_ns: int, answers: Array) -> bool:
    """Let an order take from the recorded book up to its price; return whether it is done for."""
    order = orders[index]
    side = order["side"]
    own = venue["best_ask_ticks"] if side > 0 else venue["best_bid_ticks"]
    own_is_met = side * (order["price_ticks"] - own) >= 0  # not when there is none
    while order["is_open"] == 1:
        ticks = market_ask(venue, levels) if side > 0 else market_bid(venue, levels)
        is_met = side * (order["price_ticks"] - ticks) >= 0  # not when there is none
        if own_is_met and (not is_met or side * (own - ticks) <= 0):
            if is_met and own == ticks:
                lots = min(_own_ahead(venue, orders, -side, ticks), order["size_lots"] - order["filled_lots"])
                _take_level(venue, orders, levels, index, ticks, lots, time_ns, answers)
            if order["is_open"] == 1:
                close_order(venue, orders, levels, index, time_ns)
                answer(venue, answers, order, _CANCELLED, _SELF_TRADE, INSERT, time_ns)
            return True
        if not is_met:
            return False
        available = recorded_lots(venue, levels, ASKS if side > 0 else BIDS, ticks)
        lots = min(available, order["size_lots"] - order["filled_lots"])
        if lots <= 0:
            return False
        _take_level(venue, orders, levels, index, ticks, lots, time_ns, answers)
    return True


@kernel
def _take_level(
    venue: Record, orders: Array, levels: Record, index: int, ticks: int, lots: int,
    time_ns: int, answers: Array,
) -> None:  # fmt: skip
    """Take `lots` of one recorded level: it is used up until the recording next tells it."""
    if lots <= 0:
        return
    side = orders[index]["side"]
    other = ASKS if side > 0 else BIDS
    left = levels["lots"][other, ticks & PLACE_MASK] - lots
    levels["lots"][other, ticks & PLACE_MASK] = left
    if left == 0:
        venue["is_used_up"] = 1
    for i in range(venue["slots"]):  # our own orders behind it come forward
        order = orders[i]
        if order["is_open"] == 1 and order["side"] == -side and order["price_ticks"] == ticks:
            order["ahead"] = ahead_after_trade(order["ahead"], lots)
            order["seen_lots"] = left
    venue["taken_lots"] += lots
    fill_order(venue, orders, levels, index, lots, ticks, _TAKER, _TAKEN, time_ns, answers)
