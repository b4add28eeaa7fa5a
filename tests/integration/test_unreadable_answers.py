"""What becomes of the connection when the venue answers in a form that nobody knows."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.asyncio.server import ServerConnection, serve

from domain.errors import ProtocolError
from tests.thalex_desk import DEADLINE_S, Desk
from venues.config import VenueConfig
from venues.credentials import Credentials

TRADE = {
    "trade_id": "t1", "order_id": "o", "instrument_name": "X", "direction": "buy", "price": 1, "amount": 1, "time": 1.0,
    "position_after": 1, "fee": 0,
}  # fmt: skip
TIMEOUT_MS = 300


async def _serve(socket: ServerConnection) -> None:
    results: dict[str, Any] = {
        "private/set_cancel_on_disconnect": {"message_rate": 50},
        "private/trade_history": {"trades": [TRADE, {**TRADE, "trade_id": "t2", "price": None}], "bookmark": None},
        "private/portfolio": [{"instrument_name": "X", "position": None}],
        "private/account_summary": {"margin": None, "required_margin": 0},
        "private/cancel_all": 0,
    }
    async for frame in socket:
        request = json.loads(frame)
        result = results.get(request["method"], request["params"].get("channels", {}))
        await socket.send(json.dumps({"id": request["id"], "result": result}))


def test_trades_positions_and_margin_that_nobody_can_read_do_not_cost_the_connection(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    credentials = Credentials("K1", key.private_bytes(encoding, kind, serialization.NoEncryption()).decode())

    async def main() -> None:
        async with serve(_serve, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            desk = Desk(VenueConfig(request_timeout_ms=TIMEOUT_MS), url, credentials, tmp_path)
            desk.gateway.start()
            work = asyncio.create_task(desk.work())
            try:
                await desk.gateway.wait_ready(DEADLINE_S)
                # Given a history with a line that cannot be read, I expect the others, and to be told of it
                assert [trade.trade_id for trade in await desk.gateway.trade_history(0)] == ["t1"]
                assert desk.heard.unreadable_trades == ["X"]
                # Given a position that cannot be read and may be ours, I expect to be told that at once
                with pytest.raises(ProtocolError, match="position"):
                    await desk.gateway.positions()
                with pytest.raises(ProtocolError, match="margin"):
                    await desk.gateway.margin()
                # and cancels to go on, over the same connection
                await asyncio.sleep(2 * TIMEOUT_MS / 1000)
                assert await desk.gateway.cancel_all() == 0
                assert desk.heard.events == ["ready"]
            finally:
                work.cancel()
                await desk.gateway.close()

    uvloop.run(main())
