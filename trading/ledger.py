"""The exact ledger of a session: every fill once, money in Decimal, fees and funding as the venue booked them.

A fill is heard of twice or more: with the order it belongs to (at once, without its cost), and as a line of the
trade history (later, with fee and funding). It moves the position when it is first heard of, under its key
(trade_id, venue_order_id, leg_index), and its costs are booked once, with the history line. Keys are never forgotten
(trading/fill_keys.py); what the venue said of a fill is, once many more have come.

What says something else of a fill than was said before, or amends or takes back a trade, is not booked: the venue's
position shows what it did. It is kept to be told, and whoever compares positions holds quotes back if they differ.

Profit and loss counts from the session's start: a position held then is carried at the price it had then.
For every instrument, whatever the order of fills::

    realised + unrealised = Σ cash of the fills + position · mark - start position · start price
    funding               = Σ of trades + Σ of daily settlements + unrealised - what the start position had gathered
    total                 = realised + unrealised - fees + funding

The left split uses the average entry price, whose division is rounded; the sum on the right is exact, and the
unrealised part is what makes up the difference, so that nothing is ever lost. A daily settlement pays out all that is
unrealised (trading/daily_funding.py), what the start position had gathered included: that stays taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from domain.order import Side
from domain.reports import FillKey, FillReport, PositionReport, SettlementReport, TradeReport
from trading.daily_funding import LEAD_NS, DailyFunding, DailyState
from trading.fill_keys import FillKeys

ZERO = Decimal(0)
MONEY_STEP = Decimal("1e-12")  # realised P&L is rounded here; the rounding returns in the unrealised part
TERMS_KEPT_MAX = 1024  # fills whose price and size are kept, to notice a venue that says something else later


class Pnl(NamedTuple):
    """Profit and loss since the session's start, quote currency; paid fees are positive, as is funding received."""

    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    total: Decimal


class LineState(NamedTuple):
    """All that a line of the ledger has added up: as in `LedgerLine`, and what it started from."""

    position: Decimal
    average_entry: Decimal
    cash: Decimal
    realised: Decimal
    fees: Decimal
    funding_booked: Decimal
    volume_base: Decimal
    volume_notional: Decimal
    fill_count: int
    buy_count: int
    unbooked: int
    start_value: Decimal
    start_funding: Decimal
    daily: DailyState = DailyState()  # of earlier versions: none


class LedgerState(NamedTuple):
    """All that a ledger has added up, to the last digit; which fills these are is kept by whoever keeps this.

    Attributes:
        lines: by instrument.
        unbooked: key and time, by the venue's clock, of fills whose fee is not known yet.
        fills: how many were counted, with those before the start.
    """

    lines: dict[str, LineState]
    unbooked: list[tuple[FillKey, int]]
    fills: int


class LedgerLine:
    """What a session did in one instrument. Sizes are base units, money is quote currency.

    Attributes:
        position: signed holdings.
        average_entry: average price of the position; 0 when flat.
        cash: what the fills paid (buys) and brought (sells), fees apart.
        realised: by average entry price, before fees.
        funding_booked: funding that came with trades and at daily settlements.
        start_value, start_funding: of the position that the session started with; not its own.
        unbooked: fills whose fee is not known yet.
        daily: what is booked and awaited of daily settlements.
    """

    def __init__(self, multiplier: Decimal = Decimal(1)) -> None:
        self.multiplier = multiplier
        self.position = ZERO
        self.average_entry = ZERO
        self.cash = ZERO
        self.realised = ZERO
        self.fees = ZERO
        self.funding_booked = ZERO
        self.volume_base = ZERO
        self.volume_notional = ZERO
        self.fill_count = 0
        self.buy_count = 0
        self.unbooked = 0
        self.start_value = ZERO
        self.start_funding = ZERO
        self.daily = DailyFunding()

    @property
    def state(self) -> LineState:
        return LineState._make([*(getattr(self, name) for name in _PLAIN), self.daily.state])

    def resume(self, state: LineState) -> None:
        """Go on from where a line of an earlier ledger was.

        One that looked after no settlements goes on so: booked late, those of days would be a step that trips limits.
        """
        for name in _PLAIN:
            setattr(self, name, getattr(state, name))
        self.daily.resume(state.daily)

    def begin(self, position: Decimal, price: Decimal, unrealised_funding: Decimal = ZERO, *, seen_ns: int = 0) -> None:
        """Carry in a position that the session starts with, at `price`, with the funding that is not its own.

        Args:
            seen_ns: when that was seen, by the venue's clock: of a perpetual, later settlements count. 0 = none does.
        """
        assert self.fill_count == 0, f"a start position after {self.fill_count} fills"
        self.position = position
        self.average_entry = price if position else ZERO
        self.start_value = position * price * self.multiplier
        self.start_funding = unrealised_funding
        if seen_ns:
            self.daily.begin(seen_ns, unrealised_funding)

    def fill(self, side: Side, price: Decimal, size: Decimal) -> None:
        """Let one fill move position, cash and realised P&L."""
        signed_size = size if side is Side.BUY else -size
        notional = price * size * self.multiplier
        self.cash -= notional if side is Side.BUY else -notional
        self.volume_base += size
        self.volume_notional += notional
        self.fill_count += 1
        self.buy_count += side is Side.BUY
        self._move(signed_size, price)

    def pnl(self, mark_price: Decimal, unrealised_funding: Decimal = ZERO) -> Pnl:
        """Return the session's profit and loss at a mark price, with the funding that the venue has not booked yet."""
        gross = self.cash + self.position * mark_price * self.multiplier - self.start_value
        funding = self.funding_booked + unrealised_funding - self.start_funding
        return Pnl(self.realised, gross - self.realised, self.fees, funding, gross - self.fees + funding)

    def _move(self, signed_size: Decimal, price: Decimal) -> None:
        position = self.position
        self.position = position + signed_size
        if position * signed_size >= 0:
            cost = self.average_entry * abs(position) + price * abs(signed_size)
            self.average_entry = cost / abs(self.position)
            return
        closed = min(abs(signed_size), abs(position))
        gain = (price - self.average_entry) * (closed if position > 0 else -closed) * self.multiplier
        self.realised += gain.quantize(MONEY_STEP)
        if self.position == 0:
            self.average_entry = ZERO
            self.realised = self.cash - self.start_value  # flat: what was rounded on the way comes back
        elif self.position * position < 0:
            self.average_entry = price


_PLAIN = LineState._fields[:-1]


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
        self._corrected: set[FillKey] = set()  # before their own line came, which is booked if it comes even so
        self._ignored = frozenset(ignored)
        self._contradicted: set[tuple[FillKey, bool]] = set()
        self._contradictions: list[str] = []

    @property
    def state(self) -> LedgerState:
        """What it has added up: `resume` goes on from it."""
        lines = {name: line.state for name, line in self.lines.items()}
        return LedgerState(lines, list(self._unbooked.items()), len(self._counted))

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
        """Fills whose fee the venue has not told: those that it corrected before it did are not waited for."""
        return len(self._unbooked) + len(self._corrected)

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
        self._unbooked[fill.key] = fill.time_ns
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
        is_awaited = self._unbooked.pop(trade.key, None) is not None
        if is_new or is_awaited or trade.key in self._corrected:
            line.fees += trade.fee
            line.funding_booked += trade.funding_pnl
            line.daily.on_trade(trade.funding_pnl, trade.time_ns)
            line.unbooked -= is_awaited
        self._corrected.discard(trade.key)
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
            self._corrected.add(key)

    def _count(
        self, key: FillKey, instrument_name: str, side: Side, price: Decimal, size: Decimal, time_ns: int
    ) -> bool:
        if key in self._ignored:
            return False
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
