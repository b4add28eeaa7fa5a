"""Books and trades of a recording: `python -m tests.recorded_market OUT FILE…`; needs compiled kernels to be quick."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from backtest.book import apply_row, centre_of, fill_record, fill_trade, is_usable, new_book
from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.events import AT_LOCAL, KIND_MASK
from backtest.data.events import TRADE as TRADE_KIND
from backtest.data.findings import parse_repairs
from domain.clock import NS_PER_MS
from domain.jit import Array, Record, kernel
from domain.records import BOOK, TRADE

INTERVAL_NS = 250 * NS_PER_MS
BOOKS_MAX = 4000
TRADES_MAX = 100_000


def write_market(output: Path, parts: list[Path]) -> None:
    """Convert the parts of a recording and keep its books and trades."""
    events = output.with_suffix(".events")
    convert(parts, events, Options(repairs=parse_repairs(["clock"])))
    file = EventFile(events)
    book = new_book(centre_of(file.rows))
    books, trades = np.zeros(BOOKS_MAX, BOOK.dtype), np.zeros(TRADES_MAX, TRADE.dtype)
    counts = np.zeros(2, np.int64)
    steps = file.header.tick_size, file.header.lot_size
    follow(book.state[0], book.bids, book.asks, np.array(file.rows), *steps, books, trades, counts)
    np.savez(output, books=books[: counts[0]], trades=trades[: counts[1]], steps=np.array(steps))


@kernel
def follow(
    state: Record, bids: Array, asks: Array, rows: Array, tick_size: float, lot_size: float, books: Array,
    trades: Array, counts: Array,
) -> None:  # fmt: skip
    """Keep a book each INTERVAL_NS, and every trade between the first and the last of them."""
    from_ns = 0
    for i in range(len(rows)):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_LOCAL == 0:
            continue
        if flags & KIND_MASK == TRADE_KIND:
            if 0 < counts[0] < len(books) and counts[1] < len(trades):
                fill_trade(row, tick_size, lot_size, trades[counts[1]])
                counts[1] += 1
            continue
        apply_row(state, bids, asks, row, True)
        if row["local_time_ns"] >= from_ns and is_usable(state) and counts[0] < len(books):
            fill_record(state, bids, asks, row, tick_size, lot_size, books[counts[0]])
            counts[0] += 1
            from_ns = row["local_time_ns"] + INTERVAL_NS


if __name__ == "__main__":
    write_market(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]])
