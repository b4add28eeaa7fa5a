"""Many clients, slow ones, rude ones: none may cost the others their answers, or the exchange its descriptors."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).resolve().parents[2]
PERPETUAL = "BTC-PERPETUAL"
START_S_MAX, ANSWER_S_MAX = 20.0, 20.0
CROWD = 100


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """An exchange that drops a reader who is 256 KiB behind: its URL and process id."""
    ready = tmp_path_factory.mktemp("crowd") / "ready.json"
    command = [
        sys.executable,
        "-m",
        "exchange",
        "--admin",
        "--speed",
        "20",
        "--backlog-max",
        "256",
        "--die-with-parent",
    ]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + START_S_MAX
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"], process.pid
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(url, compression=None, proxy=None, **options) as peer:
        yield peer


async def call(peer: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    await peer.send(json.dumps({"method": method, "params": params, "id": 1}))
    while True:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(peer.recv(), ANSWER_S_MAX))
        if message.get("id") == 1:
            return message


async def sessions(peer: ClientConnection) -> int:
    return int((await call(peer, "admin/stats"))["result"]["sessions"])


async def until_alone(peer: ClientConnection) -> None:
    """Wait until no session but this one is left."""
    deadline_s = time.monotonic() + ANSWER_S_MAX
    while await sessions(peer) > 1:
        assert time.monotonic() < deadline_s, "sessions of clients that have gone are still there"
        await asyncio.sleep(0.05)


def small_socket(url: str) -> socket.socket:
    """Return a connected socket whose receive buffer is full soon."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    found.connect(("127.0.0.1", urlsplit(url).port))
    return found


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_client_that_does_not_read_is_dropped_and_costs_nobody_an_answer(venue: tuple[str, int]) -> None:
    async def scene() -> None:
        # Given a client that asks for everything in raw and then reads nothing, and one that works
        async with client(venue[0], max_queue=1, sock=small_socket(venue[0])) as slow, client(venue[0]) as quick:
            names = [each["instrument_name"] for each in (await call(quick, "public/instruments"))["result"]]
            channels = [f"ticker.{name}.raw" for name in names] + [f"book.{name}.none.all.raw" for name in names]
            await slow.send(json.dumps({"method": "public/subscribe", "params": {"channels": channels}, "id": 1}))
            await asyncio.sleep(0.5)
            slow.transport.pause_reading()
            # If that goes on for a while, I expect the quick one answered all the time, and the slow one gone
            deadline_s = time.monotonic() + 60.0
            while await sessions(quick) > 1:
                assert time.monotonic() < deadline_s, "the slow client is still there"
                asked_s = time.monotonic()
                assert "result" in await call(quick, "public/ticker", instrument_name=PERPETUAL)
                assert time.monotonic() - asked_s < 5.0
                await asyncio.sleep(0.05)
            slow.transport.abort()

    asyncio.run(scene())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("connects", [150, pytest.param(1_000, marks=pytest.mark.slow)])
def test_connects_leave_no_descriptor_behind(venue: tuple[str, int], connects: int) -> None:
    async def scene() -> None:
        async with client(venue[0]) as first:
            await until_alone(first)
            before = descriptors(venue[1])
            for number in range(connects):
                async with client(venue[0]) as peer:
                    if number % 10 == 0:
                        await call(peer, "public/subscribe", channels=[f"ticker.{PERPETUAL}.raw"])
                    if number % 3 == 0:
                        peer.transport.abort()  # without a word
            await until_alone(first)
            assert descriptors(venue[1]) <= before + 2

    asyncio.run(scene())


def test_a_crowd_of_listeners_is_served_at_once(venue: tuple[str, int]) -> None:
    async def listen(turn: int) -> int:
        async with client(venue[0]) as peer:
            channel = f"ticker.{'BTC' if turn % 2 else 'ETH'}-PERPETUAL.100ms"
            assert (await call(peer, "public/subscribe", channels=[channel]))["result"] == [channel]
            for _ in range(5):
                message = json.loads(await asyncio.wait_for(peer.recv(), ANSWER_S_MAX))
                assert message["channel_name"] == channel
            return 5

    async def scene() -> None:
        assert await asyncio.gather(*(listen(turn) for turn in range(CROWD))) == [5] * CROWD

    asyncio.run(scene())


def test_a_frame_beyond_a_mebibyte_closes_its_connection_alone(venue: tuple[str, int]) -> None:
    async def scene() -> None:
        async with client(venue[0]) as rude, client(venue[0]) as other:
            fits = json.dumps({"method": "public/system_info", "params": {"x": "y" * 1_000_000}, "id": 1})
            await rude.send(fits)
            assert json.loads(await asyncio.wait_for(rude.recv(), ANSWER_S_MAX))["result"]["environment"] == "testnet"
            await rude.send(fits + " " * 100_000)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(rude.recv(), ANSWER_S_MAX)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
            assert "result" in await call(other, "public/system_info")

    asyncio.run(scene())


def test_fragments_binary_frames_and_rubbish_are_answered(venue: tuple[str, int]) -> None:
    async def scene() -> None:
        async with client(venue[0]) as peer:
            await peer.send(['{"method":"public/sys', 'tem_info","par', 'ams":{},"id":7}'])
            assert json.loads(await asyncio.wait_for(peer.recv(), ANSWER_S_MAX))["id"] == 7
            await peer.send(b'{"method":"public/system_info","params":{},"id":8}')
            assert json.loads(await asyncio.wait_for(peer.recv(), ANSWER_S_MAX))["id"] == 8
            for rubbish in ("", "[]", "nothing", '{"id":9}', '{"method":1,"params":{},"id":9}', b"\xff\xfe"):
                await peer.send(rubbish)
                answer = json.loads(await asyncio.wait_for(peer.recv(), ANSWER_S_MAX))
                assert answer["error"]["code"] == 6
                assert "id" in answer

    asyncio.run(scene())
