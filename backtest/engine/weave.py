"""From events to a tape's rows: the book is built here, and what happens to it is told level by level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.book import (
    NO_ASK,
    NO_BID,
    is_older,
    is_stale,
    set_level,
    window_after,
)
from backtest.data.events import (
    ADD,
    ASK,
    BEST,
    BID,
    CLEAR,
    EVERY_PRICE,
    FILL,
    FINAL,
    KIND_MASK,
    LEVEL,
    MODIFY,
    SNAPSHOT_LEVEL,
    TRADE,
)
from domain.jit import Array, Record, inlined_kernel, kernel

# Prices of a tape are 32-bit; these mean that a side is empty.
EMPTY_BID = -(2**31)
EMPTY_ASK = 2**31 - 1
NOTE = 0  # nothing changed: the end of a message that was stale, or outside of the window

# A tape is made of rows of 16 bytes. A head is followed by the touch that its changes leave, and by `count` changes:
# levels of one moment and one message, or one trade, or what happened to one order. Which fields a row has is known by
# where it stands, so they lie over each other.
ROW = np.dtype(
    {
        "names": [
            "time_ns", "count", "flags",  # head: kind, and FINAL where the message ends with it
            "best_bid", "best_ask", "bid_levels", "ask_levels",  # touch, and how many levels the sides have
            "lots", "ticks", "side",  # change: side 0 bids, or the buyer was the aggressor; 1 asks, or the seller
        ],
        "formats": ["<i8", "<i4", "<i4", "<i4", "<i4", "<i4", "<i4", "<i8", "<i4", "<u4"],
        "offsets": [0, 8, 12, 0, 4, 8, 12, 0, 8, 12],
        "itemsize": 16,
    }
)  # fmt: skip
TOUCH, CHANGES = 1, 2  # from a head to its touch, to its first change
COUNT_MAX = 1 << 12  # changes of one head
BIDS, ASKS = 0, 1
# Of a change that tells of one order `lots` holds two numbers: the order's among all that arrived, and how many lots.
LOTS_BITS = 31
LOTS_MASK = (1 << LOTS_BITS) - 1
NUMBER_MAX = (1 << 32) - 1
CURSOR = np.dtype(
    [
        (name, "<i8")
        for name in (
            "row", "written",
            "head",  # row of the head that takes changes; -1 = none does
            "end_ns",  # time of the last head
            "order_rows", "fill_rows", "trade_rows",
            "arrivals",  # orders that had arrived before the first one that is told; -1 = none is told yet
        )
    ]
)  # fmt: skip
_RECIPIENT_LOCAL = 1 << 12


def new_cursor() -> npt.NDArray[np.void]:
    """Return where `weave` stands, shape (1,)."""
    cursor = np.zeros(1, CURSOR)
    cursor["arrivals"] = -1
    return cursor


@inlined_kernel
def is_cut(rows: Array, head: int) -> bool:
    """Return whether a block of rows ends before all that belongs to this head."""
    return bool(head >= rows.shape[0] or head + CHANGES + rows[head]["count"] > rows.shape[0])


@kernel
def weave(cursor: Record, state: Record, bids: Array, asks: Array, rows: Array, recipient: int, out: Array) -> None:
    """Turn events from `cursor["row"]` on into tape rows, until they end or `out` fills up."""
    i = cursor["row"]
    cursor["written"] = 0
    cursor["head"] = -1
    while i < rows.shape[0]:
        # A row may take every level away, the window may move on, and COUNT_MAX changes take a head.
        if cursor["written"] + 2 * (state["bid_levels"] + state["ask_levels"]) + 16 > out.shape[0]:
            break
        row = rows[i]
        flags = row["flags"]
        if flags & recipient != 0:
            time_ns = row["local_time_ns"] if recipient == _RECIPIENT_LOCAL else row["exchange_time_ns"]
            before = cursor["written"]
            if flags & KIND_MASK < ADD:
                _weave_row(cursor, state, bids, asks, row, flags, time_ns, out)
            elif recipient != _RECIPIENT_LOCAL and flags & KIND_MASK != MODIFY:
                _weave_order(cursor, state, row, flags, time_ns, out)
            if flags & FINAL != 0:
                if flags & KIND_MASK != TRADE:
                    _move_window(cursor, state, bids, asks, time_ns, out)
                if cursor["written"] == before and not _takes_levels(cursor, out, time_ns):
                    _begin(cursor, state, out, time_ns, NOTE)
                out[cursor["head"]]["flags"] |= FINAL
                cursor["head"] = -1
        i += 1
    cursor["row"] = i


@kernel
def _weave_row(
    cursor: Record, state: Record, bids: Array, asks: Array, row: Record, flags: int, time_ns: int, out: Array
) -> None:
    kind = flags & KIND_MASK
    ticks = row["price_ticks"]
    if kind == LEVEL:
        if is_stale(state, row, flags, ticks):
            state["stale_rows"] += 1
        else:
            _set(cursor, state, bids, asks, out, time_ns, flags & BID != 0, ticks, row["size_lots"])
    elif kind == TRADE:
        cursor["trade_rows"] += 1
        _begin(cursor, state, out, time_ns, TRADE)
        _add(cursor, state, out, BIDS if flags & BID != 0 else ASKS, ticks, row["size_lots"])
    elif kind == BEST:
        _weave_best(cursor, state, bids, asks, row, flags, time_ns, out)
    elif kind == SNAPSHOT_LEVEL:
        _set(cursor, state, bids, asks, out, time_ns, flags & BID != 0, ticks, row["size_lots"])
    elif kind == CLEAR:
        if flags & BID != 0:
            _clear_bids(cursor, state, bids, asks, out, time_ns, ticks)
        if flags & ASK != 0:
            _clear_asks(cursor, state, bids, asks, out, time_ns, ticks)


@kernel
def _weave_order(cursor: Record, state: Record, row: Record, flags: int, time_ns: int, out: Array) -> None:
    kind = flags & KIND_MASK
    cursor["order_rows"] += 1
    if kind == FILL:
        cursor["fill_rows"] += 1
    if kind == ADD and cursor["arrivals"] < 0:
        cursor["arrivals"] = row["venue_id"] - 1
    _begin(cursor, state, out, time_ns, kind)
    side = BIDS if flags & BID != 0 else ASKS
    _add(cursor, state, out, side, row["price_ticks"], row["venue_id"] << LOTS_BITS | row["size_lots"])


@inlined_kernel
def _takes_levels(cursor: Record, out: Array, time_ns: int) -> bool:
    """Return whether there is a head of this message that takes levels of this moment."""
    head = cursor["head"]
    return bool(head >= 0 and out[head]["time_ns"] == time_ns and out[head]["flags"] == LEVEL)


@kernel
def _begin(cursor: Record, state: Record, out: Array, time_ns: int, kind: int) -> None:
    """Write a head without changes, and the touch as it is."""
    head = cursor["written"]
    cursor["head"] = head
    cursor["written"] += CHANGES
    cursor["end_ns"] = time_ns
    out[head]["time_ns"] = time_ns
    out[head]["count"] = 0
    out[head]["flags"] = kind
    _show_touch(state, out[head + TOUCH])


@kernel
def _add(cursor: Record, state: Record, out: Array, side: int, ticks: int, lots: int) -> None:
    """Add a change to the head that takes them, and the touch that it leaves."""
    head = cursor["head"]
    row = out[cursor["written"]]
    cursor["written"] += 1
    out[head]["count"] += 1
    row["lots"] = lots
    row["ticks"] = ticks
    row["side"] = side
    _show_touch(state, out[head + TOUCH])


@inlined_kernel
def _show_touch(state: Record, touch: Record) -> None:
    touch["best_bid"] = state["best_bid_ticks"] if state["best_bid_ticks"] != NO_BID else EMPTY_BID
    touch["best_ask"] = state["best_ask_ticks"] if state["best_ask_ticks"] != NO_ASK else EMPTY_ASK
    touch["bid_levels"] = state["bid_levels"]
    touch["ask_levels"] = state["ask_levels"]


@kernel
def _set(
    cursor: Record, state: Record, bids: Array, asks: Array, out: Array, time_ns: int, is_bid: bool, ticks: int,
    lots: int,
) -> None:  # fmt: skip
    far = state["far_rows"]
    set_level(state, bids, asks, is_bid, ticks, lots)
    if state["far_rows"] != far:
        return
    if not _takes_levels(cursor, out, time_ns) or out[cursor["head"]]["count"] == COUNT_MAX:
        _begin(cursor, state, out, time_ns, LEVEL)
    _add(cursor, state, out, BIDS if is_bid else ASKS, ticks, lots)


@kernel
def _clear_bids(
    cursor: Record, state: Record, bids: Array, asks: Array, out: Array, time_ns: int, until_ticks: int
) -> None:
    """Take the bids away from the best one down to `until_ticks`; EVERY_PRICE lies below all."""
    while state["best_bid_ticks"] != NO_BID and state["best_bid_ticks"] >= until_ticks:
        _set(cursor, state, bids, asks, out, time_ns, True, state["best_bid_ticks"], 0)
    state["is_begun"] = 1


@kernel
def _clear_asks(
    cursor: Record, state: Record, bids: Array, asks: Array, out: Array, time_ns: int, until_ticks: int
) -> None:
    every = until_ticks == EVERY_PRICE
    while state["best_ask_ticks"] != NO_ASK and (every or state["best_ask_ticks"] <= until_ticks):
        _set(cursor, state, bids, asks, out, time_ns, False, state["best_ask_ticks"], 0)
    state["is_begun"] = 1


@kernel
def _weave_best(
    cursor: Record, state: Record, bids: Array, asks: Array, row: Record, flags: int, time_ns: int, out: Array
) -> None:
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
        _clear_bids(cursor, state, bids, asks, out, time_ns, ticks + 1)
        _set(cursor, state, bids, asks, out, time_ns, True, ticks, row["size_lots"])
        _clear_asks(cursor, state, bids, asks, out, time_ns, ticks)
    else:
        if is_older(row, state["ask_news_id"], state["ask_news_time_ns"]):
            return
        state["ask_news_id"] = row["venue_id"]
        state["ask_news_time_ns"] = row["exchange_time_ns"]
        state["ask_news_ticks"] = ticks
        _clear_asks(cursor, state, bids, asks, out, time_ns, ticks - 1)
        _set(cursor, state, bids, asks, out, time_ns, False, ticks, row["size_lots"])
        _clear_bids(cursor, state, bids, asks, out, time_ns, ticks)


@kernel
def _move_window(cursor: Record, state: Record, bids: Array, asks: Array, time_ns: int, out: Array) -> None:
    """Move the window when the touch has come near to its edge; what stays behind is taken away."""
    first = window_after(state, bids.shape[0])
    old_first = state["first_ticks"]
    if first == old_first:
        return
    window = bids.shape[0]
    for ticks in range(old_first, old_first + window):
        if first <= ticks < first + window:
            continue
        if bids[ticks & (window - 1)] > 0:
            _set(cursor, state, bids, asks, out, time_ns, True, ticks, 0)
            state["far_rows"] += 1
        if asks[ticks & (window - 1)] > 0:
            _set(cursor, state, bids, asks, out, time_ns, False, ticks, 0)
            state["far_rows"] += 1
    state["first_ticks"] = first
