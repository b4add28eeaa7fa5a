"""What a recording holds and what was wrong with it, for people and as JSON."""

from __future__ import annotations

import datetime

import msgspec
import numpy as np

from backtest.data.checks import SPREADS_MAX, Checks
from backtest.data.container import Header
from backtest.data.findings import REPAIRS, Findings, times_words

NS_PER_S = 1e9


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one recording. Latency is local − exchange time after the clock's shift."""

    instrument: str
    sources: list[str]
    tick_size: float
    lot_size: float
    rows: int
    one_sided_rows: int
    counts: dict[str, int]
    begin: str
    seconds: float
    largest_gap_s: float
    trades_per_s: float
    bought: float
    sold: float
    spread_median: float | None
    latency_ms: dict[str, float]
    clock_shift_s: float
    far_rows: int
    repairs: dict[str, int]
    first_faults: dict[str, str]
    notes: dict[str, int]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        counts = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        spread = "none" if self.spread_median is None else f"{self.spread_median:g}"
        latency = ", ".join(f"{name} {value:.3g}" for name, value in self.latency_ms.items())
        lines = [
            f"{self.instrument}: {', '.join(self.sources)}",
            f"  tick {self.tick_size:g}, lot {self.lot_size:g}",
            f"  {self.rows:,} rows ({self.one_sided_rows:,} for one side only): {counts}",
            f"  {self.seconds:,.1f} s from {self.begin} UTC, longest silence {self.largest_gap_s:.3g} s",
            f"  {self.trades_per_s:.2f} trades/s, bought {self.bought:,.10g}, sold {self.sold:,.10g}",
            f"  median spread {spread}; latency in ms: {latency}; local clock shifted by {self.clock_shift_s:.9g} s",
        ]
        if self.far_rows:
            lines.append(f"  {self.far_rows:,} rows lie too far from the touch for the checking book's window")
        lines += [f"  note: {count:,} {name}" for name, count in sorted(self.notes.items()) if count]
        lines += [
            f"  repaired {times_words(count)}: {name} ({REPAIRS[name]})"  # type: ignore[index]
            + (f", first {self.first_faults[name]}" if name in self.first_faults else "")
            for name, count in self.repairs.items()
        ]
        if not self.repairs:
            lines.append("  no faults")
        return lines


def report_of(header: Header, findings: Findings, checks: Checks) -> DataReport:
    """Return the report of a recording that was checked."""
    seconds = (checks.last_ns - checks.first_ns) / NS_PER_S
    shift_ns = header.clock_shift_ns if findings.repaired else 0  # an event file's times are shifted already
    latencies = (checks.latencies_ns() + shift_ns) / 1e6
    quantiles = {"min": 0.0, "median": 0.5, "p99": 0.99, "max": 1.0}
    begin = datetime.datetime.fromtimestamp(header.begin_ns / NS_PER_S, datetime.UTC)
    return DataReport(
        instrument=header.instrument,
        sources=header.sources,
        tick_size=header.tick_size,
        lot_size=header.lot_size,
        rows=header.rows,
        one_sided_rows=checks.one_sided_rows,
        counts=checks.counts,
        begin=begin.strftime("%Y-%m-%d %H:%M:%S"),
        seconds=seconds,
        largest_gap_s=checks.largest_gap_ns / NS_PER_S,
        trades_per_s=checks.counts.get("trade", 0) / seconds if seconds > 0 else 0.0,
        bought=checks.bought_lots * header.lot_size,
        sold=checks.sold_lots * header.lot_size,
        spread_median=_median_spread(checks) * header.tick_size if checks.spreads.any() else None,
        latency_ms={name: float(np.quantile(latencies, q)) for name, q in quantiles.items()} if len(latencies) else {},
        clock_shift_s=header.clock_shift_ns / NS_PER_S,
        far_rows=checks.far_rows,
        repairs={str(repair): count for repair, count in findings.repaired.items()} or dict(header.repairs),
        first_faults={str(repair): text for repair, text in findings.first.items()},
        notes=dict(findings.notes),
    )


def _median_spread(checks: Checks) -> int:
    """Return the median spread in ticks; the last bucket holds what is wider."""
    return min(int(np.searchsorted(np.cumsum(checks.spreads), checks.spreads.sum() / 2)), SPREADS_MAX)
