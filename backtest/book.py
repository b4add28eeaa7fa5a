"""An order book of price levels on a tick grid, built from events; compiled code, no allocation.

Sizes of a side lie in an array of `window` places (a power of two), the place of a tick being `ticks & mask`. The
window is the range of ticks that the array stands for; it follows the touch. Levels outside of it are not kept: they
are counted (`far_rows`). Interpreted it runs the same, some hundred times slower.

A BEST row (book ticker) is newer than levels of an older message: it moves the touch at once, and a LEVEL row that
is older than it does not bring back what it took away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.data.events import (
    ASK,
    BEST,
    BID,
    CLEAR,
    EVERY_PRICE,
    KIND_MASK,
    LEVEL,
    SNAPSHOT_LEVEL,
    TRADE,
    Events,
)
from domain.jit import Array, Record, kernel
from domain.records import BOOK_LEVELS

WINDOW = 1 << 17
CENTRE_ROWS = 1_000_000  # the first ones tell where the touch is
NO_BID = -(2**62)
NO_ASK = 2**62
_RECENTRE_PART = 8  # the window moves when the touch is nearer to its edge than this part of it

_NAMES = (
    "best_bid_ticks",  # NO_BID = none
    "best_ask_ticks",  # NO_ASK = none
    "first_ticks",  # lowest tick of the window
    "bid_levels",  # levels kept
    "ask_levels",
    "bid_news_id",  # the newest BEST row of the side: its id, time and price
    "bid_news_time_ns",
    "bid_news_ticks",
    "ask_news_id",
    "ask_news_time_ns",
    "ask_news_ticks",
    "far_rows",  # rows outside of the window
    "stale_rows",  # levels older than a BEST row
    "rows",  # rows applied
    "is_begun",  # a snapshot, a clear or a level has been seen
    "update_count",
)
BOOK_STATE = np.dtype([(name, "<i8") for name in _NAMES])


class Ladder(NamedTuple):
    """The book's memory: `state` (1,) of BOOK_STATE, and the lots of bids and asks by place, shape (window,)."""

    state: npt.NDArray[np.void]
    bids: npt.NDArray[np.int64]
    asks: npt.NDArray[np.int64]


def new_book(centre_ticks: int, window: int = WINDOW) -> Ladder:
    """Return an empty book around a price; `window` is a power of two."""
    assert window & (window - 1) == 0, f"window = {window} must be a power of two"
    state = np.zeros(1, BOOK_STATE)
    state["best_bid_ticks"] = NO_BID
    state["best_ask_ticks"] = NO_ASK
    state["first_ticks"] = centre_ticks - window // 2
    return Ladder(state, np.zeros(window, np.int64), np.zeros(window, np.int64))


def centre_of(rows: Events) -> int:
    """Return a price near the touch, in ticks: of the first best price or trade; else the middle of the levels."""
    rows = rows[:CENTRE_ROWS]
    kinds = rows["flags"] & KIND_MASK
    near = rows["price_ticks"][((kinds == BEST) | (kinds == TRADE)) & (rows["price_ticks"] != EVERY_PRICE)]
    if len(near):
        return int(near[0])
    levels = (kinds == LEVEL) | (kinds == SNAPSHOT_LEVEL)
    bids = rows["price_ticks"][levels & (rows["flags"] & BID != 0)]
    asks = rows["price_ticks"][levels & (rows["flags"] & ASK != 0)]
    if len(bids) and len(asks):
        return int(np.median(bids) + np.median(asks)) // 2
    return int(np.median(rows["price_ticks"][levels])) if levels.any() else 0


@kernel
def apply_row(state: Record, bids: Array, asks: Array, row: Record, with_best: bool) -> None:
    """Take one row into the book; trades and orders (kinds from ADD on) leave it as it is.

    `with_best`: let BEST rows move the touch. Else the levels alone make the book.
    """
    flags = row["flags"]
    kind = flags & KIND_MASK
    state["rows"] += 1
    if kind == LEVEL:
        ticks = row["price_ticks"]
        if with_best and is_stale(state, row, flags, ticks):
            state["stale_rows"] += 1
            return
        set_level(state, bids, asks, flags & BID != 0, ticks, row["size_lots"])
    elif kind == SNAPSHOT_LEVEL:
        set_level(state, bids, asks, flags & BID != 0, row["price_ticks"], row["size_lots"])
    elif kind == BEST:
        if with_best:
            _apply_best(state, bids, asks, row, flags)
    elif kind == CLEAR:
        if flags & BID != 0:
            _clear_bids(state, bids, row["price_ticks"])
        if flags & ASK != 0:
            _clear_asks(state, asks, row["price_ticks"])


@kernel
def set_level(state: Record, bids: Array, asks: Array, is_bid: bool, ticks: int, lots: int) -> None:
    """Set the size of one level; 0 removes it."""
    window = bids.shape[0]
    offset = ticks - state["first_ticks"]
    if offset < 0 or offset >= window:
        state["far_rows"] += 1
        return
    state["is_begun"] = 1
    place = ticks & (window - 1)
    if is_bid:
        had = bids[place]
        bids[place] = lots
        if lots > 0:
            if had == 0:
                state["bid_levels"] += 1
            if ticks > state["best_bid_ticks"]:
                state["best_bid_ticks"] = ticks
        elif had > 0:
            state["bid_levels"] -= 1
            if ticks == state["best_bid_ticks"]:
                state["best_bid_ticks"] = _next_bid(state, bids, ticks - 1)
    else:
        had = asks[place]
        asks[place] = lots
        if lots > 0:
            if had == 0:
                state["ask_levels"] += 1
            if ticks < state["best_ask_ticks"]:
                state["best_ask_ticks"] = ticks
        elif had > 0:
            state["ask_levels"] -= 1
            if ticks == state["best_ask_ticks"]:
                state["best_ask_ticks"] = _next_ask(state, asks, ticks + 1)


@kernel
def _next_bid(state: Record, bids: Array, ticks: int) -> int:
    """Return the highest bid at or below `ticks`, NO_BID when there is none."""
    if state["bid_levels"] == 0:
        return NO_BID
    mask = bids.shape[0] - 1
    while bids[ticks & mask] == 0:  # a level is kept, so the walk ends
        ticks -= 1
    return ticks


@kernel
def _next_ask(state: Record, asks: Array, ticks: int) -> int:
    """Return the lowest ask at or above `ticks`, NO_ASK when there is none."""
    if state["ask_levels"] == 0:
        return NO_ASK
    mask = asks.shape[0] - 1
    while asks[ticks & mask] == 0:
        ticks += 1
    return ticks


@kernel
def _clear_bids(state: Record, bids: Array, until_ticks: int) -> None:
    """Remove the bids from the best one down to `until_ticks`; EVERY_PRICE lies below all."""
    mask = bids.shape[0] - 1
    while state["best_bid_ticks"] != NO_BID and state["best_bid_ticks"] >= until_ticks:
        ticks = state["best_bid_ticks"]
        bids[ticks & mask] = 0
        state["bid_levels"] -= 1
        state["best_bid_ticks"] = _next_bid(state, bids, ticks - 1)
    state["is_begun"] = 1


@kernel
def _clear_asks(state: Record, asks: Array, until_ticks: int) -> None:
    mask = asks.shape[0] - 1
    every = until_ticks == EVERY_PRICE
    while state["best_ask_ticks"] != NO_ASK and (every or state["best_ask_ticks"] <= until_ticks):
        ticks = state["best_ask_ticks"]
        asks[ticks & mask] = 0
        state["ask_levels"] -= 1
        state["best_ask_ticks"] = _next_ask(state, asks, ticks + 1)
    state["is_begun"] = 1


@kernel
def _apply_best(state: Record, bids: Array, asks: Array, row: Record, flags: int) -> None:
    """Let the best price of a side be this row's: what was better is gone, also on the other side what it crosses."""
    ticks = row["price_ticks"]
    if ticks == EVERY_PRICE or row["size_lots"] == 0:
        return
    if flags & BID != 0:
        if is_older(row, state["bid_news_id"], state["bid_news_time_ns"]):
            return
        state["bid_news_id"] = row["venue_id"]
        state["bid_news_time_ns"] = row["exchange_time_ns"]
        state["bid_news_ticks"] = ticks
        if state["best_bid_ticks"] > ticks:
            _clear_bids(state, bids, ticks + 1)
        set_level(state, bids, asks, True, ticks, row["size_lots"])
        if state["best_ask_ticks"] <= ticks:
            _clear_asks(state, asks, ticks)
    else:
        if is_older(row, state["ask_news_id"], state["ask_news_time_ns"]):
            return
        state["ask_news_id"] = row["venue_id"]
        state["ask_news_time_ns"] = row["exchange_time_ns"]
        state["ask_news_ticks"] = ticks
        if state["best_ask_ticks"] < ticks:
            _clear_asks(state, asks, ticks - 1)
        set_level(state, bids, asks, False, ticks, row["size_lots"])
        if state["best_bid_ticks"] >= ticks:
            _clear_bids(state, bids, ticks)


@kernel
def is_stale(state: Record, row: Record, flags: int, ticks: int) -> bool:
    """Return whether a LEVEL row at or before the touch is older than the BEST row that set the touch."""
    if flags & BID != 0:
        if state["bid_news_time_ns"] == 0 or ticks < state["bid_news_ticks"]:
            return False
        return bool(is_older(row, state["bid_news_id"], state["bid_news_time_ns"]))
    if state["ask_news_time_ns"] == 0 or ticks > state["ask_news_ticks"]:
        return False
    return is_older(row, state["ask_news_id"], state["ask_news_time_ns"])


@kernel
def is_older(row: Record, news_id: int, news_time_ns: int) -> bool:
    # Where both streams carry the venue's update id it decides; times have a resolution of ms.
    if row["venue_id"] != 0 and news_id != 0:
        return bool(row["venue_id"] < news_id)
    return bool(row["exchange_time_ns"] < news_time_ns)


@kernel
def window_after(state: Record, window: int) -> int:
    """Return the lowest tick of the window that the touch asks for: another one when it has come near to the edge."""
    best_bid = state["best_bid_ticks"]
    best_ask = state["best_ask_ticks"]
    if best_bid == NO_BID or best_ask == NO_ASK:
        return int(state["first_ticks"])
    centre = (best_bid + best_ask) // 2
    offset = centre - state["first_ticks"]
    margin = window // _RECENTRE_PART
    if margin <= offset < window - margin:
        return int(state["first_ticks"])
    return int(centre - window // 2)


@kernel
def recentre(state: Record, bids: Array, asks: Array) -> None:
    """Move the window when the touch has come near to its edge; call between messages. Levels left behind are gone."""
    window = bids.shape[0]
    first = window_after(state, window)
    old_first = state["first_ticks"]
    if first == old_first:
        return
    for ticks in range(old_first, old_first + window):
        if first <= ticks < first + window:
            continue
        if bids[ticks & (window - 1)] > 0:
            set_level(state, bids, asks, True, ticks, 0)
            state["far_rows"] += 1
        if asks[ticks & (window - 1)] > 0:
            set_level(state, bids, asks, False, ticks, 0)
            state["far_rows"] += 1
    state["first_ticks"] = first


@kernel
def level_lots(state: Record, side: Array, ticks: int) -> int:
    """Return the lots of one level of a side (its array); 0 outside of the window."""
    offset = ticks - state["first_ticks"]
    if offset < 0 or offset >= side.shape[0]:
        return 0
    return int(side[ticks & (side.shape[0] - 1)])


@kernel
def is_usable(state: Record) -> bool:
    """Return whether both sides hold something and do not cross."""
    bid = state["best_bid_ticks"]
    ask = state["best_ask_ticks"]
    return bool(bid != NO_BID and ask != NO_ASK and bid < ask)


@kernel
def fill_record(
    state: Record, bids: Array, asks: Array, row: Record, tick_size: float, lot_size: float, record: Record
) -> None:
    """Write the best levels into a BOOK record, stamped with the row's times (ours as receive and wall-clock time)."""
    record["exchange_time_ns"] = row["exchange_time_ns"]
    record["receive_time_ns"] = row["local_time_ns"]
    record["receive_realtime_ns"] = row["local_time_ns"]
    record["is_valid"] = 1 if is_usable(state) else 0
    state["update_count"] += 1
    record["update_count"] = state["update_count"]
    mask = bids.shape[0] - 1
    count = min(BOOK_LEVELS, state["bid_levels"])
    ticks = state["best_bid_ticks"]
    prices = record["bid_price"]
    sizes = record["bid_size"]
    for i in range(count):
        while bids[ticks & mask] == 0:
            ticks -= 1
        prices[i] = ticks * tick_size
        sizes[i] = bids[ticks & mask] * lot_size
        ticks -= 1
    record["bid_count"] = count
    for i in range(count, BOOK_LEVELS):
        prices[i] = 0.0
        sizes[i] = 0.0
    count = min(BOOK_LEVELS, state["ask_levels"])
    ticks = state["best_ask_ticks"]
    prices = record["ask_price"]
    sizes = record["ask_size"]
    for i in range(count):
        while asks[ticks & mask] == 0:
            ticks += 1
        prices[i] = ticks * tick_size
        sizes[i] = asks[ticks & mask] * lot_size
        ticks += 1
    record["ask_count"] = count
    for i in range(count, BOOK_LEVELS):
        prices[i] = 0.0
        sizes[i] = 0.0


@kernel
def fill_trade(row: Record, tick_size: float, lot_size: float, record: Record) -> None:
    """Write a TRADE row into a TRADE record."""
    record["exchange_time_ns"] = row["exchange_time_ns"]
    record["receive_time_ns"] = row["local_time_ns"]
    record["receive_realtime_ns"] = row["local_time_ns"]
    record["price"] = row["price_ticks"] * tick_size
    record["size"] = row["size_lots"] * lot_size
    record["aggressor_side"] = 1 if row["flags"] & BID != 0 else -1
