"""python -m backtest.engine FILE… [--config FILE.toml]: run the strategy of a configuration over a recording."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec

from backtest.data.container import EventFile
from backtest.data.convert import Options, convert
from backtest.data.findings import DataError, parse_repairs
from backtest.data.formats import EVENT_FILE, format_of
from backtest.engine.run import Settings, backtest
from backtest.engine.summary import Summary, summarise
from backtest.engine.venue import Latency, VenueSettings
from domain.errors import ExitCode, UserError
from fills.queue import POWER, QueueModel
from runtime.config import load_config


def main(arguments: list[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = _settings(given)
        options = Options(instrument=given.instrument, repairs=parse_repairs(given.repair))
        found = _run(given.data, options, settings)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    print(msgspec.json.encode(found).decode() if given.json else "\n".join(found.lines()))
    return int(ExitCode.CLEAN)


def _run(paths: list[Path], options: Options, settings: Settings) -> Summary:
    if len(paths) == 1 and format_of(paths[0])[0] == EVENT_FILE:
        return summarise(backtest(EventFile(paths[0]), settings))
    with tempfile.TemporaryDirectory(prefix="ringmaker-backtest-") as folder:
        output = Path(folder) / "converted.events"
        convert(paths, output, options)
        return summarise(backtest(EventFile(output), settings))


def _settings(given: argparse.Namespace) -> Settings:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backtest.engine", description=(__doc__ or "").split(": ")[1])
    parser.add_argument("data", nargs="+", type=Path, help="an event file, or parts of one recording of any format")
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
