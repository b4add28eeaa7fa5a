"""Answers of the exchange: what happened to an order, what it did to position, cash and fees, when we hear of it."""

from __future__ import annotations

from backtest.book import NO_ASK, NO_BID
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
    arrival_ns = time_ns + venue["answer_ns"][latency_kind]
    if arrival_ns < venue["answer_local_ns"]:  # one connection: answers do not overtake each other
        arrival_ns = venue["answer_local_ns"]
    venue["answer_local_ns"] = arrival_ns
    row["local_time_ns"] = arrival_ns
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
    row["market_bid_ticks"] = venue["market_bid_ticks"]
    row["market_ask_ticks"] = venue["market_ask_ticks"]


@kernel
def fill_order(
    venue: Record, orders: Array, index: int, lots: int, price_ticks: int, liquidity: int, rule: int, time_ns: int,
    answers: Array,
) -> None:  # fmt: skip
    """Fill `lots` of an order at `price_ticks`: book them, close the order when it is whole, tell."""
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
        close_order(venue, orders, index, time_ns)
    answer(venue, answers, order, _FILLED, rule, OF_FILL, time_ns)
    row = answers[venue["answers"] - 1]
    row["price_ticks"] = price_ticks
    row["size_lots"] = lots
    row["liquidity_side"] = liquidity
    row["fee"] = fee


@kernel
def close_order(venue: Record, orders: Array, index: int, time_ns: int) -> None:
    """Take an order out of the market."""
    orders[index]["is_open"] = 0
    venue["open_orders"] -= 1
    find_best(venue, orders, time_ns)


@kernel
def find_best(venue: Record, orders: Array, time_ns: int) -> None:
    """Find our own best prices anew, and keep account of the time in which there are any."""
    best_bid = NO_BID
    best_ask = NO_ASK
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] == 1:
            price = order["price_ticks"]
            if order["side"] > 0:
                best_bid = max(best_bid, price)
            else:
                best_ask = min(best_ask, price)
    if (best_bid != NO_BID) != (venue["bid_since_ns"] != 0):
        if best_bid != NO_BID:
            venue["bid_since_ns"] = time_ns
        else:
            venue["bid_quoted_ns"] += time_ns - venue["bid_since_ns"]
            venue["bid_since_ns"] = 0
    if (best_ask != NO_ASK) != (venue["ask_since_ns"] != 0):
        if best_ask != NO_ASK:
            venue["ask_since_ns"] = time_ns
        else:
            venue["ask_quoted_ns"] += time_ns - venue["ask_since_ns"]
            venue["ask_since_ns"] = 0
    venue["best_bid_ticks"] = best_bid
    venue["best_ask_ticks"] = best_ask
