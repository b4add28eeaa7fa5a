"""Order-by-order recordings (market by order): every order is numbered as it joins a queue, and levels are told too.

What comes in says of an order, by the venue's id, that it was added, modified, cancelled or filled. What goes out:

    ADD      it joins the end of the queue at its price, under a number above all before it
    CANCEL   so many of its lots are gone: it was cancelled, made smaller, or taken out after its fill
    FILL     so many of its lots traded; the CANCEL that takes them out of the book follows

each with the number in `venue_id`: of two orders at a price the lower one stands ahead. Behind every ADD and CANCEL
stands the LEVEL row that it leads to, so that whatever reads levels reads these files too. An order modified to the
same price and no larger a size keeps its number; any other change takes it to the end of a queue, under a new one.
A CLEAR takes orders away until they are told again: one that comes back at its price, no larger, has its old number.

The exchange and we see events in different orders: each side has its own orders, and rows that differ stand once for
each. Live orders are all that is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.data.events import (
    ADD,
    ASK,
    AT_EXCHANGE,
    AT_LOCAL,
    BEST,
    BID,
    BOTH_SIDES,
    CANCEL,
    CLEAR,
    EVENT,
    EVERY_PRICE,
    FILL,
    FINAL,
    KIND_MASK,
    LEVEL,
    MODIFY,
    SNAPSHOT_LEVEL,
    Events,
)
from backtest.data.findings import DataError, Findings, Repair
from domain.jit import Array, Record, kernel

CHUNK_ROWS = 8192
_ROWS_EACH = 8  # written for one: a modified order leaves a level and joins another, seen by each side
_FREE, _LIVE, _LIFTED = 0, 1, 2

# An order by its id, or a level by its place; found by hashing, the next free slot behind.
SLOT = np.dtype([(name, "<i8") for name in ("key", "state", "side", "ticks", "lots", "number")])
# Of one side: slots in use, the last number given, ids that were not known, ids that were there already.
COUNTS = np.dtype([(name, "<i8") for name in ("orders", "levels", "numbers", "unknown", "known")])


class MarketOrders:
    """Turns the order rows of a recording into numbered ones and levels; other recordings pass as they are."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._has_orders = False
        self._has_levels = False
        self._counts = np.zeros(2, COUNTS)  # of the exchange's orders, and of those that we see
        self._orders = [np.zeros(4 * CHUNK_ROWS, SLOT) for _ in range(2)]
        self._levels = [np.zeros(4 * CHUNK_ROWS, SLOT) for _ in range(2)]
        self._out = np.zeros(0, EVENT)

    def take(self, rows: Events) -> Events:
        """Return what becomes of some rows, in their order.

        Raises:
            DataError: for an order that is not known, or known already, when that is not to be repaired; for levels
                beside orders.
        """
        kinds = rows["flags"] & KIND_MASK
        self._has_orders |= bool((kinds >= ADD).any())
        self._has_levels |= bool(((kinds == LEVEL) | (kinds == SNAPSHOT_LEVEL) | (kinds == BEST)).any())
        if not self._has_orders:
            return rows
        if self._has_levels:
            path = self._findings.paths[0]
            raise DataError(f"{path}: tells orders and price levels too, expected one of them: leave the levels out")
        parts = [self._chunk(rows[first : first + CHUNK_ROWS]) for first in range(0, len(rows), CHUNK_ROWS)]
        return np.concatenate(parts) if parts else rows

    def _chunk(self, rows: Events) -> Events:
        for side in range(2):
            counts = self._counts[side : side + 1]
            self._orders[side] = _with_room(self._orders[side], counts["orders"], len(rows))
            self._levels[side] = _with_room(self._levels[side], counts["levels"], 2 * len(rows))
        if not len(self._out):
            self._out = np.zeros(_ROWS_EACH * CHUNK_ROWS, EVENT)
        before = self._counts.copy()
        written = expand(
            rows, self._orders[0], self._levels[0], self._counts[0], self._orders[1], self._levels[1], self._counts[1],
            self._out,
        )  # fmt: skip
        self._tell("unknown", Repair.SNAPSHOT, "of an order that was never added", before, rows)
        self._tell("known", Repair.DUPLICATES, "adds an order that is there already", before, rows)
        return self._out[:written].copy()

    def _tell(self, name: str, repair: Repair, text: str, before: npt.NDArray[np.void], rows: Events) -> None:
        times = int((self._counts[name] - before[name]).max())
        if times:
            first_s, last_s = (int(rows["local_time_ns"][place]) / 1e9 for place in (0, -1))
            where = f"between local times {first_s:.6f} and {last_s:.6f} s"
            self._findings.fault(repair, 0, f"an event {text} ({where})", times)


def _with_room(table: npt.NDArray[np.void], used: npt.NDArray[np.int64], more: int) -> npt.NDArray[np.void]:
    """Return the table, or another that stays half empty with `more`; `used`, shape (1,), is what it holds then."""
    if 2 * (int(used[0]) + more) <= len(table):
        return table
    kept = np.count_nonzero((table["state"] == _LIVE) | (table["state"] == _LIFTED) & (table["lots"] > 0))
    size = len(table)
    while 2 * (kept + more) > size:
        size *= 2
    other = np.zeros(size, SLOT)
    refill(table, other)
    used[0] = kept
    return other


@kernel
def refill(table: Array, other: Array) -> None:
    """Put the slots in use of a table into another, but for orders that are gone for good."""
    for i in range(table.shape[0]):
        slot = table[i]
        if slot["state"] == _LIVE or (slot["state"] == _LIFTED and slot["lots"] > 0):
            _copy_slot(slot, other[slot_of(other, slot["key"])])


@kernel
def _copy_slot(was: Record, to: Record) -> None:
    to["key"] = was["key"]
    to["state"] = was["state"]
    to["side"] = was["side"]
    to["ticks"] = was["ticks"]
    to["lots"] = was["lots"]
    to["number"] = was["number"]


@kernel
def _home(table: Array, key: int) -> int:
    return int((key ^ (key >> 17) ^ (key >> 37)) & (table.shape[0] - 1))


@kernel
def slot_of(table: Array, key: int) -> int:
    """Return the slot of a key, or the free one where it belongs."""
    mask = table.shape[0] - 1
    i = _home(table, key)
    while table[i]["state"] != _FREE and table[i]["key"] != key:
        i = (i + 1) & mask
    return i


@kernel
def remove_slot(table: Array, i: int) -> None:
    """Free a slot; those behind it that belong before it move up."""
    mask = table.shape[0] - 1
    table[i]["state"] = _FREE
    j = (i + 1) & mask
    while table[j]["state"] != _FREE:
        home = _home(table, table[j]["key"])
        if ((j - home) & mask) >= ((j - i) & mask):
            _copy_slot(table[j], table[i])
            table[j]["state"] = _FREE
            i = j
        j = (j + 1) & mask


@kernel
def expand(
    rows: Array, orders: Array, levels: Array, counts: Record, our_orders: Array, our_levels: Array,
    our_counts: Record, out: Array,
) -> int:  # fmt: skip
    """Write what becomes of rows; returns how many were written."""
    written = 0
    for i in range(rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        kind = flags & KIND_MASK
        if kind < ADD:
            if kind == CLEAR:
                if flags & AT_EXCHANGE != 0:
                    lift(orders, levels, counts, row, flags)
                if flags & AT_LOCAL != 0:
                    lift(our_orders, our_levels, our_counts, row, flags)
            _write(out, written, row, flags, row["price_ticks"], row["size_lots"], row["venue_id"])
            written += 1
            continue
        begin = written
        if flags & AT_EXCHANGE != 0:
            written = _apply(orders, levels, counts, row, kind, AT_EXCHANGE, out, written)
            written = _end_message(out, begin, written, row, flags, AT_EXCHANGE)
        if flags & AT_LOCAL != 0:
            middle = written
            written = _apply(our_orders, our_levels, our_counts, row, kind, AT_LOCAL, out, written)
            written = _end_message(out, middle, written, row, flags, AT_LOCAL)
            if _is_same(out, begin, middle, written):
                for k in range(begin, middle):
                    out[k]["flags"] |= AT_LOCAL
                written = middle
    return written


@kernel
def _end_message(out: Array, begin: int, written: int, row: Record, flags: int, recipient: int) -> int:
    """Let the last row of one recipient end the message, if this one does; where nothing came of it a MODIFY does."""
    if flags & FINAL == 0:
        return written
    if written == begin:
        _write(out, written, row, MODIFY | recipient, row["price_ticks"], 0, 0)
        written += 1
    out[written - 1]["flags"] |= FINAL
    return written


@kernel
def _is_same(out: Array, begin: int, middle: int, end: int) -> bool:
    """Return whether both sides see the same."""
    if middle == begin or middle - begin != end - middle:
        return False
    for k in range(middle - begin):
        one = out[begin + k]
        other = out[middle + k]
        if one["flags"] & ~BOTH_SIDES != other["flags"] & ~BOTH_SIDES:
            return False
        if one["price_ticks"] != other["price_ticks"] or one["size_lots"] != other["size_lots"]:
            return False
        if one["venue_id"] != other["venue_id"]:
            return False
    return True


@kernel
def _write(out: Array, place: int, row: Record, flags: int, ticks: int, lots: int, number: int) -> None:
    to = out[place]
    to["exchange_time_ns"] = row["exchange_time_ns"]
    to["local_time_ns"] = row["local_time_ns"]
    to["flags"] = flags
    to["price_ticks"] = ticks
    to["size_lots"] = lots
    to["venue_id"] = number


@kernel
def _apply(
    orders: Array, levels: Array, counts: Record, row: Record, kind: int, recipient: int, out: Array, written: int
) -> int:
    """Let one order row happen to the orders of a side; returns the next place to write to."""
    place = slot_of(orders, row["venue_id"])
    order = orders[place]
    if kind == ADD:
        if order["state"] == _LIVE:
            counts["known"] += 1
            return written
        side = 1 if row["flags"] & BID != 0 else -1
        return _join(
            orders, levels, counts, place, row, side, row["price_ticks"], row["size_lots"], recipient, out, written
        )
    if order["state"] != _LIVE:
        if order["state"] == _FREE:
            counts["unknown"] += 1
        return written
    side = order["side"]
    flags = recipient | (BID if side > 0 else ASK)
    if kind == FILL:
        lots = row["size_lots"] if row["size_lots"] > 0 else order["lots"]
        _write(out, written, row, FILL | flags, order["ticks"], lots, order["number"])
        return written + 1
    ticks = row["price_ticks"]
    lots = row["size_lots"]
    if kind == MODIFY and ticks == order["ticks"] and 0 < lots <= order["lots"]:
        return _leave(orders, levels, counts, place, row, order["lots"] - lots, recipient, out, written)
    written = _leave(orders, levels, counts, place, row, order["lots"], recipient, out, written)
    if kind == MODIFY and lots > 0:
        place = slot_of(orders, row["venue_id"])
        written = _join(orders, levels, counts, place, row, side, ticks, lots, recipient, out, written)
    return written


@kernel
def _join(
    orders: Array, levels: Array, counts: Record, place: int, row: Record, side: int, ticks: int, lots: int,
    recipient: int, out: Array, written: int,
) -> int:  # fmt: skip
    """Put an order at the end of a queue, or back where it stood before a CLEAR."""
    order = orders[place]
    is_back = order["state"] == _LIFTED and order["side"] == side and order["ticks"] == ticks and lots <= order["lots"]
    if order["state"] == _FREE:
        counts["orders"] += 1
    if not is_back:
        counts["numbers"] += 1
        order["number"] = counts["numbers"]
    order["key"] = row["venue_id"]
    order["state"] = _LIVE
    order["side"] = side
    order["ticks"] = ticks
    order["lots"] = lots
    flags = recipient | (BID if side > 0 else ASK)
    _write(out, written, row, ADD | flags, ticks, lots, order["number"])
    total = change_level(levels, counts, side, ticks, lots)
    _write(out, written + 1, row, LEVEL | flags, ticks, total, 0)
    return written + 2


@kernel
def _leave(
    orders: Array, levels: Array, counts: Record, place: int, row: Record, lots: int, recipient: int, out: Array,
    written: int,
) -> int:  # fmt: skip
    """Take lots of an order out of its queue."""
    if lots == 0:
        return written
    order = orders[place]
    side = order["side"]
    ticks = order["ticks"]
    flags = recipient | (BID if side > 0 else ASK)
    _write(out, written, row, CANCEL | flags, ticks, lots, order["number"])
    total = change_level(levels, counts, side, ticks, -lots)
    _write(out, written + 1, row, LEVEL | flags, ticks, total, 0)
    order["lots"] -= lots
    if order["lots"] == 0:
        remove_slot(orders, place)
        counts["orders"] -= 1
    return written + 2


@kernel
def change_level(levels: Array, counts: Record, side: int, ticks: int, lots: int) -> int:
    """Add lots to a level and return what it has now."""
    key = 2 * ticks + (1 if side > 0 else 0)
    place = slot_of(levels, key)
    level = levels[place]
    if level["state"] == _FREE:
        counts["levels"] += 1
        level["key"] = key
        level["state"] = _LIVE
        level["lots"] = 0
    level["lots"] += lots
    total = int(level["lots"])
    if total == 0:
        remove_slot(levels, place)
        counts["levels"] -= 1
    return total


@kernel
def lift(orders: Array, levels: Array, counts: Record, row: Record, flags: int) -> None:
    """Take away the orders that a CLEAR is for; those that an earlier one took, and that stayed away, are gone."""
    until = row["price_ticks"]
    for i in range(orders.shape[0] - 1, -1, -1):
        order = orders[i]
        if order["state"] == _FREE or flags & (BID if order["side"] > 0 else ASK) == 0:
            continue
        if until != EVERY_PRICE and order["side"] * (order["ticks"] - until) < 0:
            continue
        if order["state"] == _LIFTED:
            order["lots"] = 0  # comes back as a new one, if it does
            continue
        change_level(levels, counts, order["side"], order["ticks"], -order["lots"])
        order["state"] = _LIFTED
