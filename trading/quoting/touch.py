"""The best prices of the book without our own orders.

A public book shows our orders too. Left in, a thin book would make us quote off ourselves.

Book and account come on different connections, so a book may still show an order that is gone, or already show
one that is not confirmed. Both would look like somebody else's: each amend would move the mid, and that the next
quote. So levels where an order of ours was working, or was wished for, count as ours for `own_memory` longer.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from domain.jit import Array, Record, inlined_kernel, kernel
from domain.records import QUOTE_LEVELS_MAX

TICKS_MAX = 1e15  # beyond it float64 no longer tells ticks apart

# One side of the book and what of it is ours: count, prices, sizes of its levels; the same of the account's working
# orders, ticks and lots; ticks, lots and until when of what was ours a moment ago.
Side: TypeAlias = tuple[int, Array, Array, int, Array, Array, Array, Array, Array]


@inlined_kernel
def own_lots(ticks: int, count: int, prices: Array, sizes: Array) -> int:
    """Return how many lots of one side's ladder of working orders rest at `ticks`."""
    lots = 0
    for i in range(min(count, QUOTE_LEVELS_MAX)):
        if prices[i] == ticks:
            lots += int(sizes[i])
    return lots


@kernel
def own_size_at(params: Record, price: float, count: int, prices: Array, sizes: Array) -> float:
    """Return what we have working at `price` ($) on one side, in size units."""
    steps = price / params["tick_size"]
    if count == 0 or not 0.0 < steps < TICKS_MAX:
        return 0.0
    return float(own_lots(int(np.rint(steps)), count, prices, sizes) * params["lot_size"])


@inlined_kernel
def remembered_lots(ticks: int, time_ns: int, prices: Array, sizes: Array, until_ns: Array) -> int:
    """Return how many lots at `ticks` were ours a moment ago."""
    for i in range(len(prices)):
        if prices[i] == ticks and until_ns[i] >= time_ns:
            return int(sizes[i])
    return 0


@kernel
def remember(ticks: int, lots: int, time_ns: int, memory_ns: int, prices: Array, sizes: Array, until_ns: Array) -> None:
    """Remember that `lots` at `ticks` are ours; of a level known already the larger size stays until its time.

    With no room left, the level remembered longest ago is forgotten.
    """
    slot = 0
    for i in range(len(prices)):
        if prices[i] == ticks and until_ns[i] >= time_ns:
            if sizes[i] > lots:
                return
            slot = i
            break
        if until_ns[i] < until_ns[slot]:
            slot = i
    prices[slot] = ticks
    sizes[slot] = lots
    until_ns[slot] = time_ns + memory_ns


@kernel
def remember_ladder(params: Record, state: Record, ladder: Record, time_ns: int) -> None:
    """Remember every level of `ladder`, an account's working orders or a wish."""
    memory_ns = params["own_memory_ns"]
    if memory_ns == 0:
        return
    for i in range(min(ladder["bid_count"], QUOTE_LEVELS_MAX)):
        remember(
            ladder["bid_price_ticks"][i], ladder["bid_size_lots"][i], time_ns, memory_ns,
            state["own_bid_ticks"], state["own_bid_lots"], state["own_bid_until_ns"],
        )  # fmt: skip
    for i in range(min(ladder["ask_count"], QUOTE_LEVELS_MAX)):
        remember(
            ladder["ask_price_ticks"][i], ladder["ask_size_lots"][i], time_ns, memory_ns,
            state["own_ask_ticks"], state["own_ask_lots"], state["own_ask_until_ns"],
        )  # fmt: skip


@inlined_kernel
def bids_of(state: Record, book: Record, account: Record) -> Side:
    """Return the book's bids with what of them is ours."""
    return (
        book["bid_count"], book["bid_price"], book["bid_size"],
        account["bid_count"], account["bid_price_ticks"], account["bid_size_lots"],
        state["own_bid_ticks"], state["own_bid_lots"], state["own_bid_until_ns"],
    )  # fmt: skip


@inlined_kernel
def asks_of(state: Record, book: Record, account: Record) -> Side:
    """Return the book's asks with what of them is ours."""
    return (
        book["ask_count"], book["ask_price"], book["ask_size"],
        account["ask_count"], account["ask_price_ticks"], account["ask_size_lots"],
        state["own_ask_ticks"], state["own_ask_lots"], state["own_ask_until_ns"],
    )  # fmt: skip


@inlined_kernel
def others_at(params: Record, side: Side, level: int, time_ns: int) -> tuple[int, float]:
    """Return (ticks, size without ours) of one level; (0, 0.0) without a usable price or size.

    Less than half a lot is float noise, not somebody's order: then the size is 0.0.
    """
    _, prices, sizes, own_count, own_prices, own_sizes, past_prices, past_sizes, past_until_ns = side
    size = sizes[level]
    steps = prices[level] / params["tick_size"]
    if not (0.0 < steps < TICKS_MAX and 0.0 <= size < math.inf):  # also refuses NaN
        return 0, 0.0
    ticks = int(np.rint(steps))
    lots = own_lots(ticks, own_count, own_prices, own_sizes)
    if params["own_memory_ns"] > 0:
        lots = max(lots, remembered_lots(ticks, time_ns, past_prices, past_sizes, past_until_ns))
    lot_size = params["lot_size"]
    others = size - lots * lot_size
    return ticks, others if others > 0.5 * lot_size else 0.0


@inlined_kernel
def best_of(params: Record, side: Side, time_ns: int) -> tuple[int, float]:
    """Return (ticks, size) of the best level that is not ours alone; (0, 0.0) when there is none, or when a level
    before it has no usable price or size."""
    for level in range(min(side[0], len(side[1]))):
        ticks, size = others_at(params, side, level, time_ns)
        if ticks == 0:
            return 0, 0.0
        if size > 0.0:
            return ticks, size
    return 0, 0.0


@kernel
def update_touch(params: Record, state: Record, book: Record, account: Record, time_ns: int) -> None:
    """Set touch, mid and micro-price of `state`; `is_book_usable` = 0 when the book is invalid, crossed or has
    a side that is empty but for us."""
    state["is_book_usable"] = 0
    if book["is_valid"] != 1:
        return
    remember_ladder(params, state, account, time_ns)
    bid, bid_size = best_of(params, bids_of(state, book, account), time_ns)
    ask, ask_size = best_of(params, asks_of(state, book, account), time_ns)
    if bid_size <= 0.0 or ask_size <= 0.0 or bid >= ask:
        return
    tick_size = params["tick_size"]
    state["best_bid_ticks"] = bid
    state["best_ask_ticks"] = ask
    state["best_bid_size"] = bid_size
    state["best_ask_size"] = ask_size
    state["mid"] = 0.5 * (bid + ask) * tick_size
    state["micro"] = (bid * ask_size + ask * bid_size) / (bid_size + ask_size) * tick_size
    state["is_book_usable"] = 1
