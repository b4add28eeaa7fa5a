"""Execution's memory: what a fill leaves behind for ever, on the rig, over thousands of orders that fill at once."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.execution.journal_format import Filled
from actors.execution.read_journal import read_journal
from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import LiquiditySide, VenueOrderStatus
from domain.reports import FillReport, OrderReport, PositionReport, TradeReport
from runtime.paths import JOURNAL_FILE
from tests.execution_rig import LABEL, Bench, FakeGateway
from tests.model_venue import INSTRUMENT
from trading import ledger
from trading.orders import shelf
from venues.gateway import NewOrder

CLOSED_KEPT = 100  # closed orders; thousands in a session, which would take long to warm
TERMS_KEPT = 100  # fills whose price and size are kept
WARM_FILLS, FILLS = 400, 2_000
BYTES_PER_FILL_MAX = 25  # 9 are seen; what stands in pages of its own (trading/fill_keys.py) is not among them
BETWEEN_FILLS_NS = 500 * NS_PER_MS


class FillingGateway(FakeGateway):
    """Fills each order whole, and keeps nothing but the position, unless asked to: what grows is execution's."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.fills = 0
        self.keeps_history = False
        self.told: list[tuple[OrderReport, OrderReport, TradeReport]] = []

    def insert(self, order: NewOrder) -> int:
        assert order.price is not None
        number, now_ns = self.fills, self.clock.realtime_ns()
        self.fills += 1
        self.start_position += order.side * order.size
        order_id, trade_id = f"001F8A5B{number:010d}", f"001F8A5C{number:010d}"
        fill = FillReport(trade_id, order_id, 0, order.price, order.size, LiquiditySide.MAKER, now_ns)
        opened = OrderReport(
            order_id, order.client_order_id, INSTRUMENT.name, order.side, order.price, order.size, Decimal(0),
            VenueOrderStatus.OPEN, (), "insert", "", LABEL, now_ns, 0,
        )  # fmt: skip
        filled = OrderReport(
            order_id, order.client_order_id, INSTRUMENT.name, order.side, order.price, order.size, order.size,
            VenueOrderStatus.FILLED, (fill,), "fill", "", LABEL, now_ns, now_ns,
        )  # fmt: skip
        trade = TradeReport(
            trade_id, order_id, 0, INSTRUMENT.name, order.side, order.price, order.size, Decimal("0.01"),
            self.start_position, Decimal(0), Decimal(0), LiquiditySide.MAKER, LABEL, now_ns,
        )  # fmt: skip
        if self.keeps_history:
            self.venue.trades.append(trade)
        self.told.append((opened, filled, trade))
        return self.clock.monotonic_ns()

    def position_reports(self) -> list[PositionReport]:
        price = INSTRUMENT.price(200)
        return [PositionReport(INSTRUMENT.name, self.start_position, price, price, Decimal(0), Decimal(0), Decimal(0))]


async def fill_orders(bench: Bench, gateway: FillingGateway, count: int) -> None:
    """Let `count` orders be sent, opened, filled and booked, buys and sells in turn."""
    end = gateway.fills + count
    tries = 0
    while gateway.fills < end:
        tries += 1
        assert tries < 3 * count + 100, f"{end - gateway.fills} of {count} orders were never sent"
        bench.clock.advance(BETWEEN_FILLS_NS)
        bench.beat()
        is_buy = gateway.start_position <= 0
        bench.wish([(100, 1)] if is_buy else [], [] if is_buy else [(103, 1)], bid_off=not is_buy, ask_off=is_buy)
        bench.work()
        for opened, filled, trade in gateway.told:
            bench.core.on_orders([opened])
            bench.core.on_orders([filled, filled])  # the venue tells every fact twice
            bench.core.on_trades([trade])
            bench.core.on_positions(gateway.position_reports(), False)
        gateway.told.clear()
        gateway.sent.clear()
        await asyncio.sleep(0)
        if tries % 100 == 0:
            bench.check_tasks()
            bench.tasks.clear()
            bench.core.journal.sync()
            for measured in bench.measures[:6]:
                measured.clear()


def test_a_fill_leaves_next_to_nothing_behind(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "CLOSED_KEPT_MAX", CLOSED_KEPT)
    monkeypatch.setattr(ledger, "TERMS_KEPT_MAX", TERMS_KEPT)

    async def scenario() -> None:
        # Given a session that has run for a while
        bench = Bench(segment_name, tmp_path, gateway_type=FillingGateway)
        gateway = bench.gateway
        assert isinstance(gateway, FillingGateway)
        await bench.start()
        tracemalloc.start()
        try:
            await fill_orders(bench, gateway, WARM_FILLS)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            # If thousands of orders more are filled
            await fill_orders(bench, gateway, FILLS)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # I expect each counted once, and the memory of them gone
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == WARM_FILLS + FILLS
        assert (after - before) / FILLS < BYTES_PER_FILL_MAX
        assert bench.core.journal.state.fills is bench.core.books.ledger.counted

    asyncio.run(scenario())


def test_fills_told_again_after_a_reconnect_and_after_a_restart_count_once(
    segment_name: Callable[[], str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        # Given a session of some minutes
        bench = Bench(segment_name, tmp_path, gateway_type=FillingGateway)
        gateway = bench.gateway
        assert isinstance(gateway, FillingGateway)
        gateway.keeps_history = True
        await bench.start()
        await fill_orders(bench, gateway, WARM_FILLS)
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        # If the venue tells the whole history: on its stream, after a reconnect, and to a process that starts anew
        bench.core.on_trades(bench.venue.trades)
        bench.disconnect()
        await bench.reconnect()
        bench.core.on_trades(bench.venue.trades)
        counted = line.fill_count, line.position, line.fees
        bench.restart_core()
        await bench.reconnect()
        await fill_orders(bench, gateway, 10)
        bench.core.on_trades(bench.venue.trades)
        # I expect each counted once, in both lives, and written once
        fees = Decimal("0.01")
        assert counted == (WARM_FILLS, Decimal(0), fees * WARM_FILLS)
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.fill_count, line.position, line.fees) == (WARM_FILLS + 10, Decimal(0), fees * (WARM_FILLS + 10))
        written = [entry.key for entry in read_journal(tmp_path / JOURNAL_FILE) if isinstance(entry, Filled)]
        assert len(written) == len(set(written)) == WARM_FILLS + 10
        bench.check_tasks()

    asyncio.run(scenario())


def test_a_fill_counts_however_late_it_is_told_and_whatever_its_stamp(
    segment_name: Callable[[], str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        # Given a session of some minutes
        bench = Bench(segment_name, tmp_path, gateway_type=FillingGateway)
        gateway = bench.gateway
        assert isinstance(gateway, FillingGateway)
        gateway.keeps_history = True
        await bench.start()
        await fill_orders(bench, gateway, WARM_FILLS)
        # If the venue tells fills that it never told before: of the first second, of an hour before, without a time
        first = bench.venue.trades[0]
        for number, time_ns in enumerate((first.time_ns + 1, first.time_ns - 3600 * NS_PER_S, 0)):
            late = msgspec.structs.replace(first, trade_id=f"late{number}", time_ns=time_ns)
            bench.core.on_trades([late])
            bench.core.on_trades([late])
        # I expect each counted once
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == WARM_FILLS + 3

    asyncio.run(scenario())
