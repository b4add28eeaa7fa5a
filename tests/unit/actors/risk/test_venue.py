"""Every trade of the run is booked in the end, however late the venue's history shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from actors.risk.venue import AUDIT_INTERVAL_NS, VenueView
from domain.clock import NS_PER_S, SimClock
from domain.order import LiquiditySide, Side
from domain.reports import MarginReport, PositionReport, TradeReport
from tests.execution_rig import INSTRUMENT
from trading.orders.config import ExecutionConfig
from trading.risk.account_view import AccountView
from trading.risk.latch import RiskMemory

WALL_NS = 1_700_000_000 * NS_PER_S
ZERO = Decimal(0)


def a_trade(number: int, side: Side, time_ns: int) -> TradeReport:
    after = Decimal("0.001") if side is Side.BUY else ZERO
    return TradeReport(
        f"t{number}", f"v{number}", 0, INSTRUMENT.name, side, Decimal(100), Decimal("0.001"), Decimal("0.01"), after,
        ZERO, ZERO, LiquiditySide.MAKER, "", time_ns,
    )  # fmt: skip


class FakeGateway:
    """An account whose history shows the trades of `history`."""

    is_ready = True

    def __init__(self) -> None:
        self.history: list[TradeReport] = []
        self.position = ZERO

    async def instruments(self) -> dict[str, Any]:
        return {INSTRUMENT.name: INSTRUMENT}

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        return [trade for trade in self.history if trade.time_ns >= since_realtime_ns]

    async def margin(self) -> MarginReport:
        return MarginReport(Decimal(1000), ZERO)

    async def positions(self) -> list[PositionReport]:
        return [PositionReport(INSTRUMENT.name, self.position, Decimal(100), Decimal(100), ZERO, ZERO, ZERO)]

    async def open_orders(self) -> list[Any]:
        return []


class Scene:
    """A view whose tasks run to their end as soon as they are started."""

    def __init__(self, wall_ahead_ns: int = 0) -> None:
        """`wall_ahead_ns`: how far the machine's wall clock is ahead of the venue's."""
        self.clock = SimClock(1_000 * NS_PER_S, WALL_NS + wall_ahead_ns)
        self.wall_ahead_ns = wall_ahead_ns
        self.gateway = FakeGateway()
        context: Any = SimpleNamespace(
            config=SimpleNamespace(execution=ExecutionConfig()),
            session="test",
            clock=self.clock,
            instrument_names=(INSTRUMENT.name,),
            session_start_realtime_ns=WALL_NS + wall_ahead_ns,
            spawn=self.run,
            log=SimpleNamespace(info=lambda *_, **__: None, warning=lambda *_, **__: None),
            counters=SimpleNamespace(add=lambda _: None),
        )
        monitor: Any = SimpleNamespace(account=AccountView((INSTRUMENT.name,)))
        monitor.account.on_mark(0, 100.0)
        gateway: Any = self.gateway
        self._parts: Any = (context, monitor, gateway)
        self.start(RiskMemory())

    def start(self, memory: RiskMemory) -> None:
        """Begin a life of risk."""
        context, monitor, gateway = self._parts
        self.view = VenueView(
            context, monitor, memory, lambda _: gateway, lambda _: None, lambda: -self.wall_ahead_ns
        )  # fmt: skip
        self.view.on_ready()

    def run(self, coroutine: Coroutine[Any, Any, None], _name: str) -> None:
        asyncio.run(coroutine)

    def pass_time(self, duration_ns: int) -> int:
        """Let time pass and return the venue's clock."""
        self.clock.advance(duration_ns)
        self.view.do_work(self.clock.monotonic_ns())
        return self.clock.realtime_ns() - self.wall_ahead_ns

    def fees(self) -> Decimal:
        line = self.view.pnl_by_instrument()[INSTRUMENT.name]
        assert line is not None
        return line.fees


def test_trades_that_cancel_out_and_reach_the_history_after_a_reconnect_are_booked() -> None:
    # Given a reconnect whose history does not show yet what was bought and sold meanwhile
    scene = Scene()
    dark_ns = scene.pass_time(NS_PER_S)
    scene.view.on_disconnected("test")
    scene.view.on_ready()
    assert scene.fees() == 0
    # If it shows them before the next audit
    scene.gateway.history = [a_trade(0, Side.BUY, dark_ns), a_trade(1, Side.SELL, dark_ns)]
    scene.pass_time(AUDIT_INTERVAL_NS)
    # I expect both to be booked, with what they cost
    assert scene.fees() == Decimal("0.02")
    assert [trade.trade_id for trade in scene.view.new_trades] == ["t0", "t1"]


def test_a_trade_told_before_the_history_is_read_hides_none_of_the_time_without_connection() -> None:
    # Given a trade while the connection was lost, minutes before it is back
    scene = Scene()
    dark_ns = scene.pass_time(NS_PER_S)
    scene.view.on_disconnected("test")
    scene.gateway.history = [a_trade(0, Side.BUY, dark_ns)]
    scene.gateway.is_ready = False
    now_ns = scene.clock.realtime_ns() + 300 * NS_PER_S
    scene.clock.advance(300 * NS_PER_S)
    # If a new trade is told before the account is read
    scene.gateway.is_ready = True
    scene.view.on_trades([a_trade(1, Side.SELL, now_ns)])
    scene.view.on_ready()
    # I expect both to be booked
    assert scene.fees() == Decimal("0.02")


@pytest.mark.parametrize("hours", [-1, 1])
def test_trades_are_of_the_run_by_the_venues_clock_whatever_ours_says(hours: int) -> None:
    # Given a wall clock that is an hour off, a trade from before the run, and one of it that was not told
    scene = Scene(wall_ahead_ns=hours * 3600 * NS_PER_S)
    scene.gateway.history = [a_trade(0, Side.BUY, WALL_NS - 60 * NS_PER_S)]
    scene.start(RiskMemory())
    scene.gateway.history.append(a_trade(1, Side.SELL, scene.pass_time(10 * NS_PER_S)))
    # If the history is asked, I expect the second alone to be booked
    scene.pass_time(AUDIT_INTERVAL_NS)
    assert [trade.trade_id for trade in scene.view.new_trades] == ["t1"]
    assert scene.fees() == Decimal("0.01")
    # ... by the next life, too, though the wall clock was stepped meanwhile
    scene.wall_ahead_ns -= hours * 3600 * NS_PER_S
    scene.clock.step_realtime(-hours * 3600 * NS_PER_S)
    scene.start(RiskMemory(openings=scene.view.openings, since_ns=scene.view.since_ns))
    assert scene.fees() == Decimal("0.01")


@pytest.mark.parametrize("ahead_s", [-4, 0, 4])
def test_a_fill_of_the_first_seconds_is_the_next_lifes_too_with_clocks_that_nearly_agree(ahead_s: int) -> None:
    # Given clocks that differ by less than is corrected, and a fill soon after the start
    scene = Scene(wall_ahead_ns=ahead_s * NS_PER_S)
    scene.gateway.history.append(a_trade(0, Side.BUY, scene.pass_time(2 * NS_PER_S)))
    scene.view.on_trades(scene.gateway.history)
    assert scene.fees() == Decimal("0.01")
    # If risk begins anew, I expect it to count
    scene.start(RiskMemory(openings=scene.view.openings, since_ns=scene.view.since_ns))
    assert scene.fees() == Decimal("0.01")


def test_the_account_is_opened_only_once_the_venues_clock_is_known() -> None:
    scene = Scene()
    begun = scene.view
    context, monitor, gateway = scene._parts
    told: list[int | None] = [None, -60 * NS_PER_S]
    view = VenueView(context, monitor, RiskMemory(), lambda _: gateway, lambda _: None, lambda: told.pop(0))
    view.on_ready()
    assert view.is_started
    assert view.since_ns == begun.since_ns - 60 * NS_PER_S
