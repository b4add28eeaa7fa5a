"""Recorded files → one event file: read, merge, put on the grid, order, check, write; in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backtest.data import formats, parquet, recordings
from backtest.data.checks import Checks
from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.events import Events, RawEvents
from backtest.data.findings import DataError, Findings, Repair
from backtest.data.grid import SAMPLE_ROWS_MIN, STEPS_FOUND, Steps, found_steps, on_grid
from backtest.data.merge import merged
from backtest.data.ordering import HORIZON_NS, Orderer, OrderKept
from backtest.data.orders import MarketOrders
from backtest.data.report import DataReport, report_of
from backtest.scratch import scratch_folder


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert.

    Attributes:
        instrument: the one to take; empty = the only one there is.
        steps: tick and lot size; 0 = found from the data.
        repairs: what may be mended.
        latency_ns: added to every local time (archives without local times).
        horizon_ns: by how much messages may overtake each other.
    """

    instrument: str = ""
    steps: Steps = STEPS_FOUND
    repairs: frozenset[Repair] = frozenset()
    latency_ns: int = 0
    horizon_ns: int = HORIZON_NS


def convert(paths: list[Path], output: Path, options: Options = Options()) -> DataReport:
    """Convert files of one recording into `output` (.events, or .parquet) and return what was found.

    Raises:
        DataError: at the first fault that is not to be repaired; no output is left then.
    """
    paths = recordings.files_of_runs(paths)
    if not paths:
        raise DataError("no files given to convert")
    if output.suffix == parquet.SUFFIX:
        events_path = output.with_name(output.name + ".events")
        try:
            report = convert(paths, events_path, options)
            parquet.write(EventFile(events_path), output)
        finally:
            events_path.unlink(missing_ok=True)
        return report
    name, kinds = formats.common_format(paths)
    findings = Findings(paths, options.repairs, options.instrument)
    checks = Checks(findings)
    with EventWriter(output) as writer:
        if name in (formats.EVENT_FILE, formats.PARQUET):
            header = _copy(paths, name, writer, checks)
        else:
            header = _convert_raw(findings, name, kinds, options, writer, checks)
        writer.finish(header)
    return report_of(EventFile(output).header, findings, checks)


def inspect(paths: list[Path], options: Options = Options()) -> DataReport:
    """Return the data report of files without keeping a conversion. An event file is read as it stands."""
    if len(paths) == 1 and paths[0].is_file() and formats.format_of(paths[0])[0] == formats.EVENT_FILE:
        file = EventFile(paths[0])
        findings = Findings(paths, options.repairs)
        checks = Checks(findings)
        for rows in file.blocks(1 << 18):
            checks.take(rows)
        return report_of(file.header, findings, checks)
    with scratch_folder("data") as folder:
        return convert(paths, folder / "inspected.events", options)


def _copy(paths: list[Path], name: str, writer: EventWriter, checks: Checks) -> Header:
    """Take over event files or our Parquet, one after the other; they are of one instrument and grid."""
    headers: list[Header] = []
    for path in paths:
        header, blocks = parquet.read(path) if name == formats.PARQUET else _blocks_of(path)
        headers.append(header)
        for what in ("instrument", "tick_size", "lot_size"):
            if getattr(header, what) != getattr(headers[0], what):
                found, expected = getattr(header, what), getattr(headers[0], what)
                raise DataError(f"{path}: {what} is {found}, in {paths[0]} it is {expected}: keep them apart")
        for block in blocks:
            writer.write(checks.take(block))
    return headers[0]


def _blocks_of(path: Path) -> tuple[Header, Iterator[Events]]:
    file = EventFile(path)
    return file.header, (np.array(rows) for rows in file.blocks(1 << 18))


def _convert_raw(
    findings: Findings, name: str, kinds: list[str], options: Options, writer: EventWriter, checks: Checks
) -> Header:
    raw = merged(formats.raw_streams(findings, name, kinds))
    multiplier = 1.0
    if name == formats.RECORDING:
        told, multiplier = recordings.steps_of(findings)
        options = replace(
            options, steps=Steps(*(given or ours for given, ours in zip(options.steps, told, strict=True)))
        )
    first, steps = _sampled(raw, options.steps)
    has_order = name == formats.HFTBACKTEST
    orderer = OrderKept(findings) if has_order else Orderer(findings, options.horizon_ns)
    clock, orders = _Clock(findings), MarketOrders(findings)
    for rows in _chained(first, raw):
        if options.latency_ns:
            rows["local_time_ns"] += options.latency_ns
        clock.take(rows)
        events = on_grid(findings, rows, steps)
        writer.write(checks.take(orders.take(orderer.push(events, rows["source"]))))
    writer.write(checks.take(orders.take(orderer.end())))
    if not writer.rows:
        raise DataError(f"{findings.paths[0]}: no events found in {len(findings.paths)} files")
    shift_ns = clock.shift_ns()
    if shift_ns:
        writer.shift_local_times(shift_ns)
    return Header(
        instrument=findings.instrument or findings.paths[0].name.split(".")[0],
        tick_size=steps.tick_size,
        lot_size=steps.lot_size,
        contract_multiplier=multiplier,
        clock_shift_ns=shift_ns,
        sources=[path.name for path in findings.paths],
        repairs={str(repair): count for repair, count in findings.repaired.items()},
        begin_ns=checks.first_ns + shift_ns,
        end_ns=checks.last_ns + shift_ns,
    )


def _sampled(raw: Iterator[RawEvents], steps: Steps) -> tuple[list[RawEvents], Steps]:
    """Read on until there are rows enough to find the steps from; returns (what was read, steps)."""
    first: list[RawEvents] = []
    while sum(map(len, first)) < SAMPLE_ROWS_MIN:
        block = next(raw, None)
        if block is None:
            break
        first.append(block)
    if not sum(map(len, first)):
        raise DataError("no events found in the files given")
    return first, found_steps(np.concatenate(first), steps)


def _chained(first: list[RawEvents], rest: Iterator[RawEvents]) -> Iterator[RawEvents]:
    yield from first
    yield from rest


class _Clock:
    """Watches local − exchange time: a message can't arrive before it was sent."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._latency_ns_min = 2**62

    def take(self, rows: RawEvents) -> None:
        latencies = rows["local_time_ns"] - rows["exchange_time_ns"]
        if not len(rows):
            return
        i = int(np.argmin(latencies))
        smallest = int(latencies[i])
        if smallest < 0 and self._latency_ns_min >= 0:
            text = f"received {-smallest / 1e9:.6g} s before the exchange sent it: the local clock runs behind"
            self._findings.fault(Repair.CLOCK, int(rows["source"][i]), text)
        self._latency_ns_min = min(self._latency_ns_min, smallest)

    def shift_ns(self) -> int:
        return max(0, -self._latency_ns_min)
