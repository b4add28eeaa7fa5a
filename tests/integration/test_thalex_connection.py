"""The connector's connection: cut, silent, hung, refused, and how it comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as sockets
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.asyncio.client import connect

from domain.errors import ConnectivityError, CredentialsError, VenueUnreachableError
from tests.thalex_desk import DEADLINE_S, TRANSPORTS, Desk, Exchange, connected, run, until
from venues.config import VenueConfig
from venues.credentials import Credentials, read_key_file


async def admin(exchange: Exchange, method: str) -> Any:
    async with connect(exchange.url, proxy=None) as socket:
        await socket.send(json.dumps({"method": method, "id": 1, "params": {}}))
        return json.loads(await socket.recv())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cut_connection_comes_back_and_its_orders_are_gone(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport, backoff_ms_min=10) as desk:
            order = desk.order("99400")
            desk.gateway.insert(order)
            await until(lambda: bool(desk.heard.orders), "the order")
            await admin(exchange, "admin/disconnect_all")
            await until(lambda: desk.heard.events == ["ready", "disconnected", "ready"], "the reconnect")
            await until(lambda: desk.heard.snapshots == 2, "positions again")
            assert desk.gateway.reconnects == 1
            assert await desk.gateway.open_orders() == []

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_requests_under_way_fail_when_the_connection_is_cut(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport) as desk:
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
            await until(lambda: desk.gateway.is_ready, "the reconnect")

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_venue_that_falls_silent_is_dead(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with connected(exchange, tmp_path, transport=transport, ping_interval_ms=50, orders_dead_ms=1500) as desk:
            # given an idle connection: pongs alone keep it alive
            await asyncio.sleep(2.0)
            assert desk.heard.events == ["ready"]
            os.kill(exchange.pid, signal.SIGSTOP)
            try:
                await until(lambda: "disconnected" in desk.heard.events, "the silence is noticed")
            finally:
                os.kill(exchange.pid, signal.SIGCONT)
            await until(lambda: desk.gateway.is_ready, "the reconnect")

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_hung_work_loop_lets_the_venue_cancel(exchange: Exchange, tmp_path: Path, transport: str):
    async def main() -> None:
        async with (
            connected(exchange, tmp_path, transport=transport, cancel_on_disconnect_s=2, ping_interval_ms=200) as desk,
            connected(exchange, tmp_path, transport=transport) as watcher,
        ):
            desk.gateway.insert(desk.order("99400"))
            await until(lambda: bool(desk.heard.orders), "the order")
            await asyncio.sleep(2.5)
            assert len(await watcher.gateway.open_orders()) == 1  # pinging keeps it
            desk.is_working = False
            deadline = time.monotonic() + DEADLINE_S
            while await watcher.gateway.open_orders():
                assert time.monotonic() < deadline, "the venue did not cancel"
                await asyncio.sleep(0.05)

    run(main())


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

    run(main())


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

    run(main())


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

    run(main())
