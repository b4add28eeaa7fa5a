"""cli.py score RUN: play a recorded session's own orders again, and compare the fills with what happened."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from backtest.data.findings import DataError
from backtest.scoring.agreement import Agreement
from backtest.scoring.score import Score, instruments_of, score
from domain.errors import ExitCode, UserError
from fills.queue import POWER
from runtime import paths
from runtime.arguments import Arguments

_HEAD = (
    "queue model", "fills", "volume / live", "agreement", "found", "right", "later, ms", "markout 1 s, bps",
    "markout 5 s, bps",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Score and print; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        given.run = paths.find_run(given.run)
        names = [given.instrument] if given.instrument else instruments_of(given.run)
        if not names:
            raise DataError(f"{given.run}: the session had no order")
        scores = [score(given.run, name, given.queue_power) for name in names]
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    if given.json:
        print(msgspec.json.encode(scores).decode())
        return int(ExitCode.CLEAN)
    for one in scores:
        print("\n".join(markdown(one) if given.markdown else lines(one)))
    return int(ExitCode.CLEAN)


def lines(one: Score) -> list[str]:
    """Return a score as lines of text."""
    table = [_HEAD, *_rows(one)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    return [_title(one), *("  " + "  ".join(_padded(row, widths)) for row in table)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def markdown(one: Score) -> list[str]:
    """Return a score as it stands in docs/backtest.md."""
    rows = [f"| {' | '.join(row)} |" for row in _rows(one)]
    return [_title(one), "", f"| {' | '.join(_HEAD)} |", "|" + "---|" * len(_HEAD), *rows]


def _title(one: Score) -> str:
    live = next(iter(one.by_model.values()))
    return (
        f"{one.instrument}, {one.seconds:,.0f} s: {live.live_fills:,} live fills, volume {live.live_volume:,.4g}; "
        f"ways measured: {one.entry_ms:.2f} ms there, {one.answer_ms:.2f} ms back."
    )


def _rows(one: Score) -> list[tuple[str, ...]]:
    rows = [_row(name, agreement) for name, agreement in one.by_model.items()]
    return rows + ([_row("strategy run anew", one.strategy)] if one.strategy else [])


def _row(name: str, told: Agreement) -> tuple[str, ...]:
    markouts = told.markout_difference_bps
    return (
        name,
        f"{told.simulated_fills:,}",
        _number(told.volume_ratio, ".2f"),
        *(_number(value, ".0%") for value in (told.agreement, told.found, told.right)),
        _number(told.delay_ms, "+.0f"),
        *(_number(markouts[after], "+.3f") for after in ("1s", "5s")),
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _parser() -> Arguments:
    parser = Arguments(prog="cli.py score", description=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("run", type=Path, help="folder of a recorded session")
    parser.add_argument("--instrument", default="", help="only this one")
    parser.add_argument("--queue-power", type=float, default=POWER, help="exponent of the power models")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/backtest.md")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
