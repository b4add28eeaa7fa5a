"""Execution over several lives, at a venue where trades happen that it hears of late, or only from the history."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from domain.clock import NS_PER_S
from domain.order import LiquiditySide, Side, VenueOrderStatus
from domain.reports import FillReport, OrderReport, TradeReport
from runtime.paths import JOURNAL_FILE
from tests.execution_rig import Bench, FakeGateway
from tests.model_venue import INSTRUMENT
from trading.daily_funding import DailyState
from trading.ledger import Ledger


class Gateway(FakeGateway):
    """Notes from when on it was asked for trades, and how many it told."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.asked: list[tuple[int, int]] = []

    async def trade_history(self, since_realtime_ns: int) -> list[TradeReport]:
        trades = await super().trade_history(since_realtime_ns)
        self.asked.append((since_realtime_ns, len(trades)))
        return trades


class Session:
    """Execution on the rig, at a venue that tells it fills of orders that nobody knows any more."""

    def __init__(self, segment_name: Callable[[], str], folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bench = Bench(segment_name, folder, gateway_type=Gateway)
        self.path = folder / JOURNAL_FILE

    @property
    def gateway(self) -> Gateway:
        assert isinstance(self.bench.gateway, Gateway)
        return self.bench.gateway

    @property
    def trades(self) -> list[TradeReport]:
        return self.gateway.venue.trades

    def trade(self, *, is_told: bool = True, has_fee: bool = True) -> None:
        """Let a trade happen; `is_told` with its order, `has_fee` also with what it cost."""
        rng, bench = self.rng, self.bench
        bench.clock.advance(rng.randrange(1, NS_PER_S))
        number, now_ns, side = len(self.trades), bench.clock.realtime_ns(), rng.choice(list(Side))
        price, size = INSTRUMENT.price(rng.randrange(150, 250)), INSTRUMENT.size(rng.randrange(1, 30))
        fee, funding = (Decimal(rng.randrange(-1000, 9000)) / 10**8 for _ in range(2))
        self.gateway.start_position += side * size
        trade = TradeReport(
            f"t{number}", f"v{number % 11}", 0, INSTRUMENT.name, side, price, size, fee, self.gateway.start_position,
            Decimal(0), funding, LiquiditySide.MAKER, "", now_ns,
        )  # fmt: skip
        self.trades.append(trade)
        if is_told:
            fill = FillReport(trade.trade_id, trade.venue_order_id, 0, price, size, LiquiditySide.MAKER, now_ns)
            bench.core.on_orders([
                OrderReport(
                    trade.venue_order_id, None, INSTRUMENT.name, side, price, size, size, VenueOrderStatus.FILLED,
                    (fill,), "fill", "", "", now_ns, now_ns,
                )
            ])  # fmt: skip
        if is_told and has_fee:
            bench.core.on_trades([trade])

    async def audit(self) -> None:
        """Let so much time pass that execution compares itself with the venue, and the ledger is written down."""
        self.bench.clock.advance(self.rng.randrange(11, 90) * NS_PER_S)
        self.bench.beat()
        await self.bench.settle(4)

    async def restart(self) -> None:
        """Kill execution, let trades happen while there is none, and start the next life."""
        for task in self.bench.tasks:
            task.cancel()
        self.bench.restart_core()
        for _ in range(self.rng.randrange(4)):
            self.trade(is_told=False)
        self.gateway.asked.clear()
        await self.bench.start()
        await self.bench.run_until(lambda: self.bench.core.books.is_known, "recovery")

    def assert_exact(self) -> None:
        """The ledger is that of somebody who heard of every trade once, in order."""
        control = Ledger({INSTRUMENT.name: INSTRUMENT.contract_multiplier})
        for trade in self.trades:
            control.book_trade(trade)
        found = self.bench.core.books.ledger.state
        lines = {name: line._replace(daily=DailyState()) for name, line in found.lines.items()}
        assert found._replace(lines=lines) == control.state
        told = self.bench.fills_told()
        assert len(told) == len(set(told))
