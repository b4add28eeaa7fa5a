"""Risk's own count of the run: every trade once, also over a lost connection, with a memory that does not grow."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import structlog

from actors.risk.venue import VenueView
from domain.clock import NS_PER_S, SimClock
from domain.instrument import Instrument
from domain.order import LiquiditySide, Side
from domain.reports import MarginReport, PositionReport, TradeReport
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig

BEGIN_NS = 1_700_000_000 * NS_PER_S


class Venue:
    """Risk's gateway: an account that is flat when the run begins, and its history."""

    is_ready = True

    def __init__(self) -> None:
        self.trades: list[TradeReport] = []
        self.before_history: Any = lambda: None  # is called while an answer is on its way

    def trade(self, time_s: float) -> TradeReport:
        number, one = len(self.trades), Decimal(1)
        self.trades.append(
            TradeReport(
                f"t{number}", f"o{number}", 0, INSTRUMENT.name, Side.BUY, one, one, Decimal("0.01"),
                Decimal(number + 1), Decimal(0), Decimal(0), LiquiditySide.MAKER, "", BEGIN_NS + int(time_s * NS_PER_S),
            )
        )  # fmt: skip
        return self.trades[-1]

    async def instruments(self) -> dict[str, Instrument]:
        self.before_history()
        return {INSTRUMENT.name: INSTRUMENT}

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        return [trade for trade in self.trades if trade.time_ns >= since_realtime_ns]

    async def margin(self) -> MarginReport:
        return MarginReport(Decimal(1), Decimal(0))

    async def positions(self) -> list[PositionReport]:
        return []


def view_of(venue: Venue, tasks: list[Any]) -> VenueView:
    clock = SimClock(0, BEGIN_NS + 3600 * NS_PER_S)
    ctx: Any = SimpleNamespace(
        config=SimpleNamespace(execution=ExecutionConfig()), session="local", clock=clock,
        log=structlog.get_logger(), session_start_realtime_ns=BEGIN_NS,
        instrument_names=[INSTRUMENT.name], counters=SimpleNamespace(add=lambda *_: None),
        spawn=lambda coroutine, _: tasks.append(asyncio.get_running_loop().create_task(coroutine)),
    )  # fmt: skip
    ignore = lambda *_, **__: None  # noqa: E731
    account = SimpleNamespace(marks={}, positions={}, on_instruments=ignore, on_positions=ignore, on_margin=ignore)
    monitor: Any = SimpleNamespace(account=account, round_trips={})
    memory: Any = SimpleNamespace(openings={}, forgiven={})
    gateway: Any = venue
    return VenueView(ctx, monitor, memory, lambda _: gateway, ignore)


async def connect(view: VenueView, tasks: list[Any]) -> None:
    view.on_ready()
    await asyncio.gather(*tasks)
    tasks.clear()


def booked(view: VenueView) -> int:
    """Return how many trades of one unit the run's account has counted."""
    assert view._account is not None
    return int(view._account.position(INSTRUMENT.name))


def test_trades_of_a_long_outage_count_though_newer_ones_are_told_first() -> None:
    async def scenario() -> None:
        # Given a run of ten minutes
        venue, tasks = Venue(), list[Any]()
        view = view_of(venue, tasks)
        await connect(view, tasks)
        for second in range(600):
            view.on_trades([venue.trade(second)])
        # If the connection is lost for ten minutes of trades, and the stream tells a new one before the history
        view.on_disconnected("test")
        for second in range(600, 1200):
            venue.trade(second)
        venue.before_history = lambda: view.on_trades([venue.trade(1200)])
        await connect(view, tasks)
        # I expect every trade counted, and none again when all are told again
        assert booked(view) == len(venue.trades) == 1201
        view.on_trades(venue.trades)
        assert booked(view) == 1201

    asyncio.run(scenario())


def test_trades_are_remembered_for_minutes_and_not_for_the_run() -> None:
    async def scenario() -> None:
        venue, tasks = Venue(), list[Any]()
        view = view_of(venue, tasks)
        await connect(view, tasks)
        for second in range(1000):
            view.on_trades([venue.trade(second)])
        assert view._account is not None
        known = sum(view._account._ledger.is_counted(trade.key) for trade in venue.trades)
        assert 120 <= known <= 125
        assert booked(view) == 1000

    asyncio.run(scenario())
