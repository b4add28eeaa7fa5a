"""What the recorded market does to our resting orders: fills, and steps forward in the queue.

A trade beyond our price fills us whole, for the market would have met us first; where we alone had improved on the
recorded touch, the trade meets us with its own size only. A trade at our price fills what comes through the queue
ahead. The other side of the book at or beyond our price fills us whole. Own orders at one price stand in their order.
"""

from __future__ import annotations

from backtest.book import NO_ASK, NO_BID, level_lots
from backtest.data.events import BEST, BID, CLEAR, FINAL, KIND_MASK, LEVEL, SNAPSHOT_LEVEL, TRADE
from backtest.engine.answers import fill_order
from backtest.engine.records import FillRule
from domain.jit import Array, Record, kernel
from domain.order import LiquiditySide
from fills.queue import ahead_after_depth, ahead_after_trade, lots_filled_by_trade

_QUEUE = int(FillRule.QUEUE)
_THROUGH = int(FillRule.TRADE_THROUGH)
_IMPROVED = int(FillRule.IMPROVED)
_CROSSED = int(FillRule.CROSSED)
_MAKER = int(LiquiditySide.MAKER)


@kernel
def note_row(venue: Record, orders: Array, book: Record, bids: Array, asks: Array, row: Record, answers: Array) -> None:
    """Let our orders feel one row that the exchange's book has just taken in."""
    flags = row["flags"]
    kind = flags & KIND_MASK
    if kind == TRADE:
        _note_trade(venue, orders, book, row, flags, answers)
        return
    if kind in (LEVEL, SNAPSHOT_LEVEL):
        _note_level(venue, orders, book, bids, asks, 1 if flags & BID != 0 else -1, row["price_ticks"])
    elif kind in (BEST, CLEAR):
        _note_levels(venue, orders, book, bids, asks)
    if flags & FINAL != 0:
        _fill_crossed(venue, orders, book, row["exchange_time_ns"], answers)


@kernel
def note_market(venue: Record, book: Record) -> None:
    """Keep the best prices that a whole message left."""
    venue["market_bid_ticks"] = book["best_bid_ticks"] if book["best_bid_ticks"] != NO_BID else 0
    venue["market_ask_ticks"] = book["best_ask_ticks"] if book["best_ask_ticks"] != NO_ASK else 0


@kernel
def _note_level(venue: Record, orders: Array, book: Record, bids: Array, asks: Array, side: int, ticks: int) -> None:
    """Move our orders at one price forward, as the recorded size of the level says."""
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] == 1 and order["price_ticks"] == ticks and order["side"] == side:
            _requeue(venue, order, level_lots(book, bids if side > 0 else asks, ticks))


@kernel
def _note_levels(venue: Record, orders: Array, book: Record, bids: Array, asks: Array) -> None:
    """The same for all of our orders whose level's size is another one than it was."""
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] == 1:
            current = level_lots(book, bids if order["side"] > 0 else asks, order["price_ticks"])
            if current != order["seen_lots"]:
                _requeue(venue, order, current)


@kernel
def _requeue(venue: Record, order: Record, current: int) -> None:
    order["ahead"] = ahead_after_depth(
        order["ahead"], order["seen_lots"], current, order["traded"], venue["queue_power"], venue["queue_model"]
    )
    order["seen_lots"] = current
    order["traded"] = 0.0


@kernel
def _note_trade(venue: Record, orders: Array, book: Record, row: Record, flags: int, answers: Array) -> None:
    """Fill our orders that a trade came to, best price first, then in their order; each pass finds the next one."""
    side = -1 if flags & BID != 0 else 1  # a buyer meets our asks
    price = row["price_ticks"]
    best_own = venue["best_bid_ticks"] if side > 0 else venue["best_ask_ticks"]
    if side * (best_own - price) < 0:  # also when there is none
        return
    best_recorded = book["best_bid_ticks"] if side > 0 else book["best_ask_ticks"]
    traded = row["size_lots"]
    left = traded
    done_ticks = side * NO_ASK  # the order handled last: price and rank
    done_rank = -1
    while True:
        index = _next_met(venue, orders, side, price, done_ticks, done_rank)
        if index < 0:
            return
        order = orders[index]
        done_ticks = order["price_ticks"]
        done_rank = order["rank"]
        remaining = order["size_lots"] - order["filled_lots"]
        if done_ticks == price:
            before = order["ahead"] + (traded - left)  # our earlier orders took their part of what came through
            lots = int(lots_filled_by_trade(before, remaining, traded))
            rule = _QUEUE
            order["ahead"] = ahead_after_trade(order["ahead"], traded)
            order["traded"] += traded
        elif side * (done_ticks - best_recorded) > 0:
            lots = min(remaining, left)
            rule = _IMPROVED
        else:
            lots = remaining
            rule = _THROUGH
        if lots > 0:
            fill_order(venue, orders, index, lots, done_ticks, _MAKER, rule, row["exchange_time_ns"], answers)
            left = max(0, left - lots)


@kernel
def _next_met(venue: Record, orders: Array, side: int, price: int, done_ticks: int, done_rank: int) -> int:
    """Return the open order of `side` at or before `price` that comes after the one handled last; -1 = none."""
    found = -1
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] != 1 or order["side"] != side or side * (order["price_ticks"] - price) < 0:
            continue
        away = side * (done_ticks - order["price_ticks"])  # > 0: worse than the last one
        if away < 0 or (away == 0 and order["rank"] <= done_rank):
            continue
        if found < 0:
            found = i
            continue
        ahead_of_found = side * (order["price_ticks"] - orders[found]["price_ticks"])
        if ahead_of_found > 0 or (ahead_of_found == 0 and order["rank"] < orders[found]["rank"]):
            found = i
    return found


@kernel
def _fill_crossed(venue: Record, orders: Array, book: Record, time_ns: int, answers: Array) -> None:
    """Fill, whole and at their own price, our orders that the other side of the recorded book has come to."""
    best_bid = book["best_bid_ticks"]
    best_ask = book["best_ask_ticks"]
    if venue["best_bid_ticks"] < best_ask and venue["best_ask_ticks"] > best_bid:
        return
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] != 1:
            continue
        price = order["price_ticks"]
        is_met = price >= best_ask if order["side"] > 0 else price <= best_bid
        if is_met:
            lots = order["size_lots"] - order["filled_lots"]
            fill_order(venue, orders, i, lots, price, _MAKER, _CROSSED, time_ns, answers)
