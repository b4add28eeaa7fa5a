"""Answers of the exchange: what happened to an order, what it did to position, cash and fees, when we hear of it."""

from __future__ import annotations

from backtest.engine.account import drawn, reckon_funding
from backtest.engine.records import NO_ORDER, PLACE_MASK
from backtest.engine.weave import ASKS, BIDS, EMPTY_ASK, EMPTY_BID
from domain.codes import OrderEventKind
from domain.jit import Array, Record, kernel
from domain.order import LiquiditySide

_FILLED = int(OrderEventKind.FILLED)
_MAKER = int(LiquiditySide.MAKER)
OF_FILL = 0  # place of a fill's latency in `answer_ns`


@kernel
def answer(
    venue: Record, answers: Array, order: Record, kind: int, reason: int, latency_kind: int, time_ns: int
) -> None:
    """Tell something of an order; the row's price and size are the order's."""
    row = answers[venue["answers"]]
    venue["answers"] += 1
    row["exchange_time_ns"] = time_ns
    row["local_time_ns"] = heard_ns(venue, latency_kind, time_ns)
    row["kind"] = kind
    row["order_id"] = order["order_id"]
    row["side"] = order["side"]
    row["price_ticks"] = order["price_ticks"]
    row["size_lots"] = order["size_lots"]
    row["remaining_lots"] = order["size_lots"] - order["filled_lots"] if order["is_open"] == 1 else 0
    row["position_lots"] = venue["position_lots"]
    row["liquidity_side"] = 0
    row["reason"] = reason
    row["fee"] = 0
    row["market_bid_ticks"] = venue["whole_bid_ticks"] if venue["whole_bid_ticks"] != EMPTY_BID else 0
    row["market_ask_ticks"] = venue["whole_ask_ticks"] if venue["whole_ask_ticks"] != EMPTY_ASK else 0


@kernel
def heard_ns(venue: Record, latency_kind: int, time_ns: int) -> int:
    """Return when we hear an answer given now: on one connection none overtakes another."""
    latency_ns = venue["answer_ns"][latency_kind]
    if venue["is_latency_sampled"] == 1:
        latency_ns = drawn(venue, venue["answer_steps"])
    venue["answer_local_ns"] = max(time_ns + latency_ns, venue["answer_local_ns"])
    return int(venue["answer_local_ns"])


@kernel
def fill_order(
    venue: Record, orders: Array, levels: Record, index: int, lots: int, price_ticks: int, liquidity: int,
    rule: int, time_ns: int, answers: Array,
) -> None:  # fmt: skip
    """Fill `lots` of an order at `price_ticks`: book them, close the order when it is whole, tell."""
    reckon_funding(venue, time_ns)
    order = orders[index]
    order["filled_lots"] += lots
    venue["position_lots"] += order["side"] * lots
    venue["cash"] -= order["side"] * price_ticks * lots
    rate = venue["maker_fee"] if liquidity == _MAKER else venue["taker_fee"]
    fee = price_ticks * lots * rate
    venue["fees"] += fee
    venue["volume_lots"] += lots
    venue["fills"] += 1
    if order["filled_lots"] >= order["size_lots"]:
        close_order(venue, orders, levels, index, time_ns)
    answer(venue, answers, order, _FILLED, rule, OF_FILL, time_ns)
    row = answers[venue["answers"] - 1]
    row["price_ticks"] = price_ticks
    row["size_lots"] = lots
    row["liquidity_side"] = liquidity
    row["fee"] = fee


@kernel
def close_order(venue: Record, orders: Array, levels: Record, index: int, time_ns: int) -> None:
    """Take an order out of the market."""
    unlink(orders, levels, index)
    order = orders[index]
    order["is_open"] = 0
    venue["open_orders"] -= 1
    if order["price_ticks"] == (venue["best_bid_ticks"] if order["side"] > 0 else venue["best_ask_ticks"]):
        find_best(venue, orders, order["side"], time_ns)


@kernel
def link(orders: Array, levels: Record, index: int) -> None:
    """Let a level know of an order that rests there, behind those of ours that do."""
    order = orders[index]
    order["next"] = NO_ORDER
    side = BIDS if order["side"] > 0 else ASKS
    place = order["price_ticks"] & PLACE_MASK
    if levels["first"][side, place] == 0:
        levels["first"][side, place] = index + 1
        return
    last = levels["first"][side, place] - 1
    while orders[last]["next"] != NO_ORDER:
        last = orders[last]["next"]
    orders[last]["next"] = index


@kernel
def unlink(orders: Array, levels: Record, index: int) -> None:
    """Let a level forget an order; it need not know of it."""
    order = orders[index]
    side = BIDS if order["side"] > 0 else ASKS
    place = order["price_ticks"] & PLACE_MASK
    at = levels["first"][side, place] - 1
    if at == index:
        levels["first"][side, place] = order["next"] + 1
        return
    while at != NO_ORDER:
        if orders[at]["next"] == index:
            orders[at]["next"] = order["next"]
            return
        at = orders[at]["next"]


@kernel
def find_best(venue: Record, orders: Array, side: int, time_ns: int) -> None:
    """Find our own best price of a side anew."""
    best = EMPTY_BID if side > 0 else EMPTY_ASK
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] == 1 and order["side"] == side:
            best = max(best, order["price_ticks"]) if side > 0 else min(best, order["price_ticks"])
    set_best(venue, side, best, time_ns)


@kernel
def set_best(venue: Record, side: int, best: int, time_ns: int) -> None:
    """Keep our own best price of a side, and account of the time in which there is any."""
    if side > 0:
        venue["best_bid_ticks"] = best
        if best != EMPTY_BID and venue["bid_since_ns"] == 0:
            venue["bid_since_ns"] = time_ns
        elif best == EMPTY_BID and venue["bid_since_ns"] != 0:
            venue["bid_quoted_ns"] += time_ns - venue["bid_since_ns"]
            venue["bid_since_ns"] = 0
    else:
        venue["best_ask_ticks"] = best
        if best != EMPTY_ASK and venue["ask_since_ns"] == 0:
            venue["ask_since_ns"] = time_ns
        elif best == EMPTY_ASK and venue["ask_since_ns"] != 0:
            venue["ask_quoted_ns"] += time_ns - venue["ask_since_ns"]
            venue["ask_since_ns"] = 0
