"""What a run leaves behind: summary.json, from counters and histograms in shared memory and from execution's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.clock import NS_PER_S, NS_PER_US
from domain.records import ACCOUNT, HISTOGRAM
from runtime.session import SessionSegments
from runtime.topology import EXECUTION, RECORDER, STRATEGY, kind_of
from shm.counters import Counters
from shm.histogram import Quantiles, quantiles
from shm.record import TableReader, load_row

STAGE_ORDER = ("market_data", STRATEGY, EXECUTION, "risk", RECORDER)


def read_counters(segments: SessionSegments) -> dict[str, dict[str, int]]:
    """Return every actor's counters."""
    actors = segments.topology.actors
    return {actor.name: Counters(segments[f"counters.{actor.name}"], actor.counters).values() for actor in actors}


def read_latencies(segments: SessionSegments) -> dict[str, Quantiles]:
    """Return the quantiles of every stage, in the data's order; a stage that never happened has no samples.

    A stage that several processes measure is one: their samples are counted together.
    """
    buckets: dict[str, npt.NDArray[np.int64]] = {}
    longest_ns: dict[str, int] = {}
    for actor in sorted(segments.topology.actors, key=lambda actor: STAGE_ORDER.index(kind_of(actor.name))):
        table = TableReader(segments[f"latency.{actor.name}"])
        for row, stage in enumerate(actor.stages):
            table.load(row)  # histograms have no sequence: this never fails
            buckets[stage] = buckets.get(stage, 0) + np.asarray(table.latest["bucket"][0], dtype=np.int64)
            longest_ns[stage] = max(longest_ns.get(stage, 0), table.ints[HISTOGRAM.word("max_ns")])
    return {stage: quantiles(buckets[stage], longest_ns[stage]) for stage in buckets}


def quoted_ratios(segments: SessionSegments, rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return (quoted_time_ratio, quoted_time_ratio_raw), each {bid, ask}.

    The first counts only the time in which no limit, pause or configured filter took the side away; the raw one
    all time since the first wish. Over several instruments times are added.
    """
    table = TableReader(segments["accounts"])
    sums = dict.fromkeys(("bid_quoted", "ask_quoted", "bid_allowed", "ask_allowed", "all"), 0)
    for row in range(rows):
        if not load_row(table, row):
            continue
        for name in ("bid_quoted", "ask_quoted", "bid_allowed", "ask_allowed"):
            sums[name] += table.ints[ACCOUNT.word(f"{name}_ns")]
        since = table.ints[ACCOUNT.word("session_time_ns")]
        if since:
            sums["all"] += table.ints[ACCOUNT.word("accounted_time_ns")] - since
    return (
        {side: _ratio(sums[f"{side}_quoted"], sums[f"{side}_allowed"]) for side in ("bid", "ask")},
        {side: _ratio(sums[f"{side}_quoted"], sums["all"]) for side in ("bid", "ask")},
    )


def _ratio(part_ns: int, whole_ns: int) -> float:
    return round(min(part_ns / whole_ns, 1.0), 6) if whole_ns > 0 else 0.0


def _stage_summary(found: Quantiles) -> dict[str, float | int | None]:
    """Return a stage in µs; null where nothing was measured."""
    quantiles_ns = {"p50": found.p50_ns, "p99": found.p99_ns, "p999": found.p999_ns, "max": found.max_ns}
    microseconds = {name: value / NS_PER_US if found.samples else None for name, value in quantiles_ns.items()}
    return {**microseconds, "n": found.samples}


def build_summary(
    segments: SessionSegments,
    *,
    rows: int,
    session: str,
    venue: str,
    elapsed_ns: int,
    first_quote_ns: int | None,
    restarts: Mapping[str, int],
    exit_code: int,
    report: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of summary.json (docs/operating.md explains each key).

    Args:
        report: execution's final report: orders, fills, fees, positions, profit and loss, open orders.
    """
    counters = read_counters(segments)
    ratio, ratio_raw = quoted_ratios(segments, rows)
    summary: dict[str, Any] = {
        "session": session,
        "venue": venue,
        "exit_code": exit_code,
        "seconds": round(elapsed_ns / NS_PER_S, 3),
        "first_quote_s": None if first_quote_ns is None else round(first_quote_ns / NS_PER_S, 3),
        "ticks": counters["market_data"]["book_updates"] + counters["market_data"]["tickers"],
        "trades": counters["market_data"]["trades"],
        "wishes": sum(counters[actor]["wishes"] for actor in segments.topology.strategies),
        "orders": {},
        "fills": None,
        "volume": None,
        "fees": None,
        "position": {},
        "venue_position": {},
        "pnl": {},
        "quoted_time_ratio": ratio,
        "quoted_time_ratio_raw": ratio_raw,
        "latency_us": {stage: _stage_summary(found) for stage, found in read_latencies(segments).items()},
        "restarts": dict(restarts),
        "open_orders_at_exit": None,
        "counters": counters,
    }
    kept = ("quoted_time_ratio", "quoted_time_ratio_raw")  # from shared memory: they outlive execution's restarts
    return summary | {key: value for key, value in report.items() if key not in kept}
