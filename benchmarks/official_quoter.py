"""What one would write first: `python -m benchmarks.official_quoter URL [TICK_SIZE]`, on the official client.

One process, PyPI `thalex` (websockets, json) on asyncio's own loop, as its examples run. The same decision as ours: on
each book message apply the changes, compute GLFT quotes around the mid with the same formula and parameters, and
amend both sides when their price has changed. No risk checks, no estimators, no journal, no second process.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

import thalex

from benchmarks.parameters import PARAMETERS
from benchmarks.probe_market import INSTRUMENT_NAME, TICK_SIZE
from trading.quoting.models.glft import glft
from venues.config import VenueConfig
from venues.credentials import read_credentials

BUY_ID, SELL_ID = 1001, 1002
BOOK_CHANNEL = f"book.{INSTRUMENT_NAME}.none.10.raw"
PUBLIC_CHANNELS = [BOOK_CHANNEL, f"ticker.{INSTRUMENT_NAME}.raw"]
PRIVATE_CHANNELS = ["session.orders", "account.portfolio"]


class Quoter:
    """Keeps one order on each side."""

    def __init__(self, client: Any, tick_size: float) -> None:
        self._tick_size = tick_size
        self._client = client
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._prices: dict[int, float] = {}  # price last asked for, by client_order_id
        self._position: float | None = None
        self._orders: dict[int, dict[str, Any]] = {}
        self._last_request_id = 100

    async def on_message(self, message: dict[str, Any]) -> None:
        """Take one message of the venue."""
        channel = message.get("channel_name")
        if channel == BOOK_CHANNEL:
            await self._on_book(message["notification"], bool(message.get("snapshot")))
        elif channel == "session.orders":
            for order in message["notification"]:
                self._orders[order.get("client_order_id", 0)] = order
        elif channel == "account.portfolio":
            lines = message["notification"]
            self._position = sum(line["position"] for line in lines if line["instrument_name"] == INSTRUMENT_NAME)
        elif "error" in message:
            raise RuntimeError(f"the venue refused a request: {message}")

    async def _on_book(self, book: dict[str, Any], is_snapshot: bool) -> None:
        if is_snapshot:
            self._bids.clear()
            self._asks.clear()
        for side, changes in ((self._bids, book["bid_changes"]), (self._asks, book["ask_changes"])):
            for price, amount, *_ in changes:
                if amount == 0:
                    side.pop(price, None)
                else:
                    side[price] = amount
        if self._position is None or not self._bids or not self._asks:
            return
        bid, ask = self._decide((max(self._bids) + min(self._asks)) / 2, self._position)
        await self._quote(thalex.Direction.BUY, BUY_ID, bid)
        await self._quote(thalex.Direction.SELL, SELL_ID, ask)

    def _decide(self, mid: float, position: float) -> tuple[float, float]:
        p = PARAMETERS
        half_spread, skew = glft(p.sigma, p.arrival_rate, p.arrival_decay, p.gamma, p.gamma, p.order_size)
        reservation = mid - skew * position
        tick = self._tick_size
        bid = math.floor((reservation - half_spread) / tick) * tick
        ask = math.ceil((reservation + half_spread) / tick) * tick
        return min(bid, min(self._asks) - tick), max(ask, max(self._bids) + tick)

    async def _quote(self, direction: Any, client_order_id: int, price: float) -> None:
        before = self._prices.get(client_order_id)
        if price == before:
            return
        self._prices[client_order_id] = price
        self._last_request_id += 1
        if before is None:
            await self._client.insert(
                direction,
                INSTRUMENT_NAME,
                PARAMETERS.order_size,
                client_order_id=client_order_id,
                price=price,
                post_only=True,
                label="official",
                id=self._last_request_id,
            )
        else:
            await self._client.amend(
                amount=PARAMETERS.order_size, price=price, client_order_id=client_order_id, id=self._last_request_id
            )


async def _run(url: str, tick_size: float) -> None:
    key = read_credentials(VenueConfig(kind="thalex"), os.environ)
    client = thalex.Thalex(SimpleNamespace(value=url))  # only .value of the network is used
    await client.connect()
    await client.login(key.key_id, key.private_key, id=1)
    await client.set_cancel_on_disconnect(6, id=2)
    await client.private_subscribe(PRIVATE_CHANNELS, id=3)
    await client.public_subscribe(PUBLIC_CHANNELS, id=4)
    quoter = Quoter(client, tick_size)
    while True:
        await quoter.on_message(json.loads(await client.receive()))


async def _until_sigterm(url: str, tick_size: float) -> None:
    running = asyncio.create_task(_run(url, tick_size))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    asyncio.run(_until_sigterm(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else TICK_SIZE))
