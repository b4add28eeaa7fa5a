"""Publishes profit and loss: a row an instrument, and the account's in the risk row, from the same moment.

Exact amounts are text, as the ledger has them: summed over instruments they are the account's, to the last digit, and
realised + unrealised - fees + funding is the total, but for amounts of more digits than a field holds (`exact_text`).
The floats beside them are for display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from domain.records import PNL, TEXT_BYTES
from runtime.actor import ActorContext
from shm.record import TableWriter
from trading.ledger_line import Pnl

_INSTRUMENT = PNL.word("instrument")
_WRITTEN = PNL.word("written_time_ns")
_IS_KNOWN = PNL.word("is_known")
DECIMALS_KEPT = 18


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
        scratch[f"{field}_exact"] = b"" if pnl is None else exact_text(getattr(pnl, field))


def exact_text(amount: Decimal) -> bytes:
    """Return an amount as the field holds it: to the last digit, unless the venue's own has too many (the remainder of
    a sum in binary: -1.0587911840678754e-22); of those the 18th decimal is the last. Empty if it is absurd even so."""
    text = f"{amount:f}".encode()
    if len(text) > TEXT_BYTES:
        text = f"{amount:.{DECIMALS_KEPT}f}".encode()
    return text if len(text) <= TEXT_BYTES else b""
