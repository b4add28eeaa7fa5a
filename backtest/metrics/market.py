"""What the market was at given moments: one pass over a recording, whatever its length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.book import CENTRE_ROWS, NO_ASK, NO_BID, apply_row, centre_of, is_usable, new_book, recentre
from backtest.data.container import EventFile
from backtest.data.events import AT_EXCHANGE, FINAL
from domain.jit import Array, Record, kernel

TOUCH = np.dtype([("bid_ticks", "<i8"), ("ask_ticks", "<i8")])  # NO_BID and NO_ASK: no usable book then
_ROWS_AT_ONCE = 1 << 20


def touch_at(file: EventFile, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Return the exchange's best prices at each time, TOUCH rows.

    A moment sees the messages that the exchange sent before it, not those of the same nanosecond: of a fill it is the
    book that the taker met. Times after the last row have no book.

    Args:
        times_ns: exchange time, in order.
    """
    assert np.all(np.diff(times_ns) >= 0), "times must be in order"
    found = np.zeros(len(times_ns), TOUCH)
    found["bid_ticks"], found["ask_ticks"] = NO_BID, NO_ASK
    book = new_book(centre_of(file.block(0, CENTRE_ROWS)))
    done = 0
    for block in file.blocks(_ROWS_AT_ONCE):
        rows = np.array(block)  # of the same type in memory as from a map
        done = look(book.state[0], book.bids, book.asks, rows, times_ns, found, done)
    return found


def span_ns(file: EventFile) -> tuple[int, int]:
    """Return the exchange times of the first and the last row; (0, 0) of an empty recording."""
    begin_ns, end_ns = 2**62, 0
    for rows in file.blocks(_ROWS_AT_ONCE):
        times = rows["exchange_time_ns"][rows["flags"] & AT_EXCHANGE != 0]
        if len(times):
            begin_ns, end_ns = min(begin_ns, int(times.min())), max(end_ns, int(times.max()))
    return (begin_ns, end_ns) if end_ns else (0, 0)


@kernel
def look(
    book: Record, bids: Array, asks: Array, rows: Array, times_ns: Array, found: Array, done: int
) -> int:  # fmt: skip
    """Apply rows, and note the touch at every time that they pass, from number `done` on; return the next number."""
    for i in range(rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_EXCHANGE == 0:
            continue
        while done < times_ns.shape[0] and times_ns[done] <= row["exchange_time_ns"]:
            if is_usable(book):
                found[done]["bid_ticks"] = book["best_bid_ticks"]
                found[done]["ask_ticks"] = book["best_ask_ticks"]
            done += 1
        apply_row(book, bids, asks, row, True)
        if flags & FINAL != 0:
            recentre(book, bids, asks)
    return done
