"""Logins that nobody answers, and logins behind others that hold the lock of the key."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.asyncio.server import ServerConnection, serve

from tests.thalex_desk import DEADLINE_S, Desk, until
from venues.config import VenueConfig
from venues.credentials import Credentials

KEY_ID = "K1"
ANSWER_S = 0.05  # several looks of the work loop


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Credentials(KEY_ID, key.private_bytes(encoding, kind, serialization.NoEncryption()).decode())


class Venue:
    """A venue that takes every request after ANSWER_S, or answers none; `logins` counts the logins."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self.logins = 0

    async def serve(self, socket: ServerConnection) -> None:
        async for frame in socket:
            request = json.loads(frame)
            self.logins += request["method"] == "public/login"
            if self._answers:
                results: dict[str, Any] = {"private/set_cancel_on_disconnect": {"message_rate": 50}}
                result = results.get(request["method"], request["params"].get("channels", {}))
                await asyncio.sleep(ANSWER_S)
                await socket.send(json.dumps({"id": request["id"], "result": result}))


@asynccontextmanager
async def _working(
    venue: Venue, credentials: Credentials, folder: Path, **config: Any
) -> AsyncIterator[tuple[Desk, list[str]]]:
    """Give a desk that connects to `venue`, and what the event loop complained of."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
    async with serve(venue.serve, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tried = VenueConfig(connect_tries_max=1000, backoff_ms_min=10, backoff_ms_max=50, **config)
        desk = Desk(tried, url, credentials, folder)
        desk.gateway.start()
        work = asyncio.create_task(desk.work())
        try:
            yield desk, complaints
        finally:
            work.cancel()
            await desk.gateway.close()
    gc.collect()
    await asyncio.sleep(0)


def _locked(folder: Path) -> int:
    """Take the lock of the key as a stopped process holds it; return its descriptor."""
    digest = hashlib.sha256(KEY_ID.encode()).hexdigest()[:16]
    descriptor = os.open(folder / f"token-iat-{digest}", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_logins_that_nobody_answers_in_the_time_for_connecting_are_only_tried_again(
    credentials: Credentials, tmp_path: Path
) -> None:
    async def main() -> None:
        # Given a venue that answers nothing, and less time for connecting than for an answer
        venue = Venue(answers=False)
        async with _working(venue, credentials, tmp_path, connect_timeout_ms=100) as (_, complaints):
            # If several logins have come to nothing, I expect none to be called a bug of ours, which ends the actor
            await until(lambda: venue.logins >= 4, "four logins")
        assert complaints == []

    uvloop.run(main())


def test_a_lock_that_stays_taken_delays_a_login_and_does_not_prevent_it(
    credentials: Credentials, tmp_path: Path
) -> None:
    async def main() -> None:
        # Given a stopped process that holds the lock of the key
        descriptor, venue = _locked(tmp_path), Venue(answers=True)
        try:
            # If we connect, with less patience for silence than for the lock
            async with _working(venue, credentials, tmp_path, orders_dead_ms=700, ping_interval_ms=100) as (desk, _):
                await desk.gateway.wait_ready(DEADLINE_S)
                # I expect the first login to last
                assert venue.logins == 1
                assert desk.heard.events == ["ready"]
        finally:
            os.close(descriptor)

    uvloop.run(main())


def test_a_lock_that_stays_taken_leaves_time_for_the_login_however_little_there_is(
    credentials: Credentials, tmp_path: Path
) -> None:
    async def main() -> None:
        # Given a lock that stays taken, and less time for connecting than others wait for it
        descriptor, venue = _locked(tmp_path), Venue(answers=True)
        try:
            async with _working(venue, credentials, tmp_path, connect_timeout_ms=800) as (desk, _):
                await desk.gateway.wait_ready(DEADLINE_S)  # I expect us to get in
        finally:
            os.close(descriptor)

    uvloop.run(main())
