"""The exact ledger of a session: every fill once, fees and funding as the venue booked them.

A fill is heard of twice or more: with the order it belongs to (at once, without its cost), and as a line of the
trade history (later, with fee and funding). It moves the position when it is first heard of, under its key
(trade_id, venue_order_id, leg_index), and its costs are booked once, with the history line. Keys are never forgotten
(trading/fill_keys.py); what the venue said of a fill is, once many more have come.

What says something else of a fill than was said before, or amends or takes back a trade, is not booked: the venue's
position shows what it did. It is kept to be told, and whoever compares positions holds quotes back if they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from domain.order import Side
from domain.reports import FillKey, FillReport, PositionReport, SettlementReport, TradeReport
from trading.daily_funding import LEAD_NS
from trading.fill_keys import FillKeys
from trading.ledger_line import ZERO, LedgerLine, LineState

UNTOLD_KEPT_MAX = 128  # fills of unknown fee that nobody waits for: of as many it is booked if it comes even so
TERMS_KEPT_MAX = 1024  # fills whose price and size are kept, to notice a venue that says something else later


class LedgerState(NamedTuple):
    """All that a ledger has added up, to the last digit; which fills these are is kept by whoever keeps this.

    Attributes:
        lines: by instrument.
        unbooked: key and time, by the venue's clock, of fills whose fee is not known yet.
        fills: how many were counted, with those before the start.
        overdue: fills whose fee was given up: the newest UNTOLD_KEPT_MAX. Of earlier versions: none.
        corrected: fills that were corrected before their fee was told, as many.
    """

    lines: dict[str, LineState]
    unbooked: list[tuple[FillKey, int]]
    fills: int
    overdue: tuple[FillKey, ...] = ()
    corrected: tuple[FillKey, ...] = ()


class Ledger:
    """All instruments of a session, and which fills were counted.

    Args:
        multipliers: base units for one unit of size, for each instrument that is kept.
        ignored: trades that the start position contains already.
        before: fills that were heard of before the start, which the start position contains, too: they count as
            counted, of which there may be far more. It is the ledger's from here on.
    """

    def __init__(
        self, multipliers: Mapping[str, Decimal], ignored: Iterable[FillKey] = (), before: FillKeys | None = None
    ) -> None:
        self.lines = {name: LedgerLine(multiplier) for name, multiplier in multipliers.items()}
        self._counted = before if before is not None else FillKeys()
        self._terms: dict[FillKey, tuple[Decimal, Decimal]] = {}  # of the newest
        self._unbooked: dict[FillKey, int] = {}
        self._overdue: dict[FillKey, None] = {}  # whose fee is waited for no longer, and booked if it comes even so
        self._newest_ns = 0  # of what has come, by the venue's clock
        self._corrected: dict[FillKey, None] = {}  # before their own line came, which is booked if it comes even so
        self._ignored = frozenset(ignored)
        self._contradicted: set[tuple[FillKey, bool]] = set()
        self._contradictions: list[str] = []

    @property
    def state(self) -> LedgerState:
        """What it has added up: `resume` goes on from it."""
        lines = {name: line.state for name, line in self.lines.items()}
        unbooked = list(self._unbooked.items())
        return LedgerState(lines, unbooked, len(self._counted), tuple(self._overdue), tuple(self._corrected))

    def resume(self, state: LedgerState, counted: FillKeys) -> None:
        """Go on from where an earlier ledger of the same instruments was.

        Args:
            counted: the fills that it had counted.
        """
        assert self.lines.keys() == state.lines.keys(), f"a ledger of {list(state.lines)} for {list(self.lines)}"
        assert len(counted) == state.fills, f"{len(counted)} keys for {state.fills} fills"
        for name, line in self.lines.items():
            line.resume(state.lines[name])
        self._counted = counted
        self._unbooked = dict(state.unbooked)
        self._overdue, self._corrected = dict.fromkeys(state.overdue), dict.fromkeys(state.corrected)

    @property
    def counted(self) -> FillKeys:
        """Which fills were counted: the set itself, that grows."""
        return self._counted

    @property
    def unbooked(self) -> int:
        """Fills whose fee is waited for."""
        return len(self._unbooked)

    @property
    def uncharged(self) -> int:
        """Fills whose fee the venue has not told: for those that it corrected before it did, and for those whose fee
        was given up, nobody waits."""
        return sum(line.unbooked for line in self.lines.values()) + len(self._corrected)

    @property
    def awaited_fees(self) -> KeysView[FillKey]:
        """The fills whose fee is waited for."""
        return self._unbooked.keys()

    def give_up_fee(self, key: FillKey) -> None:
        """Wait no longer for the fee of a fill: until it is known, all trades since would be asked for again and again.

        Its line of the ledger goes on counting it as unbooked.
        """
        del self._unbooked[key]
        _note(self._overdue, key)

    @property
    def unbooked_since_ns(self) -> int | None:
        """When the oldest fill of unknown fee was, by the venue's clock; None when every fee is known."""
        return min(self._unbooked.values(), default=None)

    def is_counted(self, key: FillKey) -> bool:
        return key in self._counted

    def take_contradictions(self) -> list[str]:
        """Return what the venue said and was not booked, once for each trade, and forget it."""
        taken, self._contradictions = self._contradictions, []
        return taken

    def book_fill(self, fill: FillReport, instrument_name: str, side: Side) -> bool:
        """Count a fill that came with an order; return False when it was counted before."""
        if not self._count(fill.key, instrument_name, side, fill.price, fill.size, fill.time_ns):
            return False
        self._unbooked[fill.key] = fill.time_ns or self._newest_ns
        self.lines[instrument_name].unbooked += 1
        return True

    def book_trade(self, trade: TradeReport) -> bool:
        """Count a line of the trade history and its costs; return True when its fill is counted only now."""
        line = self.lines.get(trade.instrument_name)
        if line is None or trade.key in self._ignored:
            return False
        if trade.is_correction:
            what = f"amends or takes it back ({trade.size} at {trade.price}, position {trade.position_after} after it)"
            self._note_contradiction(trade.key, what, is_correction=True)
            self._wait_no_longer(trade.key, line)
            return False
        is_new = self._count(trade.key, trade.instrument_name, trade.side, trade.price, trade.size, trade.time_ns)
        is_awaited = self._unbooked.pop(trade.key, None) is not None or trade.key in self._overdue
        if is_new or is_awaited or trade.key in self._corrected:
            line.fees += trade.fee
            line.funding_booked += trade.funding_pnl
            line.daily.on_trade(trade.funding_pnl, trade.time_ns)
            line.unbooked -= is_awaited
        self._corrected.pop(trade.key, None)
        self._overdue.pop(trade.key, None)
        return is_new

    # ---- daily settlements -----------------------------------------------------------------------------

    def see(self, reports: Iterable[PositionReport], now_ns: int, *, is_snapshot: bool) -> list[PositionReport]:
        """Return the venue's holdings with the unrealised funding that counts, at `now_ns` of the venue's clock.

        It is the venue's own, but for the time between a daily settlement and the line that says what was paid.
        """
        self._pass_time(now_ns)
        seen = []
        for report in reports:
            line = self.lines.get(report.instrument_name)
            if line is not None:
                funding = line.daily.see(report.unrealised_funding, now_ns)
                report = msgspec.structs.replace(report, unrealised_funding=funding)
            seen.append(report)
        if is_snapshot:  # what it leaves out is flat
            for name in self.lines.keys() - {report.instrument_name for report in seen}:
                self.lines[name].daily.see(ZERO, now_ns)
        return seen

    def settlements_from_ns(self, now_ns: int) -> int | None:
        """Return from when on the venue is to be asked for its settlements; None = none is awaited.

        Args:
            now_ns: the venue's clock.
        """
        self._pass_time(now_ns)
        awaited = [line.daily for line in self.lines.values() if line.daily.is_awaited]
        return min((daily.booked_ns for daily in awaited if daily.passed_ns <= now_ns), default=None)

    def book_settlements(self, reports: Iterable[SettlementReport]) -> list[tuple[SettlementReport, Decimal]]:
        """Count daily settlements, oldest first, each once; return the new ones and what was held for each.

        Args:
            reports: all that the venue told, asked from `settlements_from_ns` on. Positions that were asked for after
                it are to be seen (`see`) in the same step: those before may be of before the settlement.
        """
        new = []
        for report in reports:
            line = self.lines.get(report.instrument_name)
            held = line.daily.held if line is not None else ZERO
            if line is not None and line.daily.book(report.time_ns, report.funding_pnl):
                line.funding_booked += report.funding_pnl
                new.append((report, held))
        for line in self.lines.values():
            line.daily.told()
        return new

    # ---- inside ----------------------------------------------------------------------------------------

    def _pass_time(self, now_ns: int) -> None:
        for line in self.lines.values():
            line.daily.pass_time(now_ns + LEAD_NS, line.position)

    def _wait_no_longer(self, key: FillKey, line: LedgerLine) -> None:
        """Wait not for the fee of a fill that was corrected: its own line may never come, and would be asked for ever.

        What the correction calls its fee is not booked: whether that is all of it or a change is not documented.
        """
        if self._unbooked.pop(key, None) is not None:
            line.unbooked -= 1
            _note(self._corrected, key)

    def _count(
        self, key: FillKey, instrument_name: str, side: Side, price: Decimal, size: Decimal, time_ns: int
    ) -> bool:
        if key in self._ignored:
            return False
        self._newest_ns = max(self._newest_ns, time_ns)
        time_ns = time_ns or self._newest_ns  # a fill that the venue gives no time is not older than what came before
        if not self._counted.add(key):
            self._compare(key, price, size)
            return False
        self._terms[key] = (price, size)
        if len(self._terms) > TERMS_KEPT_MAX:
            del self._terms[next(iter(self._terms))]
        line = self.lines[instrument_name]
        line.daily.pass_time(time_ns, line.position)
        line.daily.on_fill(side * size, time_ns)
        line.fill(side, price, size)
        return True

    def _compare(self, key: FillKey, price: Decimal, size: Decimal) -> None:
        """Note it when the venue says something else of a fill than it did a while ago."""
        known = self._terms.get(key)
        if known is not None and known != (price, size):
            self._note_contradiction(key, f"says {size} at {price}, and said {known[1]} at {known[0]} before")

    def _note_contradiction(self, key: FillKey, what: str, *, is_correction: bool = False) -> None:
        if (key, is_correction) not in self._contradicted:
            self._contradicted.add((key, is_correction))
            self._contradictions.append(f"trade {key[0]} of order {key[1]}: the venue {what}")


def _note(untold: dict[FillKey, None], key: FillKey) -> None:
    """Add a fill to those that nobody waits for, of which the newest are kept."""
    untold[key] = None
    if len(untold) > UNTOLD_KEPT_MAX:
        del untold[next(iter(untold))]
