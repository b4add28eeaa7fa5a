"""Several recordings played together, one for each instrument: what `./cli.py backtest --together` does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backtest.data.container import EventFile
from backtest.data.convert import Options
from backtest.data.findings import DataError, Repair
from backtest.engine.arguments import Conditions, recorded
from backtest.engine.result import RunResult
from backtest.engine.run import Settings
from backtest.engine.together import Account, Leg, backtest_together
from backtest.metrics import leg as metrics
from backtest.metrics.facts import Facts, facts_of, rules_of
from backtest.play import COUNTED, latencies
from runtime.config import Config


class Source(NamedTuple):
    """Where one instrument is read: its name, empty = the only one of the files, and the parts of its recording."""

    instrument: str
    paths: list[Path]


def source_of(text: str) -> Source:
    """Return what `[INSTRUMENT=]DATA[,DATA]` says."""
    instrument, equals, parts = text.rpartition("=")
    if equals and Path(text).exists():
        instrument, parts = "", text
    return Source(instrument, [Path(part) for part in parts.split(",")])


@contextmanager
def recorded_together(sources: Sequence[Source], options: Options) -> Iterator[list[EventFile]]:
    """Give one event file for each source, for a while.

    Raises:
        DataError: for a fault of the data, when two of them are of one instrument, or when they are of other times.
    """
    with ExitStack() as stack:
        files: list[EventFile] = []
        for source in sources:
            chosen = replace(options, instrument=source.instrument) if source.instrument else options
            file = stack.enter_context(recorded(source.paths, chosen))
            name = file.header.instrument
            if source.instrument and name.lower() != source.instrument.lower():
                raise DataError(f"{source.paths[0]}: holds {name}, expected {source.instrument}")
            if name in (other.header.instrument for other in files):
                raise DataError(f"{source.paths[0]}: {name} is given twice: join its parts by commas")
            files.append(file)
        _check_overlap(sources, files)
        yield files


def _check_overlap(sources: Sequence[Source], files: Sequence[EventFile]) -> None:
    """Refuse recordings of other times: one clock would run through all that lies between them."""
    places = range(len(files))
    late = max(places, key=lambda place: files[place].header.begin_ns)
    early = min(places, key=lambda place: files[place].header.end_ns)
    begin_s, end_s = files[late].header.begin_ns / 1e9, files[early].header.end_ns / 1e9
    if 0.0 < end_s <= begin_s:
        raise DataError(
            f"{sources[late].paths[0]}: begins at {begin_s:.0f} s Unix time, {sources[early].paths[0]} ends "
            f"at {end_s:.0f} s: expected recordings of one time"
        )


def play_together(
    files: Sequence[EventFile], conditions: Conditions
) -> tuple[tuple[RunResult, ...], list[metrics.Leg], list[str]]:
    """Run all instruments on one clock and one account; each has the strategy that the configuration has for it.

    Returns (what came out, with the market around it, what the reader has to know of the settings).
    """
    names = [file.header.instrument for file in files]
    legs, notes = [], []
    for file in files:
        settings, its_notes = conditions.settings_for(file.header.instrument, names)
        legs.append(Leg(file, settings))
        notes += its_notes
    results = backtest_together(legs, _account(conditions.settings, conditions.config))
    return results, [metrics.leg_of_result(file, result) for file, result in zip(files, results, strict=True)], notes


def _account(settings: Settings, config: Config | None) -> Account:
    """Return the account that all share: the exchange's margin, and risk's limits."""
    account = Account(balance_usd=settings.venue.balance_usd, maintenance_margin=settings.venue.maintenance_margin)
    if config is None:
        return account
    risk = config.risk
    return replace(
        account, gross_notional_max_usd=risk.gross_notional_max_usd, net_notional_max_usd=risk.net_notional_max_usd
    )


def facts_together(
    files: Sequence[EventFile], results: Sequence[RunResult], legs: Sequence[metrics.Leg], *, data: Sequence[Path],
    config: Path | None, repairs: Iterable[Repair], notes: Sequence[str] = (),
) -> Facts:  # fmt: skip
    """Return all that is known of a run of several instruments but its tables."""
    parameters: dict[str, Any] = {result.instrument: result.parameters for result in results}
    hashes = "".join(result.fills_hash for result in results)
    return facts_of(
        legs,
        kind="backtest",
        data=[path.name for path in data],
        config=str(config or ""),
        notes=[
            *notes,
            *(
                f"{file.header.instrument}: the recording was repaired: {name} ({count:,})"
                for file in files
                for name, count in file.header.repairs.items()
                if count
            ),
        ],
        counts={name: int(np.sum([result.run[name][0] for result in results])) for name in COUNTED},
        fill_rules=rules_of(legs),
        latency_us=latencies(files, results),
        parameters=parameters,
        fills_hash=hashlib.sha256(hashes.encode()).hexdigest()[:16],
        repairs=sorted(repairs),
    )
