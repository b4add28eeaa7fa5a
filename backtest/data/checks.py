"""Checks rows on their way into an event file and gathers what the data report tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.book import NO_ASK, NO_BID, apply_row, centre_of, new_book, recentre
from backtest.data.events import (
    ASK,
    AT_LOCAL,
    BID,
    BOTH_SIDES,
    FINAL,
    KIND_MASK,
    KIND_NAMES,
    LEVEL,
    SNAPSHOT_LEVEL,
    TRADE,
    Events,
)
from backtest.data.findings import Findings, Repair
from domain.jit import Array, Record, kernel

SPREADS_MAX = 1024
_LATENCIES_KEPT = 1 << 17


class Checks:
    """Follows the book through ordered rows: crossed books, spreads, latencies, counts.

    Attributes:
        latency_ns_min: smallest local − exchange time, as recorded.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._book = new_book(0)
        self._is_begun = False
        self.rows = 0
        self.counts: dict[str, int] = {}
        self.one_sided_rows = 0
        self.spreads = np.zeros(SPREADS_MAX + 1, np.int64)
        self.latency_ns_min = 2**62
        self.latency_ns_max = -(2**62)
        self._latencies: list[npt.NDArray[np.int64]] = []
        self._stride = 1
        self.bought_lots = 0
        self.sold_lots = 0
        self.first_ns = 0
        self.last_ns = 0
        self.largest_gap_ns = 0

    def take(self, rows: Events) -> Events:
        """Check rows in their final order and return them, with the repairs made.

        Raises:
            DataError: for a crossed book that is not to be repaired.
        """
        if not len(rows):
            return rows
        if not self._is_begun:
            self._book = new_book(centre_of(rows))
            self._is_begun = True
        rows = self._uncrossed(rows)
        self._count(rows)
        return rows

    @property
    def far_rows(self) -> int:
        return int(self._book.state["far_rows"][0])

    def latencies_ns(self) -> npt.NDArray[np.int64]:
        """Return an even sample of local − exchange time, one for each message."""
        return np.concatenate(self._latencies) if self._latencies else np.zeros(0, np.int64)

    def _uncrossed(self, rows: Events) -> Events:
        state, bids, asks = self._book
        first = 0
        while True:
            stop = scan(state[0], bids, asks, rows, first, self.spreads)
            if stop == len(rows):
                return rows
            bid, ask = int(state["best_bid_ticks"][0]), int(state["best_ask_ticks"][0])
            local_s = int(rows["local_time_ns"][stop]) / 1e9
            text = f"book crossed: bid {bid} ticks at or above ask {ask} ticks (local time {local_s:.6f} s)"
            self._findings.fault(Repair.CROSSED, 0, text)
            removals = _removals(rows, stop, bids, asks, bid, ask)
            rows = np.insert(rows, stop + 1, removals)
            rows["flags"][stop] &= ~FINAL
            first = stop + 1

    def _count(self, rows: Events) -> None:
        flags = rows["flags"]
        kinds = flags & KIND_MASK
        local = flags & AT_LOCAL != 0
        self.rows += len(rows)
        self.one_sided_rows += int(np.count_nonzero(flags & BOTH_SIDES != BOTH_SIDES))
        for kind, count in zip(*np.unique(kinds[local], return_counts=True), strict=True):
            name = KIND_NAMES.get(int(kind), f"kind {kind}")
            self.counts[name] = self.counts.get(name, 0) + int(count)
        trades = rows[local & (kinds == TRADE)]
        self.bought_lots += int(trades["size_lots"][trades["flags"] & BID != 0].sum())
        self.sold_lots += int(trades["size_lots"][trades["flags"] & ASK != 0].sum())
        times = rows["local_time_ns"][local]
        if len(times):
            if self.last_ns:
                times = np.concatenate([[self.last_ns], times])
            else:
                self.first_ns = int(times[0])
            if len(times) > 1:
                self.largest_gap_ns = max(self.largest_gap_ns, int(np.diff(times).max()))
            self.last_ns = int(times[-1])
        self._note_latencies(rows[local & (flags & FINAL != 0)])

    def _note_latencies(self, messages: Events) -> None:
        if not len(messages):
            return
        latencies = messages["local_time_ns"] - messages["exchange_time_ns"]
        self.latency_ns_min = min(self.latency_ns_min, int(latencies.min()))
        self.latency_ns_max = max(self.latency_ns_max, int(latencies.max()))
        self._latencies.append(latencies[:: self._stride])
        if sum(map(len, self._latencies)) > _LATENCIES_KEPT:
            self._latencies = [self.latencies_ns()[::2]]
            self._stride *= 2


def _removals(rows: Events, stop: int, bids: Array, asks: Array, bid: int, ask: int) -> Events:
    """Return rows that remove the older side's levels from where it is crossed. Row `stop` ends the message."""
    mask = len(bids) - 1
    message = (rows["local_time_ns"] == rows["local_time_ns"][stop]) & (rows["flags"] & AT_LOCAL != 0)
    ours = rows[message & (rows["price_ticks"] == bid) & (rows["flags"] & BID != 0)]
    bids_are_new = bool(len(ours)) and bool(ours["size_lots"][-1] > 0)
    side, levels = (ASK, asks) if bids_are_new else (BID, bids)
    ticks = [t for t in range(ask, bid + 1) if levels[t & mask] > 0]
    removals = np.repeat(rows[stop : stop + 1], len(ticks))
    sides = rows["flags"][stop] & BOTH_SIDES
    removals["flags"] = LEVEL | side | sides
    removals["flags"][-1] |= FINAL
    removals["price_ticks"] = ticks
    removals["size_lots"] = 0
    return removals


@kernel
def scan(state: Record, bids: Array, asks: Array, rows: Array, first: int, spreads: Array) -> int:
    """Apply our side's rows from `first` on; return the row at which the book is crossed, else the number of rows."""
    for i in range(first, rows.shape[0]):
        row = rows[i]
        flags = row["flags"]
        if flags & AT_LOCAL == 0:
            continue
        apply_row(state, bids, asks, row, False)
        kind = flags & KIND_MASK
        if flags & FINAL == 0 or (kind != LEVEL and kind != SNAPSHOT_LEVEL):
            continue
        bid = state["best_bid_ticks"]
        ask = state["best_ask_ticks"]
        if bid == NO_BID or ask == NO_ASK:
            continue
        if bid >= ask:
            return i
        spreads[min(ask - bid, SPREADS_MAX)] += 1
        recentre(state, bids, asks)
    return int(rows.shape[0])
