"""What the session is doing now, read from shared memory as data: for `cli.py status` and for the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from domain.clock import NS_PER_S
from domain.codes import HedgeState, OffReason, RiskReason
from domain.grid import off_in
from domain.order import TradingState
from domain.records import ACCOUNT, HEDGE, INSTRUMENT, LIMITS, PNL, RECORDER, RISK, WISH
from runtime.clock import SystemClock
from runtime.session import SessionSegments
from runtime.supervision.children import COMPILING, Child
from runtime.supervision.risk_words import why_risk
from runtime.supervision.summary import quoted_ratios, read_counters, read_latencies
from shm.record import TableReader, load_row
from shm.ring import RingReader

READ_TABLES = ("instruments", "accounts", "wishes", "limits", "risk", "pnl", "hedges")
OFF_BY_RISK = (
    "risk does not find it at the venue with the tick and lot size of the session: restart the session to take the "
    "venue's"
)
PNL_PARTS = ("realised", "unrealised", "fees", "funding", "total")
_RISK = OffReason.RISK.name.lower()
EXPLAINED_TERMS = ("fair_price", "sigma", "half_spread", "skew")


class StatusReader:
    """Reads the session's tables for people."""

    def __init__(self, session: str, segments: SessionSegments, children: Sequence[Child]) -> None:
        self._session = session
        self._clock = SystemClock()
        self._segments = segments
        self._topology = segments.topology
        self._names = self._topology.instruments
        self._children = children
        self._tables = {name: TableReader(segments[name]) for name in READ_TABLES}
        self._recorder = TableReader(segments["recorder"]) if self._topology.is_recorded else None
        self._explanations = [
            RingReader(segments[self._topology.explanations_of(actor)], "oldest") for actor in self._topology.strategies
        ]
        self._explained: dict[int, dict[str, float]] = {}  # newest terms by instrument

    def read(self, elapsed_ns: int) -> dict[str, Any]:
        """Return the whole status as JSON-able data."""
        ratio, ratio_raw = quoted_ratios(self._segments, len(self._names))
        self._read_explanations()
        return {
            "session": self._session,
            "seconds": round(elapsed_ns / NS_PER_S, 1),
            "actors": {
                child.spec.name: {
                    "state": child.state.value,
                    "pid": child.pid,
                    "restarts": child.restarts,
                    "standby": child.standby,
                    "doing": COMPILING if child.is_compiling else "",
                }
                for child in self._children
            },
            "instruments": {name: self._instrument(row) for row, name in enumerate(self._names)},
            "hedges": {name: self._hedge(row) for row, name in enumerate(self._topology.hedges)},
            "risk": self._risk(),
            "recorder": self._recorder_state(),
            "quoted_time_ratio": ratio,
            "quoted_time_ratio_raw": ratio_raw,
            "counters": read_counters(self._segments),
            "latency_us": {
                stage: {
                    "p50": found.p50_ns / 1000,
                    "p99": found.p99_ns / 1000,
                    "p999": found.p999_ns / 1000,
                    "n": found.samples,
                }
                for stage, found in read_latencies(self._segments).items()
                if found.samples
            },
        }

    def has_working_orders(self) -> bool:
        """True when the venue has confirmed an order of ours that is still open."""
        accounts = self._tables["accounts"]
        for row in range(len(self._names)):
            if load_row(accounts, row) and (
                accounts.ints[ACCOUNT.word("bid_count")] or accounts.ints[ACCOUNT.word("ask_count")]
            ):
                return True
        return False

    def held_back(self) -> str:
        """Return what only an operator ends, and how; empty when nothing holds the session back."""
        return held_back(self._session, self._risk())

    def _read_explanations(self) -> None:
        """Keep the newest terms of each instrument's quote."""
        for ring in self._explanations:
            records = ring.read()
            newest = {row: index for index, row in enumerate(records["instrument"].tolist())}
            for row, index in newest.items():
                record = records[index]
                self._explained[row] = {name: float(record[name]) for name in EXPLAINED_TERMS} | {
                    "best_bid_ticks": int(record["best_bid_ticks"]),
                    "best_ask_ticks": int(record["best_ask_ticks"]),
                }

    def _instrument(self, row: int) -> dict[str, Any]:
        status: dict[str, Any] = {}
        instruments, accounts, wishes = (self._tables[name] for name in ("instruments", "accounts", "wishes"))
        if not load_row(instruments, row):
            return {"state": "unknown to the venue so far"}
        tick = instruments.floats[INSTRUMENT.word("tick_size")]
        lot = instruments.floats[INSTRUMENT.word("lot_size")]
        limits = self._tables["limits"]
        if text := off_in(instruments).text:
            status["instrument_off"] = text
        elif load_row(limits, row) and limits.ints[LIMITS.word("reason")] == RiskReason.INSTRUMENT_OFF:
            status["instrument_off"] = OFF_BY_RISK
        if (terms := self._explained.get(row)) is not None:
            status |= {name: round(terms[name], 8) for name in EXPLAINED_TERMS}
            status["market_bid"] = round(terms["best_bid_ticks"] * tick, 8)  # the book without our own orders
            status["market_ask"] = round(terms["best_ask_ticks"] * tick, 8)
        if load_row(accounts, row):
            ints = accounts.ints
            status["position"] = round(ints[ACCOUNT.word("position_lots")] * lot, 8)
            status["fills"] = ints[ACCOUNT.word("fill_count")]
            status["bids"] = _ladder(ints, "bid", tick, lot)
            status["asks"] = _ladder(ints, "ask", tick, lot)
        pnl = self._tables["pnl"]
        if load_row(pnl, row) and pnl.ints[PNL.word("is_known")]:
            status["pnl"] = _exact_pnl(pnl)
        if load_row(wishes, row):
            status["bid_off"] = OffReason(wishes.ints[WISH.word("bid_off_reason")]).name.lower()
            status["ask_off"] = OffReason(wishes.ints[WISH.word("ask_off_reason")]).name.lower()
            if _RISK in (status["bid_off"], status["ask_off"]) and load_row(limits, row):
                status["why_risk"] = why_risk(limits, lot, self._clock.monotonic_ns())
        return status

    def _hedge(self, row: int) -> dict[str, Any]:
        table = self._tables["hedges"]
        if not load_row(table, row):
            return {"state": "not heard of yet"}
        ints, floats = table.ints, table.floats
        net_delta = floats[HEDGE.word("net_delta")]
        return {
            "state": HedgeState(ints[HEDGE.word("state")]).name.lower(),
            "instrument": self._names[ints[HEDGE.word("instrument")]],
            "net_delta": round(net_delta, 8) if math.isfinite(net_delta) else None,
            "target": floats[HEDGE.word("target")],
            "band": floats[HEDGE.word("band")],
            "hedges": ints[HEDGE.word("hedges")],
            "last_hedged": round(floats[HEDGE.word("last_hedged")], 8),
        }

    def _recorder_state(self) -> dict[str, Any] | None:
        """Return what the recorder is at; None where nothing is recorded."""
        table = self._recorder
        if table is None:
            return None
        if not load_row(table, 0):
            return {"trouble": "", "rows": 0, "lost": 0, "behind": 0, "trouble_since_realtime_ns": 0}
        names = ("rows", "lost", "behind", "trouble_since_realtime_ns")
        found = {name: table.ints[RECORDER.word(name)] for name in names}
        return {"trouble": table.latest["trouble"][0].decode(), **found}

    def _risk(self) -> dict[str, Any]:
        table = self._tables["risk"]
        if not load_row(table, 0):
            return {"state": "not heard of yet"}
        ints, floats = table.ints, table.floats
        return {
            "state": TradingState(ints[RISK.word("state")]).name.lower(),
            "reason": RiskReason(ints[RISK.word("reason")]).name.lower(),
            "kill_latched": bool(ints[RISK.word("is_kill_latched")]),
            "equity": round(floats[RISK.word("equity")], 4),
            "drawdown": round(floats[RISK.word("equity_peak")] - floats[RISK.word("equity")], 4),
            "gross_notional": round(floats[RISK.word("gross_notional")], 2),
            "fees": round(floats[RISK.word("fees")], 6),
            "open_orders": ints[RISK.word("open_orders")],
            "pnl": _exact_pnl(table),
            "net_notional": round(floats[RISK.word("net_notional")], 2),
            "value_at_risk": _finite(floats[RISK.word("value_at_risk")]),
            "expected_shortfall": _finite(floats[RISK.word("expected_shortfall")]),
        }


def is_kill_latched(segments: SessionSegments) -> tuple[bool, RiskReason]:
    """Return whether risk holds the session halted until an operator resumes, and why."""
    table = TableReader(segments["risk"])
    if not load_row(table, 0):
        return False, RiskReason.NONE
    return bool(table.ints[RISK.word("is_kill_latched")]), RiskReason(table.ints[RISK.word("reason")])


def held_back(session: str, risk: dict[str, Any]) -> str:
    """Return what in `risk` (of a status) only an operator ends, and how; empty = nothing."""
    is_reducing = risk["state"] == "reducing" and risk["reason"] == "operator"
    if not (risk.get("kill_latched") or is_reducing):
        return ""
    return f"{risk['state']} ({risk['reason']}) until `./cli.py resume -s {session}`"


def _exact_pnl(table: TableReader) -> dict[str, str]:
    """Return profit and loss as decimals in full; empty texts while risk has not read the account."""
    return {name: table.latest[f"{name}_exact"][0].decode() for name in PNL_PARTS}


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _ladder(ints: memoryview, side: str, tick: float, lot: float) -> list[list[float]]:
    prices, sizes = ACCOUNT.word(f"{side}_price_ticks"), ACCOUNT.word(f"{side}_size_lots")
    count = ints[ACCOUNT.word(f"{side}_count")]
    return [[round(ints[prices + i] * tick, 8), round(ints[sizes + i] * lot, 8)] for i in range(count)]
