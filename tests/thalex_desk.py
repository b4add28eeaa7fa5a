"""Thalex's connector with a listener that keeps what it is told, and a work loop that keeps it alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import structlog
import uvloop

from domain.errors import ProtocolError, VenueError
from domain.order import RequestKind, Side, VenueOrderStatus
from domain.reports import OrderReport, PositionReport, TradeReport
from runtime.clock import SystemClock
from venues.config import VenueConfig
from venues.credentials import Credentials, read_key_file
from venues.gateway import NewOrder
from venues.thalex.order_gateway import ThalexOrderGateway

PERPETUAL = "BTC-PERPETUAL"
TRANSPORTS = ("picows", "websockets")
DEADLINE_S = 20.0


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str
    key_file: Path
    pid: int


class Recorder:
    """An OrderListener that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.orders: list[OrderReport] = []
        self.rejected: list[tuple[RequestKind, int, VenueError]] = []
        self.trades: list[TradeReport] = []
        self.positions: list[PositionReport] = []
        self.snapshots = 0
        self.bad_frames: list[ProtocolError] = []
        self.unreadable_trades: list[str] = []
        self.alive_ns = 0

    def on_ready(self) -> None:
        self.events.append("ready")

    def on_disconnected(self, reason: str) -> None:
        self.events.append("disconnected")

    def on_orders(self, reports: list[OrderReport]) -> None:
        self.orders += reports

    def on_rejected(self, kind: RequestKind, client_order_id: int, error: VenueError) -> None:
        self.rejected.append((kind, client_order_id, error))

    def on_trades(self, trades: list[TradeReport]) -> None:
        self.trades += trades

    def on_positions(self, positions: list[PositionReport], is_snapshot: bool) -> None:
        self.positions += positions
        self.snapshots += is_snapshot

    def on_unreadable_trade(self, instrument_name: str, reason: str) -> None:
        self.unreadable_trades.append(instrument_name)

    def on_bad_frame(self, error: ProtocolError) -> None:
        self.bad_frames.append(error)

    def on_alive(self, now_ns: int) -> None:
        self.alive_ns = now_ns

    def statuses(self, client_order_id: int) -> list[VenueOrderStatus]:
        return [report.status for report in self.orders if report.client_order_id == client_order_id]


class Desk:
    """A gateway, its listener, and a work loop that keeps it alive."""

    def __init__(self, config: VenueConfig, url: str, credentials: Credentials, state_dir: Path) -> None:
        self.clock = SystemClock()
        self.heard = Recorder()
        log = structlog.stdlib.get_logger()
        self.gateway = ThalexOrderGateway(config, url, credentials, state_dir, self.heard, self.clock, log)
        self._next_id = self.clock.realtime_ns() // 1_000_000 * 1000
        self.is_working = True

    def next_id(self) -> int:
        self._next_id += 1
        return self._next_id

    async def work(self) -> None:
        while True:
            if self.is_working:
                self.gateway.keep_alive(self.clock.monotonic_ns())
            await asyncio.sleep(0.02)

    def order(self, price: str | None, size: str = "0.1", **changes: Any) -> NewOrder:
        return NewOrder(
            client_order_id=self.next_id(),
            instrument_name=PERPETUAL,
            side=Side.BUY,
            price=None if price is None else Decimal(price),
            size=Decimal(size),
            label="rm-test",
            **changes,
        )


@asynccontextmanager
async def connected(exchange: Exchange, state_dir: Path, **config: Any) -> AsyncIterator[Desk]:
    desk = Desk(VenueConfig(**config), exchange.url, read_key_file(exchange.key_file), state_dir)
    desk.gateway.start()
    await desk.gateway.wait_ready(DEADLINE_S)
    work = asyncio.create_task(desk.work())
    try:
        yield desk
    finally:
        work.cancel()
        await desk.gateway.close()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)
