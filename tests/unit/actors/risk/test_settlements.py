"""Risk over the daily settlement at 08:00 UTC: no limit or exit sees a step, and what was paid counts once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from actors.risk.books import KEEP_INTERVAL_NS
from domain.clock import NS_PER_S
from domain.errors import VenueError
from domain.order import Side
from domain.reports import SettlementReport
from tests.model_venue import INSTRUMENT
from tests.risk_view import Scene, a_trade
from trading.daily_funding import DAY_NS, settlement_before
from trading.risk.latch import RiskMemory, memory_bytes

D = Decimal
NAME = INSTRUMENT.name
HELD = D("0.5")


class Day:
    """A run that began two hours before a settlement, holding a long position which had gathered five dollars."""

    def __init__(self, folder: Path, wall_ahead_ns: int = 0) -> None:
        self.scene = Scene(folder, wall_ahead_ns=wall_ahead_ns)
        self.settled_ns = settlement_before(self.venue_ns) + DAY_NS
        self.scene.clock.advance(self.settled_ns - 7200 * NS_PER_S - self.venue_ns)
        self.scene.context.session_start_realtime_ns = self.scene.clock.realtime_ns()
        self.gateway = self.scene.gateway
        self.gateway.moved, self.gateway.unrealised_funding = HELD, D(5)
        self.scene.start(RiskMemory())

    @property
    def venue_ns(self) -> int:
        return self.scene.clock.realtime_ns() - self.scene.wall_ahead_ns

    def pass_to(self, offset_s: float, funding: str) -> Decimal:
        """Let it be so long after the settlement, with an audit; return the funding of the run."""
        self.gateway.unrealised_funding = D(funding)
        self.scene.pass_time(self.settled_ns + int(offset_s * NS_PER_S) - self.venue_ns)
        return self.funding

    @property
    def funding(self) -> Decimal:
        line = self.scene.view.pnl_by_instrument()[NAME]
        assert line is not None
        assert line.total == line.realised + line.unrealised - line.fees + line.funding
        return line.funding

    def unrealised(self) -> Decimal:
        """What the exits count for the open position: unrealised funding, and what was paid for it."""
        report = self.scene.monitor.account.positions[NAME]
        return D(report.unrealised_funding) - self.scene.monitor.round_trips[NAME].open_costs

    def pay(self, funding: str, position: Decimal = HELD, offset_ns: int = 11_731_400) -> None:
        self.gateway.paid.append(
            SettlementReport(NAME, position, D(100), D(0), D(funding), self.settled_ns + offset_ns)
        )


@pytest.fixture
def day(tmp_path: Path) -> Day:
    return Day(tmp_path)


@pytest.mark.parametrize("wall_ahead_s", [0, 3600, -3600, 3])
def test_equity_goes_on_over_a_settlement_by_the_venues_clock(tmp_path: Path, wall_ahead_s: int) -> None:
    day = Day(tmp_path, wall_ahead_s * NS_PER_S)
    assert day.funding == 0
    assert day.pass_to(-60, "7") == D(2)
    assert day.unrealised() == D(7)
    # If all seven are paid out and nobody has told it, I expect no step, nor in what the exits see
    for offset_s in (-2, 0.5, 2, 6, 30):
        assert day.pass_to(offset_s, "7" if offset_s < 0 else "0") == D(2)
        assert day.unrealised() == D(7)
    day.pay("7.01")
    assert day.pass_to(60, "-0.5") == D("1.51")
    assert day.unrealised() == D("6.51")
    # and the same to the next settlement, which is asked for again
    asked = len(day.gateway.asked_settlements)
    assert day.pass_to(120, "-1") == D("1.01")
    assert len(day.gateway.asked_settlements) == asked
    assert day.pass_to(DAY_NS / NS_PER_S + 1, "0") == D("1.01")
    assert len(day.gateway.asked_settlements) == asked + 1


@pytest.mark.parametrize(("paid", "is_told"), [("7.01", False), ("7.9", False), ("8.1", True), ("-7", True)])
def test_a_line_that_is_not_what_was_seen_before_it_is_told(day: Day, paid: str, is_told: bool) -> None:
    day.pass_to(-60, "7")
    day.pass_to(1, "0")
    day.pay(paid)
    # If the venue says that it paid something else, I expect it to count, and the operator to hear of it
    assert day.pass_to(30, "0") == D(paid) - D(5)
    assert any("not what was seen" in line for line in day.scene.warnings) is is_told


def test_a_next_life_finds_what_was_paid_meanwhile_whether_anything_was_kept_or_not(day: Day) -> None:
    day.pass_to(-90, "7")
    day.scene.pass_time(KEEP_INTERVAL_NS)
    kept = day.scene.view.pnl_by_instrument()
    # If risk dies over the settlement, I expect the next life to count what was paid, once
    day.scene.clock.advance(40 * NS_PER_S)
    day.gateway.unrealised_funding = D(0)
    day.pay("7")
    day.scene.start_again()
    assert day.funding == D(2) == kept[NAME].funding  # type: ignore[union-attr]
    day.scene.pass_time(KEEP_INTERVAL_NS)
    day.scene.start_again()
    assert day.funding == D(2)
    # ... and one that reads everything, the same
    (day.scene.context.run_dir / "risk.account").unlink()
    day.scene.start_again()
    assert day.funding == D(2)
    assert day.pass_to(400, "0.25") == D("2.25")


def test_a_next_life_holds_what_was_kept_until_the_line_comes(day: Day) -> None:
    day.pass_to(-90, "7")
    day.scene.pass_time(KEEP_INTERVAL_NS)
    day.scene.clock.advance(40 * NS_PER_S)
    day.gateway.unrealised_funding = D(0)
    day.scene.start_again()
    assert day.funding == D(2)
    day.pay("7.5")
    assert day.pass_to(60, "0") == D("2.5")


@pytest.mark.parametrize("is_kept", [True, False])
def test_nothing_is_judged_by_an_account_that_lacks_its_settlements(day: Day, is_kept: bool) -> None:
    # Given a settlement over which risk was dead
    day.pass_to(-90, "7")
    day.scene.pass_time(KEEP_INTERVAL_NS)
    day.scene.clock.advance(40 * NS_PER_S)
    day.gateway.unrealised_funding = D(0)
    day.pay("7")
    if not is_kept:
        (day.scene.context.run_dir / "risk.account").unlink()
    judged: list[bool] = []
    answer = day.gateway.settlements

    async def settlements(since_realtime_ns: int) -> list[SettlementReport]:
        judged.append(day.scene.view.is_started)
        return await answer(since_realtime_ns)

    # If the next life asks what was paid, I expect it to judge by nothing before it knows
    with patch.object(day.gateway, "settlements", settlements):
        day.scene.start_again()
    assert judged[0] is False
    assert day.scene.view.is_started
    assert day.funding == D(2)


def test_a_position_that_is_closed_after_the_settlement_keeps_what_it_is_owed(day: Day) -> None:
    day.pass_to(-60, "7")
    day.pass_to(1, "0")
    # If it is sold before the line has come, and the venue leaves the line out of the portfolio
    day.gateway.moved = D(0)
    day.scene.view.on_positions([], is_snapshot=True)
    assert day.funding == D(2)


def test_exits_count_of_a_settlement_what_is_still_held_of_the_position(day: Day) -> None:
    trip = day.scene.monitor.round_trips[NAME]
    # Given a long half, of which a half was sold since the settlement
    trip.on_settlement(D(8), 2 * HELD, day.settled_ns)
    assert trip.open_costs == D(-4)
    # If the position turns round, I expect what is paid for the one before to be none of it
    day.scene.view.on_trades([msgspec.structs.replace(a_trade(1, Side.SELL, day.venue_ns), size=2 * HELD, fee=D(0))])
    assert (trip.position, trip.open_costs) == (-HELD, 0)
    trip.on_settlement(D(8), HELD, day.settled_ns)
    trip.on_settlement(D(8), -HELD, trip.begun_ns)
    assert trip.open_costs == 0


def test_a_venue_that_refuses_to_tell_is_named_once_in_a_while_and_positions_go_on(day: Day) -> None:
    async def refuses(_since_ns: int) -> list[SettlementReport]:
        raise VenueError(31, "unknown method")

    day.pass_to(-60, "7")
    with patch.object(day.gateway, "settlements", refuses):
        for offset_s in range(1, 60, 6):
            assert day.pass_to(offset_s, "0") == D(2)
        assert day.pass_to(3600, "-0.5") == D("1.5")
    assert len([line for line in day.scene.warnings if "refuses to tell" in line]) == 2
    # A line that is as late is told, too
    day.pass_to(3700, "-0.5")
    day.pass_to(7200, "-0.5")
    assert len([line for line in day.scene.warnings if "has not told" in line]) == 1


def test_the_memory_of_an_earlier_version_does_not_say_when_its_openings_were_seen(day: Day) -> None:
    # Given what an earlier version remembered
    view = day.scene.view
    memory = RiskMemory(openings=view.openings, since_ns=view.since_ns)
    content = memory_bytes(memory).replace(b"seen_ns", b"unknown")
    older = msgspec.json.decode(content, type=RiskMemory)
    assert older.openings[NAME].seen_ns == 0
    # If risk goes on from it after a settlement, I expect it to count what was paid since the run began
    day.scene.clock.advance(3 * 3600 * NS_PER_S)
    day.pay("7")
    day.gateway.unrealised_funding = D(0)
    day.scene.start(older)
    assert day.funding == D(2)
