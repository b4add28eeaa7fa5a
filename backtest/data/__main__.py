"""python -m backtest.data convert FILE… --output X.events | report FILE…"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec

from backtest.data.convert import Options, convert, inspect
from backtest.data.findings import REPAIRS, parse_repairs
from backtest.data.grid import Steps
from domain.errors import ExitCode, UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one of the two commands; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        options = Options(
            instrument=given.instrument,
            steps=Steps(given.tick, given.lot),
            repairs=parse_repairs(given.repair),
            latency_ns=round(given.latency_ms * 1e6),
            horizon_ns=round(given.horizon_s * 1e9),
        )
        started_s = time.perf_counter()
        if given.command == "convert":
            report = convert(given.files, given.output, options)
            took_s = time.perf_counter() - started_s
            print(f"{given.output}: {report.rows:,} rows in {took_s:.2f} s", file=sys.stderr)
        else:
            report = inspect(given.files, options)
        print(msgspec.json.encode(report).decode() if given.json else "\n".join(report.lines()))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.CLEAN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backtest.data", description="Recorded market data as events.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (("convert", "make an event file"), ("report", "say what files hold, keep nothing")):
        command = commands.add_parser(name, help=about, epilog=_repairs(), formatter_class=_Formatter)
        command.add_argument("files", nargs="+", type=Path, help="parts of one recording, in order")
        if name == "convert":
            command.add_argument("--output", "-o", type=Path, required=True, help="X.events or X.parquet")
        command.add_argument("--instrument", default="", help="the one to take, where there are several")
        command.add_argument("--tick", type=float, default=0.0, help="tick size; default: found from the data")
        command.add_argument("--lot", type=float, default=0.0, help="lot size; default: found from the data")
        command.add_argument("--repair", action="append", default=[], metavar="NAME[,NAME]", help="see below")
        command.add_argument("--latency-ms", type=float, default=0.0, help="added to every local time")
        command.add_argument("--horizon-s", type=float, default=5.0, help="how far messages overtake each other")
        command.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    pass


def _repairs() -> str:
    return "repairs:\n" + "\n".join(f"  {name:<11} {what}" for name, what in REPAIRS.items()) + "\n  all"


if __name__ == "__main__":
    sys.exit(main())
