"""hftbacktest's events (`.npz` with array `data`, or `.npy`): 64-byte rows, taken as they stand.

Their rows say themselves which side reads them (EXCH_EVENT, LOCAL_EVENT); that becomes AT_EXCHANGE and AT_LOCAL. Rows
have no end-of-message mark: a row is FINAL when the next one has another time, kind of event or recipient. Rows of
orders (L3: ADD_ORDER, CANCEL_ORDER, MODIFY_ORDER, FILL events) are numbered by orders.py.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from backtest.data import events
from backtest.data.builder import CHUNK_ROWS
from backtest.data.events import RAW, RawEvents, source_code
from backtest.data.findings import DataError, Findings

THEIR_EVENT = np.dtype(
    [
        ("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8"), ("order_id", "<u8"),
        ("ival", "<i8"), ("fval", "<f8"),
    ]
)  # fmt: skip
_THEIR_FLAGS = ((1 << 31, events.AT_EXCHANGE), (1 << 30, events.AT_LOCAL), (1 << 29, events.BID), (1 << 28, events.ASK))
_KINDS = {1: events.LEVEL, 2: events.TRADE, 3: events.CLEAR, 4: events.SNAPSHOT_LEVEL, 5: events.BEST,
          10: events.ADD, 11: events.CANCEL, 12: events.MODIFY, 13: events.FILL}  # fmt: skip


def read(findings: Findings, file_numbers: list[int]) -> Iterator[RawEvents]:
    """Yield the raw rows of the files in their order.

    Raises:
        DataError: for a file of another layout, or with a kind of event that is not documented.
    """
    for number in file_numbers:
        first_row = 1
        held = np.zeros(0, THEIR_EVENT)  # the last message of a block may go on in the next
        for block in _blocks(findings.paths[number]):
            theirs = np.concatenate([held, block])
            ends = np.flatnonzero(_ends_of_messages(theirs)[:-1])
            whole = int(ends[-1]) + 1 if len(ends) else 0
            yield _raw_rows(findings, theirs[:whole], source_code(number, first_row))
            first_row += whole
            held = theirs[whole:]
        yield _raw_rows(findings, held, source_code(number, first_row))


def _blocks(path: Path) -> Iterator[npt.NDArray[np.void]]:
    """Yield blocks of rows."""
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                archive = zipfile.ZipFile(path)
                if "data.npy" not in archive.namelist():
                    raise DataError(f"{path}: expected an array `data` in the npz, found {archive.namelist()}")
                with archive.open("data.npy") as member:
                    yield from _rows(path, member)
            else:
                file.seek(0)
                yield from _rows(path, file)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{path}: not a readable npz or npy file ({error}); fetch it anew") from None


def _rows(path: Path, file: IO[bytes]) -> Iterator[npt.NDArray[np.void]]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.itemsize != THEIR_EVENT.itemsize or dtype.names != THEIR_EVENT.names or len(shape) != 1:
        raise DataError(f"{path}: expected rows of {THEIR_EVENT.names}, found {dtype.names or dtype}, shape {shape}")
    left = shape[0]
    while left:
        count = min(left, CHUNK_ROWS)
        data = file.read(count * THEIR_EVENT.itemsize)
        if len(data) != count * THEIR_EVENT.itemsize:
            raise DataError(f"{path}: cut short: {left} of {shape[0]} rows are missing; fetch it anew")
        yield np.frombuffer(data, THEIR_EVENT)
        left -= count


def _raw_rows(findings: Findings, theirs: npt.NDArray[np.void], first_source: int) -> RawEvents:
    kinds = theirs["ev"].astype(np.int64) & 0xFF
    flags = np.zeros(len(theirs), np.int64)
    for their_kind, kind in _KINDS.items():
        flags[kinds == their_kind] = kind
    unknown = np.flatnonzero(flags == 0)
    if len(unknown):
        raise findings.refuse(first_source + int(unknown[0]), f"unknown kind of event {kinds[unknown[0]]}")
    for their_flag, flag in _THEIR_FLAGS:
        flags[(theirs["ev"] & np.uint64(their_flag)) != 0] |= flag
    no_side = flags & (events.BID | events.ASK) == 0
    flags[no_side & (kinds == events.CLEAR)] |= events.BID | events.ASK
    rows = np.empty(len(theirs), RAW)
    rows["flags"] = flags | np.where(_ends_of_messages(theirs), events.FINAL, 0)
    rows["exchange_time_ns"] = theirs["exch_ts"]
    rows["local_time_ns"] = theirs["local_ts"]
    whole_side = (kinds == 3) & ((theirs["px"] == 0.0) | ~np.isfinite(theirs["px"]))
    rows["price"] = np.where(whole_side, np.nan, theirs["px"])
    rows["size"] = theirs["qty"]
    rows["venue_id"] = theirs["order_id"].astype(np.int64)
    rows["source"] = first_source + np.arange(len(theirs))
    return rows


def _ends_of_messages(theirs: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Return which rows are the last of their message. A trade is a message of its own."""
    kinds = theirs["ev"].astype(np.int64) & 0xFF
    ends = np.ones(len(theirs), np.bool_)
    same = np.ones(max(len(theirs) - 1, 0), np.bool_)
    for name in ("exch_ts", "local_ts"):
        same &= theirs[name][1:] == theirs[name][:-1]
    recipients = theirs["ev"] >> np.uint64(30)
    same &= recipients[1:] == recipients[:-1]
    groups = np.where(np.isin(kinds, (3, 4)), 4, kinds)  # a clear and the snapshot after it are one message
    groups = np.where(groups >= events.ADD, events.ADD, groups)  # what happens to orders at one time too
    same &= (groups[1:] == groups[:-1]) & (groups[1:] != events.TRADE)
    ends[:-1] = ~same
    return ends
