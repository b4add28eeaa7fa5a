"""Tables of a run as Parquet, one file a table, with what ticks and lots are worth in the file's metadata.

fills.parquet    one row a fill: time, order, side, price, size, position after, rule, mids then and 1 to 60 s later
orders.parquet   one row an order: when it began and ended, prices, size, filled, why it ended
series.parquet   one row a second: the market's and our best prices, position, cash, fees, funding, equity
equity.parquet   one row a second: equity over all instruments

Prices and sizes are whole ticks and lots as the engine has them, times Unix ns; beside them stand prices in quote
currency, sizes in base units. A price that was not there is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backtest.data.findings import DataError
from backtest.engine.result import SERIES
from backtest.metrics.leg import FEE_UNIT, UNKNOWN_MID, Leg
from backtest.metrics.statistics import equity_over

FILLS_FILE = "fills.parquet"
ORDERS_FILE = "orders.parquet"
SERIES_FILE = "series.parquet"
EQUITY_FILE = "equity.parquet"


def write_tables(folder: Path, legs: Sequence[Leg]) -> list[Path]:
    """Write the four tables into a folder that exists; returns their paths."""
    arrow = pyarrow()
    parts: dict[str, list[Any]] = {FILLS_FILE: [], ORDERS_FILE: [], SERIES_FILE: []}
    for leg in legs:
        for name, rows in ((FILLS_FILE, leg.fills), (ORDERS_FILE, leg.orders), (SERIES_FILE, leg.series)):
            parts[name].append(arrow.table(_columns(leg, rows)))
    tables = {name: arrow.concat_tables(tables) for name, tables in parts.items()}
    times_ns, equity = equity_over(legs)
    tables[EQUITY_FILE] = arrow.table({"time_ns": times_ns, "equity_usd": equity})
    for name, table in tables.items():
        partial = folder / f"{name}.partial"
        arrow.parquet.write_table(table, partial, compression="zstd")
        partial.replace(folder / name)
    return [folder / name for name in tables]


def pyarrow() -> Any:
    """Return pyarrow with its Parquet part.

    Raises:
        DataError: where it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError('results need pyarrow: .venv/bin/pip install -e ".[backtest]"') from None
    return pyarrow


def _columns(leg: Leg, rows: npt.NDArray[np.void]) -> Mapping[str, Any]:
    arrow = pyarrow()
    columns: dict[str, Any] = {"instrument": arrow.array([leg.instrument] * len(rows)).dictionary_encode()}
    tick, lot, money = (float(value) for value in (leg.grid.tick_size, leg.grid.lot_base, leg.grid.money))
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        is_price = "_ticks" in name
        missing = np.isin(values, (0, UNKNOWN_MID)) if is_price else None
        columns[name] = arrow.array(values, mask=missing)
        if is_price:
            kind, _, rest = name.partition("_ticks")
            of_tick = 0.5 * tick if kind == "mid2" else tick
            columns[f"{kind.replace('mid2', 'mid')}{rest}_usd"] = arrow.array(values * of_tick, mask=missing)
        elif name.endswith("_lots"):
            columns[name.removesuffix("_lots") + "_base"] = values * lot
        elif name in ("fee", "fees", "funding"):
            columns[f"{name}_usd"] = values * (money * float(FEE_UNIT))
    if rows.dtype == SERIES:
        columns["equity_usd"] = leg.equity_usd()
    return columns
