"""Publishes profit and loss: a row an instrument, and the account's in the risk row, from the same moment.

Exact amounts are text, as the ledger has them: summed over instruments they are the account's, to the last digit, and
realised + unrealised - fees + funding is the total. The floats beside them are for display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from domain.records import PNL, TEXT_BYTES
from runtime.actor import ActorContext
from shm.record import TableWriter
from trading.ledger_line import Pnl

_INSTRUMENT = PNL.word("instrument")
_WRITTEN = PNL.word("written_time_ns")
_IS_KNOWN = PNL.word("is_known")


class PnlTable:
    """The one writer of the table `pnl`."""

    def __init__(self, ctx: ActorContext) -> None:
        self._table = ctx.table_writer("pnl")
        self._names = ctx.instrument_names

    def publish(self, by_instrument: Mapping[str, Pnl | None], now_ns: int) -> None:
        """Write every instrument's row; one whose mark is missing is not known."""
        table = self._table
        for row, name in enumerate(self._names):
            pnl = by_instrument.get(name)
            table.ints[_INSTRUMENT] = row
            table.ints[_WRITTEN] = now_ns
            table.ints[_IS_KNOWN] = pnl is not None
            for field in Pnl._fields:
                table.floats[PNL.word(field)] = math.nan if pnl is None else float(getattr(pnl, field))
            write_exact(table, pnl)
            table.publish(row)


def write_exact(table: TableWriter, pnl: Pnl | None) -> None:
    """Write the amounts as text into the fields `*_exact` of a row; empty where they are not known."""
    scratch = table.scratch
    for field in Pnl._fields:
        text = b"" if pnl is None else f"{getattr(pnl, field):f}".encode()
        assert len(text) <= TEXT_BYTES, f"{field} {text!r} has more than {TEXT_BYTES} digits"
        scratch[f"{field}_exact"] = text
