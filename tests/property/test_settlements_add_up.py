"""Whatever is told late, in which order, and however often a process begins anew: funding is the venue's in the end."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest

from domain.clock import NS_PER_S
from domain.order import LiquiditySide, Side
from domain.reports import FillReport, PositionReport, SettlementReport, TradeReport
from trading.daily_funding import DAY_NS, settlement_before
from trading.fill_keys import FillKeys
from trading.ledger import Ledger, LedgerState

NAME = "BTC-PERPETUAL"
ZERO = Decimal(0)
PRICE = Decimal(100)
STEP = Decimal("1e-10")
BEGUN_NS = settlement_before(1_700_000_000 * NS_PER_S) + 20 * 3600 * NS_PER_S
DAYS = 3
Told = TradeReport | SettlementReport


class Venue:
    """A perpetual's position and its funding, exactly as a venue keeps them; `out` is what it will tell, and when."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_ns = BEGUN_NS
        self.position, self.mark, self.cost = Decimal(rng.randrange(-3, 4)), Decimal(rng.randrange(-9, 9)), ZERO
        self.realised = ZERO
        self.trades: list[tuple[int, TradeReport]] = []
        self.settlements: list[tuple[int, SettlementReport]] = []

    @property
    def unrealised(self) -> Decimal:
        return self.mark * self.position - self.cost

    def pass_time(self, duration_ns: int) -> None:
        """Let funding gather, and each 08:00 on the way settle."""
        end_ns = self.now_ns + duration_ns
        while (settled_ns := settlement_before(self.now_ns) + DAY_NS) <= end_ns:
            self._gather(settled_ns)
            if self.position:
                self._tell_settlement(settled_ns)
            self.realised += self.unrealised
            self.mark = self.cost = ZERO
        self._gather(end_ns)

    def trade(self) -> TradeReport:
        side, size = self.rng.choice(list(Side)), Decimal(self.rng.randrange(1, 4))
        signed, funding = side * size, ZERO
        if self.position * signed < 0:
            closed = max(-abs(signed), -abs(self.position)) * (1 if self.position > 0 else -1)  # taken off, signed
            share = (self.cost * -closed / self.position).quantize(STEP)
            funding = self.mark * -closed - share
            self.cost -= share
            self.position += closed
            signed -= closed
            self.realised += funding
        self.cost += self.mark * signed
        self.position += signed
        number = len(self.trades)
        report = TradeReport(
            f"t{number}", "o", 0, NAME, side, PRICE, size, ZERO, self.position, ZERO, funding, LiquiditySide.MAKER,
            "", self.now_ns,
        )  # fmt: skip
        self.trades.append((self.now_ns + self.rng.choice([0, 1, 3, 40]) * NS_PER_S, report))
        return report

    def portfolio(self) -> list[PositionReport]:
        return [PositionReport(NAME, self.position, PRICE, PRICE, ZERO, ZERO, self.unrealised)] if self.position else []

    def _gather(self, until_ns: int) -> None:
        self.mark += Decimal((until_ns - self.now_ns) // NS_PER_S * self.rng.randrange(-9, 9)) / 10_000
        self.now_ns = until_ns

    def _tell_settlement(self, settled_ns: int) -> None:
        report = SettlementReport(NAME, self.position, PRICE, ZERO, self.unrealised, settled_ns + 11_000_000)
        self.settlements.append((settled_ns + self.rng.choice([1, 5, 30, 4000]) * NS_PER_S, report))


class Bookkeeper:
    """A ledger and who feeds it, with all that it may hear late and out of turn."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.start = (venue.position, venue.unrealised)
        self.start_realised = venue.realised
        self.positions: dict[str, PositionReport] = {}
        self.ledger = self._begun()
        self.look()

    def _begun(self) -> Ledger:
        ledger = Ledger({NAME: Decimal(1)})
        ledger.lines[NAME].begin(self.start[0], PRICE, self.start[1], seen_ns=BEGUN_NS)
        return ledger

    def hear(self) -> None:
        """Read the history as far as it is told."""
        for told_ns, trade in self.venue.trades:
            if told_ns <= self.venue.now_ns:
                self.ledger.book_trade(trade)

    def look(self) -> None:
        self._see()

    def audit(self) -> None:
        self.hear()
        since_ns = self.ledger.settlements_from_ns(self.venue.now_ns)
        if since_ns is not None:
            told = [one for at_ns, one in self.venue.settlements if at_ns <= self.venue.now_ns]
            self.ledger.book_settlements([one for one in told if one.time_ns >= since_ns])
            self._see()

    def begin_anew(self, *, is_kept: bool, is_looked_first: bool) -> None:
        if is_kept:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.ledger.state), type=LedgerState)
            counted = self.ledger.counted.without(())
            self.ledger = self._begun()
            self.ledger.resume(state, counted)
        else:
            self.ledger = self._begun()
            assert len(self.ledger.counted) == len(FillKeys())
        (self.look if is_looked_first else self.hear)()
        self.hear()
        self.look()

    @property
    def funding(self) -> Decimal:
        line = self.ledger.lines[NAME]
        report = self.positions.get(NAME)
        return line.pnl(PRICE, report.unrealised_funding if report else line.daily.seen).funding

    def _see(self) -> None:
        seen = self.ledger.see(self.venue.portfolio(), self.venue.now_ns, is_snapshot=True)
        self.positions = {report.instrument_name: report for report in seen}


def step_ns(rng: random.Random, now_ns: int) -> int:
    """Return a duration, often one that ends near a settlement."""
    to_settlement_ns = settlement_before(now_ns) + DAY_NS - now_ns
    if rng.random() < 0.3 and to_settlement_ns > 60 * NS_PER_S:
        return to_settlement_ns - rng.randrange(1, 30) * NS_PER_S
    if to_settlement_ns < 60 * NS_PER_S:
        return rng.randrange(1, 8) * NS_PER_S
    return rng.choice([1, 2, 10, 60, 3600, 3 * 3600]) * NS_PER_S


@pytest.mark.parametrize("seed", range(300))
def test_funding_is_the_venues_whatever_is_told_late(seed: int) -> None:
    # Given trades, looks, audits and restarts in any order over some days
    rng = random.Random(seed)
    venue = Venue(rng)
    keeper = Bookkeeper(venue)
    has_restarts = rng.random() < 0.5
    while venue.now_ns < BEGUN_NS + DAYS * DAY_NS:
        venue.pass_time(step_ns(rng, venue.now_ns))
        what = rng.random()
        if what < 0.35:
            trade = venue.trade()
            if rng.random() < 0.7:  # heard of with its order
                fill = FillReport(trade.trade_id, "o", 0, PRICE, trade.size, LiquiditySide.MAKER, trade.time_ns)
                keeper.ledger.book_fill(fill, NAME, trade.side)
            if rng.random() < 0.7:
                keeper.look()
        elif what < 0.6:
            keeper.look()
        elif what < 0.95:
            keeper.audit()
        elif has_restarts:
            keeper.begin_anew(is_kept=rng.random() < 0.5, is_looked_first=rng.random() < 0.5)
    # If everything has been told, I expect the funding since the beginning to the last digit, and nothing awaited
    venue.pass_time(7200 * NS_PER_S)
    for _ in range(2):
        keeper.audit()
        keeper.look()
    assert keeper.funding == venue.realised + venue.unrealised - keeper.start_realised - keeper.start[1]
    assert keeper.ledger.lines[NAME].position == venue.position
    assert keeper.ledger.settlements_from_ns(venue.now_ns) is None
