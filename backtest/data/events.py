"""The event: one row of recorded market data, six 8-byte words, whatever the venue and format it came from.

Prices and sizes are whole ticks and lots; what a tick and a lot are stands once, in the file's header. A row is
seen by the exchange at `exchange_time_ns` and by us at `local_time_ns`. Rows of a file are ordered so that both
sides read them forwards: where the two orders differ, one event stands in two rows, each for one side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

EVENT = np.dtype(
    {
        "names": ["exchange_time_ns", "local_time_ns", "flags", "price_ticks", "size_lots", "venue_id"],
        "formats": ["<i8"] * 6,
        "offsets": [0, 8, 16, 24, 32, 40],
        "itemsize": 48,
    }
)
Events = npt.NDArray[np.void]  # of EVENT

# -- flags: kind in the low byte
KIND_MASK = 0xFF
LEVEL = 1  # the size of a price level is now size_lots; 0 = the level is gone
TRADE = 2  # a public trade; the side is the aggressor's
CLEAR = 3  # the levels of the side are gone, from the touch to price_ticks and it too; EVERY_PRICE = all
SNAPSHOT_LEVEL = 4  # as LEVEL, part of a whole book
BEST = 5  # the best price of the side, told apart from the levels (book ticker, quotes); size 0 = none
ADD = 10  # order by order: venue_id is the order's
CANCEL = 11
MODIFY = 12
FILL = 13
KIND_NAMES = {
    LEVEL: "level", TRADE: "trade", CLEAR: "clear", SNAPSHOT_LEVEL: "snapshot_level", BEST: "best",
    ADD: "add", CANCEL: "cancel", MODIFY: "modify", FILL: "fill",
}  # fmt: skip

BID = 1 << 8  # bid side; of a trade: the buyer was the aggressor
ASK = 1 << 9
FINAL = 1 << 10  # last row of one message of the venue: the book is whole again
AT_EXCHANGE = 1 << 11  # the exchange's side reads this row
AT_LOCAL = 1 << 12  # our side reads this row
BOTH_SIDES = AT_EXCHANGE | AT_LOCAL
FLAGS_ALL = KIND_MASK | BID | ASK | FINAL | BOTH_SIDES

EVERY_PRICE = -(2**62)  # price_ticks of a CLEAR of the whole side

# What readers hand over, before prices are put on a grid. `source` says where a row was read, for messages.
RAW = np.dtype(
    {
        "names": ["exchange_time_ns", "local_time_ns", "flags", "price", "size", "venue_id", "source"],
        "formats": ["<i8", "<i8", "<i8", "<f8", "<f8", "<i8", "<i8"],
        "offsets": [0, 8, 16, 24, 32, 40, 48],
        "itemsize": 56,
    }
)
RawEvents = npt.NDArray[np.void]  # of RAW

_FILE_SHIFT = 40


def source_code(file_number: int, line: int) -> int:
    """Return where something was read as one number: the file by its place in the list, and the line from 1."""
    return file_number << _FILE_SHIFT | line


def source_parts(code: int) -> tuple[int, int]:
    """Return (file number, line) of a source code."""
    return code >> _FILE_SHIFT, code & ((1 << _FILE_SHIFT) - 1)
