"""Execution over the daily settlement at 08:00 UTC: the report's funding goes on, and counts what was paid once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from domain.clock import NS_PER_S
from domain.errors import VenueError
from domain.reports import SettlementReport
from tests.execution_rig import Bench
from tests.execution_rig.session import Session
from tests.model_venue import INSTRUMENT
from trading.daily_funding import DAY_NS, settlement_before

D = Decimal


class Day(Session):
    """A session that holds what it bought an hour before a settlement, with an audit just before it."""

    settled_ns: int

    async def begin(self, start: str = "0", start_funding: str = "0") -> None:
        bench = self.bench
        self.gateway.start_position, self.gateway.unrealised_funding = D(start), D(start_funding)
        self.settled_ns = settlement_before(bench.clock.realtime_ns()) + DAY_NS
        bench.clock.advance(self.settled_ns - 3600 * NS_PER_S - bench.clock.realtime_ns())
        await bench.start()
        self.trade()
        while not bench.core.books.ledger.lines[INSTRUMENT.name].position:
            self.trade()

    async def pass_to(self, offset_s: int, funding: str) -> Decimal:
        """Let it be so long after the settlement, with an audit; return the funding that execution reports."""
        clock = self.bench.clock
        self.gateway.unrealised_funding = D(funding)
        clock.advance(self.settled_ns + offset_s * NS_PER_S - clock.realtime_ns())
        self.bench.beat()
        await self.bench.settle(8)
        return self.funding

    @property
    def funding(self) -> Decimal:
        """The funding that execution reports, but for what trades told."""
        report = self.bench.core.operations.report(0, True)
        return D(report["pnl"]["funding"]) - sum((trade.funding_pnl for trade in self.trades), D(0))

    def pay(self, funding: str, offset_ns: int = 11_731_400) -> None:
        position = self.bench.core.books.ledger.lines[INSTRUMENT.name].position
        self.gateway.paid.append(
            SettlementReport(INSTRUMENT.name, position, D(200), D(0), D(funding), self.settled_ns + offset_ns)
        )

    async def come_back(self) -> None:
        """Start the next life of execution; nothing is traded meanwhile."""
        self.bench.restart_core()
        await self.bench.start()
        await self.bench.run_until(lambda: self.bench.core.books.is_known, "recovery")


@pytest.fixture
def day(segment_name: Callable[[], str], tmp_path: Path) -> Day:
    return Day(segment_name, tmp_path, 3)


def test_a_report_goes_on_over_a_settlement_and_counts_what_was_paid_once(day: Day) -> None:
    async def scenario() -> None:
        await day.begin("2", "5")
        assert await day.pass_to(-60, "7") == D(2)
        assert day.gateway.asked_settlements == []
        # If the venue has paid out all seven, and tells it late, I expect no step
        for offset_s in (1, 20, 60):
            assert await day.pass_to(offset_s, "0") == D(2)
        assert len(day.gateway.asked_settlements) == 3
        day.pay("7.01")
        assert await day.pass_to(90, "0.5") == D("2.51")
        # and the venue not to be asked again, nor after a restart anything counted again
        asked = len(day.gateway.asked_settlements)
        assert await day.pass_to(120, "0.75") == D("2.76")
        await day.come_back()
        assert await day.pass_to(150, "1") == D("3.01")
        assert len(day.gateway.asked_settlements) == asked

    asyncio.run(scenario())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_restart_over_the_settlement_finds_what_was_paid_meanwhile(day: Day, is_told: bool) -> None:
    async def scenario() -> None:
        # Given funding that was gathered, and written down
        await day.begin("2", "0")
        assert await day.pass_to(-100, "-3") == D(-3)
        # If execution is killed and comes back after the settlement, and somebody traded in between
        if is_told:
            day.pay("-3.25")
        day.bench.clock.advance(day.settled_ns + 5 * NS_PER_S - day.bench.clock.realtime_ns())
        day.gateway.unrealised_funding = D(0)
        await day.restart()
        # I expect what was paid, or while nobody knows that what was seen last
        assert day.funding == D("-3.25" if is_told else "-3")
        if not is_told:
            day.pay("-3.25")
        assert await day.pass_to(60, "-0.5") == D("-3.75")

    asyncio.run(scenario())


def test_a_ledger_that_is_counted_anew_counts_the_settlement_anew(day: Day) -> None:
    async def scenario() -> None:
        await day.begin("2", "5")
        await day.pass_to(-60, "7")
        day.pay("7")
        assert await day.pass_to(10, "0") == D(2)
        # If nothing of the journal is left but the session's start
        for path in day.path.parent.glob(f"{day.path.name}*"):
            path.unlink()
        await day.come_back()
        # I expect the same
        assert await day.pass_to(40, "0") == D(2)

    asyncio.run(scenario())


def test_a_venue_that_refuses_to_tell_disturbs_nothing_else(day: Day) -> None:
    async def scenario() -> None:
        # Given a venue that does not know the question
        await day.begin("2")
        await day.pass_to(-60, "7")
        day.gateway.settlements_error = VenueError(31, "unknown method")
        audits = day.bench.core.truth._ports.measures.counts.values()["audits"]
        # If a day passes, I expect what was seen last and what gathers after it, and audits to go on
        assert await day.pass_to(30, "0") == D(7)
        assert await day.pass_to(3600, "0.5") == D("7.5")
        assert day.bench.core.truth._ports.measures.counts.values()["audits"] == audits + 2
        assert day.bench.core.books.is_known

    asyncio.run(scenario())


def test_a_line_that_was_sold_meanwhile_and_is_left_out_keeps_its_funding(day: Day) -> None:
    async def scenario() -> None:
        await day.begin("2")
        await day.pass_to(-60, "7")
        assert await day.pass_to(1, "0") == D(7)
        # If the venue leaves out the line of what is held no more
        day.bench.core.on_positions([], True)
        assert day.funding == D(7)

    asyncio.run(scenario())


def test_the_venues_clock_says_when_the_settlement_is(segment_name: Callable[[], str], tmp_path: Path) -> None:
    # Given books that are stamped
    bench = Bench(segment_name, tmp_path)
    books, clock = bench._writer("book_table"), bench.core.truth.venue_clock
    ours_ns = bench.clock.realtime_ns()
    assert clock.realtime_ns() == ours_ns
    for ahead_s, is_told in ((1, False), (-4, False), (-3600, True), (3600, True)):
        books.scratch["exchange_time_ns"], books.scratch["receive_realtime_ns"] = ours_ns + ahead_s * NS_PER_S, ours_ns
        books.publish(0)
        # I expect ours, unless the stamps say that it is wrong
        assert clock.realtime_ns() == ours_ns + (ahead_s * NS_PER_S if is_told else 0)
    books.scratch["exchange_time_ns"] = 0
    books.publish(0)
    assert clock.realtime_ns() == ours_ns
