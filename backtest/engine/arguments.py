"""What is run, from the arguments of a command: data, configuration, latency, queue model, fees."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, parse_repairs
from backtest.data.formats import EVENT_FILE, format_of
from backtest.engine.run import Settings
from backtest.engine.venue import Latency, VenueSettings
from fills.queue import POWER, QueueModel
from runtime.config import load_config


@contextmanager
def recorded(paths: Sequence[Path], options: Options) -> Iterator[EventFile]:
    """Give the event file that `paths`, the parts of one recording of any format, are or become for a while.

    Raises:
        DataError: when they cannot be read, or have a fault that `options` do not repair.
    """
    if len(paths) == 1 and format_of(paths[0])[0] == EVENT_FILE:
        yield EventFile(paths[0])
        return
    with tempfile.TemporaryDirectory(prefix="ringmaker-backtest-") as folder:
        output = Path(folder) / "converted.events"
        convert(list(paths), output, options)
        yield EventFile(output)


def options_of(given: argparse.Namespace) -> Options:
    """Return how the data is read."""
    return Options(instrument=given.instrument, repairs=parse_repairs(given.repair))


def settings_of(given: argparse.Namespace) -> Settings:
    """Return what is run.

    Raises:
        UserError: for a configuration or a number that cannot be run.
    """
    usual = Settings()
    config = load_config(given.config) if given.config else None
    for name in ("entry_ms", "answer_ms", "step_ms"):
        if not 0.0 <= getattr(given, name) < 60_000.0:
            raise DataError(f"--{name.replace('_', '-')} {getattr(given, name):g}: expected ms from 0 to 60,000")
    quoting = config.strategy if config else usual.quoting
    return Settings(
        quoting=quoting,
        execution=config.execution if config else usual.execution,
        venue=VenueSettings(
            latency=Latency.constant(round(given.entry_ms * 1e6), round(given.answer_ms * 1e6)),
            queue_model=QueueModel[given.queue.upper()],
            queue_power=given.queue_power,
            maker_fee_bps=quoting.fee_maker_bps if given.maker_fee_bps is None else given.maker_fee_bps,
            taker_fee_bps=given.taker_fee_bps,
        ),
        step_ms=given.step_ms,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take what `settings_of` and `options_of` read."""
    parser.add_argument("--config", type=Path, help="its [strategy] and [execution] are run; default: the defaults")
    parser.add_argument("--step-ms", type=float, default=0.0, help="decide so often; 0 = at every message of the feed")
    parser.add_argument("--entry-ms", type=float, default=5.0, help="latency to the exchange")
    parser.add_argument("--answer-ms", type=float, default=5.0, help="latency back to us")
    queues = [model.name.lower() for model in QueueModel]
    parser.add_argument("--queue", choices=queues, default="power1", help="queue model, see docs/backtest.md")
    parser.add_argument("--queue-power", type=float, default=POWER, help="its exponent")
    parser.add_argument("--maker-fee-bps", type=float, help="default: fee_maker_bps of the strategy")
    parser.add_argument("--taker-fee-bps", type=float, default=5.0)
    parser.add_argument("--instrument", default="", help="the one to take, where there are several")
    parser.add_argument("--repair", action="append", default=[], metavar="NAME[,NAME]", help="see docs/data.md")
