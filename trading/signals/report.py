"""The evaluation of a run's signals, for people and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain.errors import UserError
from trading.signals.candle_log import CandleLine, read_candle_lines
from trading.signals.evaluation import Estimate, Row, evaluate
from trading.signals.records import DIRECTED

_HEADER = ("signal", "candles later", "n", "hit rate", "move with it, bps", "correlation", "speaks")


def read_run(run: Path) -> list[CandleLine]:
    """Return all candles of a run, of all its strategies.

    Args:
        run: folder of a run, or one log of candles.

    Raises:
        UserError: when there is nothing to read, or a line is no candle.
    """
    paths = sorted(run.glob("signals*.jsonl*"), key=_oldest_first) if run.is_dir() else [run]
    if not run.exists():
        raise UserError(f"{run}: no such run; runs/latest is the newest one")
    if not paths:
        raise UserError(
            f"{run}: no signals.jsonl: no candle has closed, or [strategy.signals] is_enabled was false in that run"
        )
    try:
        return [line for path in paths for line in read_candle_lines(path)]
    except ValueError as error:
        raise UserError(str(error)) from None


def _oldest_first(path: Path) -> tuple[str, int]:
    """Sort the files of each strategy by age: a full one was put away as `<name>.1`, that one as `<name>.2`, ..."""
    name, _, age = path.name.partition(".jsonl")
    return name, -int(age.removeprefix(".") or 0)


def report(lines: Sequence[CandleLine]) -> dict[str, Any]:
    """Return the evaluation as a JSON-able table; figures that cannot be told are null."""
    return {
        "candles": {name: sum(line.instrument == name for line in lines) for name in _instruments(lines)},
        "signals": [
            {
                "instrument": row.instrument,
                "signal": row.signal,
                "horizon_candles": row.horizon_candles,
                "n": row.n,
                "hit_rate": _json(row.hit_rate),
                "move_bps": _json(row.move_bps),
                "correlation": _json(row.correlation),
                "verdict": row.verdict,
            }
            for row in evaluate(lines)
        ],
    }


def report_lines(lines: Sequence[CandleLine]) -> list[str]:
    """Return the evaluation as lines of text: a table for each instrument."""
    rows = evaluate(lines)
    found: list[str] = []
    for name in _instruments(lines):
        own = [line for line in lines if line.instrument == name]
        hours = (own[-1].time - own[0].time) / 3.6e12
        found.append(f"{name}: {len(own)} candles in {hours:.2f} h; values with 95 % intervals")
        found += table([row for row in rows if row.instrument == name])
    found.append(
        "speaks: does the interval of the move (of volatility, adx and trade rate: of the correlation with its size) "
        "leave 0 out? A signal is worth acting on when its move is large beside half a spread and a fee."
    )
    return found


def table(rows: Sequence[Row]) -> list[str]:
    """Return rows of figures under each other."""
    cells = [_HEADER, *map(_cells, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADER))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _cells(row: Row) -> tuple[str, ...]:
    is_directed = row.signal in DIRECTED
    return (
        row.signal if is_directed else f"{row.signal} (size)",
        str(row.horizon_candles),
        str(row.n),
        _text(row.hit_rate, 100.0, " %", 1) if is_directed else "-",
        _text(row.move_bps, 1.0, "", 3) if is_directed else "-",
        _text(row.correlation, 1.0, "", 3),
        row.verdict,
    )


def _text(estimate: Estimate, factor: float, unit: str, digits: int) -> str:
    if math.isnan(estimate.value):
        return "too few"
    value, low, high = (f"{figure * factor:.{digits}f}" for figure in estimate)
    return f"{value}{unit} [{low}, {high}]"


def _json(estimate: Estimate) -> dict[str, float] | None:
    return None if math.isnan(estimate.value) else estimate._asdict()


def _instruments(lines: Sequence[CandleLine]) -> list[str]:
    return list(dict.fromkeys(line.instrument for line in lines))
