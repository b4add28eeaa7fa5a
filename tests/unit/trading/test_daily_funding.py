"""Funding over the daily settlement at 08:00 UTC: no step in the P&L, booked once, whenever its line comes."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest

from domain.clock import NS_PER_S
from domain.order import LiquiditySide, Side
from domain.reports import FillReport, PositionReport, SettlementReport, TradeReport
from trading.daily_funding import DAY_NS, LEAD_NS, SETTLING_NS, settlement_before
from trading.fill_keys import FillKeys
from trading.ledger import Ledger, LedgerState
from trading.ledger_line import LineState

D = Decimal
NAME, OTHER = "BTC-PERPETUAL", "ETH-PERPETUAL"
SETTLED_NS = settlement_before(1_700_000_000 * NS_PER_S)
BEGUN_NS = SETTLED_NS - 3600 * NS_PER_S
MARK = D(100)


def told(funding: str = "-3", name: str = NAME, at_ns: int = SETTLED_NS + 11_731_400) -> SettlementReport:
    return SettlementReport(name, D(2), MARK, D(0), D(funding), at_ns)


class Venue:
    """A ledger of one perpetual, and the venue's portfolio as it is shown to it."""

    def __init__(self, position: str = "2", start_funding: str = "0", begun_ns: int = BEGUN_NS) -> None:
        self.ledger = Ledger({NAME: D(1), OTHER: D(1)})
        self.ledger.lines[NAME].begin(D(position), MARK, D(start_funding), seen_ns=begun_ns)
        self.now_ns = begun_ns
        self.shown: dict[str, PositionReport] = {}
        self.trades = 0

    @property
    def line(self) -> LineState:
        return self.ledger.lines[NAME].state

    def show(self, funding: str, at_ns: int | None = None) -> Decimal:
        """Show the position with so much unrealised funding; return the session's funding."""
        self.now_ns = self.now_ns if at_ns is None else at_ns
        held = self.ledger.lines[NAME].position
        report = PositionReport(NAME, held, MARK, MARK, D(0), D(0), D(funding))
        self.shown = {one.instrument_name: one for one in self.ledger.see([report], self.now_ns, is_snapshot=True)}
        return self.funding

    @property
    def funding(self) -> Decimal:
        return self.ledger.lines[NAME].pnl(MARK, self.shown[NAME].unrealised_funding).funding

    def trade(self, size: str, funding: str, at_ns: int, *, has_fill: bool = False) -> None:
        self.trades += 1
        side, key = (Side.BUY if D(size) > 0 else Side.SELL), f"t{self.trades}"
        if has_fill:
            fill = FillReport(key, "o", 0, MARK, abs(D(size)), LiquiditySide.MAKER, at_ns)
            self.ledger.book_fill(fill, NAME, side)
        self.ledger.book_trade(
            TradeReport(
                key,
                "o",
                0,
                NAME,
                side,
                MARK,
                abs(D(size)),
                D(0),
                D(0),
                D(0),
                D(funding),
                LiquiditySide.MAKER,
                "",
                at_ns,
            )
        )

    def book(self, report: SettlementReport) -> Decimal | None:
        """Tell a line; return what was held for it, None when it does not count."""
        new = self.ledger.book_settlements([report])
        return new[0][1] if new else None

    def wants(self) -> int | None:
        return self.ledger.settlements_from_ns(self.now_ns)


def test_the_settlement_of_a_moment_is_eight_in_the_morning_utc() -> None:
    for offset_ns in (0, 1, DAY_NS - 1):
        assert settlement_before(SETTLED_NS + offset_ns) == SETTLED_NS
    assert settlement_before(SETTLED_NS - 1) == SETTLED_NS - DAY_NS
    assert SETTLED_NS // NS_PER_S % 86_400 == 8 * 3600


def test_funding_goes_on_over_a_settlement_without_a_step() -> None:
    # Given a position that has gathered three dollars to pay, seen last eleven seconds before the settlement
    venue = Venue()
    venue.show("-2", SETTLED_NS - 600 * NS_PER_S)
    assert venue.show("-3", SETTLED_NS - LEAD_NS - NS_PER_S) == D(-3)
    # If the venue shows it paid out, before and after its line has come, I expect the same funding all the time
    for offset_s, unrealised in ((-9, "-3.001"), (-1, "0"), (1, "0"), (60, "-0.1"), (599, "-0.2")):
        assert venue.show(unrealised, SETTLED_NS + offset_s * NS_PER_S) == D(-3)
    assert venue.book(told("-3.01")) == D(-3)
    assert venue.show("-0.2") == D("-3.21")
    # and again over the next day
    assert venue.show("-1", SETTLED_NS + DAY_NS - 60 * NS_PER_S) == D("-4.01")
    assert venue.show("0", SETTLED_NS + DAY_NS + NS_PER_S) == D("-4.01")
    assert venue.book(told("-1", at_ns=SETTLED_NS + DAY_NS)) is not None
    assert venue.show("0") == D("-4.01")


def test_a_settlement_counts_once_and_only_after_the_beginning() -> None:
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    venue.show("0", SETTLED_NS + NS_PER_S)
    assert venue.book(told(at_ns=SETTLED_NS - DAY_NS)) is None
    assert venue.book(told(name="SOL-PERPETUAL")) is None
    assert venue.book(told(name=OTHER)) is None  # of which nothing is looked after
    assert venue.book(told()) is not None
    for at_ns in (SETTLED_NS, SETTLED_NS + 1, SETTLED_NS + 60 * NS_PER_S):
        assert venue.book(told(at_ns=at_ns)) is None
    assert venue.show("0") == D(-3)


def test_what_the_start_position_had_gathered_is_paid_out_and_is_not_the_sessions() -> None:
    # Given a session that began with a position which had gathered five dollars
    venue = Venue(start_funding="5")
    assert venue.show("7", SETTLED_NS - 60 * NS_PER_S) == D(2)
    # If all seven are paid out, I expect two to be the session's: before, meanwhile and after
    assert venue.show("0", SETTLED_NS + NS_PER_S) == D(2)
    venue.book(told("7"))
    assert venue.show("0.5") == D("2.5")


def test_the_venue_is_asked_from_the_settlement_on_until_the_line_has_come() -> None:
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    assert venue.wants() is None
    venue.show("-3", SETTLED_NS - NS_PER_S)
    assert venue.wants() is None
    for offset_s in (0, 5, 3600, 20 * 3600):
        venue.show("0", SETTLED_NS + offset_s * NS_PER_S)
        assert venue.wants() == BEGUN_NS
    venue.book(told())
    assert venue.wants() is None


def test_nothing_is_awaited_of_what_was_flat_at_the_settlement() -> None:
    venue = Venue(position="0")
    venue.show("0", SETTLED_NS + NS_PER_S)
    assert venue.wants() is None
    # ... be it bought after it, or sold again before it
    venue.trade("1", "0", SETTLED_NS + 2 * NS_PER_S)
    assert venue.wants() is None
    assert venue.show("0.5", SETTLED_NS + 3 * NS_PER_S) == D("0.5")


@pytest.mark.parametrize("has_fill", [True, False])
def test_a_position_closed_in_the_last_seconds_has_told_its_funding_by_the_trade(has_fill: bool) -> None:
    # Given funding that is held already
    venue = Venue()
    venue.show("-3", SETTLED_NS - 11 * NS_PER_S)
    venue.show("-3", SETTLED_NS - 9 * NS_PER_S)
    # If half is sold, I expect the half that the trade tells not to be held any more
    venue.trade("-1", "-1.5", SETTLED_NS - 5 * NS_PER_S, has_fill=has_fill)
    assert venue.show("-1.5", SETTLED_NS - 4 * NS_PER_S) == D(-3)
    assert venue.show("0", SETTLED_NS + NS_PER_S) == D(-3)
    assert venue.wants() == BEGUN_NS
    # and if the rest is sold, too, nothing
    venue.trade("-1", "-1.5", SETTLED_NS - 3 * NS_PER_S, has_fill=has_fill)
    assert venue.wants() is None
    assert venue.show("0", SETTLED_NS + 2 * NS_PER_S) == D(-3)


def test_a_position_closed_after_the_settlement_still_has_its_line() -> None:
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    # If the first that is heard after the settlement is that the position was sold since
    venue.trade("-2", "-0.01", SETTLED_NS + 2 * NS_PER_S)
    assert venue.show("0", SETTLED_NS + 3 * NS_PER_S) == D("-3.01")
    assert venue.wants() == BEGUN_NS
    venue.book(told("-3.001"))
    assert venue.show("0") == D("-3.011")
    # ... also when the portfolio leaves the flat line out
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    venue.trade("-2", "0", SETTLED_NS + 2 * NS_PER_S)
    assert venue.ledger.see([], SETTLED_NS + 3 * NS_PER_S, is_snapshot=True) == []
    assert venue.ledger.lines[NAME].daily.seen == D(-3)


def test_a_line_that_does_not_come_leaves_what_was_seen_last_and_what_gathers_counts() -> None:
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    venue.show("0", SETTLED_NS + NS_PER_S)
    assert venue.show("-0.25", SETTLED_NS + SETTLING_NS) == D("-3.25")
    # If the next settlement comes and both lines after it, I expect each to take the place of its part
    venue.show("-1", SETTLED_NS + DAY_NS - 60 * NS_PER_S)
    assert venue.show("0", SETTLED_NS + DAY_NS + NS_PER_S) == D(-4)
    venue.book(told("-3.5"))
    assert venue.wants() == SETTLED_NS
    assert venue.show("0") == D(-4)
    venue.book(told("-1.5", at_ns=SETTLED_NS + DAY_NS))
    assert venue.show("0") == D(-5)


def test_days_that_were_slept_through_are_asked_for_though_nothing_is_held_any_more() -> None:
    # Given a ledger that last saw its position before one settlement, and hears then of a sale after the second
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    venue.trade("-1", "-0.1", SETTLED_NS + 60 * NS_PER_S)
    venue.trade("-1", "-0.1", SETTLED_NS + 120 * NS_PER_S)
    venue.show("0", SETTLED_NS + DAY_NS + 60 * NS_PER_S)
    # I expect it to hold what it saw, to ask from the beginning, and to be content with the first day's line
    assert venue.funding == D("-3.2")
    assert venue.wants() == BEGUN_NS
    venue.book(told("-3.5"))
    assert venue.show("0") == D("-3.7")
    assert venue.wants() is None


def test_after_days_of_which_nobody_noted_what_was_held_the_venue_is_asked_once() -> None:
    # Given a ledger that hears of both days at once, positions first: flat at the end
    venue = Venue(position="0")
    venue.show("0", SETTLED_NS + DAY_NS + 60 * NS_PER_S)
    assert venue.wants() == BEGUN_NS
    venue.trade("1", "0", SETTLED_NS - 60 * NS_PER_S)
    venue.trade("-1", "-0.5", SETTLED_NS + 60 * NS_PER_S)
    # If the venue tells what it paid on the first, I expect that, and no more questions
    assert venue.book(told("-2")) is not None
    assert venue.show("0") == D("-2.5")
    assert venue.wants() is None
    # ... nor if it has nothing to tell
    venue = Venue(position="0")
    venue.show("0", SETTLED_NS + DAY_NS + 60 * NS_PER_S)
    assert venue.ledger.book_settlements([]) == []
    assert venue.wants() is None


def test_a_line_that_comes_before_our_clock_reaches_the_settlement_counts() -> None:
    venue = Venue()
    venue.show("-3", SETTLED_NS - 60 * NS_PER_S)
    assert venue.book(told(at_ns=SETTLED_NS - NS_PER_S)) is not None
    assert venue.show("0") == D(-3)
    assert venue.show("-0.1", SETTLED_NS + NS_PER_S) == D("-3.1")
    assert venue.wants() is None


def test_a_restart_anywhere_goes_on_with_the_same_figures() -> None:
    def life(seed: int, restarts: bool) -> list[Decimal]:
        rng, venue, figures, held = random.Random(seed), Venue(start_funding="1"), [], D(0)
        at_ns, unrealised = BEGUN_NS, D(1)
        while at_ns < SETTLED_NS + 3 * DAY_NS:
            before_ns, at_ns = at_ns, at_ns + rng.randrange(1, 3 * 3600) * NS_PER_S
            line_late = rng.random() < 0.4
            if settlement_before(at_ns) > settlement_before(before_ns):
                held, unrealised = unrealised, D(0)
                venue.show(str(unrealised), at_ns)
                if not line_late:
                    venue.book(told(str(held), at_ns=settlement_before(at_ns)))
            unrealised += D(rng.randrange(-99, 99)) / 100
            figures.append(venue.show(str(unrealised), at_ns))
            if line_late:
                venue.book(told(str(held), at_ns=settlement_before(at_ns)))
                figures.append(venue.show(str(unrealised)))
            if restarts:
                content = msgspec.msgpack.encode(venue.ledger.state)
                state = msgspec.msgpack.decode(content, type=LedgerState)
                assert state == venue.ledger.state
                venue.ledger = Ledger({NAME: D(1), OTHER: D(1)})
                venue.ledger.lines[NAME].begin(D(2), MARK, D(1), seen_ns=BEGUN_NS)
                venue.ledger.resume(state, FillKeys())
        return figures

    for seed in range(20):
        assert life(seed, restarts=True) == life(seed, restarts=False)


def test_a_line_that_an_earlier_version_began_looks_after_no_settlement() -> None:
    # Given what an earlier version wrote of a line
    venue = Venue()
    older = msgspec.msgpack.encode([list(venue.line)[:-1]])
    (line,) = msgspec.msgpack.decode(older, type=list[LineState])
    # If a ledger goes on from it, I expect what settlements have paid since the session's beginning to be no step now
    venue.ledger.lines[NAME].resume(line)
    venue.show("0", SETTLED_NS + DAY_NS + NS_PER_S)
    assert venue.wants() is None
