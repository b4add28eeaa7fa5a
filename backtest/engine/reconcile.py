"""trading/orders/reconcile.py as compiled code: the same steps in the same order, on arrays instead of lists.

Execution's function works on small Python lists, which is fast there and impossible here. A property test holds the two
together step by step.
"""

from __future__ import annotations

import numpy as np

from domain.jit import Array, Record, inlined_kernel, kernel
from domain.records import QUOTE_LEVELS_MAX

PERMILLE = 1000
LIVE_MAX = 64  # orders of a side, those on the way in and out included
FREE, BUSY, LEAVING, UNKNOWN = 0, 1, 2, 3
CANCEL, AMEND, INSERT = 1, 2, 3
_FAR = 2**62

LIVE = np.dtype(
    [
        (name, "<i8")
        for name in (
            "order_id", "price_ticks", "size_lots", "filled_lots", "aggressive_price_ticks", "hold",
            "exposed_lots",  # the largest size that it may have at the exchange, the filled part included
        )
    ]
)  # fmt: skip
# `place`: of the live order in its side's list.
STEP = np.dtype(
    [(name, "<i8") for name in ("kind", "order_id", "is_buy", "price_ticks", "size_lots", "open_lots", "place")]
)
# `live`: orders of bids and asks; `steps`: what comes out; the rest is room to work in.
DESK = np.dtype(
    [
        ("counts", "<i8", (2,)),  # live orders of bids, asks
        ("open_lots", "<i8", (2,)),  # what they may have open at the most; kept while steps are sent
        ("best_bid_ticks", "<i8"),
        ("best_ask_ticks", "<i8"),
        ("is_settled", "<i8"),  # the ladder wanted last needed no step, and nothing was heard since
        ("ladder", "<i8", (2,)),  # levels of bids, asks of that ladder
        ("ladder_ticks", "<i8", (2, QUOTE_LEVELS_MAX)),
        ("ladder_lots", "<i8", (2, QUOTE_LEVELS_MAX)),
        ("wanted", "<i8", (2,)),  # levels of it that there is room for
        ("wanted_ticks", "<i8", (2, QUOTE_LEVELS_MAX)),
        ("wanted_lots", "<i8", (2, QUOTE_LEVELS_MAX)),
        ("phases", "<i8", (6,)),  # steps in each phase: cancels, retreats, advances of bids, then of asks
        ("step_count", "<i8"),
        ("held_back", "<i8"),
        ("threshold_ticks", "<i8"),
        ("tolerance_permille", "<i8"),
        ("fill_threshold_permille", "<i8"),
        ("staying", "<i8", (LIVE_MAX,)),
        ("loose", "<i8", (LIVE_MAX,)),
        ("missing", "<i8", (LIVE_MAX,)),
        ("live", LIVE, (2, LIVE_MAX)),
        ("phase", STEP, (6, 2 * LIVE_MAX)),
        ("steps", STEP, (12 * LIVE_MAX,)),
    ]
)


@kernel
def reconcile(desk: Record) -> None:
    """Write into `desk["steps"]` the messages that bring the live orders to the ladder wanted."""
    phases = desk["phases"]
    for i in range(6):
        phases[i] = 0
    desk["step_count"] = 0
    desk["held_back"] = 0
    _side_steps(desk, 0, desk["wanted"][0], desk["wanted_ticks"][0], desk["wanted_lots"][0])
    _side_steps(desk, 1, desk["wanted"][1], desk["wanted_ticks"][1], desk["wanted_lots"][1])
    for phase in (0, 3, 1, 4):
        for k in range(phases[phase]):
            _pass_on(desk, desk["phase"][phase][k])
    _advance(desk)


@inlined_kernel
def want(desk: Record, side: int, count: int, prices: Array, sizes: Array, room_lots: int, lots_min: int) -> None:
    """Take a side of the ladder over, as far as it fits into `room_lots` beside what is on its way out."""
    live = desk["live"][side]
    for i in range(desk["counts"][side]):
        stays_lots = live[i]["filled_lots"] if live[i]["hold"] == LEAVING else live[i]["size_lots"]
        room_lots -= max(0, live[i]["exposed_lots"] - stays_lots)
    desk["ladder"][side] = count
    for i in range(count):
        desk["ladder_ticks"][side][i] = prices[i]
        desk["ladder_lots"][side][i] = sizes[i]
    kept = 0
    for i in range(count):
        lots = min(sizes[i], room_lots)
        if lots < lots_min:
            break
        desk["wanted_ticks"][side][i] = prices[i]
        desk["wanted_lots"][side][i] = lots
        room_lots -= lots
        kept += 1
    desk["wanted"][side] = kept


@inlined_kernel
def wants_the_same(desk: Record, ladder: Record) -> bool:
    """Return whether a ladder is the one that was wanted last."""
    if ladder["bid_count"] != desk["ladder"][0] or ladder["ask_count"] != desk["ladder"][1]:
        return False
    for i in range(ladder["bid_count"]):
        if ladder["bid_price_ticks"][i] != desk["ladder_ticks"][0][i]:
            return False
        if ladder["bid_size_lots"][i] != desk["ladder_lots"][0][i]:
            return False
    for i in range(ladder["ask_count"]):
        if ladder["ask_price_ticks"][i] != desk["ladder_ticks"][1][i]:
            return False
        if ladder["ask_size_lots"][i] != desk["ladder_lots"][1][i]:
            return False
    return True


@kernel
def _pass_on(desk: Record, step: Record) -> None:
    to = desk["steps"][desk["step_count"]]
    desk["step_count"] += 1
    to["kind"] = step["kind"]
    to["order_id"] = step["order_id"]
    to["is_buy"] = step["is_buy"]
    to["price_ticks"] = step["price_ticks"]
    to["size_lots"] = step["size_lots"]
    to["open_lots"] = step["open_lots"]
    to["place"] = step["place"]


@kernel
def _add(
    desk: Record, phase: int, kind: int, order_id: int, is_buy: int, price_ticks: int, size_lots: int, open_lots: int,
    place: int,
) -> None:  # fmt: skip
    step = desk["phase"][phase][desk["phases"][phase]]
    desk["phases"][phase] += 1
    step["kind"] = kind
    step["order_id"] = order_id
    step["is_buy"] = is_buy
    step["price_ticks"] = price_ticks
    step["size_lots"] = size_lots
    step["open_lots"] = open_lots
    step["place"] = place


@inlined_kernel
def _side_steps(desk: Record, side: int, wanted: int, prices: Array, sizes: Array) -> None:
    live = desk["live"][side]
    is_buy = 1 - side
    sign = -1 if side == 0 else 1  # sign * price grows away from the other side
    cancels = 3 * side
    if wanted == 0:
        for i in range(desk["counts"][side]):
            if live[i]["hold"] <= BUSY:
                _add(desk, cancels, CANCEL, live[i]["order_id"], is_buy, 0, 0, 0, i)
        return
    staying = desk["staying"]
    count = _sort_staying(live, desk["counts"][side], staying, sign)
    loose = desk["loose"]
    missing = desk["missing"]
    loose_count = 0
    missing_count = 0
    i = 0
    j = 0
    while i < wanted and j < count:
        away = sign * (live[staying[j]]["price_ticks"] - prices[i])
        if -desk["threshold_ticks"] < away < desk["threshold_ticks"]:
            _resize(desk, side, staying[j], prices[i], sizes[i])
            i += 1
            j += 1
        elif away < 0:
            loose[loose_count] = staying[j]
            loose_count += 1
            j += 1
        else:
            missing[missing_count] = i
            missing_count += 1
            i += 1
    while j < count:
        loose[loose_count] = staying[j]
        loose_count += 1
        j += 1
    while i < wanted:
        missing[missing_count] = i
        missing_count += 1
        i += 1
    missing_count = _hold_places(live, loose, loose_count, missing, missing_count, prices)
    _move_free(desk, side, loose, loose_count, missing, missing_count, prices, sizes)


@inlined_kernel
def _sort_staying(live: Array, live_count: int, staying: Array, sign: int) -> int:
    """Put the orders that are not leaving into `staying`, best price first, equal prices in their order."""
    count = 0
    for i in range(live_count):
        if live[i]["hold"] == LEAVING:
            continue
        k = count
        price = sign * live[i]["price_ticks"]
        while k > 0 and sign * live[staying[k - 1]]["price_ticks"] > price:
            staying[k] = staying[k - 1]
            k -= 1
        staying[k] = i
        count += 1
    return count


@inlined_kernel
def _hold_places(live: Array, loose: Array, loose_count: int, missing: Array, missing_count: int, prices: Array) -> int:
    """Let each loose order that is not free hold the nearest place; returns how many places are left."""
    for k in range(loose_count):
        order = live[loose[k]]
        if order["hold"] == FREE or missing_count == 0:
            continue
        nearest = 0
        for m in range(1, missing_count):
            if abs(prices[missing[m]] - order["price_ticks"]) < abs(prices[missing[nearest]] - order["price_ticks"]):
                nearest = m
        for m in range(nearest, missing_count - 1):
            missing[m] = missing[m + 1]
        missing_count -= 1
    return missing_count


@kernel
def _move_free(
    desk: Record, side: int, loose: Array, loose_count: int, missing: Array, missing_count: int, prices: Array,
    sizes: Array,
) -> None:  # fmt: skip
    """Move free orders to missing levels, cancel those that are left over, insert what is left missing."""
    live = desk["live"][side]
    is_buy = 1 - side
    sign = -1 if side == 0 else 1
    used = 0
    for k in range(loose_count):
        order = live[loose[k]]
        if order["hold"] != FREE:
            continue
        if used < missing_count:
            level = missing[used]
            used += 1
            is_retreat = sign * prices[level] > sign * order["aggressive_price_ticks"]
            _add(
                desk, 3 * side + (1 if is_retreat else 2), AMEND, order["order_id"], is_buy, prices[level],
                order["filled_lots"] + sizes[level], sizes[level], loose[k],
            )  # fmt: skip
        else:
            _add(desk, 3 * side, CANCEL, order["order_id"], is_buy, 0, 0, 0, loose[k])
    for m in range(used, missing_count):
        _add(desk, 3 * side + 2, INSERT, 0, is_buy, prices[missing[m]], sizes[missing[m]], sizes[missing[m]], -1)


@kernel
def _resize(desk: Record, side: int, place: int, price_ticks: int, wanted_lots: int) -> None:
    """Change the size of an order that stays, when it is too far off."""
    order = desk["live"][side][place]
    if order["hold"] != FREE:
        return
    filled = order["filled_lots"]
    open_lots = order["size_lots"] - filled
    tolerance = desk["fill_threshold_permille"] if filled > 0 else desk["tolerance_permille"]
    if open_lots > wanted_lots:
        _add(
            desk, 3 * side + 1, AMEND, order["order_id"], 1 - side, order["aggressive_price_ticks"],
            filled + wanted_lots, wanted_lots, place,
        )  # fmt: skip
    elif (wanted_lots - open_lots) * PERMILLE > wanted_lots * tolerance:
        _add(
            desk,
            3 * side + 2,
            AMEND,
            order["order_id"],
            1 - side,
            price_ticks,
            filled + wanted_lots,
            wanted_lots,
            place,
        )


@kernel
def _advance(desk: Record) -> None:
    """Pass the advancing steps on, best first from both sides in turn, but for those that could meet an own order."""
    buys = desk["phases"][2]
    sells = desk["phases"][5]
    if buys == 0 and sells == 0:
        return
    highest_bid = -_FAR
    lowest_ask = _FAR
    for i in range(desk["counts"][0]):
        highest_bid = max(highest_bid, desk["live"][0][i]["aggressive_price_ticks"])
    for i in range(desk["counts"][1]):
        lowest_ask = min(lowest_ask, desk["live"][1][i]["aggressive_price_ticks"])
    buy_order = desk["staying"]
    sell_order = desk["loose"]
    _sort_steps(desk["phase"][2], buys, buy_order, -1)
    _sort_steps(desk["phase"][5], sells, sell_order, 1)
    for rank in range(max(buys, sells)):
        if rank < buys:
            step = desk["phase"][2][buy_order[rank]]
            if step["price_ticks"] >= lowest_ask:
                desk["held_back"] += 1
            else:
                highest_bid = max(highest_bid, step["price_ticks"])
                _pass_on(desk, step)
        if rank < sells:
            step = desk["phase"][5][sell_order[rank]]
            if step["price_ticks"] <= highest_bid:
                desk["held_back"] += 1
            else:
                lowest_ask = min(lowest_ask, step["price_ticks"])
                _pass_on(desk, step)


@kernel
def _sort_steps(steps: Array, count: int, order: Array, sign: int) -> None:
    for i in range(count):
        k = i
        price = sign * steps[i]["price_ticks"]
        while k > 0 and sign * steps[order[k - 1]]["price_ticks"] > price:
            order[k] = order[k - 1]
            k -= 1
        order[k] = i
