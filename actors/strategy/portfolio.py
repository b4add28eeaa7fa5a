"""What the session holds in each underlying, over all instruments, whoever quotes them."""

from __future__ import annotations

from typing import NamedTuple

from domain.instrument import InstrumentKind
from domain.records import ACCOUNT, INSTRUMENT
from shm.errors import RecordBusyError
from shm.record import TableReader

_LINEAR = frozenset({InstrumentKind.PERPETUAL, InstrumentKind.FUTURE, InstrumentKind.SPOT})
_KIND = INSTRUMENT.word("kind")
_LOT_SIZE = INSTRUMENT.word("lot_size")
_MULTIPLIER = INSTRUMENT.word("contract_multiplier")
_IS_KNOWN = ACCOUNT.word("is_known")
_POSITION = ACCOUNT.word("position_lots")


class NetDelta(NamedTuple):
    """Base units of an underlying; not known while one of its positions is not."""

    base: float
    is_known: bool


UNKNOWN = NetDelta(0.0, False)


class Holding:
    """One instrument.

    Attributes:
        underlying: the venue's index name; empty until the venue has confirmed the instrument.
        is_linear: one base unit of it moves as one of the underlying does.
    """

    __slots__ = ("account_seen", "is_known", "is_linear", "lot_base", "position_lots", "underlying")

    def __init__(self) -> None:
        self.underlying = ""
        self.is_linear = False
        self.lot_base = 0.0
        self.position_lots = 0
        self.is_known = False
        self.account_seen = 0

    @property
    def position_base(self) -> float:
        return self.position_lots * self.lot_base


class Portfolio:
    """Reads instruments and accounts of every row.

    Attributes:
        holdings: by row.
    """

    def __init__(self, instruments: TableReader, accounts: TableReader) -> None:
        self._instruments = instruments
        self._accounts = accounts
        self.holdings = [Holding() for _ in range(accounts.rows)]

    def refresh(self) -> bool:
        """Take over what changed; return whether a position, or whether it is known, did."""
        is_changed = False
        for row, holding in enumerate(self.holdings):
            if not holding.underlying and load_if_changed(self._instruments, row, 0):
                self._take_instrument(holding)
                is_changed = True
            seen = load_if_changed(self._accounts, row, holding.account_seen)
            if seen != holding.account_seen:
                holding.account_seen = seen
                is_changed |= self._take_account(holding)
        return is_changed

    def net_of(self, row: int) -> NetDelta:
        """Return the net delta of the underlying of an instrument.

        Options have deltas of their own, which nobody measures here: while one is held, the sum is not known.
        """
        underlying = self.holdings[row].underlying
        base = 0.0
        for holding in self.holdings:
            if not holding.underlying:
                return UNKNOWN  # it may turn out to be of this underlying
            if holding.underlying != underlying:
                continue
            if not holding.is_known or (holding.position_lots and not holding.is_linear):
                return UNKNOWN
            base += holding.position_base
        return NetDelta(base, True)

    def _take_instrument(self, holding: Holding) -> None:
        table = self._instruments
        holding.underlying = table.latest["underlying"][0].decode()
        holding.is_linear = table.ints[_KIND] in _LINEAR
        holding.lot_base = table.floats[_LOT_SIZE] * table.floats[_MULTIPLIER]

    def _take_account(self, holding: Holding) -> bool:
        position_lots, is_known = self._accounts.ints[_POSITION], self._accounts.ints[_IS_KNOWN] == 1
        is_changed = (position_lots, is_known) != (holding.position_lots, holding.is_known)
        holding.position_lots, holding.is_known = position_lots, is_known
        return is_changed


def load_if_changed(table: TableReader, row: int, seen: int) -> int:
    """Load a row that was written since sequence `seen`; return its sequence, or `seen` when there is nothing new.

    A row that is being written is news for the next look: its writer may be dead inside it.
    """
    sequence = table.sequence(row)
    if sequence == seen or sequence & 1:
        return seen
    try:
        return table.load(row)
    except RecordBusyError:
        return seen
