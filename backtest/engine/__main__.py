"""python -m backtest.engine FILE… [--config FILE.toml]: run the strategy of a configuration over a recording."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec

from backtest.engine.arguments import add_arguments, conditions_of, options_of, recorded
from backtest.engine.run import backtest
from backtest.engine.summary import summarise
from domain.errors import ExitCode, UserError


def main(arguments: list[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m backtest.engine", description=(__doc__ or "").split(": ")[1])
    parser.add_argument("data", nargs="+", type=Path, help="an event file, or parts of one recording of any format")
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        conditions = conditions_of(given)
        with recorded(given.data, options_of(given)) as file:
            settings, notes = conditions.settings_for(file.header.instrument)
            found = summarise(backtest(file, settings))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    print(*(f"note: {note}\n" for note in notes), sep="", end="", file=sys.stderr)
    print(msgspec.json.encode(found).decode() if given.json else "\n".join(found.lines()))
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())
