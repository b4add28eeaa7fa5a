"""The grid of an instrument, tick and lot size, on which every process of a session must agree.

The first definition that market_data writes into the instruments table is the session's, and stays: prices in
ticks and sizes in lots mean nothing else until the session ends. A venue that says something else switches the
instrument off; no process takes a new grid while others still count in the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from domain.codes import OffReason
from domain.instrument import Instrument, InstrumentKind
from domain.records import INSTRUMENT

_TICK_SIZE = INSTRUMENT.word("tick_size")
_LOT_SIZE = INSTRUMENT.word("lot_size")
_MULTIPLIER = INSTRUMENT.word("contract_multiplier")
_ORDER_LOTS_MIN = INSTRUMENT.word("order_lots_min")
_KIND = INSTRUMENT.word("kind")
_EXPIRY = INSTRUMENT.word("expiry_ns")
_IS_READY = INSTRUMENT.word("is_ready")
_OFF_REASON = INSTRUMENT.word("off_reason")

REMOVED = "the venue no longer lists it: it has expired or was taken off"
CHANGED = "the venue changed its tick or lot size: restart the session to take the new grid"


class InstrumentRow(Protocol):
    """The words of one INSTRUMENT record; a `shm` table reader after `load(row)` is one."""

    @property
    def ints(self) -> Sequence[int]: ...
    @property
    def floats(self) -> Sequence[float]: ...


class Grid(NamedTuple):
    """What ticks and lots mean: quote currency for a tick, size units for a lot, base units for a size unit."""

    tick_size: float
    lot_size: float
    contract_multiplier: float
    order_lots_min: int


class Off(NamedTuple):
    """Why an instrument is not quoted, for machines and for people; QUOTED and empty = it may be."""

    reason: OffReason
    text: str


IN_FORCE = Off(OffReason.QUOTED, "")


def grid_of(instrument: Instrument) -> Grid:
    """Return the grid of a venue's definition."""
    return Grid(
        float(instrument.tick_size),
        float(instrument.lot_size),
        float(instrument.contract_multiplier),
        instrument.order_lots_min,
    )


def grid_in(row: InstrumentRow) -> Grid:
    """Return the grid that an INSTRUMENT record tells: the session's."""
    ints, floats = row.ints, row.floats
    return Grid(floats[_TICK_SIZE], floats[_LOT_SIZE], floats[_MULTIPLIER], ints[_ORDER_LOTS_MIN])


def off_of(grid: Grid, listed: Instrument | None) -> Off:
    """Return why an instrument that the venue lists so (None = not at all) cannot be traded on `grid`."""
    if listed is None:
        return Off(OffReason.INSTRUMENT_REMOVED, REMOVED)
    found = grid_of(listed)
    if found == grid:
        return IN_FORCE
    parts = zip(Grid._fields, grid, found, strict=True)
    changes = ", ".join(f"{name} {old:.10g} → {new:.10g}" for name, old, new in parts if old != new)
    return Off(OffReason.INSTRUMENT_CHANGED, f"{CHANGED} ({changes})")


def off_in(row: InstrumentRow) -> Off:
    """Return what market_data says of the instrument in an INSTRUMENT record."""
    if row.ints[_IS_READY] == 1:
        return IN_FORCE
    if row.ints[_OFF_REASON] == OffReason.INSTRUMENT_CHANGED:
        return Off(OffReason.INSTRUMENT_CHANGED, CHANGED)
    return Off(OffReason.INSTRUMENT_REMOVED, REMOVED)


def instrument_in(name: str, row: InstrumentRow) -> Instrument:
    """Return an instrument as the session began with it, from its INSTRUMENT record."""
    grid = grid_in(row)
    lot_size = Decimal(repr(grid.lot_size))
    return Instrument(
        name=name,
        kind=InstrumentKind(row.ints[_KIND]),
        underlying="",
        tick_size=Decimal(repr(grid.tick_size)),
        lot_size=lot_size,
        size_min=max(grid.order_lots_min, 1) * lot_size,
        contract_multiplier=Decimal(repr(grid.contract_multiplier)),
        expiry_ns=row.ints[_EXPIRY],
    )
