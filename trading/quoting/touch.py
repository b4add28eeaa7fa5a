"""The best prices of the book without our own orders.

A public book shows our orders too. Left in, a thin book would make us quote off ourselves.
"""

from __future__ import annotations

import math

import numpy as np

from domain.jit import Array, Record, kernel
from domain.records import QUOTE_LEVELS_MAX

TICKS_MAX = 1e15  # beyond it float64 no longer tells ticks apart


@kernel
def own_lots(ticks: int, count: int, prices: Array, sizes: Array) -> int:
    """Return how many lots of one side's ladder of working orders rest at `ticks`."""
    lots = 0
    for i in range(min(count, QUOTE_LEVELS_MAX)):
        if prices[i] == ticks:
            lots += sizes[i]
    return lots


@kernel
def clean_side(
    params: Record, count: int, prices: Array, sizes: Array, own_count: int, own_prices: Array, own_sizes: Array
) -> tuple[int, float]:
    """Return (ticks, size) of the best level that is not ours alone; (0, 0.0) when there is none, or when a level
    before it has no usable price or size.

    Less than half a lot is float noise, not somebody's order.
    """
    tick_size = params["tick_size"]
    lot_size = params["lot_size"]
    for i in range(min(count, len(prices))):
        steps = prices[i] / tick_size
        if not (0.0 < steps < TICKS_MAX and 0.0 <= sizes[i] < math.inf):  # also refuses NaN
            return 0, 0.0
        ticks = int(np.rint(steps))
        size = sizes[i] - own_lots(ticks, own_count, own_prices, own_sizes) * lot_size
        if size > 0.5 * lot_size:
            return ticks, size
    return 0, 0.0


@kernel
def update_touch(params: Record, state: Record, book: Record, account: Record) -> None:
    """Set touch, mid and micro-price of `state`; `is_book_usable` = 0 when the book is invalid, crossed or has
    a side that is empty but for us."""
    state["is_book_usable"] = 0
    if book["is_valid"] != 1:
        return
    bid, bid_size = clean_side(
        params, book["bid_count"], book["bid_price"], book["bid_size"],
        account["bid_count"], account["bid_price_ticks"], account["bid_size_lots"],
    )  # fmt: skip
    ask, ask_size = clean_side(
        params, book["ask_count"], book["ask_price"], book["ask_size"],
        account["ask_count"], account["ask_price_ticks"], account["ask_size_lots"],
    )  # fmt: skip
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
