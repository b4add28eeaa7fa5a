"""Every method of the official client, called on a desk with arguments that make sense, and what came back.

`python -m tests.unit.exchange.client_methods` is not needed: the test that holds the table in docs/exchange.md
against this prints the rows that it expects.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
from thalex import Thalex
from thalex.thalex import Direction, OrderType, Quote, Resolution, RfqLeg, SideQuote, Target, TimeInForce

PERPETUAL, FUTURE = "BTC-PERPETUAL", "BTC-25DEC26"
CALL, PUT = f"{FUTURE}-100000-C", f"{FUTURE}-100000-P"
NO_REQUEST = frozenset({"connect", "disconnect", "receive"})
LEGS = [{"instrument_name": CALL, "quantity": 1}, {"instrument_name": PUT, "quantity": -1}]
RFQ_LEGS = [RfqLeg(0.1, CALL), RfqLeg(-0.1, PUT)]
ASSETS = [{"asset_name": "USDT", "amount": 1}]
WITHDRAWAL = {"asset_name": "USDT", "amount": 1, "target_address": "0x0"}
SPAN = {"ts_from": 0, "ts_to": 2_000_000_000, "resolution": Resolution.M1}
BOT = {"end_time": 1_795_226_000, "instrument_name": PERPETUAL}
POSITIONS = {"entry_price": 100_100, "target_position": 0, "exit_price": 1, "exit_position": 0}


class Caller:
    """Calls the client's methods on one session and reads the answers."""

    def __init__(self, client: Any) -> None:
        self._frames = client.frames
        self._session = client.session
        self._client = Thalex(SimpleNamespace(value=""))
        self._client.ws = self
        self._next_id = 1_000

    async def send(self, text: str) -> None:
        self._session.on_activity()
        self._session.on_frame(text.encode())

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to one method."""
        self._next_id += 1
        asyncio.run(getattr(self._client, name)(**arguments, id=self._next_id))
        answers = [answer for answer in map(msgspec.json.decode, self._frames) if answer.get("id") == self._next_id]
        assert len(answers) == 1, f"{name}: {len(answers)} answers"
        found: dict[str, Any] = answers[0]
        return found


def methods() -> list[str]:
    """Return the names of the client's methods that send a request, in its order."""
    found = inspect.getmembers(Thalex, inspect.iscoroutinefunction)
    names = [name for name, _ in found if not name.startswith("_") and name not in NO_REQUEST]
    return sorted(names, key=lambda name: inspect.getsourcelines(getattr(Thalex, name))[1])


def arguments(trader: Caller, maker: Caller, key: tuple[str, str]) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return how to call each method; what needs something to be there makes it first."""
    side = {"direction": Direction.BUY, "instrument_name": PERPETUAL}

    def rest() -> dict[str, Any]:
        order = trader.call("insert", **side, amount=0.1, price=99_500)["result"]
        return {"order_id": order["order_id"]}

    def rfq() -> dict[str, Any]:
        return {"rfq_id": trader.call("create_rfq", legs=RFQ_LEGS)["result"]["rfq_id"]}

    def quoted() -> dict[str, Any]:
        mine = {"rfq_id": maker.call("create_rfq", legs=RFQ_LEGS)["result"]["rfq_id"]}
        quote = {"direction": Direction.SELL, "amount": 0.1, "price": 10}
        return {"order_id": trader.call("mm_rfq_insert_quote", **mine, **quote)["result"]["order_id"]}

    def tradable() -> dict[str, Any]:
        found = rfq()
        maker.call("mm_rfq_insert_quote", **found, direction=Direction.SELL, amount=0.1, price=10)
        return {**found, "direction": Direction.BUY, "limit_price": 20}

    def protected() -> dict[str, Any]:
        trader.call("set_cancel_on_disconnect", timeout_secs=60)
        trader.call("set_mm_protection", product="FBTCUSD", trade_amount=1, quote_amount=1)
        return {"quotes": [Quote(PERPETUAL, SideQuote(99_400, 0.1), SideQuote(100_600, 0.1))]}

    stop = {**side, "amount": 0.1, "stop_price": 100_900, "target": Target.MARK.value}
    ladder = {**BOT, "step_size": 0.01}
    combination = {"direction": Direction.BUY, "legs": LEGS, "amount": 0.1, "price": 0}
    fixed: dict[str, dict[str, Any]] = {
        "login": {"key_id": key[0], "private_key": key[1]},
        "set_cancel_on_disconnect": {"timeout_secs": 60},
        "instrument": {"instrument_name": PERPETUAL},
        "ticker": {"instrument_name": PERPETUAL},
        "book": {"instrument_name": PERPETUAL},
        "index": {"underlying": "BTCUSD"},
        "insert": {**side, "amount": 0.1, "price": 99_500, "order_type": OrderType.LIMIT},
        "insert_combo": {**combination, "time_in_force": TimeInForce.IOC},
        "buy": {"instrument_name": PERPETUAL, "amount": 0.1, "price": 99_500},
        "sell": {"instrument_name": PERPETUAL, "amount": 0.1, "price": 100_500},
        "create_rfq": {"legs": RFQ_LEGS},
        "required_margin_for_order": {"instrument_name": PERPETUAL, "price": 100_000, "amount": 0.1},
        "required_margin_for_combo_order": {"legs": LEGS, "price": 0, "amount": 0.1},
        "private_subscribe": {"channels": ["account.orders"]},
        "public_subscribe": {"channels": ["instruments"]},
        "unsubscribe": {"channels": ["account.orders", "instruments"]},
        "create_conditional_order": stop,
        "set_mm_protection": {"product": "FBTCUSD", "trade_amount": 1, "quote_amount": 1},
        "verify_withdrawal": WITHDRAWAL,
        "withdraw": WITHDRAWAL,
        "verify_internal_transfer": {"destination_account_number": "A2", "assets": ASSETS},
        "internal_transfer": {"destination_account_number": "A2", "assets": ASSETS},
        "mark_price_historical_data": {"instrument_name": PERPETUAL, **SPAN},
        "index_price_historical_data": {"index_name": "BTCUSD", **SPAN},
        "create_sgsl_bot": {**BOT, "signal": Target.INDEX, **POSITIONS},
        "create_ocq_bot": {
            **BOT,
            "signal": Target.MARK,
            "bid_offset": -300,
            "ask_offset": 300,
            "quote_size": 0.1,
            "min_position": -1,
            "max_position": 1,
        },
        "create_levels_bot": {**ladder, "bids": [99_600], "asks": [100_400]},
        "create_grid_bot": {**ladder, "grid": [99_600, 100_400]},
        "create_delta_hedger_bot": {**BOT, "period": 60},
        "create_delta_follower_bot": {**BOT, "target_instrument": CALL, "target_amount": 0.1, "period": 60},
    }
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "amend": lambda: {**rest(), "amount": 0.2, "price": 99_400},
        "cancel": rest,
        "cancel_rfq": rfq,
        "trade_rfq": tradable,
        "mm_rfq_insert_quote": lambda: {
            "rfq_id": maker.call("create_rfq", legs=RFQ_LEGS)["result"]["rfq_id"],
            "direction": Direction.BUY,
            "amount": 0.1,
            "price": 1,
        },
        "mm_rfq_amend_quote": lambda: {**quoted(), "amount": 0.1, "price": 20},
        "mm_rfq_delete_quote": quoted,
        "cancel_conditional_order": lambda: {
            "order_id": trader.call("create_conditional_order", **stop)["result"]["order_id"]
        },
        "mark_inbox_notification_as_read": lambda: {
            "notification_id": trader.call("notifications_inbox")["result"]["notifications"][0]["id"]
        },
        "mass_quote": protected,
        "cancel_bot": lambda: {
            "bot_id": trader.call("create_grid_bot", **fixed["create_grid_bot"])["result"]["bot_id"]
        },
    }
    return {name: made.get(name) or (lambda of=name: fixed.get(of, {})) for name in methods()}  # type: ignore[misc]
