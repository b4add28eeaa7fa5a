"""A black hole at the exchange is one on the wire: not even the answer to a ping comes through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from websockets.asyncio.client import connect

from tests.faults.stage import Operator


async def seconds_until_pong(url: str, timeout_s: float) -> float | None:
    async with connect(url, ping_interval=None, close_timeout=0.1) as client:
        started = asyncio.get_running_loop().time()
        pong = await client.ping()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pong, timeout_s)
            return asyncio.get_running_loop().time() - started
    return None


def test_no_pong_comes_out_of_a_black_hole(exchange: Any) -> None:
    operator = Operator(exchange.url)
    try:
        # Given a black hole of half a second that swallows every connection
        operator.send("admin/fault", {"kind": "blackhole", "duration_s": 0.5})
        # If somebody pings, I expect no answer; and one when it is over
        assert asyncio.run(seconds_until_pong(exchange.url, 0.3)) is None
        time.sleep(0.3)
        assert asyncio.run(seconds_until_pong(exchange.url, 2.0)) is not None
    finally:
        operator.close()
