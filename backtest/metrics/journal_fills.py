"""Fills of a live session from the journal of execution, for a session that was not recorded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.data.container import EventFile, EventWriter, Header
from backtest.data.events import EVENT
from backtest.data.findings import DataError
from backtest.engine.records import ANSWER
from backtest.metrics.leg import FEE_UNIT
from domain.codes import OrderEventKind
from domain.order import Side
from domain.reports import FillKey
from runtime.paths import JOURNAL_FILE

_READER = "actors.execution.read_journal"  # of a layer above: its own program prints the journal
_TORN = 1  # its exit code when it printed what came before the damage
Entry = dict[str, Any]


def journal_fills(run: Path, folder: Path) -> dict[str, tuple[EventFile, npt.NDArray[np.void]]]:
    """Return, by instrument, (a recording without rows on the grid of the fills, the fills as ANSWER rows).

    Args:
        folder: where the empty recordings are written.

    Raises:
        DataError: when there is no journal, or it cannot be read.
    """
    entries = _entries(run)
    fees = {_key(entry): Decimal(entry["fee"]) for entry in entries if entry["entry"] == "charged"}
    filled = [entry for entry in entries if entry["entry"] == "filled"]
    found = {}
    for number, name in enumerate(sorted({entry["instrument"] for entry in filled})):
        its = [entry for entry in filled if entry["instrument"] == name]
        tick, lot = (_step([Decimal(entry[key]) for entry in its]) for key in ("price", "size"))
        path = folder / f"{number}.events"
        with EventWriter(path) as writer:
            writer.write(np.zeros(0, EVENT))
            writer.finish(Header(instrument=name, tick_size=float(tick), lot_size=float(lot)))
        found[name] = EventFile(path), _answers(its, fees, tick, lot)
    return found


def _entries(run: Path) -> list[Entry]:
    path = run / JOURNAL_FILE
    if not path.exists():
        raise DataError(f"{run}: neither audit.sqlite with recordings nor {JOURNAL_FILE}: not the folder of a run")
    read = subprocess.run([sys.executable, "-m", _READER, str(path)], capture_output=True, check=False)
    if read.returncode not in (0, _TORN):
        raise DataError(read.stderr.decode(errors="replace").strip())
    return [msgspec.json.decode(line) for line in read.stdout.splitlines()]


def _key(entry: Entry) -> FillKey:
    return entry["trade_id"], entry["venue_order_id"], entry["leg_index"]


def _step(values: Sequence[Decimal]) -> Decimal:
    """Return the largest power of ten of which all values are multiples: the grid itself is not in the journal."""
    return Decimal(1).scaleb(min(int(value.normalize().as_tuple().exponent) for value in values))


def _answers(
    fills: Sequence[Entry], fees: dict[FillKey, Decimal], tick: Decimal, lot: Decimal
) -> npt.NDArray[np.void]:  # fmt: skip
    rows = np.zeros(len(fills), ANSWER)
    position = 0
    for row, entry in zip(rows, fills, strict=True):
        side, lots = Side[entry["side"].upper()], round(Decimal(entry["size"]) / lot)
        position += side * lots
        row["exchange_time_ns"] = entry["exchange_time_ns"] or entry["realtime_ns"]
        row["local_time_ns"] = entry["realtime_ns"]
        row["kind"], row["order_id"], row["side"] = OrderEventKind.FILLED, entry["client_order_id"], side
        row["price_ticks"], row["size_lots"] = round(Decimal(entry["price"]) / tick), lots
        row["remaining_lots"], row["position_lots"] = int(entry["is_live"]), position
        row["fee"] = round(fees.get(_key(entry), Decimal(0)) / (tick * lot) / FEE_UNIT)
    return rows
