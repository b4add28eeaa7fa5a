"""Programs as one writes them for the real venue, on the official client: quoters, a roll quoter, both sides of RFQs.

Written anew in the manner of the client's examples. Each counts the errors that it was given.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any

from thalex import Thalex
from thalex.thalex import Direction, OrderType, RfqLeg

PERPETUAL = "BTC-PERPETUAL"
ORDER_NOT_FOUND = 1
POSITION_MAX = 0.5
DAY_S = 86_400


class Program(ABC):
    """What all have in common: the client, the loop, and the errors that were seen."""

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
            else:
                await self.on_result(message)
        await self.client.cancel_session(id=4)
        while json.loads(await asyncio.wait_for(self.client.receive(), 5)).get("id") != 4:
            pass
        await self.client.disconnect()

    @abstractmethod
    async def begin(self) -> None:
        """Log in and subscribe."""

    @abstractmethod
    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        """Take a notification; `kind` is the first part of its channel's name."""

    async def on_result(self, message: dict[str, Any]) -> None:  # noqa: B027 - few care
        """Take a response; most programs have no use for them."""

    def succeeded(self) -> bool:
        """Return whether the program did what it is for."""
        return self.sides == {"buy", "sell"} and self.position is not None

    def take_orders(self, orders: list[dict[str, Any]]) -> None:
        for order in orders:
            self.sides.add(order["direction"])
            self.fills += len(order["fills"])
            self.orders[order["client_order_id"]] = order


class SimpleQuoter(Program):
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
                if sign * self.position < -POSITION_MAX:
                    continue
                await self.quote(direction, number, round(message["notification"]["m"]) + sign * 6)

    async def quote(self, direction: Direction, number: int, price: int) -> None:
        order = self.orders.get(number)
        if order is None or order["status"] not in ("open", "partially_filled"):
            label = "simple_quoter"
            await self.client.insert(direction, PERPETUAL, amount=0.1, price=price, client_order_id=number, label=label)
        elif abs(order["price"] - price) > 5:
            await self.client.amend(amount=0.1, price=price, client_order_id=number)


class PerpQuoter(Program):
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
                if sign * (self.position or 0.0) < -POSITION_MAX:
                    continue  # this side waits until the other has been filled
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


class OptionQuoter(Program):
    """Quotes both sides of the options of the nearest expiry whose delta is not extreme, amended 3 ticks off."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        super().__init__(url, key)
        self.tickers: dict[str, dict[str, Any]] = {}
        self.options: dict[str, dict[str, Any]] = {}
        self.sent: dict[tuple[str, str], tuple[int, float]] = {}
        self.next_id = 100

    async def begin(self) -> None:
        await self.client.login(self.key["key_id"], self.key["private_key"], id=1)
        await self.client.set_cancel_on_disconnect(6, id=3)
        await self.client.public_subscribe(["instruments", "price_index.BTCUSD"], id=0)
        channels = ["session.orders", "account.trade_history", "account.portfolio", "account.summary"]
        await self.client.private_subscribe(channels, id=0)

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        note = message["notification"]
        if kind == "instruments" and message.get("snapshot"):
            mine = [i["added"] for i in note if i["added"]["underlying"] == "BTCUSD" and i["added"]["type"] == "option"]
            nearest = min(option["expiration_timestamp"] for option in mine)
            self.options = {o["instrument_name"]: o for o in mine if o["expiration_timestamp"] == nearest}
            await self.client.public_subscribe([f"ticker.{name}.200ms" for name in self.options], id=0)
        elif kind == "ticker":
            name = message["channel_name"].split(".")[1]
            maturity_s = self.options[name]["expiration_timestamp"] - note["mark_timestamp"]
            assert maturity_s > 0
            assert note["iv"] > 0
            assert note["forward"] > 0
            if 0.1 < abs(note["delta"]) < 0.8:
                await self.quote(name, note["mark_price"])
        elif message["channel_name"] == "session.orders":
            self.take_orders(note)
        elif message["channel_name"] == "account.portfolio":
            self.position = sum(line["position"] for line in note)
        elif message["channel_name"] == "account.summary":
            assert note["required_margin"] >= 0

    async def quote(self, name: str, mark: float) -> None:
        tick = self.options[name]["tick_size"]
        for direction, sign in ((Direction.BUY, -1), (Direction.SELL, 1)):
            price = max(tick, tick * round((mark + sign * 20) / tick))
            number, sent = self.sent.get((name, direction.value), (0, 0.0))
            order = self.orders.get(number)
            if not number or (order is not None and order["status"] not in ("open", "partially_filled")):
                number, self.next_id = self.next_id, self.next_id + 1
                fields = {"client_order_id": number, "id": number, "label": "X", "post_only": True}
                await self.client.insert(direction, name, amount=0.1, price=price, **fields)
            elif abs(price - sent) >= 3 * tick:
                await self.client.amend(amount=0.1, price=price, client_order_id=number, id=number)
            else:
                continue
            self.sent[name, direction.value] = (number, price)


class RollQuoter(Program):
    """Quotes rolls of the perpetual that expire within two days, around the funding that is to be expected."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        super().__init__(url, key)
        self.rolls: dict[str, dict[str, Any]] = {}
        self.marks: dict[str, float] = {}
        self.sent: dict[tuple[str, str], int] = {}
        self.next_id = 100

    async def begin(self) -> None:
        await self.client.login(self.key["key_id"], self.key["private_key"], id=3)
        await self.client.set_cancel_on_disconnect(6, id=5)
        await self.client.public_subscribe(["instruments", "price_index.BTCUSD"], id=2)
        channels = ["session.orders", "account.trade_history", "account.portfolio"]
        await self.client.private_subscribe(channels, id=2)

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        note = message["notification"]
        if kind == "instruments":
            await self.on_instruments(note)
        elif kind == "ticker":
            name = message["channel_name"].split(".")[1]
            self.marks[name] = note["mark_price"]
            assert note["forward"] == note["mark_price"]
        elif kind == "price_index":
            for roll in self.rolls.values():
                await self.quote(roll)
        elif message["channel_name"] == "session.orders":
            self.take_orders(note)
        elif message["channel_name"] == "account.trade_history":
            assert all(int(trade["index"]) and trade["leg_index"] in (0, 1) for trade in note)
        elif message["channel_name"] == "account.portfolio":
            self.position = sum(line["position"] for line in note)

    async def on_instruments(self, changes: list[dict[str, Any]]) -> None:
        added = [change["added"] for change in changes if "added" in change]
        for instrument in added:
            legs = [leg["instrument_name"] for leg in instrument.get("legs", [])]
            if instrument["underlying"] == "BTCUSD" and PERPETUAL in legs:
                assert [leg["quantity"] for leg in instrument["legs"]] == [1, -1]
                if instrument["expiration_timestamp"] - time.time() < 2 * DAY_S:
                    self.rolls[instrument["instrument_name"]] = instrument
        names = {leg["instrument_name"] for roll in self.rolls.values() for leg in roll["legs"]}
        await self.client.public_subscribe([f"ticker.{name}.1000ms" for name in sorted(names)], id=2)

    async def quote(self, roll: dict[str, Any]) -> None:
        far, near = (self.marks.get(leg["instrument_name"]) for leg in roll["legs"])
        if far is None or near is None:
            return
        for direction, sign in ((Direction.BUY, -1), (Direction.SELL, 1)):
            name, price = roll["instrument_name"], round(far - near) + 2 * sign
            number = self.sent.get((name, direction.value), 0)
            order = self.orders.get(number)
            if not number or (order is not None and order["status"] not in ("open", "partially_filled")):
                number, self.next_id = self.next_id, self.next_id + 1
                self.sent[name, direction.value] = number
                fields = {"client_order_id": number, "id": number, "label": "R", "post_only": True}
                await self.client.insert(direction, name, amount=0.1, price=price, **fields)
            elif order is not None and abs(price - order["price"]) >= 2:
                await self.client.amend(amount=0.1, price=price, client_order_id=number, id=number)


class RfqQuoter(Program):
    """Quotes every request within 5 % of what its legs are worth."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        super().__init__(url, key)
        self.marks: dict[str, float] = {}
        self.quotes = 0

    async def begin(self) -> None:
        await self.client.instruments(id=2)
        answer = json.loads(await self.client.receive())
        assert answer["id"] == 2  # nothing else comes before it
        names = [instrument["instrument_name"] for instrument in answer["result"]]
        await self.client.public_subscribe([f"ticker.{name}.1000ms" for name in names], id=3)
        await self.client.login(self.key["key_id"], self.key["private_key"], id=1)
        await self.client.set_cancel_on_disconnect(6, id=5)
        await self.client.private_subscribe(["mm.rfqs", "mm.rfq_quotes"], id=3)

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "ticker":
            self.marks[message["channel_name"].split(".")[1]] = message["notification"]["mark_price"]
        elif message["channel_name"] == "mm.rfqs":
            for rfq in message["notification"]:
                await self.quote(rfq)
        elif message["channel_name"] == "mm.rfq_quotes":
            self.fills += sum(quote["event"] == "Filled" for quote in message["notification"])

    async def quote(self, rfq: dict[str, Any]) -> None:
        worth = [(leg["quantity"], self.marks[leg["instrument_name"]]) for leg in rfq["legs"]]
        mark, gross = sum(q * m for q, m in worth), sum(abs(q * m) for q, m in worth)
        for direction, sign in ((Direction.BUY, -1), (Direction.SELL, 1)):
            price = 0.01 * round((mark + sign * 0.05 * gross) * 100)  # as floats come out, 8 decimals count
            quote = {"rfq_id": rfq["rfq_id"], "direction": direction, "amount": rfq["amount"], "price": price}
            await self.client.mm_rfq_insert_quote(**quote, id=4)
            self.quotes += 1

    def succeeded(self) -> bool:
        return self.quotes > 0


class RfqTrader(Program):
    """Asks for a conversion of an option every few seconds, and trades at whatever it is quoted."""

    def __init__(self, url: str, key: dict[str, str]) -> None:
        super().__init__(url, key)
        self.legs: list[RfqLeg] = []
        self.rfq_id = ""
        self.wants_to_buy = True
        self.asked_s = 0.0

    async def begin(self) -> None:
        await self.client.login(self.key["key_id"], self.key["private_key"], id=1)
        await self.client.set_cancel_on_disconnect(6, id=6)
        await self.client.instruments(id=2)
        await self.client.private_subscribe(["account.rfqs", "account.portfolio"], id=5)
        await self.client.public_subscribe(["price_index.BTCUSD"], id=5)

    async def on_note(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "price_index" and self.legs:
            if not self.rfq_id and time.monotonic() - self.asked_s > 3:
                self.asked_s = time.monotonic()
                await self.client.create_rfq(self.legs, label="rfq", id=3)
            elif self.rfq_id and time.monotonic() - self.asked_s > 1.5:
                direction = Direction.BUY if self.wants_to_buy else Direction.SELL
                limit = 10_000_000 if self.wants_to_buy else -10_000_000
                await self.client.trade_rfq(self.rfq_id, direction, limit, id=4)
                self.rfq_id, self.wants_to_buy = "", not self.wants_to_buy

    async def on_result(self, message: dict[str, Any]) -> None:
        result = message["result"]
        if message["id"] == 2:
            calls = [i for i in result if i.get("option_type") == "call" and i["underlying"] == "BTCUSD"]
            call = calls[len(calls) // 2]["instrument_name"]
            future = call.rsplit("-", 2)[0]
            self.legs = [RfqLeg(0.1, call), RfqLeg(-0.1, call.removesuffix("C") + "P"), RfqLeg(-0.1, future)]
        elif message["id"] == 3:
            assert [leg["quantity"] for leg in result["legs"]] == [1, -1, -1]
            self.rfq_id = result["rfq_id"]
        elif message["id"] == 4:
            assert result["amount"] == 0.1
            self.fills += 1

    def succeeded(self) -> bool:
        return self.fills > 0
