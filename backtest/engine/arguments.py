"""What is run, from the arguments of a command: data, configuration, latency, queue model, fees."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from backtest.data.container import EventFile, read_header
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, parse_repairs
from backtest.data.formats import EVENT_FILE, RECORDING, format_of
from backtest.data.recordings import files_of_runs, instrument_recorded
from backtest.engine.run import Settings
from backtest.engine.venue import Latency, VenueSettings
from backtest.live import measured_ways
from backtest.scratch import scratch_folder
from fills.queue import POWER, QueueModel
from runtime.config import Config, load_config
from runtime.instrument_strategy import strategy_for

_MS_MAX = 60_000.0
_BOUNDS = {
    "entry_ms": (0.0, _MS_MAX),
    "answer_ms": (0.0, _MS_MAX),
    "step_ms": (0.0, _MS_MAX),
    "funding_rate_8h": (-1.0, 1.0),
    "funding_interval_h": (0.0, 24.0),
    "balance_usd": (0.0, math.inf),
    "maintenance_margin": (0.0, 1.0),
    "messages_per_s": (0, 100_000),
    "messages_burst": (1, 100_000),
    "cancels_per_s": (0, 100_000),
}


@contextmanager
def recorded(paths: Sequence[Path], options: Options) -> Iterator[EventFile]:
    """Give the event file that `paths`, a run's folder or parts of one recording, are or become for a while.

    Raises:
        DataError: when they cannot be read, or have a fault that `options` do not repair.
    """
    paths = files_of_runs(paths)
    if len(paths) == 1 and format_of(paths[0])[0] == EVENT_FILE:
        yield EventFile(paths[0])
        return
    with scratch_folder("backtest") as folder:
        output = folder / "converted.events"
        try:
            convert(list(paths), output, options)
            yield EventFile(output)
        except DataError as error:  # nobody knows the file that it became
            raise DataError(str(error).replace(str(output), ", ".join(map(str, paths)))) from None


def instrument_of(paths: Sequence[Path], options: Options) -> str:
    """Return the instrument of what `recorded` gives, without a conversion; empty when that alone would tell.

    Raises:
        DataError: when they cannot be read.
    """
    first = files_of_runs(paths)[0]
    kind = format_of(first)[0]
    if kind == EVENT_FILE:
        return read_header(first).instrument
    if kind == RECORDING:
        return instrument_recorded(first, options.instrument)
    return ""


def options_of(given: argparse.Namespace) -> Options:
    """Return how the data is read."""
    return Options(instrument=given.instrument, repairs=parse_repairs(given.repair))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the arguments of a command ask for, whatever instrument is played.

    Attributes:
        config: the configuration, if one was given.
        settings: of an instrument of which it says nothing.
        is_fee_given: the maker fee is the command's, not the strategy's.
    """

    config: Config | None
    settings: Settings
    is_fee_given: bool

    def settings_for(self, instrument: str, beside: Sequence[str] = ()) -> tuple[Settings, list[str]]:
        """Return what is run of an instrument, and what the reader has to know of it.

        Args:
            beside: instruments that are played together with it.
        """
        if self.config is None:
            return self.settings, []
        found = strategy_for(self.config, instrument, beside)
        venue = self.settings.venue
        if not self.is_fee_given:
            venue = replace(venue, maker_fee_bps=found.quoting.fee_maker_bps)
        return replace(self.settings, quoting=found.quoting, venue=venue), [found.note] if found.note else []


def conditions_of(given: argparse.Namespace) -> Conditions:
    """Return what the arguments ask for.

    Raises:
        UserError: for a configuration or a number that cannot be run.
    """
    usual = Settings()
    config = load_config(given.config) if given.config else None
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(given, name) <= high:
            unit = "ms " if name.endswith("_ms") else ""
            raise DataError(
                f"--{name.replace('_', '-')} {getattr(given, name):g}: expected {unit}from {low:,g} to {high:,g}"
            )
    quoting = config.strategy if config else usual.quoting
    settings = Settings(
        quoting=quoting,
        execution=config.execution if config else usual.execution,
        venue=VenueSettings(
            latency=_latency(given),
            queue_model=QueueModel[given.queue.upper()],
            queue_power=given.queue_power,
            maker_fee_bps=quoting.fee_maker_bps if given.maker_fee_bps is None else given.maker_fee_bps,
            taker_fee_bps=given.taker_fee_bps,
            funding_rate_8h=given.funding_rate_8h,
            funding_interval_s=given.funding_interval_h * 3600.0,
            balance_usd=given.balance_usd,
            maintenance_margin=given.maintenance_margin,
            messages_per_s=given.messages_per_s,
            messages_burst=given.messages_burst,
            cancels_per_s=given.cancels_per_s,
        ),
        step_ms=given.step_ms,
        position_max_base=config.risk.position_max_base if config else usual.position_max_base,
    )
    return Conditions(config, settings, given.maker_fee_bps is not None)


def _latency(given: argparse.Namespace) -> Latency:
    if given.latency_from is None:
        return Latency.constant(round(given.entry_ms * 1e6), round(given.answer_ms * 1e6))
    ways = measured_ways(given.latency_from)
    return Latency.sampled(ways.entry_ns.tolist(), ways.answer_ns.tolist())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take what `conditions_of` and `options_of` read."""
    parser.add_argument("--config", type=Path, help="what it has for the instrument is run; default: the defaults")
    parser.add_argument("--step-ms", type=float, default=0.0, help="decide so often; 0 = at every message of the feed")
    parser.add_argument("--entry-ms", type=float, default=5.0, help="latency to the exchange")
    parser.add_argument("--answer-ms", type=float, default=5.0, help="latency back to us")
    parser.add_argument(
        "--latency-from", type=Path, metavar="RUN", help="draw latencies from those of a recorded session instead"
    )
    queues = [model.name.lower() for model in QueueModel]
    parser.add_argument("--queue", choices=queues, default="power1", help="queue model, see docs/backtest.md")
    parser.add_argument("--queue-power", type=float, default=POWER, help="its exponent")
    parser.add_argument("--maker-fee-bps", type=float, help="default: fee_maker_bps of the strategy")
    parser.add_argument("--taker-fee-bps", type=float, default=5.0)
    parser.add_argument("--funding-rate-8h", type=float, default=0.0, help="part of the notional that longs pay in 8 h")
    parser.add_argument("--funding-interval-h", type=float, default=0.0, help="paid at its multiples; 0 = continuously")
    parser.add_argument("--balance-usd", type=float, default=math.inf, help="what the account begins with")
    parser.add_argument(
        "--maintenance-margin", type=float, default=0.0, help="part of the notional that it must be worth; 0 = no stop"
    )
    parser.add_argument(
        "--messages-per-s", type=int, default=0, help="inserts and amends that the venue takes; 0 = any"
    )
    parser.add_argument("--messages-burst", type=int, default=50, help="so many of them at once")
    parser.add_argument("--cancels-per-s", type=int, default=0, help="cancels the venue takes; 0 = any")
    parser.add_argument("--instrument", default="", help="the one to take, where there are several")
    parser.add_argument("--repair", action="append", default=[], metavar="NAME[,NAME]", help="see docs/data.md")
