"""The tables of a run folder, read back and thinned out to what a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backtest.data.findings import DataError
from backtest.metrics.tables import EQUITY_FILE, FILLS_FILE, SERIES_FILE, pyarrow

POINTS_MAX = 3000  # of one line
FILLS_MAX = 4000

Columns = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of one instrument: columns by name, times in Unix ms, nulls as NaN.

    Attributes:
        fills_left_out: fills that were too many to be drawn.
    """

    instrument: str
    series: Columns
    fills: Columns
    all_fills: Columns
    fills_left_out: int


def read_shown(folder: Path) -> tuple[list[Shown], Columns]:
    """Return (what is shown of every instrument, equity over all of them).

    Raises:
        DataError: when the folder does not hold the tables of a run.
    """
    arrow = pyarrow()
    tables = {}
    for name in (SERIES_FILE, FILLS_FILE, EQUITY_FILE):
        try:
            tables[name] = arrow.parquet.read_table(folder / name)
        except (OSError, arrow.ArrowInvalid) as error:
            raise DataError(f"{folder / name}: not the table of a run ({error})") from None
    names = tables[SERIES_FILE]["instrument"].unique().to_pylist()
    shown = []
    for name in names:
        series, fills = (_columns(tables[table], name) for table in (SERIES_FILE, FILLS_FILE))
        kept = _every(len(fills["time_ms"]), FILLS_MAX)
        shown.append(
            Shown(
                instrument=name,
                series=_picked(series, thinned(series["equity_usd"], POINTS_MAX)),
                fills=_picked(fills, kept),
                all_fills=fills,
                fills_left_out=len(fills["time_ms"]) - len(kept),
            )
        )
    equity = _columns(tables[EQUITY_FILE], None)
    return shown, _picked(equity, thinned(equity["equity_usd"], POINTS_MAX))


def thinned(values: npt.NDArray[np.float64], points_max: int) -> npt.NDArray[np.intp]:
    """Return places of at most so many values: ends, and the lowest and highest of every stretch between."""
    count = len(values)
    if count <= points_max:
        return np.arange(count)
    stretches = np.array_split(np.arange(count), (points_max - 2) // 2)
    kept = {0, count - 1}
    for stretch in stretches:
        part = values[stretch]
        kept.add(int(stretch[np.argmin(part)]))
        kept.add(int(stretch[np.argmax(part)]))
    return np.array(sorted(kept), np.intp)


def _every(count: int, most: int) -> npt.NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp)) if count else np.zeros(0, np.intp)


def _picked(columns: Columns, places: npt.NDArray[np.intp]) -> Columns:
    return {name: values[places] for name, values in columns.items()}


def _columns(table: Any, instrument: str | None) -> Columns:
    arrow = pyarrow()
    if instrument is not None:
        is_its = [name == instrument for name in table["instrument"].to_pylist()]
        table = table.filter(arrow.array(is_its, arrow.bool_()))
    columns: Columns = {}
    for name in table.column_names:
        if name.endswith("time_ns"):
            columns[f"{name.removesuffix('_ns')}_ms"] = table[name].to_numpy() / 1e6
        elif name != "instrument":
            columns[name] = table[name].cast(arrow.float64(), safe=False).to_numpy()
    return columns
