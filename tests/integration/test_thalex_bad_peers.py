"""The connector against peers that send garbage, fragments, nothing, or no certificate to trust."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from domain.errors import ConnectivityError, VenueUnreachableError
from domain.reports import PositionReport
from tests.middlemen import loopback_certificate
from tests.thalex_desk import DEADLINE_S, TRANSPORTS, Desk, Exchange, run, until
from venues.config import VenueConfig
from venues.credentials import read_key_file

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

    run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


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

    run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


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

    run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport), test))


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

    run(main())


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
        await until(lambda: "disconnected" in desk.heard.events, "the overdue answer is noticed")
        await until(lambda: desk.gateway.is_ready, "the reconnect")

    config = VenueConfig(transport=transport, request_timeout_ms=200, backoff_ms_min=10)
    run(_with_peer(peer, exchange, tmp_path, config, test))


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
        await until(lambda: "disconnected" in desk.heard.events, "the dead session is left")
        await until(lambda: desk.gateway.is_ready, "the reconnect")

    config = VenueConfig(request_timeout_ms=200, backoff_ms_min=10)
    run(_with_peer(peer, exchange, tmp_path, config, test))


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
        await until(lambda: desk.heard.events == ["ready", "disconnected", "ready"], "the planned reconnect")
        assert connections == 2

    run(_with_peer(peer, exchange, tmp_path, VenueConfig(transport=transport, backoff_ms_min=10), test))


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
        await until(lambda: logins >= 5 and desk.gateway.is_ready, "ready after three refusals")
        assert desk.gateway.reconnects == 1

    run(
        _with_peer(
            peer, exchange, tmp_path, VenueConfig(transport=transport, backoff_ms_min=5, backoff_ms_max=20), test
        )
    )
