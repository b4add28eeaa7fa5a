"""Tardis CSV, plain or gzip: incremental_book_L2, trades, quotes, book_snapshot_N. One instrument a file.

Columns by the header line: exchange, symbol, timestamp, local_timestamp (both µs), then by type. A run of is_snapshot
rows in incremental_book_L2 is a whole book: what was known before is cleared, as Tardis' documentation asks. The
side of a trade is the aggressor's; `unknown` is left out and counted. Rows have no end-of-message mark: rows
with equal times are one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from backtest.data.csv_columns import Block, read_blocks, wanted_rows
from backtest.data.events import ASK, BEST, BID, CLEAR, FINAL, KIND_MASK, LEVEL, RAW, SNAPSHOT_LEVEL, TRADE, RawEvents
from backtest.data.findings import Findings
from domain.clock import NS_PER_US

_STAMPS = ("symbol", "timestamp", "local_timestamp")
_INCREMENTAL = (*_STAMPS, "is_snapshot", "side", "price", "amount")
_TRADES = (*_STAMPS, "id", "side", "price", "amount")
_QUOTES = (*_STAMPS, "ask_amount", "ask_price", "bid_price", "bid_amount")
_SNAPSHOTS = (*_STAMPS, "asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount")
_SIDES = {b"bid": BID, b"ask": ASK}
_AGGRESSORS = {b"buy": BID, b"sell": ASK, b"unknown": 0}
_TRUTH = {b"true": 1, b"false": 0}


def kind_of(first_line: bytes) -> str:
    """Return which kind of Tardis file begins with this header line; empty = none."""
    names = first_line.strip().decode(errors="replace").split(",")
    if "local_timestamp" not in names:
        return ""
    for kind, needed in (("incremental", _INCREMENTAL), ("trades", _TRADES), ("quotes", _QUOTES),
                         ("snapshots", _SNAPSHOTS)):  # fmt: skip
        if all(name in names for name in needed):
            return kind
    return ""


def read(findings: Findings, file_number: int, kind: str) -> Iterator[RawEvents]:
    """Yield the raw rows of one file of the given kind.

    Raises:
        DataError: at the first fault that is not to be repaired.
    """
    if kind == "incremental":
        yield from _incremental(findings, file_number)
    elif kind == "trades":
        for block in read_blocks(findings, file_number, _TRADES):
            yield _trades(findings, block)
    elif kind == "quotes":
        for block in read_blocks(findings, file_number, _QUOTES):
            yield _quotes(findings, block)
    else:
        for block in read_blocks(findings, file_number, _SNAPSHOTS):
            yield _snapshots(findings, block)


def _stamped(block: Block, rows_each: int = 1) -> RawEvents:
    """Return rows with times and sources, `rows_each` for each line."""
    rows = np.zeros(len(block) * rows_each, RAW)
    rows["exchange_time_ns"] = np.repeat(block.whole("timestamp") * NS_PER_US, rows_each)
    rows["local_time_ns"] = np.repeat(block.whole("local_timestamp") * NS_PER_US, rows_each)
    rows["source"] = np.repeat(block.sources, rows_each)
    return rows


def _incremental(findings: Findings, file_number: int) -> Iterator[RawEvents]:
    was_snapshot = False
    held: RawEvents | None = None  # the last message of a block may go on in the next
    for block in read_blocks(findings, file_number, _INCREMENTAL):
        rows = _stamped(block)
        wanted = wanted_rows(findings, block)
        is_snapshot = block.codes("is_snapshot", _TRUTH)
        rows["flags"] = np.where(is_snapshot == 1, SNAPSHOT_LEVEL, LEVEL) | block.codes("side", _SIDES)
        rows["price"] = block.numbers("price")
        rows["size"] = block.numbers("amount")
        rows, is_snapshot = rows[wanted], is_snapshot[wanted]
        if not len(rows):
            continue
        begins = np.flatnonzero(np.diff(is_snapshot, prepend=int(was_snapshot)) == 1)
        was_snapshot = bool(is_snapshot[-1])
        rows = _with_clears(rows, begins)
        if held is not None:
            rows = np.concatenate([held, rows])
        ends = _message_ends(rows)
        rows["flags"][ends] |= FINAL
        keep = int(ends[-2]) + 1 if len(ends) > 1 else 0
        held = rows[keep:].copy()
        held["flags"] &= ~FINAL
        yield rows[:keep]
    if held is not None:
        held["flags"][-1:] |= FINAL
        yield held


def _with_clears(rows: RawEvents, begins: npt.NDArray[np.int64]) -> RawEvents:
    """Return the rows with a CLEAR of both sides before each whole book."""
    if not len(begins):
        return rows
    clears = np.repeat(rows[begins], 2)
    clears["flags"] = np.tile(np.array([CLEAR | BID, CLEAR | ASK]), len(begins))
    clears["price"] = np.nan
    clears["size"] = 0.0
    return np.insert(rows, np.repeat(begins, 2), clears)


def _message_ends(rows: RawEvents) -> npt.NDArray[np.int64]:
    same = np.ones(len(rows) - 1, np.bool_)
    for name in ("exchange_time_ns", "local_time_ns"):
        same &= rows[name][1:] == rows[name][:-1]
    return np.append(np.flatnonzero(~same), len(rows) - 1)


def _trades(findings: Findings, block: Block) -> RawEvents:
    rows = _stamped(block)
    sides = block.codes("side", _AGGRESSORS)
    rows["flags"] = TRADE | FINAL | sides
    rows["price"] = block.numbers("price")
    rows["size"] = block.numbers("amount")
    rows["venue_id"] = [int(text) if text.isdigit() and len(text) < 19 else 0 for text in block.texts("id")]
    if not sides.all():
        findings.notes["trades of unknown side left out"] += int(np.count_nonzero(sides == 0))
    wanted = (sides != 0) & wanted_rows(findings, block)
    kept: RawEvents = rows[wanted]
    return kept


def _quotes(findings: Findings, block: Block) -> RawEvents:
    rows = _stamped(block, 2)
    for place, side, name in ((0, BID, "bid"), (1, ASK, "ask")):
        rows["flags"][place::2] = BEST | side
        rows["price"][place::2] = block.numbers(f"{name}_price")
        rows["size"][place::2] = np.nan_to_num(block.numbers(f"{name}_amount"))
    rows["flags"][1::2] |= FINAL
    # An empty side has neither price nor size: a NaN price of a BEST row says "none".
    kept: RawEvents = rows[np.repeat(wanted_rows(findings, block), 2)]
    return kept


def _snapshots(findings: Findings, block: Block) -> RawEvents:
    columns = sorted(
        (name for name in block.names if re.fullmatch(r"(asks|bids)\[\d+\]\.price", name)),
        key=lambda name: (name.startswith("asks"), int(name[5 : name.index("]")])),
    )
    rows_each = 2 + len(columns)
    rows = _stamped(block, rows_each)
    for place, side in ((0, BID), (1, ASK)):
        rows["flags"][place::rows_each] = CLEAR | side
        rows["price"][place::rows_each] = np.nan
    for place, name in enumerate(columns, 2):
        rows["flags"][place::rows_each] = SNAPSHOT_LEVEL | (ASK if name.startswith("asks") else BID)
        rows["price"][place::rows_each] = block.numbers(name)
        rows["size"][place::rows_each] = np.nan_to_num(block.numbers(name.replace(".price", ".amount")))
    whole = np.isfinite(rows["price"]) | (rows["flags"] & KIND_MASK == CLEAR)
    whole &= np.repeat(wanted_rows(findings, block), rows_each)
    kept: RawEvents = rows[whole]  # a book of fewer levels leaves fields empty
    kept["flags"][np.flatnonzero(np.diff(kept["source"], append=-1))] |= FINAL
    return kept
