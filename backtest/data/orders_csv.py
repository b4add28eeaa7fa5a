"""Order-by-order CSV, plain or gzip: what a venue's market-by-order feed says, one order event a line.

Columns by the header line, in any order: exchange_time_ns, local_time_ns (Unix ns), event, side, price, size, order_id.

    add      an order of `size` joins the end of the queue at `price`
    modify   it has this price and size now; no larger at the same price it keeps its place, else it goes to the end
    cancel   it is gone, whole
    fill     `size` of it traded; a modify or cancel takes that out of the book, as the venue tells it
    trade    a public trade; side is the aggressor's
    clear    all orders of the side (both, where it is empty) are gone until they are added again

side is bid or ask (of a trade: buy or sell do as well), price and size may be empty where they say nothing, order_id
is 0 of a trade or clear. Lines with equal times are one message.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from backtest.data.csv_columns import Block, read_blocks
from backtest.data.events import ADD, ASK, BID, CANCEL, CLEAR, FILL, FINAL, KIND_MASK, MODIFY, RAW, TRADE, RawEvents
from backtest.data.findings import Findings

COLUMNS = ("exchange_time_ns", "local_time_ns", "event", "side", "price", "size", "order_id")
_EVENTS = {
    b"add": ADD, b"modify": MODIFY, b"cancel": CANCEL, b"fill": FILL, b"trade": TRADE, b"clear": CLEAR,
}  # fmt: skip
_SIDED = (ADD, TRADE)
_PRICED = (ADD, MODIFY, TRADE)
_SIDES = {b"bid": BID, b"ask": ASK, b"buy": BID, b"sell": ASK, b"": 0}


def is_orders(first_line: bytes) -> bool:
    """Return whether a file that begins with this line is one."""
    names = first_line.strip().decode(errors="replace").split(",")
    return all(name in names for name in COLUMNS)


def read(findings: Findings, file_number: int) -> Iterator[RawEvents]:
    """Yield the raw rows of one file.

    Raises:
        DataError: at the first line that cannot be read, naming it.
    """
    held = np.zeros(0, RAW)  # the last message of a block may go on in the next
    for block in read_blocks(findings, file_number, COLUMNS):
        rows = np.concatenate([held, _rows(findings, block)])
        begins = np.flatnonzero(_differs(rows)) + 1
        keep = int(begins[-1]) if len(begins) else 0
        yield _ended(rows[:keep])
        held = rows[keep:]
    yield _ended(held)


def _rows(findings: Findings, block: Block) -> RawEvents:
    rows = np.zeros(len(block), RAW)
    rows["exchange_time_ns"] = block.whole("exchange_time_ns")
    rows["local_time_ns"] = block.whole("local_time_ns")
    kinds, sides = block.codes("event", _EVENTS), block.codes("side", _SIDES)
    prices, sizes = block.numbers("price"), block.numbers("size")
    for name, needed, is_missing in (
        ("side", _SIDED, sides == 0), ("price", _PRICED, np.isnan(prices)), ("size", _PRICED, np.isnan(sizes)),
    ):  # fmt: skip
        bad = np.isin(kinds, needed) & is_missing
        if bad.any():
            place = int(np.argmax(bad))
            event = block.texts("event")[place].decode()
            raise findings.refuse(int(block.sources[place]), f"{name}: expected one in a line of {event}, found none")
    rows["flags"] = kinds | np.where((kinds == CLEAR) & (sides == 0), BID | ASK, sides)
    rows["price"] = np.where(kinds == CLEAR, np.nan, np.nan_to_num(prices))
    rows["size"] = np.nan_to_num(sizes)
    rows["venue_id"] = block.whole("order_id")
    rows["source"] = block.sources
    return rows


def _differs(rows: RawEvents) -> npt.NDArray[np.bool_]:
    """Return where the next row has other times."""
    times = rows[["exchange_time_ns", "local_time_ns"]]
    return np.asarray(times[1:] != times[:-1], np.bool_)


def _ended(rows: RawEvents) -> RawEvents:
    """Mark the last row of each message but for trades, which are messages of their own."""
    is_trade = rows["flags"] & KIND_MASK == TRADE
    others = np.flatnonzero(~is_trade)
    if len(others):
        rows["flags"][others[np.append(_differs(rows[others]), True)]] |= FINAL
    rows["flags"][is_trade] |= FINAL
    return rows
