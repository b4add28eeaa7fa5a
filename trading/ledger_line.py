"""What a session did in one instrument, added up in Decimal: position, cash, profit and loss.

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

from decimal import Decimal
from typing import NamedTuple

from domain.order import Side
from trading.daily_funding import DailyFunding, DailyState

ZERO = Decimal(0)
MONEY_STEP = Decimal("1e-12")  # realised P&L is rounded here; the rounding returns in the unrealised part


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
