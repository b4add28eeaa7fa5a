"""Correlation and β as risk measures them, read from the table `comovement`."""

from __future__ import annotations

import math

from actors.strategy.portfolio import load_if_changed
from domain.clock import NS_PER_S
from domain.records import COMOVEMENT
from shm.record import TableReader
from trading.hedging.comovement import pair_row

AGE_NS_MAX = 60 * NS_PER_S  # β moves slowly, but not for ever: without new returns it is not known any more

_UPDATED = COMOVEMENT.word("updated_time_ns")
_IS_WARM = COMOVEMENT.word("is_warm")
_BETA_A_ON_B = COMOVEMENT.word("beta_a_on_b")
_BETA_B_ON_A = COMOVEMENT.word("beta_b_on_a")


class Comovement:
    """Reader of the table of pairs."""

    def __init__(self, table: TableReader, instruments: int) -> None:
        self._table = table
        self._instruments = instruments

    def beta(self, row: int, on_row: int, now_ns: int) -> float:
        """Return the return of one instrument for one of another; NaN while it is not known, or not any more."""
        if row == on_row:
            return 1.0
        table = self._table
        if not load_if_changed(table, pair_row(min(row, on_row), max(row, on_row), self._instruments), 0):
            return math.nan
        if not table.ints[_IS_WARM] or now_ns - table.ints[_UPDATED] > AGE_NS_MAX:
            return math.nan
        return float(table.floats[_BETA_A_ON_B if row < on_row else _BETA_B_ON_A])
