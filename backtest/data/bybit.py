"""Bybit's public archives: order book JSON lines (`…_ob500.data.zip`) and trades (`BTCUSDT2024-01-01.csv.gz`).

Book lines: {"topic", "type": "snapshot" | "delta", "ts", "data": {"b", "a", "u", "seq"}, "cts"}: `cts` (ms) is the
matching engine's time, `ts` the time at which the message was made: it stands for the local time, for the
archive has none of our own; add `--latency-ms` for the way to us. u follows on the u before; u = 1 and every
snapshot begin anew. Trades: timestamp (s, with a fraction), side (the aggressor's), size, price; rows need not be in
order (older archives run backwards): they are sorted when the file is of one day.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from backtest.data.builder import Pairs, RowBuilder
from backtest.data.csv_columns import read_blocks, wanted_rows
from backtest.data.events import (
    ASK,
    BID,
    CLEAR,
    FINAL,
    LEVEL,
    RAW,
    SNAPSHOT_LEVEL,
    TRADE,
    RawEvents,
    source_code,
)
from backtest.data.findings import Findings, Repair
from backtest.data.lines import line_blocks
from domain.clock import NS_PER_MS

_TRADES = ("timestamp", "symbol", "side", "size", "price")
_AGGRESSORS = {b"Buy": BID, b"Sell": ASK}
_EVERY: Pairs = [(float("nan"), 0.0)]


class _Book(msgspec.Struct):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    u: int
    s: str = ""


class _Message(msgspec.Struct):
    type: str
    ts: int
    data: _Book
    cts: int = 0


_decode = msgspec.json.Decoder(_Message, strict=False).decode


def kind_of(first_line: bytes) -> str:
    """Return `book` or `trades` for a file that begins so; empty = neither."""
    if first_line.startswith(b"{") and b'"orderbook.' in first_line[:200]:
        return "book"
    names = first_line.strip().split(b",")
    return "trades" if all(name.encode() in names for name in _TRADES) else ""


def read(findings: Findings, file_number: int, kind: str) -> Iterator[RawEvents]:
    """Yield the raw rows of one file.

    Raises:
        DataError: at the first fault that is not to be repaired.
    """
    if kind == "trades":
        yield _trades(findings, file_number)
        return
    reader = _BookReader(findings)
    for first_line, lines in line_blocks(findings, file_number):
        for i, line in enumerate(lines):
            if line.strip():
                reader.line(line, source_code(file_number, first_line + i))
        if reader.rows.is_full():
            yield reader.rows.take()
    yield reader.rows.take()


class _BookReader:
    def __init__(self, findings: Findings) -> None:
        self.rows = RowBuilder()
        self._findings = findings
        self._id = -1
        self._is_whole = Repair.SNAPSHOT in findings.repairs

    def line(self, line: bytes, source: int) -> None:
        """Take one message."""
        try:
            message = _decode(line)
            if message.type not in ("snapshot", "delta"):
                raise ValueError(f"type {message.type!r}")
        except (ValueError, msgspec.MsgspecError) as error:
            text = f"expected an order book message, found {line[:60]!r} ({error})"
            self._findings.fault(Repair.LINES, source, text)
            return
        if not self._findings.is_wanted(message.data.s, source):
            return
        if message.type == "snapshot" or message.data.u == 1:
            self._snapshot(message, source)
        else:
            self._delta(message, source)

    def _snapshot(self, message: _Message, source: int) -> None:
        stamps = _stamps(message, source)
        self._is_whole = True
        self._id = message.data.u
        self.rows.add(CLEAR | BID, *stamps, _EVERY)
        self.rows.add(CLEAR | ASK, *stamps, _EVERY)
        self.rows.add_sides(SNAPSHOT_LEVEL, stamps, message.data.b, message.data.a)

    def _delta(self, message: _Message, source: int) -> None:
        update = message.data.u
        if not self._is_whole:
            self._findings.fault(Repair.SNAPSHOT, source, "the file begins with changes, no snapshot before them")
        if self._id >= 0 and update <= self._id:
            self._findings.fault(Repair.DUPLICATES, source, f"changes of update {update} after {self._id}")
            return
        if self._id >= 0 and update != self._id + 1:
            self._findings.fault(Repair.GAPS, source, f"update {update} follows on {self._id}: changes are missing")
        self._id = update
        self.rows.add_sides(LEVEL, _stamps(message, source), message.data.b, message.data.a)


def _stamps(message: _Message, source: int) -> tuple[int, int, int, int]:
    return (message.cts or message.ts) * NS_PER_MS, message.ts * NS_PER_MS, message.data.u, source


def _trades(findings: Findings, file_number: int) -> RawEvents:
    parts = []
    for block in read_blocks(findings, file_number, _TRADES):
        rows = np.zeros(len(block), RAW)
        # float64 holds seconds of this century to 0.2 µs: the archive has no finer times.
        rows["exchange_time_ns"] = np.rint(block.numbers("timestamp") * 1e6).astype(np.int64) * 1_000
        rows["local_time_ns"] = rows["exchange_time_ns"]
        rows["flags"] = TRADE | FINAL | block.codes("side", _AGGRESSORS)
        rows["price"] = block.numbers("price")
        rows["size"] = block.numbers("size")
        rows["source"] = block.sources
        parts.append(rows[wanted_rows(findings, block)])
    rows = np.concatenate(parts) if parts else np.zeros(0, RAW)
    times = rows["exchange_time_ns"]
    if len(rows) and times[0] > times[-1]:
        rows = rows[::-1]
        findings.notes["trade files that ran backwards, turned"] += 1
    return rows[np.argsort(rows["exchange_time_ns"], kind="stable")]
