"""What is kept of a run beside its tables: `summary.json` of a backtest, `statistics.json` of a live session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.data.findings import DataError
from backtest.engine.records import FillRule
from backtest.metrics.left_out import left_out_notes
from backtest.metrics.leg import Leg
from backtest.metrics.statistics import Statistics, statistics
from backtest.metrics.tables import write_tables
from domain.clock import NS_PER_US
from runtime.paths import SUMMARY_FILE, write_atomically

LIVE_FILE = "statistics.json"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of one way, µs, over n samples."""

    p50: float
    p99: float
    p999: float
    n: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run but its tables.

    Attributes:
        kind: "backtest", or "live".
        data: what the market was read from.
        notes: what the reader has to know, one sentence each.
        fill_rules: fills by what filled them; empty of a live run.
        parameters: what was run.
        repairs: which faults of the data were allowed to be mended.
        fills_hash: of everything that the exchange told; empty of a live run.
    """

    kind: str
    data: list[str]
    config: str
    notes: list[str]
    statistics: Statistics
    by_instrument: dict[str, Statistics]
    counts: dict[str, int]
    fill_rules: dict[str, int]
    latency_us: dict[str, Latency]
    parameters: dict[str, Any]
    fills_hash: str
    repairs: list[str] = []


def facts_of(legs: Sequence[Leg], *, kind: str, data: Sequence[str], notes: Sequence[str] = (), **others: Any) -> Facts:
    """Return the facts of a run; `others` are further fields of Facts, empty where they are not given.

    To `notes` comes what the figures leave out.
    """
    empty: dict[str, Any] = {
        "config": "", "counts": {}, "fill_rules": {}, "latency_us": {}, "parameters": {}, "fills_hash": "",
    }  # fmt: skip
    return Facts(
        kind=kind,
        data=list(data),
        notes=[*notes, *left_out_notes(legs)],
        statistics=statistics(legs),
        by_instrument={leg.instrument: statistics([leg]) for leg in legs} if len(legs) > 1 else {},
        **{**empty, **others},
    )


def write_run(folder: Path, legs: Sequence[Leg], facts: Facts) -> None:
    """Write the tables and the facts of a run into a folder, which is made where there is none.

    Raises:
        DataError: when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(folder, legs)
        content = msgspec.json.format(msgspec.json.encode(facts), indent=2)
        write_atomically(folder / (SUMMARY_FILE if facts.kind == "backtest" else LIVE_FILE), content + b"\n")
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from None


def read_facts(folder: Path) -> Facts | None:
    """Return the facts of a run that was written; None where there are none."""
    for name in (LIVE_FILE, SUMMARY_FILE):
        try:
            return msgspec.json.decode((folder / name).read_bytes(), type=Facts)
        except (OSError, msgspec.MsgspecError):
            continue
    return None


def latency_of(passed_ns: npt.NDArray[np.int64]) -> Latency:
    """Return the quantiles of times passed."""
    found = np.quantile(passed_ns, (0.5, 0.99, 0.999)) / NS_PER_US if len(passed_ns) else np.zeros(3)
    return Latency(p50=float(found[0]), p99=float(found[1]), p999=float(found[2]), n=len(passed_ns))


def rules_of(legs: Sequence[Leg]) -> dict[str, int]:
    """Return how many fills each rule of the simulated exchange made."""
    counted: dict[str, int] = {}
    for leg in legs:
        for rule, count in zip(*np.unique(leg.fills["rule"], return_counts=True), strict=True):
            name = FillRule(int(rule)).name.lower()
            counted[name] = counted.get(name, 0) + int(count)
    return counted
