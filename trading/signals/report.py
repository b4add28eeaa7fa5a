"""The evaluation of a run's signals, for people and as JSON."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from domain.errors import UserError
from trading.signals.candle_log import CandleLine, read_candle_lines
from trading.signals.evaluation import Estimate, Row, evaluate
from trading.signals.records import DIRECTED

_LOG_NAME = re.compile(r"(signals.*\.jsonl)(?:\.(\d+))?")
_HEADER = ("signal", "candles later", "n", "hit rate", "move with it, bps", "correlation", "speaks")


def read_run(run: Path) -> list[CandleLine]:
    """Return all candles of a run, of all its strategies.

    Args:
        run: folder of a run, or one log of candles.

    Raises:
        UserError: when there is nothing to read, or a line is no candle.
    """
    if not run.exists():
        raise UserError(f"{run}: no such run; runs/latest is the newest one")
    with contextlib.ExitStack() as opened:
        files = _open_logs(run, opened) if run.is_dir() else [opened.enter_context(run.open("rb"))]
        if not files:
            raise UserError(
                f"{run}: no signals.jsonl: no candle has closed, or [strategy.signals] is_enabled was false in that run"
            )
        try:
            return [line for file in files for line in read_candle_lines(Path(file.name), file.read())]
        except ValueError as error:
            raise UserError(str(error)) from None


def _open_logs(run: Path, opened: contextlib.ExitStack) -> list[BinaryIO]:
    """Open the files of each strategy and return them, oldest first: a full one became `<name>.1`, that one `<name>.2`.

    They are opened from the youngest up before any is read: one that moves on meanwhile is met twice, none is missed.
    """
    logs: dict[str, set[int]] = {}
    for path in run.iterdir():
        if found := _LOG_NAME.fullmatch(path.name):
            age = int(found[2] or 0)
            logs.setdefault(found[1], set()).update((age, age + 1))  # it may move
    files: list[BinaryIO] = []
    for name, ages in sorted(logs.items()):
        own: dict[tuple[int, int], BinaryIO] = {}
        for age in sorted(ages):
            with contextlib.suppress(FileNotFoundError):
                file = opened.enter_context((run / (f"{name}.{age}" if age else name)).open("rb"))
                status = os.fstat(file.fileno())
                own.setdefault((status.st_dev, status.st_ino), file)
        files += reversed(own.values())
    return files


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
