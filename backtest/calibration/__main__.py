"""python -m backtest.calibration DATA… (also `./cli.py calibrate DATA…`)"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from domain import jit

os.environ.setdefault(jit.ENV_JIT, "1")  # before a kernel is imported

import msgspec

from backtest.calibration.calibrate import WINDOW_S, Settings, calibrate
from backtest.calibration.output import text_lines, toml_text, window_table
from backtest.data.convert import Options
from backtest.data.findings import REPAIRS, DataError, parse_repairs
from backtest.data.grid import Steps
from domain.errors import ExitCode, UserError
from runtime.arguments import Arguments
from runtime.config import load_config


def main(arguments: list[str] | None = None) -> int:
    """Calibrate and print; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        config = load_config(given.config) if given.config else None
        settings = Settings(
            order_size_base=None if given.order_size is None else _positive("--order-size", given.order_size),
            inventory_bound_base=_positive("--inventory-bound", given.inventory_bound),
            depth_step_ticks=given.depth_step_ticks,
            window_s=_positive("--window-s", given.window_s),
        )
        options = Options(
            instrument=given.instrument, steps=Steps(given.tick, given.lot), repairs=parse_repairs(given.repair)
        )
        if given.output is not None and not given.output.parent.is_dir():  # before minutes of work
            raise DataError(f"{given.output}: cannot be written: no folder {given.output.parent}")
        found = calibrate(given.data, options, settings, config)
        if given.output is not None:
            _write(given.output, toml_text(found))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    if given.json:
        print(msgspec.json.encode(found).decode())
        return int(ExitCode.CLEAN)
    print(*text_lines(found), sep="\n")
    if given.windows:
        print("", *window_table(found), sep="\n")
    if given.output is None:
        print("", toml_text(found), sep="\n", end="")
    else:
        print(f"\nwritten to {given.output}")
    return int(ExitCode.CLEAN)


def _positive(name: str, value: float) -> float:
    if not 0.0 <= value < float("inf"):
        raise DataError(f"{name} {value:g}: expected a number of 0 or more")
    return value


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None


def _parser() -> Arguments:
    repairs = "repairs: " + "; ".join(f"{name}: {what}" for name, what in REPAIRS.items())
    parser = Arguments(
        prog="./cli.py calibrate",
        description="Fit σ, A, κ and market impact to recorded market data and suggest γ.",
        epilog=repairs,
    )
    parser.add_argument("data", nargs="+", type=Path, help="parts of one recording, of any supported format")
    parser.add_argument(
        "--inventory-bound", type=float, default=0.0, metavar="BASE", help="wished bound of |position|, base units"
    )
    parser.add_argument("--order-size", type=float, metavar="BASE", help="Δ, base units; default: the configuration's")
    parser.add_argument(
        "--config", type=Path, help="take grid, interval, fees and floors from what it has for the instrument"
    )
    parser.add_argument("--depth-step-ticks", type=int, default=0, help="ticks between depths; default: chosen")
    parser.add_argument("--window-s", type=float, default=WINDOW_S, help="length of the windows of time, s")
    parser.add_argument("--windows", action="store_true", help="print the fits of every window too")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE.toml", help="write the configuration here")
    parser.add_argument("--instrument", default="", help="the one to take, where there are several")
    parser.add_argument("--tick", type=float, default=0.0, help="tick size; default: found from the data")
    parser.add_argument("--lot", type=float, default=0.0, help="lot size; default: found from the data")
    parser.add_argument("--repair", action="append", default=[], metavar="NAME[,NAME]", help="see below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
