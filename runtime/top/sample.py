"""One look at everything that a session shares, cheap enough for several a second."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.codes import ActorPhase, RiskReason, SegmentKind
from domain.order import TradingState
from domain.records import ACCOUNT, HEARTBEAT, HISTOGRAM, INSTRUMENT, PNL, RISK, SHARED_MARKET_DATA
from runtime.supervision.summary import STAGE_ORDER
from runtime.topology import kind_of, spec_of
from shm.attach import Session
from shm.record import TableReader, load_row

HEARTBEATS = "heartbeats."
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """What the system says of a process: time on a core so far, and memory of its own; NaN once it is gone."""

    cpu_s: float
    private_mb: float


class ActorSample(NamedTuple):
    """Attributes as in the record `heartbeat`; `life` is its epoch."""

    pid: int
    life: int
    phase: ActorPhase
    beat_time_ns: int
    loops: int
    core: int
    usage: Usage


class StageSample(NamedTuple):
    """A histogram so far: samples in each bucket, and the longest duration."""

    buckets: npt.NDArray[np.int64]
    max_ns: int


class InstrumentSample(NamedTuple):
    """Prices in quote currency, sizes in base units; None where nothing is known or quoted."""

    mid: float | None
    our_bid: float | None
    our_ask: float | None
    position: float | None
    fills: int
    pnl: float | None


class Sample(NamedTuple):
    """Everything at one moment, monotonic."""

    time_ns: int
    actors: dict[str, ActorSample]
    rings: dict[str, int]  # records published so far
    stages: dict[str, StageSample]
    instruments: dict[str, InstrumentSample]
    risk: str
    equity: float | None


class Sampler:
    """Reads a session that it is attached to."""

    def __init__(self, session: Session, usage_of: Callable[[int], Usage] | None = None) -> None:
        """Open what is read each time.

        Args:
            usage_of: returns what a process uses; by default what /proc says.
        """
        self._usage_of = usage_of or read_usage
        names = [name.removeprefix(HEARTBEATS) for name in session.segments if name.startswith(HEARTBEATS)]
        self._actors = sorted(names, key=lambda name: (STAGE_ORDER.index(kind_of(name)), name))
        self._heartbeats = {name: session.table(f"{HEARTBEATS}{name}") for name in self._actors}
        self._latencies = {name: session.table(f"latency.{name}") for name in self._actors}
        kinds = session.segments.items()
        self._rings = {name: session.ring(name) for name, kind in kinds if kind is SegmentKind.RING}
        tables = ("instruments", "accounts", "market", "pnl", "risk")
        self._tables = {name: session.table(name) for name in tables if name in session.segments}

    def take(self, now_ns: int) -> Sample:
        """Return what is there now."""
        return Sample(
            time_ns=now_ns,
            actors={name: self._actor(table) for name, table in self._heartbeats.items()},
            rings={name: ring.head for name, ring in self._rings.items()},
            stages=self._stages(),
            instruments=self._instruments(),
            risk=self._risk(),
            equity=self._equity(),
        )

    def _actor(self, table: TableReader) -> ActorSample:
        load_row(table, 0)
        ints = {field.name: table.ints[HEARTBEAT.word(field.name)] for field in HEARTBEAT.fields}
        usage = self._usage_of(ints["pid"])
        phase = ActorPhase(ints["phase"])
        return ActorSample(ints["pid"], ints["epoch"], phase, ints["beat_time_ns"], ints["loops"], ints["core"], usage)

    def _stages(self) -> dict[str, StageSample]:
        """Return every stage in the data's order; one that several processes measure is counted together."""
        found: dict[str, StageSample] = {}
        for actor, table in self._latencies.items():
            for row, stage in enumerate(spec_of(actor).stages):
                table.load(row)  # histograms have no sequence: this never fails
                buckets = np.array(table.latest["bucket"][0], dtype=np.int64)
                before = found.get(stage, StageSample(np.zeros_like(buckets), 0))
                longest_ns = max(before.max_ns, int(table.ints[HISTOGRAM.word("max_ns")]))
                found[stage] = StageSample(before.buckets + buckets, longest_ns)
        return found

    def _instruments(self) -> dict[str, InstrumentSample]:
        table = self._tables["instruments"]
        found = {}
        for row in range(table.rows):
            if load_row(table, row):
                name = table.latest["name"][0].decode()
                tick, lot = (table.floats[INSTRUMENT.word(step)] for step in ("tick_size", "lot_size"))
                found[name] = self._instrument(row, tick, lot)
        return found

    def _instrument(self, row: int, tick: float, lot: float) -> InstrumentSample:
        market, account, pnl = (self._tables.get(name) for name in ("market", "accounts", "pnl"))
        mid = position = total = our_bid = our_ask = None
        fills = 0
        if market is not None and load_row(market, row) and market.ints[SHARED_MARKET_DATA.word("status")] == 1:
            mid = market.floats[SHARED_MARKET_DATA.word("mid")]
        if account is not None and load_row(account, row):
            our_bid, our_ask = (_best(account, side, tick) for side in ("bid", "ask"))
            position = account.ints[ACCOUNT.word("position_lots")] * lot
            fills = account.ints[ACCOUNT.word("fill_count")]
        if pnl is not None and load_row(pnl, row) and pnl.ints[PNL.word("is_known")]:
            total = pnl.floats[PNL.word("total")]
        return InstrumentSample(mid, our_bid, our_ask, position, fills, total)

    def _risk(self) -> str:
        table = self._tables.get("risk")
        if table is None or not load_row(table, 0):
            return "not heard of yet"
        state = TradingState(table.ints[RISK.word("state")]).name.lower()
        reason = RiskReason(table.ints[RISK.word("reason")])
        return state if reason is RiskReason.NONE else f"{state} ({reason.name.lower()})"

    def _equity(self) -> float | None:
        table = self._tables.get("risk")
        if table is None or not load_row(table, 0):
            return None
        return float(table.floats[RISK.word("equity")])


def read_usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Return what /proc says of a process."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        status = (proc / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return Usage(float("nan"), float("nan"))
    private_kb = next((int(line.split()[1]) for line in status if line.startswith("RssAnon:")), 0)
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, private_kb / 1000)


def _best(account: TableReader, side: str, tick: float) -> float | None:
    if not account.ints[ACCOUNT.word(f"{side}_count")]:
        return None
    return account.ints[ACCOUNT.word(f"{side}_price_ticks")] * tick
