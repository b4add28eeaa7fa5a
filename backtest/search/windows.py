"""Cuts a recording into windows, each an event file of its own that begins with the book as it then stood.

Walk-forward: the first part of every recording is for training, what follows is cut into one test window a fold. Fold
k trains on everything before its test window, and nothing that it is tested on has been seen by its search.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.book import CENTRE_ROWS, Ladder, apply_row, centre_of, new_book, recentre
from backtest.data.container import EventFile, EventWriter
from backtest.data.events import (
    ASK,
    AT_EXCHANGE,
    AT_LOCAL,
    BID,
    CLEAR,
    EVENT,
    EVERY_PRICE,
    FINAL,
    SNAPSHOT_LEVEL,
    Events,
)
from backtest.data.findings import DataError
from domain.jit import Array, Record, kernel

_ROWS_AT_ONCE = 1 << 20
ROWS_MIN = 100  # a window with fewer is no market


class Window(msgspec.Struct, frozen=True):
    """One window of one recording; `part` counts from 0, the first is for training alone."""

    recording: int
    part: int
    path: str


def parts_of(train: float, folds: int) -> list[float]:
    """Return where a recording is cut, as parts of its length: the end of training, then of every test but the last."""
    return [train + (1.0 - train) * fold / folds for fold in range(folds)]


def cut(file: EventFile, recording: int, cuts: Sequence[float], folder: Path) -> list[Window]:
    """Write the windows of a recording into a folder, and return them in order.

    Args:
        cuts: parts of the recording's time, rising, each between 0 and 1.

    Raises:
        DataError: when a window would hold next to nothing.
    """
    begin_ns, end_ns = file.header.begin_ns, file.header.end_ns
    places = _cut_places(file, [begin_ns + round(part * (end_ns - begin_ns)) for part in cuts])
    firsts = [0, *places, file.header.rows]
    if min(np.diff(firsts)) < ROWS_MIN:
        raise DataError(
            f"{file.path}: {file.header.rows:,} rows are too few for {len(firsts) - 1} windows: fewer folds"
        )
    centre = centre_of(file.block(0, CENTRE_ROWS))
    theirs, ours = new_book(centre), new_book(centre)
    windows = []
    for part, (first, last) in enumerate(pairwise(firsts)):
        path = folder / f"recording{recording}-part{part}.events"
        with EventWriter(path) as writer:
            if first:
                before = file.rows[first - 1]
                times = int(before["exchange_time_ns"]), int(before["local_time_ns"])
                for book, reader in ((theirs, AT_EXCHANGE), (ours, AT_LOCAL)):
                    writer.write(_snapshot(book, reader, times))
            for block in file.blocks(_ROWS_AT_ONCE, first, last):
                rows = np.array(block)
                writer.write(rows)
                apply_both(theirs.state[0], theirs.bids, theirs.asks, ours.state[0], ours.bids, ours.asks, rows)
            begin, end = (int(file.rows[place]["local_time_ns"]) for place in (first, last - 1))
            writer.finish(msgspec.structs.replace(file.header, begin_ns=begin, end_ns=end))
        windows.append(Window(recording, part, str(path)))
    return windows


def _cut_places(file: EventFile, times_ns: Sequence[int]) -> list[int]:
    """Return the first row at or after each time that reaches us and begins a message."""
    found: list[int] = []
    for first in range(0, file.header.rows, _ROWS_AT_ONCE):
        offset = max(0, first - 1)  # the row before tells whether a message begins
        block = np.array(file.block(offset, first + _ROWS_AT_ONCE - offset))
        begins = np.append(False, (block["flags"][:-1] & FINAL) != 0) & (block["flags"] & AT_LOCAL != 0)
        while len(found) < len(times_ns):
            places = np.flatnonzero(begins & (block["local_time_ns"] >= times_ns[len(found)]))
            if not len(places):
                break
            found.append(offset + int(places[0]))
    return found + [file.header.rows] * (len(times_ns) - len(found))


def _snapshot(book: Ladder, reader: int, times_ns: tuple[int, int]) -> Events:
    """Return the rows that make an empty book of one reader this one."""
    sides = []
    for side, lots in ((BID, book.bids), (ASK, book.asks)):
        places = np.flatnonzero(lots)
        rows = np.zeros(1 + len(places), EVENT)
        rows["flags"] = SNAPSHOT_LEVEL | side | reader
        rows["price_ticks"][1:] = _ticks(book, places)
        rows["size_lots"][1:] = lots[places]
        rows["flags"][0], rows["price_ticks"][0] = CLEAR | side | reader, EVERY_PRICE
        sides.append(rows)
    snapshot = np.concatenate(sides)
    snapshot["exchange_time_ns"], snapshot["local_time_ns"] = times_ns
    snapshot["flags"][-1] |= FINAL
    return snapshot


def _ticks(book: Ladder, places: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    first, mask = int(book.state["first_ticks"][0]), len(book.bids) - 1
    ticks: npt.NDArray[np.int64] = first + ((places - first) & mask)
    return ticks


@kernel
def apply_both(
    their_state: Record, their_bids: Array, their_asks: Array, our_state: Record, our_bids: Array, our_asks: Array,
    rows: Array,
) -> None:  # fmt: skip
    """Take rows into the exchange's book and ours, each its own."""
    for i in range(rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_EXCHANGE != 0:
            apply_row(their_state, their_bids, their_asks, row, True)
            if flags & FINAL != 0:
                recentre(their_state, their_bids, their_asks)
        if flags & AT_LOCAL != 0:
            apply_row(our_state, our_bids, our_asks, row, True)
            if flags & FINAL != 0:
                recentre(our_state, our_bids, our_asks)
