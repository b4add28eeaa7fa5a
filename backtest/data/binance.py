"""Binance USD-M and COIN-M: lines `<local time> <raw combined-stream JSON>`, plain or gzip, parts in order.

Streams: `@depth` (diffs, absolute sizes), `@bookTicker`, `@trade` (only X = MARKET: the rest is insurance fund and
ADL), and REST depth snapshots (`{"lastUpdateId": …}`). Other streams are counted and left out. Exchange times (T)
are ms; local times ms, µs or ns by their number of digits.

The snapshot joins by the venue's rule: changes with u < lastUpdateId are too old, the first one applied has
U <= lastUpdateId <= u, and from then on each pu is the u before it. Changes received before the snapshot are
given to the book when the snapshot came, for no one could have applied them earlier.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from backtest.data.builder import Pairs, RowBuilder
from backtest.data.events import ASK, BEST, BID, CLEAR, FINAL, LEVEL, SNAPSHOT_LEVEL, TRADE, RawEvents, source_code
from backtest.data.findings import Findings, Repair
from backtest.data.lines import line_blocks
from domain.clock import NS_PER_MS

NS_PER_UNIT_BY_DIGITS = {13: NS_PER_MS, 16: 1_000, 19: 1}
CHANGES_KEPT = 5_000  # the snapshot has to arrive within so many changes
_HEAD_BYTES = 72
_STREAM = b'{"stream":"'
_EVERY: Pairs = [(float("nan"), 0.0)]  # a CLEAR of the whole side


class _DepthBody(msgspec.Struct):
    T: int
    U: int
    u: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    pu: int = -1  # spot has none: there U follows on the u before


class _BestBody(msgspec.Struct):
    T: int
    u: int
    b: float
    B: float
    a: float
    A: float


class _TradeBody(msgspec.Struct):
    T: int
    t: int
    p: float
    q: float
    m: bool
    X: str = "MARKET"


class _Depth(msgspec.Struct):
    data: _DepthBody


class _Best(msgspec.Struct):
    data: _BestBody


class _Trade(msgspec.Struct):
    data: _TradeBody


class _Snapshot(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 - the venue's own name
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    T: int = 0


class _Change(NamedTuple):
    local_ns: int
    source: int
    body: _DepthBody


# strict=False: the venue writes numbers as text
_decode_depth = msgspec.json.Decoder(_Depth, strict=False).decode
_decode_best = msgspec.json.Decoder(_Best, strict=False).decode
_decode_trade = msgspec.json.Decoder(_Trade, strict=False).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot, strict=False).decode


def is_binance(first_line: bytes) -> bool:
    """Return whether a file that begins so is of this format."""
    local, _, message = first_line.partition(b" ")
    return local.isdigit() and len(local) in NS_PER_UNIT_BY_DIGITS and message.startswith(b"{")


def read(findings: Findings, file_numbers: list[int]) -> Iterator[RawEvents]:
    """Yield the raw rows of the parts of one recording.

    Raises:
        DataError: at the first fault that is not to be repaired.
    """
    reader = _Reader(findings)
    for number in file_numbers:
        for first_line, lines in line_blocks(findings, number):
            for i, line in enumerate(lines):
                if line:
                    reader.line(line, source_code(number, first_line + i))
            if reader.rows.is_full():
                yield reader.rows.take()
    reader.end(source_code(file_numbers[-1], 0))
    yield reader.rows.take()


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self.rows = RowBuilder()
        self._findings = findings
        self._recent: deque[_Change] = deque(maxlen=CHANGES_KEPT)
        self._is_joined = Repair.SNAPSHOT in findings.repairs
        self._snapshots = 0
        self._snapshot_id = -1  # until the first change after it has been seen
        self._depth_id = -1
        self._best_id = -1
        self._trade_id = -1
        self._changes_waiting = 0
        self._prefix = b"?"  # of the wanted instrument's messages

    def line(self, line: bytes, source: int) -> None:
        """Take one line."""
        try:
            space = line.index(b" ")
            local_ns = int(line[:space]) * NS_PER_UNIT_BY_DIGITS[space]
            head = line[space + 1 : _HEAD_BYTES]
            if not head.startswith(self._prefix) and not self._is_wanted(head, source):
                return
            if b"@bookTicker" in head:
                self._best(local_ns, source, _decode_best(line[space + 1 :]).data)
            elif b"@depth" in head:
                self._depth(_Change(local_ns, source, _decode_depth(line[space + 1 :]).data))
            elif b"@trade" in head:
                self._trade(local_ns, source, _decode_trade(line[space + 1 :]).data)
            elif b'"lastUpdateId"' in head:
                self._snapshot(local_ns, source, _decode_snapshot(line[space + 1 :]))
            else:
                self._other(head)
        except (ValueError, KeyError, msgspec.MsgspecError) as error:
            what = "no local time of 13, 16 or 19 digits" if isinstance(error, KeyError) else str(error)
            text = f"expected `<local time> <stream message>`, found {line[:60]!r} ({what})"
            self._findings.fault(Repair.LINES, source, text)

    def end(self, source: int) -> None:
        """Say so when the whole recording had no snapshot to begin with."""
        if not self._is_joined:
            text = (
                f'expected a depth snapshot ({{"lastUpdateId": …}}), found none; {self._changes_waiting} changes wait'
            )
            self._findings.fault(Repair.SNAPSHOT, source, text)
        elif not self._snapshots and self._depth_id >= 0:
            self._findings.fault(Repair.SNAPSHOT, source, "no depth snapshot in the recording")

    def _is_wanted(self, head: bytes, source: int) -> bool:
        if not head.startswith(_STREAM):
            return True
        symbol = head[len(_STREAM) :].partition(b"@")[0]
        if not self._findings.is_wanted(symbol.decode(errors="replace"), source):
            return False
        self._prefix = _STREAM + symbol + b"@"
        return True

    def _other(self, head: bytes) -> None:
        if not head.startswith(_STREAM):
            raise ValueError("neither a stream's message nor a snapshot")
        name = head[len(_STREAM) :].split(b'"', 1)[0].partition(b"@")[2].decode(errors="replace")
        self._findings.notes[f"messages of @{name} left out"] += 1

    def _best(self, local_ns: int, source: int, body: _BestBody) -> None:
        if body.u <= self._best_id:
            self._findings.fault(Repair.DUPLICATES, source, f"best prices of update {body.u} after {self._best_id}")
            return
        self._best_id = body.u
        self.rows.add_best(BEST, body.T * NS_PER_MS, local_ns, body.u, source, (body.b, body.B, body.a, body.A))

    def _trade(self, local_ns: int, source: int, body: _TradeBody) -> None:
        if body.t <= self._trade_id:
            self._findings.fault(Repair.DUPLICATES, source, f"trade {body.t} after trade {self._trade_id}")
            return
        if self._trade_id >= 0 and body.t > self._trade_id + 1:
            self._findings.notes["trade ids missing"] += body.t - self._trade_id - 1
        self._trade_id = body.t
        if body.X != "MARKET":
            self._findings.notes[f"trades of kind {body.X} left out"] += 1
            return
        side = ASK if body.m else BID  # m: the buyer is the maker, so the seller crossed
        self.rows.add(TRADE | side | FINAL, body.T * NS_PER_MS, local_ns, body.t, source, [(body.p, body.q)])

    def _depth(self, change: _Change) -> None:
        body = change.body
        if body.u <= self._depth_id:
            self._findings.fault(Repair.DUPLICATES, change.source, f"changes to {body.u} after {self._depth_id}")
            return
        follows = body.pu == self._depth_id if body.pu >= 0 else self._depth_id + 1 >= body.U
        if self._depth_id >= 0 and not follows:
            text = f"changes from {body.U} (after {body.pu}) follow on {self._depth_id}: changes are missing"
            self._findings.fault(Repair.GAPS, change.source, text)
        self._depth_id = body.u
        self._recent.append(change)
        if self._is_joined:
            self._apply(change)
            return
        self._changes_waiting += 1
        if self._changes_waiting > CHANGES_KEPT:
            self.end(change.source)

    def _snapshot(self, local_ns: int, source: int, body: _Snapshot) -> None:
        self._is_joined = True
        self._snapshots += 1
        self._snapshot_id = body.lastUpdateId
        exchange_ns = body.T * NS_PER_MS or local_ns
        stamps = (exchange_ns, local_ns, body.lastUpdateId, source)
        self.rows.add(CLEAR | BID, *stamps, _EVERY)
        self.rows.add(CLEAR | ASK, *stamps, _EVERY)
        self.rows.add_sides(SNAPSHOT_LEVEL, stamps, body.bids, body.asks)
        for change in self._recent:
            self._apply(change._replace(local_ns=local_ns))

    def _apply(self, change: _Change) -> None:
        body = change.body
        if self._snapshot_id >= 0:
            if body.u < self._snapshot_id:
                self._findings.notes["changes older than the snapshot left out"] += 1
                return
            if self._snapshot_id + 1 < body.U:
                text = f"changes from {body.U} follow on the snapshot of {self._snapshot_id}: changes are missing"
                self._findings.fault(Repair.GAPS, change.source, text)
            self._snapshot_id = -1
        stamps = (body.T * NS_PER_MS, change.local_ns, body.u, change.source)
        self.rows.add_sides(LEVEL, stamps, body.b, body.a)
