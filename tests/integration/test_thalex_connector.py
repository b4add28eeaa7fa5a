"""The connector against the local exchange (a process of its own, with its own codec) and against bad peers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as sockets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog
import uvloop
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from domain.errors import ConnectivityError, CredentialsError, ProtocolError, VenueError, VenueUnreachableError
from domain.order import LiquiditySide, OrderType, RequestKind, Side, TimeInForce, VenueOrderStatus
from domain.reports import OrderReport, PositionReport, TradeReport
from runtime.clock import SystemClock
from tests.middlemen import loopback_certificate
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
async def _desk(exchange: Exchange, state_dir: Path, **config: Any) -> AsyncIterator[Desk]:
    desk = Desk(VenueConfig(**config), exchange.url, read_key_file(exchange.key_file), state_dir)
    desk.gateway.start()
    await desk.gateway.wait_ready(DEADLINE_S)
    work = asyncio.create_task(desk.work())
    try:
        yield desk
    finally:
        work.cancel()
        await desk.gateway.close()


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


async def _admin(exchange: Exchange, method: str) -> Any:
    async with connect(exchange.url, proxy=None) as socket:
        await socket.send(json.dumps({"method": method, "id": 1, "params": {}}))
        return json.loads(await socket.recv())


def _run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_order_is_inserted_amended_and_cancelled(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
            gateway, heard = desk.gateway, desk.heard
            assert gateway.message_rate == 50
            order = desk.order("99400", post_only=True)
            before_ns = desk.clock.monotonic_ns()
            assert gateway.insert(order) >= before_ns
            # amend and cancel by our own id work before the insert is answered
            gateway.amend(order.client_order_id, Decimal(99401), Decimal("0.2"))
            await _until(lambda: len(heard.statuses(order.client_order_id)) >= 2, "answers")
            (seen,) = await gateway.open_orders()
            assert (seen.price, seen.size, seen.label) == (Decimal(99401), Decimal("0.2"), "rm-test")
            gateway.cancel(order.client_order_id)
            cancelled = VenueOrderStatus.CANCELLED
            await _until(lambda: cancelled in heard.statuses(order.client_order_id), "the cancel")
            assert await gateway.open_orders() == []

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refusals_name_request_and_order(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
            gateway, heard = desk.gateway, desk.heard
            off_tick = desk.order("99400.5")
            gateway.insert(off_tick)
            gateway.amend(4242, Decimal(99400), Decimal("0.1"))
            gateway.cancel(4243)
            gateway.cancel_order("no such order")
            await _until(lambda: len(heard.rejected) == 4, "four refusals")
            told = {(kind, client_order_id): error.code for kind, client_order_id, error in heard.rejected}
            assert told[("insert", off_tick.client_order_id)] == 15
            assert told[("amend", 4242)] == told[("cancel", 4243)] == told[("cancel", 0)] == 1

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fill_comes_as_order_trade_and_position(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
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
            await _until(lambda: bool(heard.trades), "the trade")
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

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_history_is_complete_over_many_pages(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
):
    monkeypatch.setattr("venues.thalex.account_requests.PAGE_SIZE", 2)

    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
            since_ns = desk.clock.realtime_ns() - 1_000_000
            taker = {"order_type": OrderType.MARKET, "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL}
            for _ in range(5):
                desk.gateway.insert(desk.order(None, "0.001", **taker))
            await _until(lambda: len({trade.key for trade in desk.heard.trades}) >= 5, "five trades")
            trades = await desk.gateway.trade_history(since_ns)
            assert len({trade.key for trade in trades}) == len(trades) >= 5
            assert [trade.time_ns for trade in trades] == sorted(trade.time_ns for trade in trades)
            assert {trade.key for trade in desk.heard.trades} <= {trade.key for trade in trades}

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_bulk_cancels_leave_nothing(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with (
            _desk(exchange, tmp_path, transport=transport) as desk,
            _desk(exchange, tmp_path, transport=transport) as other,
        ):
            for price in ("99300", "99301", "99302"):
                desk.gateway.insert(desk.order(price))
            other.gateway.insert(other.order("99303"))
            await _until(lambda: len(other.heard.orders) > 0, "the other's order")
            await desk.gateway.cancel_session()
            (left,) = await desk.gateway.open_orders()
            assert left.price == Decimal(99303)  # the other connection's order is not of this session
            assert left.venue_order_id in {order.venue_order_id for order in other.heard.orders}
            assert await desk.gateway.cancel_all() == 1
            await desk.gateway.cancel_all_conditional_orders()
            assert await desk.gateway.open_orders() == []
            assert await desk.gateway.open_conditional_orders() == 0

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cut_connection_comes_back_and_its_orders_are_gone(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport, backoff_ms_min=10) as desk:
            order = desk.order("99400")
            desk.gateway.insert(order)
            await _until(lambda: bool(desk.heard.orders), "the order")
            await _admin(exchange, "admin/disconnect_all")
            await _until(lambda: desk.heard.events == ["ready", "disconnected", "ready"], "the reconnect")
            await _until(lambda: desk.heard.snapshots == 2, "positions again")
            assert desk.gateway.reconnects == 1
            assert await desk.gateway.open_orders() == []

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_requests_under_way_fail_when_the_connection_is_cut(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
            os.kill(exchange.pid, signal.SIGSTOP)
            try:
                waiting = asyncio.create_task(desk.gateway.open_orders())
                await asyncio.sleep(0.05)
                desk.gateway._connection.drop("test")
                with pytest.raises(ConnectivityError):
                    await waiting
                with pytest.raises(ConnectivityError):
                    desk.gateway.insert(desk.order("99400"))
            finally:
                os.kill(exchange.pid, signal.SIGCONT)
            await _until(lambda: desk.gateway.is_ready, "the reconnect")

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_venue_that_falls_silent_is_dead(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport, ping_interval_ms=50, orders_dead_ms=1500) as desk:
            # given an idle connection: pongs alone keep it alive
            await asyncio.sleep(2.0)
            assert desk.heard.events == ["ready"]
            os.kill(exchange.pid, signal.SIGSTOP)
            try:
                await _until(lambda: "disconnected" in desk.heard.events, "the silence is noticed")
            finally:
                os.kill(exchange.pid, signal.SIGCONT)
            await _until(lambda: desk.gateway.is_ready, "the reconnect")

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hung_work_loop_lets_the_venue_cancel(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with (
            _desk(exchange, tmp_path, transport=transport, cancel_on_disconnect_s=2, ping_interval_ms=200) as desk,
            _desk(exchange, tmp_path, transport=transport) as watcher,
        ):
            desk.gateway.insert(desk.order("99400"))
            await _until(lambda: bool(desk.heard.orders), "the order")
            await asyncio.sleep(2.5)
            assert len(await watcher.gateway.open_orders()) == 1  # pinging keeps it
            desk.is_working = False
            deadline = time.monotonic() + DEADLINE_S
            while await watcher.gateway.open_orders():
                assert time.monotonic() < deadline, "the venue did not cancel"
                await asyncio.sleep(0.05)

    _run(main())


def test_a_key_that_the_venue_does_not_know_ends_with_what_to_check(exchange: Exchange, tmp_path: Path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    async def main() -> None:
        desk = Desk(VenueConfig(backoff_ms_min=10), exchange.url, Credentials("KSTRANGER", pem), tmp_path)
        desk.gateway.start()
        with pytest.raises(CredentialsError, match=r"refused the API key.*clock"):
            await desk.gateway.wait_ready(DEADLINE_S)
        await desk.gateway.close()

    _run(main())


def test_connections_that_share_a_key_log_in_at_once(exchange: Exchange, tmp_path: Path):
    async def main() -> None:
        credentials = read_key_file(exchange.key_file)
        desks = [Desk(VenueConfig(), exchange.url, credentials, tmp_path) for _ in range(4)]
        for desk in desks:
            desk.gateway.start()
        await asyncio.gather(*(desk.gateway.wait_ready(DEADLINE_S) for desk in desks))
        assert [desk.gateway._login_refusals for desk in desks] == [0] * 4
        assert [desk.heard.events for desk in desks] == [["ready"]] * 4
        await asyncio.gather(*(desk.gateway.close() for desk in desks))

    _run(main())


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

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_order_leaves_within_a_millisecond(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with _desk(exchange, tmp_path, transport=transport) as desk:
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

    _run(main())


# ---- bad peers -------------------------------------------------------------------------------------------


def _free_port() -> int:
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_venue_that_never_answers_is_unreachable_after_the_configured_tries(
    exchange: Exchange, tmp_path: Path, transport: str
):
    async def main() -> None:
        config = VenueConfig(transport=transport, connect_tries_max=3, backoff_ms_min=1, backoff_ms_max=2)
        url = f"ws://127.0.0.1:{_free_port()}/"
        desk = Desk(config, url, read_key_file(exchange.key_file), tmp_path)
        desk.gateway.start()
        with pytest.raises(VenueUnreachableError, match="after 3 tries"):
            await desk.gateway.wait_ready(DEADLINE_S)

    _run(main())


Peer = Callable[[ServerConnection], Awaitable[None]]


async def _with_peer(
    peer: Peer, exchange: Exchange, state_dir: Path, config: VenueConfig, test: Callable[[Desk], Awaitable[None]]
) -> None:
    async with serve(peer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        desk = Desk(config, f"ws://127.0.0.1:{port}/", read_key_file(exchange.key_file), state_dir)
        desk.gateway.start()
        work = asyncio.create_task(desk.work())
        try:
            await test(desk)
        finally:
            work.cancel()
            await desk.gateway.close()


def _honest_answer(request: dict[str, Any]) -> Any:
    if "channels" in request["params"]:
        return request["params"]["channels"]
    return {"message_rate": 50, "account_number": "A1"} if "order" not in request["method"] else []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_garbage_is_counted_and_the_session_goes_on(exchange: Exchange, tmp_path: Path, transport: str):
    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            await socket.send("{")
            await socket.send(b"\xff\x00\xff")
            await socket.send('{"channel_name":"session.orders","notification":[{"order_id":7}]}')
            await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))

    async def test(desk: Desk) -> None:
        await desk.gateway.wait_ready(DEADLINE_S)
        assert await desk.gateway.open_orders() == []
        assert desk.gateway.bad_frames == len(desk.heard.bad_frames) >= 3
        assert desk.heard.events == ["ready"]

    _run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_fragmented_messages_are_joined(exchange: Exchange, tmp_path: Path, transport: str):
    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            text = json.dumps({"id": request["id"], "result": _honest_answer(request)})
            await socket.send([text[:5], text[5:9], text[9:]])

    async def test(desk: Desk) -> None:
        await desk.gateway.wait_ready(DEADLINE_S)
        assert desk.gateway.bad_frames == 0

    _run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_snapshot_that_overtakes_the_subscription_is_told_after_ready(
    exchange: Exchange, tmp_path: Path, transport: str
):
    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            if request["method"] == "private/subscribe":
                line = {"instrument_name": "X", "position": 3}
                message = {"channel_name": "account.portfolio", "notification": [line], "snapshot": True}
                await socket.send(json.dumps(message))
                await asyncio.sleep(0.05)
            await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))

    async def test(desk: Desk) -> None:
        original = desk.heard.on_positions

        def on_positions(positions: list[PositionReport], is_snapshot: bool) -> None:
            assert desk.heard.events == ["ready"]
            original(positions, is_snapshot)

        desk.heard.on_positions = on_positions  # type: ignore[method-assign]
        await desk.gateway.wait_ready(DEADLINE_S)
        assert [position.position for position in desk.heard.positions] == [Decimal(3)]

    _run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_wss_is_spoken_and_the_certificate_checked(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str, is_trusted: bool
):
    certificate, context = loopback_certificate(tmp_path)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))

    async def main() -> None:
        async with serve(peer, "127.0.0.1", 0, ssl=context) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            config = VenueConfig(transport=transport, connect_tries_max=1)
            desk = Desk(config, f"wss://127.0.0.1:{port}/", read_key_file(exchange.key_file), tmp_path)
            desk.gateway.start()
            if is_trusted:
                await desk.gateway.wait_ready(DEADLINE_S)
                assert await desk.gateway.open_orders() == []
            else:
                with pytest.raises(VenueUnreachableError, match="certificate"):
                    await desk.gateway.wait_ready(DEADLINE_S)
            await desk.gateway.close()

    _run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_order_without_answer_costs_the_connection(exchange: Exchange, tmp_path: Path, transport: str):
    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            if request["method"] != "private/insert":
                await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))

    async def test(desk: Desk) -> None:
        await desk.gateway.wait_ready(DEADLINE_S)
        desk.gateway.insert(desk.order("99400"))
        await _until(lambda: "disconnected" in desk.heard.events, "the overdue answer is noticed")
        await _until(lambda: desk.gateway.is_ready, "the reconnect")

    config = VenueConfig(transport=transport, request_timeout_ms=200, backoff_ms_min=10)
    _run(_with_peer(peer, exchange, tmp_path, config, test))


def test_a_question_without_answer_costs_the_connection(exchange: Exchange, tmp_path: Path):
    # Given a venue that still answers pings, and has let go of the session behind them
    async def peer(socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            if request["method"] != "private/open_orders":
                await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))

    async def test(desk: Desk) -> None:
        await desk.gateway.wait_ready(DEADLINE_S)
        with pytest.raises(ConnectivityError, match="no answer to private/open_orders"):
            await desk.gateway.open_orders()
        await _until(lambda: "disconnected" in desk.heard.events, "the dead session is left")
        await _until(lambda: desk.gateway.is_ready, "the reconnect")

    config = VenueConfig(request_timeout_ms=200, backoff_ms_min=10)
    _run(_with_peer(peer, exchange, tmp_path, config, test))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_planned_close_is_followed_by_a_new_connection(exchange: Exchange, tmp_path: Path, transport: str):
    connections = 0

    async def peer(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        is_first = connections == 1
        async for frame in socket:
            request = json.loads(frame)
            await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))
            if is_first and request["params"].get("channels") == ["system"]:
                await socket.send('{"channel_name":"system","notification":{"event":"reconnect"}}')

    async def test(desk: Desk) -> None:
        await _until(lambda: desk.heard.events == ["ready", "disconnected", "ready"], "the planned reconnect")
        assert connections == 2

    _run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport, backoff_ms_min=10), test))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_refused_login_of_a_running_gateway_is_retried_for_ever(exchange: Exchange, tmp_path: Path, transport: str):
    logins = 0

    async def peer(socket: ServerConnection) -> None:
        nonlocal logins
        async for frame in socket:
            request = json.loads(frame)
            if request["method"] == "public/login":
                logins += 1
                if 1 < logins < 5:
                    error = {"code": 19, "message": "authentication failed"}
                    await socket.send(json.dumps({"id": request["id"], "error": error}))
                    continue
            await socket.send(json.dumps({"id": request["id"], "result": _honest_answer(request)}))
            if logins == 1 and request["method"] == "public/subscribe":
                await socket.close()

    async def test(desk: Desk) -> None:
        await _until(lambda: logins >= 5 and desk.gateway.is_ready, "ready after three refusals")
        assert desk.gateway.reconnects == 1

    _run(
        _with_peer(
            peer, exchange, tmp_path, VenueConfig(transport=transport, backoff_ms_min=5, backoff_ms_max=20), test
        )
    )
