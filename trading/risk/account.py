"""Profit and loss of the run, from the venue's own trade history and positions: independent of execution's count."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from domain.instrument import Instrument, InstrumentKind
from domain.reports import PositionReport, SettlementReport, TradeReport
from trading.fill_keys import FillKeys, fingerprint
from trading.ledger import Ledger, LedgerState
from trading.ledger_line import ZERO, Pnl
from trading.risk.latch import Opening
from trading.risk.round_trips import RoundTrip, TripState

NO_PNL = Pnl(ZERO, ZERO, ZERO, ZERO, ZERO)


class AccountState(NamedTuple):
    """All that a run has added up; which trades these are is kept by whoever keeps this."""

    ledger: LedgerState
    trips: dict[str, TripState]


def openings_of(
    names: Iterable[str],
    known: Mapping[str, Opening],
    positions: Mapping[str, PositionReport],
    trades: Sequence[TradeReport],
    marks: Mapping[str, float],
    seen_ns: int = 0,
) -> dict[str, Opening]:
    """Return what each instrument held when the run began.

    Args:
        known: openings that an earlier process of the same run wrote down; they hold.
        positions: the venue's holdings now.
        trades: every trade since the run began, oldest first.
        marks: mark prices now, for instruments that the venue reports no position in.
        seen_ns: now, by the venue's clock.
    """
    openings = {}
    for name in names:
        if name in known:
            openings[name] = known[name]
            continue
        report = positions.get(name)
        position = report.position if report else ZERO
        # The venue stamps each trade with the position after it: exact, even when fills come in while we read.
        first = next((one for one in trades if one.instrument_name == name and not one.is_correction), None)
        if first is not None:
            position = first.position_after - first.side * first.size
        openings[name] = Opening(
            position, _opening_price(report, marks.get(name)), report.unrealised_funding if report else ZERO, seen_ns
        )
    return openings


def _opening_price(report: PositionReport | None, mark: float | None) -> Decimal:
    """Return the venue's mark; where it has told none the feed's, then what the position was bought or sold at."""
    if report is not None and report.mark_price > 0:
        return report.mark_price
    if mark is not None:
        return Decimal(repr(mark))
    return report.average_price if report is not None else ZERO


def total_pnl(lines: Iterable[Pnl | None]) -> Pnl | None:
    """Return the sum of several instruments, exact; None when one of them is not known."""
    total = NO_PNL
    for line in lines:
        if line is None:
            return None
        total = Pnl(*(one + other for one, other in zip(total, line, strict=True)))
    return total


class RunAccount:
    """The ledger of the run, valued at marks.

    Args:
        forgiven: up to which time of the venue losing streaks have had their consequence, by instrument.
        since_ns: when the run began, by the venue's clock: for openings that do not say when they were seen.

    Attributes:
        openings: holdings when the run began, by instrument.
        multipliers: base units for one unit of size, by instrument.
        trips: holdings of each instrument since it was flat.
        unsealed: fingerprints of the trades that were booked since somebody wrote them down, who takes them away.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        openings: Mapping[str, Opening],
        forgiven: Mapping[str, int] = MappingProxyType({}),
        since_ns: int = 0,
    ) -> None:
        self.openings = dict(openings)
        self.multipliers = {
            name: instruments[name].contract_multiplier if name in instruments else Decimal(1) for name in openings
        }
        self.unsealed = array("Q")
        self._ledger = Ledger(self.multipliers)
        self.trips: dict[str, RoundTrip] = {}
        for name, opening in openings.items():
            has_funding = name in instruments and instruments[name].kind is InstrumentKind.PERPETUAL
            seen_ns = (opening.seen_ns or since_ns) if has_funding else 0
            line = self._ledger.lines[name]
            line.begin(opening.position, opening.price, opening.unrealised_funding, seen_ns=seen_ns)
            self.trips[name] = RoundTrip(self.multipliers[name], opening.position, opening.price, forgiven.get(name, 0))

    def on_trades(self, trades: Iterable[TradeReport]) -> list[TradeReport]:
        """Book lines of the trade history, each once; return those that were new."""
        new = []
        for trade in trades:
            if self._ledger.book_trade(trade):
                self.trips[trade.instrument_name].on_trade(trade)
                self.unsealed.append(fingerprint(trade.key))
                new.append(trade)
        return new

    def take_contradictions(self) -> list[str]:
        """Return what the venue said and was not booked, once for each trade, and forget it."""
        return self._ledger.take_contradictions()

    # ---- daily settlements ---------------------------------------------------------------------------

    def see(self, reports: Iterable[PositionReport], now_ns: int, *, is_snapshot: bool) -> list[PositionReport]:
        """Return the venue's holdings with the unrealised funding that counts (`Ledger.see`)."""
        return self._ledger.see(reports, now_ns, is_snapshot=is_snapshot)

    def settlements_from_ns(self, now_ns: int) -> int | None:
        """Return from when on the venue is to be asked for its settlements; None = none is awaited."""
        return self._ledger.settlements_from_ns(now_ns)

    def on_settlements(self, reports: Iterable[SettlementReport]) -> list[tuple[SettlementReport, Decimal]]:
        """Book daily settlements, each once; return those that were new (`Ledger.book_settlements`)."""
        new = self._ledger.book_settlements(reports)
        for report, _ in new:
            self.trips[report.instrument_name].on_settlement(report.funding_pnl, report.position, report.time_ns)
        return new

    # ---- what it adds up to --------------------------------------------------------------------------

    @property
    def state(self) -> AccountState:
        """What it has added up: `resume` goes on from it."""
        return AccountState(self._ledger.state, {name: trip.state for name, trip in self.trips.items()})

    def resume(self, state: AccountState, counted: FillKeys) -> None:
        """Go on from where an account of the same openings was, which had counted these trades."""
        self._ledger.resume(state.ledger, counted)
        for name, trip in self.trips.items():
            trip.resume(state.trips[name])

    def differences(self, positions: Mapping[str, PositionReport]) -> dict[str, Decimal]:
        """Return how much more the venue holds than the trades add up to, where that is not the same; base units."""
        found = {}
        for name, line in self._ledger.lines.items():
            held = positions[name].position if name in positions else ZERO
            if held != line.position:
                found[name] = held - line.position
        return found

    def position(self, name: str) -> Decimal:
        """Return the holdings that opening and trades add up to, base units."""
        return self._ledger.lines[name].position

    def pnl(self, marks: Mapping[str, float], positions: Mapping[str, PositionReport]) -> Pnl | None:
        """Return profit and loss since the run began; None while the mark of something held is missing."""
        return total_pnl(self.pnl_by_instrument(marks, positions).values())

    def pnl_by_instrument(
        self, marks: Mapping[str, float], positions: Mapping[str, PositionReport]
    ) -> dict[str, Pnl | None]:
        """Return profit and loss of each instrument; None where it is held and its mark is missing."""
        found: dict[str, Pnl | None] = {}
        for name, line in self._ledger.lines.items():
            report = positions.get(name)
            funding = report.unrealised_funding if report else line.daily.seen
            is_known = not line.position or name in marks
            found[name] = line.pnl(Decimal(repr(marks.get(name, 0.0))), funding) if is_known else None
        return found
