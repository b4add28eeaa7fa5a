"""One order for two clocks: rows as the exchange and as we saw them, each side reading forwards.

Rows come in by local time. Messages of different streams overtake each other on the way, so the exchange's order is
another one. Where both orders agree a row is for both sides; else it is written twice, once for each side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from backtest.data.events import AT_EXCHANGE, AT_LOCAL, BOTH_SIDES, EVENT, Events
from backtest.data.findings import Findings, Repair
from domain.jit import Array, kernel

HORIZON_NS = 5_000_000_000  # messages overtake each other by less than this


class Orderer:
    """Streams rows into the common order; holds back no more than `horizon_ns` of them."""

    def __init__(self, findings: Findings, horizon_ns: int = HORIZON_NS) -> None:
        self._findings = findings
        self._horizon_ns = horizon_ns
        self._pending = np.zeros(0, EVENT)
        self._sources = np.zeros(0, np.int64)
        self._done = np.zeros(0, np.int64)  # 1 = the exchange's side has it already
        self._local_floor_ns = -(2**62)
        self._exchange_floor_ns = -(2**62)
        self._exchange_latest_ns = -(2**62)

    def push(self, rows: Events, sources: npt.NDArray[np.int64]) -> Events:
        """Take rows and return those that are ready."""
        rows = rows.copy()
        self._raise_to(rows, sources, "local_time_ns", self._local_floor_ns)
        self._raise_to(rows, sources, "exchange_time_ns", self._exchange_floor_ns)
        self._pending = np.concatenate([self._pending, rows])
        self._sources = np.concatenate([self._sources, sources])
        self._done = np.concatenate([self._done, np.zeros(len(rows), np.int64)])
        if not len(self._pending):
            return self._pending
        latest_ns = int(self._pending["exchange_time_ns"].max())
        self._exchange_latest_ns = max(self._exchange_latest_ns, latest_ns)
        return self._ready(self._exchange_latest_ns - self._horizon_ns, self._local_end() - self._horizon_ns)

    def end(self) -> Events:
        """Return what is left."""
        return self._ready(2**62, 2**62)

    def _local_end(self) -> int:
        return int(self._pending["local_time_ns"].max())

    def _raise_to(self, rows: Events, sources: npt.NDArray[np.int64], name: str, floor_ns: int) -> None:
        """Refuse times before what is written already, or pull them up to it where that was asked for."""
        early = rows[name] < floor_ns
        if early.any():
            i = int(np.argmax(early))
            back_s = (floor_ns - int(rows[name][i])) / 1e9
            text = f"{name.removesuffix('_ns').replace('_', ' ')} goes back by more than {back_s:.3g} s"
            self._findings.fault(Repair.ORDER, int(sources[i]), text, int(np.count_nonzero(early)))
            rows[name] = np.maximum(rows[name], floor_ns)

    def _ready(self, exchange_until_ns: int, local_until_ns: int) -> Events:
        pending, done = self._pending, self._done
        by_exchange = np.argsort(pending["exchange_time_ns"], kind="stable")
        by_exchange = by_exchange[(done[by_exchange] == 0)]
        until = np.searchsorted(pending["exchange_time_ns"][by_exchange], exchange_until_ns, "right")
        by_exchange = by_exchange[:until]
        by_local = np.argsort(pending["local_time_ns"], kind="stable")
        until = np.searchsorted(pending["local_time_ns"][by_local], local_until_ns, "right")
        by_local = by_local[:until]
        order = np.empty(len(by_exchange) + len(by_local), np.int64)
        sides = np.empty_like(order)
        ends = np.zeros(3, np.int64)
        _merge(by_exchange, by_local, done, order, sides, ends)
        count, exchange_count, local_count = ends.tolist()
        ready = pending[order[:count]]
        ready["flags"] |= sides[:count]
        if exchange_count:
            self._exchange_floor_ns = int(pending["exchange_time_ns"][by_exchange[exchange_count - 1]])
        if local_count:
            self._local_floor_ns = int(pending["local_time_ns"][by_local[local_count - 1]])
        keep = np.ones(len(pending), np.bool_)
        keep[by_local[:local_count]] = False
        self._pending, self._sources, self._done = pending[keep], self._sources[keep], done[keep]
        return ready


class OrderKept:
    """For rows that bring their order along: looks whether each side's times only grow."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._latest_ns = {"exchange_time_ns": -(2**62), "local_time_ns": -(2**62)}

    def push(self, rows: Events, sources: npt.NDArray[np.int64]) -> Events:
        """Return the rows; times that go back are refused, or pulled up where that was asked for."""
        for side, name in ((AT_EXCHANGE, "exchange_time_ns"), (AT_LOCAL, "local_time_ns")):
            seen = np.flatnonzero(rows["flags"] & side != 0)
            times = rows[name][seen]
            floor = np.maximum.accumulate(np.concatenate([[self._latest_ns[name]], times]))
            back = np.flatnonzero(times < floor[:-1])
            if len(back):
                first = int(back[0])
                back_ns = int(floor[first]) - int(times[first])
                text = f"{name.removesuffix('_ns').replace('_', ' ')} goes back by {back_ns} ns"
                self._findings.fault(Repair.ORDER, int(sources[seen[first]]), text, len(back))
                rows[name][seen] = floor[1:]
            self._latest_ns[name] = int(floor[-1])
        return rows

    def end(self) -> Events:
        """Return what is left: nothing."""
        return np.zeros(0, EVENT)


@kernel
def _merge(by_exchange: Array, by_local: Array, done: Array, order: Array, sides: Array, ends: Array) -> None:
    """Fill `order` (row numbers) and `sides` as far as both orders are known; `ends`: written, exchange, local."""
    i = 0
    j = 0
    k = 0
    while j < by_local.shape[0]:
        row = by_local[j]
        if done[row] == 1:
            order[k] = row
            sides[k] = AT_LOCAL
            j += 1
        elif i < by_exchange.shape[0]:
            order[k] = by_exchange[i]
            done[by_exchange[i]] = 1
            if by_exchange[i] == row:
                sides[k] = BOTH_SIDES
                j += 1
            else:
                sides[k] = AT_EXCHANGE
            i += 1
        else:
            break
        k += 1
    ends[0] = k
    ends[1] = i
    ends[2] = j
