"""Whether execution counts in the same ticks and lots as everybody else: only then an instrument is quoted.

Three must agree: the grid that this process began with, the session's in the instruments table, and the venue's
own, which execution asks for over its own connection with every recovery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from actors.execution.desk import Desk
from actors.execution.ports import Log
from domain.grid import IN_FORCE, Off, grid_in, grid_of, instrument_in, off_in, off_of
from domain.instrument import Instrument
from shm.errors import RecordBusyError
from shm.record import TableReader

NOT_CONFIRMED = "market_data has not confirmed the instrument yet"


class Grids:
    """Holds each desk (`Desk.held_by`) until everybody agrees on its instrument."""

    def __init__(self, table: TableReader, desks: Sequence[Desk], log: Log) -> None:
        self._table = table
        self._desks = desks
        self._log = log
        self._seen = [0] * len(desks)
        self._told = [IN_FORCE] * len(desks)  # what market_data says
        self._found = [IN_FORCE] * len(desks)  # what the venue tells ourselves
        for desk in desks:
            desk.held_by = NOT_CONFIRMED

    def look(self, desk: Desk) -> None:
        """Take over what changed in the instruments table."""
        row = desk.row
        sequence = self._table.sequence(row)
        if sequence == self._seen[row] or sequence & 1:
            return
        try:
            self._seen[row] = self._table.load(row)
        except RecordBusyError:
            return
        grid = grid_in(self._table)
        told = off_in(self._table)
        # Ours can differ when this process began with another definition than the session.
        self._told[row] = off_of(grid, desk.instrument) if told is IN_FORCE else told
        self._judge(desk)

    def take_listed(self, listed: Mapping[str, Instrument]) -> None:
        """Compare with what the venue lists now."""
        for desk in self._desks:
            self._found[desk.row] = off_of(grid_of(desk.instrument), listed.get(desk.name))
            if self._seen[desk.row]:
                self._judge(desk)

    def _judge(self, desk: Desk) -> None:
        off: Off = max(self._told[desk.row], self._found[desk.row])
        if off.text == desk.held_by:
            return
        desk.held_by = off.text
        desk.is_dirty = True
        if off.text:
            self._log.error("instrument off: its orders are cancelled", instrument=desk.name, reason=off.text)


def instruments_of_session(table: TableReader, names: Iterable[str]) -> dict[str, Instrument]:
    """Return the instruments that the table tells; those of rows never written are missing."""
    found = {}
    for row, name in enumerate(names):
        try:
            if table.load(row):
                found[name] = instrument_in(name, table)
        except RecordBusyError:
            continue
    return found
