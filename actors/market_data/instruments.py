"""The instruments table: what the venue lists, and the grid that the session began with."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.stdlib import BoundLogger

from domain.grid import IN_FORCE, Off, grid_in, off_of
from domain.instrument import Instrument
from domain.records import INSTRUMENT
from shm.record import TableWriter

_IS_READY = INSTRUMENT.word("is_ready")
_OFF_REASON = INSTRUMENT.word("off_reason")


class InstrumentRows:
    """Writes one instrument a row: the first definition is the session's, another switches the instrument off."""

    def __init__(self, names: Sequence[str], table: TableWriter, log: BoundLogger) -> None:
        self._names = list(names)
        self._table = table
        self._log = log
        self._off: list[Off] = [IN_FORCE] * len(self._names)

    def is_known(self, row: int) -> bool:
        """Return whether the table has it, from this process or the one before."""
        return self._table.load_own(row)

    def take(self, row: int, instrument: Instrument | None) -> bool:
        """Take a definition of the venue, None = removed; return whether the instrument is in force.

        The row goes on telling the grid that the session began with.
        """
        table = self._table
        is_known = table.load_own(row)
        off = off_of(grid_in(table), instrument) if is_known else IN_FORCE
        was_off, self._off[row] = self._off[row], off
        if off is IN_FORCE:
            assert instrument is not None, f"{self._names[row]} was never listed"
            self._write(row, instrument)
            if was_off is not IN_FORCE:
                self._log.info("the instrument is as the session began with it again", instrument=instrument.name)
            return True
        table.ints[_IS_READY] = 0
        table.ints[_OFF_REASON] = off.reason
        table.publish(row)
        if off != was_off:
            self._log.error("instrument off: nothing is quoted in it", instrument=self._names[row], reason=off.text)
        return False

    def _write(self, row: int, instrument: Instrument) -> None:
        record = self._table.scratch[0]
        record["name"] = instrument.name.encode()
        record["underlying"] = instrument.underlying.encode()
        record["tick_size"] = float(instrument.tick_size)
        record["lot_size"] = float(instrument.lot_size)
        record["contract_multiplier"] = float(instrument.contract_multiplier)
        record["order_lots_min"] = instrument.order_lots_min
        record["kind"] = int(instrument.kind)
        record["expiry_ns"] = instrument.expiry_ns
        record["is_ready"] = 1
        record["off_reason"] = 0
        self._table.publish(row)
