"""Two quoters in the manner of the official client's examples, written anew, on the official client itself.

Both must quote both sides, trade when hit, and see no error that the real venue would not give.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from thalex import Thalex
from thalex.thalex import Direction, OrderType

ROOT = Path(__file__).resolve().parents[2]
PERPETUAL = "BTC-PERPETUAL"
START_S_MAX = 20.0
ORDER_NOT_FOUND, THROTTLED = 1, 4
QUICK_S, LONG_S = 6.0, 60.0


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A running exchange: its URL and key."""
    folder = tmp_path_factory.mktemp("quoters")
    ready, key = folder / "ready.json", folder / "key.json"
    command = [sys.executable, "-m", "exchange", "--seed", "5", "--die-with-parent"]
    process = subprocess.Popen([*command, "--ready-file", str(ready), "--key-file", str(key)], cwd=ROOT)
    try:
        deadline_s = time.monotonic() + START_S_MAX
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"], json.loads(key.read_text())
    finally:
        process.terminate()
        process.wait(10)


class Quoter:
    """What both have in common: the client, the loop, and the errors that were seen."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        self.client = Thalex(SimpleNamespace(value=url))
        self.key = key
        self.errors: list[dict[str, Any]] = []
        self.orders: dict[int, dict[str, Any]] = {}
        self.sides: set[str] = set()
        self.position: float | None = None
        self.fills = 0

    async def run(self, seconds: float) -> None:
        deadline_s = time.monotonic() + seconds
        await self.client.connect()
        await self.begin()
        while time.monotonic() < deadline_s:
            message = json.loads(await asyncio.wait_for(self.client.receive(), 5))
            if "channel_name" in message:
                await self.on_note(message["channel_name"].split(".")[0], message)
            elif "error" in message:
                self.errors.append(message)
        await self.client.cancel_session(id=4)
        while json.loads(await asyncio.wait_for(self.client.receive(), 5)).get("id") != 4:
            pass
        await self.client.disconnect()

    async def begin(self) -> None:
        raise NotImplementedError

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def take_orders(self, orders: list[dict[str, Any]]) -> None:
        for order in orders:
            self.sides.add(order["direction"])
            self.fills += len(order["fills"])
            self.orders[order["client_order_id"]] = order


class SimpleQuoter(Quoter):
    """No ids; waits for the portfolio; starts anew with each portfolio; one order a side, amended when far off."""

    async def begin(self) -> None:
        await self.client.login(self.key["key_id"], self.key["private_key"])
        await self.client.set_cancel_on_disconnect(6)
        await self.client.public_subscribe([f"lwt.{PERPETUAL}.1000ms"])
        await self.client.private_subscribe(["session.orders", "account.portfolio"])

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        if message["channel_name"] == "account.portfolio":
            lines = [line for line in message["notification"] if line["instrument_name"] == PERPETUAL]
            self.position = lines[0]["position"] if lines else self.position or 0.0
            await self.client.cancel_session()
            self.orders.clear()
        elif kind == "session":
            self.take_orders(message["notification"])
        elif kind == "lwt" and self.position is not None:
            for direction, number, sign in ((Direction.BUY, 1001, -1), (Direction.SELL, 1002, 1)):
                await self.quote(direction, number, round(message["notification"]["m"]) + sign * 6)

    async def quote(self, direction: Direction, number: int, price: int) -> None:
        order = self.orders.get(number)
        if order is None or order["status"] not in ("open", "partially_filled"):
            label = "simple_quoter"
            await self.client.insert(direction, PERPETUAL, amount=0.1, price=price, client_order_id=number, label=label)
        elif abs(order["price"] - price) > 5:
            await self.client.amend(amount=0.1, price=price, client_order_id=number)


class PerpQuoter(Quoter):
    """Ids everywhere; two post-only levels a side around the mark, amended when 5 ticks off, hedged never."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        super().__init__(url, key)
        self.wanted: dict[tuple[str, int], int] = {}
        self.next_id = 100
        self.sent_s = 0.0

    async def begin(self) -> None:
        await self.client.instruments(id=0)
        answer = json.loads(await self.client.receive())
        assert answer["id"] == 0
        found = [i for i in answer["result"] if i["type"] == "perpetual" and i["underlying"] == "BTCUSD"]
        self.tick, self.name = found[0]["tick_size"], found[0]["instrument_name"]
        await self.client.login(self.key["key_id"], self.key["private_key"], id=3)
        await self.client.set_cancel_on_disconnect(6, id=5)
        private = ["session.orders", "account.portfolio", "account.trade_history"]
        await self.client.private_subscribe(private, id=2)
        await self.client.public_subscribe([f"ticker.{self.name}.raw", "price_index.BTCUSD"], id=2)

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        note = message["notification"]
        if message["channel_name"] == "session.orders":
            self.take_orders(note)
        elif message["channel_name"] == "account.trade_history":
            assert all(isinstance(trade["index"], int | float) for trade in note)
        elif message["channel_name"] == "account.portfolio":
            self.position = sum(line["position"] for line in note)
        elif kind == "ticker" and time.monotonic() - self.sent_s > 0.15:
            self.sent_s = time.monotonic()
            assert {"mark_price", "index", "mark_timestamp", "funding_rate"} <= note.keys()
            for direction, sign in ((Direction.BUY, -1), (Direction.SELL, 1)):
                for level in (0, 1):
                    await self.quote(direction, level, round(note["mark_price"]) + sign * (4 + 8 * level))

    async def quote(self, direction: Direction, level: int, price: int) -> None:
        slot = (direction.value, level)
        number = self.wanted.get(slot)
        order = self.orders.get(number) if number is not None else None
        if number is None or (order is not None and order["status"] not in ("open", "partially_filled")):
            self.wanted[slot], self.next_id = self.next_id, self.next_id + 1
            amount = 0.2 * (level + 1)
            number = self.wanted[slot]
            fields = {"client_order_id": number, "id": number, "label": "P", "post_only": True}
            fields |= {"amount": amount, "price": price, "order_type": OrderType.LIMIT}
            await self.client.insert(direction, self.name, **fields)
        elif order is not None and abs(order["price"] - price) > 5 * self.tick:
            await self.client.amend(amount=order["amount"], price=price, client_order_id=number, id=number)


def check(quoter: Quoter) -> None:
    """Expect what a quoter does, and only errors of races that any venue has."""
    codes = [error["error"]["code"] for error in quoter.errors]
    assert all(code in (ORDER_NOT_FOUND, THROTTLED) for code in codes), quoter.errors
    assert codes.count(ORDER_NOT_FOUND) <= 5 + quoter.fills
    assert quoter.sides == {"buy", "sell"}
    assert quoter.position is not None


@pytest.mark.parametrize("make", [SimpleQuoter, PerpQuoter])
def test_a_quoter_on_the_official_client_quotes_both_sides(
    venue: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, make: Callable[..., Quoter]
) -> None:
    monkeypatch.setitem(os.environ, "NO_PROXY", "*")
    quoter = make(*venue)
    asyncio.run(quoter.run(QUICK_S))
    check(quoter)


@pytest.mark.slow
@pytest.mark.parametrize("make", [SimpleQuoter, PerpQuoter])
def test_a_quoter_on_the_official_client_runs_for_a_minute_and_trades(
    venue: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, make: Callable[..., Quoter]
) -> None:
    monkeypatch.setitem(os.environ, "NO_PROXY", "*")
    quoter = make(*venue)
    asyncio.run(quoter.run(LONG_S))
    check(quoter)
    assert quoter.fills > 0
