"""The recorded market at the exchange, and what it does to our resting orders: fills, and steps forward in the queue.

A trade beyond our price fills us whole, for the market would have met us first; where we alone had improved on the
recorded touch, the trade meets us with its own size only. A trade at our price fills what comes through the queue
ahead. The other side of the book at or beyond our price fills us whole. Own orders at one price stand in their order.
Where the recording tells its orders one by one, what happens to each says exactly where ours stand (`_note_order`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.book import WINDOW
from backtest.data.events import ADD, FILL, FINAL, KIND_MASK, LEVEL, TRADE
from backtest.engine.answers import fill_order
from backtest.engine.records import LEVELS, NO_ORDER, PLACE_MASK, FillRule
from backtest.engine.weave import (
    ASKS,
    BIDS,
    CHANGES,
    EMPTY_ASK,
    EMPTY_BID,
    LOTS_BITS,
    LOTS_MASK,
    TOUCH,
    is_cut,
)
from domain.jit import Array, Record, inlined_kernel, kernel
from domain.order import LiquiditySide
from fills.queue import QueueModel, ahead_after_depth, ahead_after_trade, lots_filled_by_trade

_QUEUE = int(FillRule.QUEUE)
_THROUGH = int(FillRule.TRADE_THROUGH)
_IMPROVED = int(FillRule.IMPROVED)
_CROSSED = int(FillRule.CROSSED)
_MAKER = int(LiquiditySide.MAKER)
_FIFO = int(QueueModel.FIFO)


def new_levels() -> npt.NDArray[np.void]:
    """Return a market without levels, LEVELS, shape (1,)."""
    return np.zeros(1, LEVELS)


@inlined_kernel
def play_market(
    venue: Record, orders: Array, levels: Record, rows: Array, first: int, until_ns: int, answers: Array
) -> int:
    """Play the exchange's rows up to and with `until_ns`; stops behind a head that did something to our orders.

    Returns the row of the next head.
    """
    told = venue["answers"]
    own_bid = venue["best_bid_ticks"]  # a fill changes them, and ends this call
    own_ask = venue["best_ask_ticks"]
    is_by_level = venue["queue_model"] != _FIFO
    whole = -1  # head that left the book whole last
    last = -1
    is_told = False
    i = first
    while not (is_told or is_cut(rows, i)):
        head = rows[i]
        time_ns = head["time_ns"]
        if time_ns > until_ns:
            break
        flags = head["flags"]
        kind = flags & KIND_MASK
        touch = rows[i + TOUCH]
        change = rows[i + CHANGES]  # the first one
        end = i + CHANGES + head["count"]
        is_met = False  # what is far from our best prices is of no interest to them
        if kind == LEVEL:
            _take_levels(venue, orders, levels, rows, i + CHANGES, end)
        elif kind == TRADE:
            is_met = is_by_level and (
                own_ask <= change["ticks"] if change["side"] == BIDS else own_bid >= change["ticks"]
            )
            if is_met:
                _note_trade(venue, orders, levels, time_ns, touch, change, answers)
        elif kind >= ADD:
            is_met = True
            _note_order(venue, orders, levels, time_ns, kind, change, answers)
        if flags & FINAL != 0 and kind != TRADE and (own_bid >= touch["best_ask"] or own_ask <= touch["best_bid"]):
            is_met = True
            _fill_crossed(venue, orders, levels, time_ns, touch, answers)
        if is_met and venue["answers"] != told:
            _keep_whole(venue, rows, whole)
            _show_whole(venue, answers, told)
            is_told = True
        if flags & FINAL != 0:
            whole = i
        last = i
        i = end
    _keep_whole(venue, rows, whole)
    if last >= 0:
        venue["market_bid_ticks"] = rows[last + TOUCH]["best_bid"]
        venue["market_ask_ticks"] = rows[last + TOUCH]["best_ask"]
    return i


@inlined_kernel
def _take_levels(venue: Record, orders: Array, levels: Record, rows: Array, first: int, end: int) -> None:
    """Set the sizes of levels, and move our orders there forward."""
    for k in range(first, end):
        change = rows[k]
        side = change["side"]
        place = change["ticks"] & PLACE_MASK
        levels["lots"][side, place] = change["lots"]
        own = levels["first"][side, place]
        if own != 0:
            _note_level(venue, orders, own - 1, change["ticks"], change["lots"])


@kernel
def _keep_whole(venue: Record, rows: Array, whole: int) -> None:
    """Keep the best prices that a whole message left; `whole` is its last head, -1 = there was none."""
    if whole >= 0:
        venue["whole_bid_ticks"] = rows[whole + TOUCH]["best_bid"]
        venue["whole_ask_ticks"] = rows[whole + TOUCH]["best_ask"]


@kernel
def _show_whole(venue: Record, answers: Array, told: int) -> None:
    """Write into the answers from `told` on the best prices as they stood before the message that led to them."""
    bid = venue["whole_bid_ticks"]
    ask = venue["whole_ask_ticks"]
    for k in range(told, venue["answers"]):
        answers[k]["market_bid_ticks"] = bid if bid != EMPTY_BID else 0
        answers[k]["market_ask_ticks"] = ask if ask != EMPTY_ASK else 0


@kernel
def market_bid(venue: Record, levels: Record) -> int:
    """Return the best bid of the recorded book, without the levels that we have taken; EMPTY_BID = none."""
    return _standing_bid(venue, levels, venue["market_bid_ticks"])


@kernel
def _standing_bid(venue: Record, levels: Record, ticks: int) -> int:
    if venue["is_used_up"] == 0 or ticks == EMPTY_BID:
        return int(ticks)
    for _ in range(WINDOW // 2):
        if levels["lots"][BIDS, ticks & PLACE_MASK] > 0:
            return int(ticks)
        ticks -= 1
    return EMPTY_BID


@kernel
def market_ask(venue: Record, levels: Record) -> int:
    """Return the best ask of the recorded book, without the levels that we have taken; EMPTY_ASK = none."""
    return _standing_ask(venue, levels, venue["market_ask_ticks"])


@kernel
def _standing_ask(venue: Record, levels: Record, ticks: int) -> int:
    if venue["is_used_up"] == 0 or ticks == EMPTY_ASK:
        return int(ticks)
    for _ in range(WINDOW // 2):
        if levels["lots"][ASKS, ticks & PLACE_MASK] > 0:
            return int(ticks)
        ticks += 1
    return EMPTY_ASK


@kernel
def recorded_lots(venue: Record, levels: Record, side: int, ticks: int) -> int:
    """Return the recorded size of a level; 0 when it is farther from the touch than the book is kept."""
    reach = WINDOW // 2
    near = venue["market_bid_ticks"] if venue["market_bid_ticks"] != EMPTY_BID else venue["market_ask_ticks"]
    if not -reach < ticks - near < reach:
        return 0
    return int(levels["lots"][side, ticks & PLACE_MASK])


@kernel
def _note_level(venue: Record, orders: Array, first: int, ticks: int, lots: int) -> None:
    """Move our orders at one price forward, as the recorded size of the level says."""
    index = first
    while index != NO_ORDER:
        order = orders[index]
        if order["price_ticks"] == ticks:  # places are used by several prices
            order["ahead"] = ahead_after_depth(
                order["ahead"], order["seen_lots"], lots, order["traded"], venue["queue_power"], venue["queue_model"]
            )
            order["seen_lots"] = lots
            order["traded"] = 0.0
        index = order["next"]


@kernel
def _note_trade(
    venue: Record, orders: Array, levels: Record, time_ns: int, touch: Record, trade: Record, answers: Array
) -> None:
    """Fill our orders that a trade came to, best price first, then in their order; each pass finds the next one."""
    side = -1 if trade["side"] == BIDS else 1  # a buyer meets our asks
    price = trade["ticks"]
    best_own = venue["best_bid_ticks"] if side > 0 else venue["best_ask_ticks"]
    if side * (best_own - price) < 0:  # also when there is none
        return
    if side > 0:
        best_recorded = _standing_bid(venue, levels, touch["best_bid"])
    else:
        best_recorded = _standing_ask(venue, levels, touch["best_ask"])
    traded = trade["lots"]
    left = traded
    done_ticks = side * EMPTY_ASK  # the order handled last: price and rank
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
            fill_order(venue, orders, levels, index, lots, done_ticks, _MAKER, rule, time_ns, answers)
            left = max(0, left - lots)


@kernel
def _note_order(
    venue: Record, orders: Array, levels: Record, time_ns: int, kind: int, change: Record, answers: Array
) -> None:
    """Take in what happened to one order of the recording: who stands before ours, and what its fill would bring us.

    Orders with a number up to the one at which ours came stand ahead. A fill of one behind ours, or at a worse price,
    would have met ours first, with as many lots.
    """
    number = change["lots"] >> LOTS_BITS
    if kind == ADD:
        venue["arrivals"] = max(venue["arrivals"], number)
    if venue["queue_model"] != _FIFO or venue["open_orders"] == 0:
        return
    ticks = change["ticks"]
    lots = change["lots"] & LOTS_MASK
    if kind == FILL:
        side = 1 if change["side"] == BIDS else -1
        _fill_before(venue, orders, levels, time_ns, ticks, side, number, lots, answers)
        return
    index = levels["first"][change["side"], ticks & PLACE_MASK] - 1
    while index != NO_ORDER:
        order = orders[index]
        if order["price_ticks"] == ticks and number <= order["arrivals"]:
            order["ahead"] = max(0.0, order["ahead"] + (lots if kind == ADD else -lots))
        index = order["next"]


@kernel
def _fill_before(
    venue: Record, orders: Array, levels: Record, time_ns: int, price: int, side: int, number: int, lots: int,
    answers: Array,
) -> None:  # fmt: skip
    """Give what filled an order of the recording to ours that stood before it, the foremost first."""
    done_ticks = side * EMPTY_ASK  # the order handled last: price and rank
    done_rank = -1
    while lots > 0:
        index = _next_met(venue, orders, side, price, done_ticks, done_rank)
        if index < 0:
            return
        order = orders[index]
        done_ticks = order["price_ticks"]
        done_rank = order["rank"]
        if done_ticks == price and number <= order["arrivals"]:
            continue
        filled = min(order["size_lots"] - order["filled_lots"], lots)
        lots -= filled
        rule = _QUEUE if done_ticks == price else _THROUGH
        fill_order(venue, orders, levels, index, filled, done_ticks, _MAKER, rule, time_ns, answers)


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
def _fill_crossed(venue: Record, orders: Array, levels: Record, time_ns: int, touch: Record, answers: Array) -> None:
    """Fill, whole and at their own price, our orders that the other side of the recorded book has come to."""
    best_bid = _standing_bid(venue, levels, touch["best_bid"])
    best_ask = _standing_ask(venue, levels, touch["best_ask"])
    for i in range(venue["slots"]):
        order = orders[i]
        if order["is_open"] != 1:
            continue
        price = order["price_ticks"]
        is_met = price >= best_ask if order["side"] > 0 else price <= best_bid
        if is_met:
            lots = order["size_lots"] - order["filled_lots"]
            fill_order(venue, orders, levels, i, lots, price, _MAKER, _CROSSED, time_ns, answers)
