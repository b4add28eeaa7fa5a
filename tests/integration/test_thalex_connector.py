"""The connector against the local exchange, a process of its own with its own codec: orders, fills, history."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from domain.order import LiquiditySide, OrderType, TimeInForce, VenueOrderStatus
from domain.reports import PositionReport
from tests.thalex_desk import DEADLINE_S, PERPETUAL, TRANSPORTS, Desk, Exchange, connected, run, until
from venues.config import VenueConfig
from venues.credentials import read_key_file


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_order_is_inserted_amended_and_cancelled(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
            gateway, heard = desk.gateway, desk.heard
            assert gateway.message_rate == 50
            order = desk.order("99400", post_only=True)
            before_ns = desk.clock.monotonic_ns()
            assert gateway.insert(order) >= before_ns
            # amend and cancel by our own id work before the insert is answered
            gateway.amend(order.client_order_id, Decimal(99401), Decimal("0.2"))
            await until(lambda: len(heard.statuses(order.client_order_id)) >= 2, "answers")
            (seen,) = await gateway.open_orders()
            assert (seen.price, seen.size, seen.label) == (Decimal(99401), Decimal("0.2"), "rm-test")
            gateway.cancel(order.client_order_id)
            cancelled = VenueOrderStatus.CANCELLED
            await until(lambda: cancelled in heard.statuses(order.client_order_id), "the cancel")
            assert await gateway.open_orders() == []

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refusals_name_request_and_order(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
            gateway, heard = desk.gateway, desk.heard
            off_tick = desk.order("99400.5")
            gateway.insert(off_tick)
            gateway.amend(4242, Decimal(99400), Decimal("0.1"))
            gateway.cancel(4243)
            gateway.cancel_order("no such order")
            gateway.cancel_order("no such order either", 4244)
            await until(lambda: len(heard.rejected) == 5, "five refusals")
            told = {(kind, client_order_id): error.code for kind, client_order_id, error in heard.rejected}
            assert told[("insert", off_tick.client_order_id)] == 15
            assert told[("amend", 4242)] == told[("cancel", 4243)] == told[("cancel", 0)] == 1
            assert told[("cancel", 4244)] == 1

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fill_comes_as_order_trade_and_position(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
            gateway, heard = desk.gateway, desk.heard
            since_ns = desk.clock.realtime_ns() - 1_000_000_000
            held = {position.instrument_name: position.position for position in await gateway.positions()}
            order = desk.order(
                None,
                "0.003",
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            )
            gateway.insert(order)
            await until(lambda: bool(heard.trades), "the trade")
            fills = {fill.key: fill for report in heard.orders for fill in report.fills}
            assert sum(fill.size for fill in fills.values()) == Decimal("0.003")
            assert {fill.liquidity_side for fill in fills.values()} == {LiquiditySide.TAKER}
            # the history says the same as the notifications, and the position follows
            history = [trade for trade in await gateway.trade_history(since_ns) if trade.key in fills]
            assert sum(trade.size for trade in history) == Decimal("0.003")
            assert all(trade.fee > 0 for trade in history)
            now = {position.instrument_name: position.position for position in await gateway.positions()}
            assert now[PERPETUAL] - held.get(PERPETUAL, Decimal(0)) == Decimal("0.003")
            assert history[-1].position_after == now[PERPETUAL]

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_history_is_complete_over_many_pages(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
):
    monkeypatch.setattr("venues.thalex.account_requests.PAGE_SIZE", 2)

    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
            since_ns = desk.clock.realtime_ns() - 1_000_000
            taker = {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL}
            for _ in range(5):
                desk.gateway.insert(desk.order(None, "0.001", **taker))
            await until(lambda: len({trade.key for trade in desk.heard.trades}) >= 5, "five trades")
            trades = await desk.gateway.trade_history(since_ns)
            assert len({trade.key for trade in trades}) == len(trades) >= 5
            assert [trade.time_ns for trade in trades] == sorted(trade.time_ns for trade in trades)
            assert {trade.key for trade in desk.heard.trades} <= {trade.key for trade in trades}

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_bulk_cancels_leave_nothing(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with (
            connected(exchange, tmp_path, transport=transport) as desk,
            connected(exchange, tmp_path, transport=transport) as other,
        ):
            for price in ("99300", "99301", "99302"):
                desk.gateway.insert(desk.order(price))
            other.gateway.insert(other.order("99303"))
            await until(lambda: len(other.heard.orders) > 0, "the other's order")
            await desk.gateway.cancel_session()
            (left,) = await desk.gateway.open_orders()
            assert left.price == Decimal(99303)  # the other connection's order is not of this session
            assert left.venue_order_id in {order.venue_order_id for order in other.heard.orders}
            assert await desk.gateway.cancel_all() == 1
            await desk.gateway.cancel_all_conditional_orders()
            assert await desk.gateway.open_orders() == []
            assert await desk.gateway.open_conditional_orders() == 0

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_bug_in_the_listener_crashes_the_owner(exchange: Exchange, tmp_path: Path, transport: str):
    def broken(_positions: list[PositionReport], _is_snapshot: bool) -> None:
        raise ZeroDivisionError("a bug of ours")

    async def main() -> None:
        desk = Desk(VenueConfig(transport=transport), exchange.url, read_key_file(exchange.key_file), tmp_path)
        desk.heard.on_positions = broken  # type: ignore[method-assign]
        desk.gateway.start()
        task = desk.gateway._task
        assert task is not None
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(task, DEADLINE_S)

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_order_leaves_within_a_millisecond(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
            order = desk.order("99400")
            desk.gateway.insert(order)
            spent_ns = []
            for i in range(300):
                before_ns = desk.clock.monotonic_ns()
                spent_ns.append(
                    desk.gateway.amend(order.client_order_id, Decimal(99300 + i % 2), order.size) - before_ns
                )
                await asyncio.sleep(0.001)
            median_us = sorted(spent_ns)[len(spent_ns) // 2] / 1000
            print(f"amend to the socket, {transport}: median {median_us:.1f} us")
            assert median_us < 5000  # five times a millisecond: this machine is shared
            await desk.gateway.cancel_session()

    run(main())
