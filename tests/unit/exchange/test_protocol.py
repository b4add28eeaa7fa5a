"""A long mixed run of two clients in a busy market, every frame held against the documented protocol."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from exchange.background.simulation import Background
from exchange.core.listing import Listing, Products
from exchange.core.scheduler import NS_PER_MS, NS_PER_S
from tests.unit.exchange.protocol_checker import ProtocolChecker

PERPETUAL = "BTC-PERPETUAL"
ROLL = "BTC-25DEC26-PERPETUAL"
PUBLIC = [
    f"book.{PERPETUAL}.none.10.100ms",
    f"book.{PERPETUAL}.5.all.500ms",
    f"book.{ROLL}.none.all.raw",
    f"ticker.{PERPETUAL}.500ms",
    "ticker.BTC-25DEC26-100000-C.raw",
    f"lwt.{PERPETUAL}.1000ms",
    "lwt_options.BTCUSD.all.1000ms",
    "lwt_futures.BTCUSD.1000ms",
    "lwt_future_rolls.BTCUSD.1000ms",
    f"recent_trades.{PERPETUAL}.single",
    "recent_trades.BTCUSD.all",
    "price_index.BTCUSD",
    "index_components.BTCUSD",
    "base_price.BTCUSD.2026-12-25",
    "underlying_statistics.BTCUSD",
    "instruments",
    "instruments.options.BTCUSD.all",
    "banners",
    "rfqs",
    "system",
]
PRIVATE = [
    "session.orders",
    "account.orders",
    "account.persistent_orders",
    "account.portfolio",
    "account.summary",
    "account.trade_history",
    "account.order_history",
    "account.conditional_orders",
    "session.mm_protection",
]
NO_PARAMS = [
    "public/system_info",
    "public/instruments",
    "public/all_instruments",
    "private/open_orders",
    "private/portfolio",
    "private/account_summary",
    "private/account_breakdown",
    "private/trade_history",
    "private/order_history",
    "private/daily_mark_history",
    "private/transaction_history",
    "private/conditional_orders",
    "private/open_conditional_orders",
    "private/conditional_order_history",
    "private/required_margin_breakdown",
    "private/cancel_all",
    "private/cancel_session",
    "private/cancel_mass_quote",
    "private/cancel_all_conditional_orders",
]


class Trader:
    """One connection that does random things, and hears every frame through a checker."""

    def __init__(self, desk: Any, seed: int) -> None:
        self.client = desk.client()
        self.checker = ProtocolChecker()
        self.random = random.Random(seed)
        self._desk = desk
        self._id = 0
        self._taken = 0

    def ask(self, method: str, **params: Any) -> Any:
        self._id += 1
        self.checker.ask(self._id, method)
        self.client.session.on_activity()
        self.client.session.on_frame(msgspec.json.encode({"method": method, "params": params, "id": self._id}))
        self.listen()

    def listen(self) -> None:
        frames = self.client.frames[self._taken :]
        self._taken += len(frames)
        for frame in frames:
            self.checker.take(frame)

    def begin(self) -> None:
        self.ask("public/login", token=self._desk.token())
        self.ask("private/set_cancel_on_disconnect", timeout_secs=3_600)
        self.ask("public/subscribe", channels=PUBLIC)
        self.ask("private/subscribe", channels=PRIVATE)
        self.ask("private/set_mm_protection", product="FBTCUSD", trade_amount=0.5, quote_amount=1)

    def act(self) -> None:
        draw, mark = self.random, self._desk.market.mark.mark_price
        near = round(float(mark)) + draw.randint(-30, 30)
        name = draw.choice([PERPETUAL, PERPETUAL, "BTC-25DEC26", ROLL, "BTC-NOPE"])
        order = {"instrument_name": name, "amount": draw.choice([0.001, 0.1, 0.0001]), "price": near}
        order["client_order_id"] = draw.randint(1, 8)
        stop = near + draw.choice([-300, 0, 300])
        match draw.randint(0, 11):
            case 0 | 1 | 2:
                flags = {"post_only": draw.random() < 0.5, "reduce_only": draw.random() < 0.2, "label": "mixed"}
                self.ask("private/insert", direction=draw.choice(["buy", "sell"]), **order, **flags)
            case 3:
                self.ask("private/amend", client_order_id=draw.randint(1, 8), amount=draw.choice([0, 0.2]), price=near)
            case 4:
                self.ask("private/cancel", client_order_id=draw.randint(1, 8))
            case 5:
                market = {"order_type": "market", "instrument_name": name, "amount": 0.05}
                self.ask(draw.choice(["private/buy", "private/sell"]), **market)
            case 6 | 7:
                sides = {"b": [[near - 20, 0.1], [near - 30, 0.2]], "a": {"p": near + 20, "a": 0.1}}
                self.ask("private/mass_quote", quotes=[{"i": name, **sides}], post_only=draw.random() < 0.7)
            case 8:
                fields = {"amount": 0.05, "stop_price": stop, "target": draw.choice(["last", "mark", "index"])}
                fields |= draw.choice([{}, {"limit_price": near}, {"trailing_stop_callback_rate": 0.002}])
                direction = draw.choice(["buy", "sell"])
                self.ask("private/create_conditional_order", direction=direction, instrument_name=name, **fields)
            case 9:
                self.ask("private/set_mm_protection", product="FBTCUSD", amount=draw.choice([0.3, 1, 0]))
            case 10:
                method = draw.choice(["public/ticker", "public/book", "public/instrument"])
                self.ask(method, instrument_name=name)
            case _:
                self.ask(draw.choice(NO_PARAMS))


@pytest.mark.parametrize("notifications_first", [True, False])
def test_every_frame_of_a_mixed_run_is_as_documented(make_desk: Any, notifications_first: bool) -> None:
    # Given a busy market, and two traders of one account
    desk = make_desk(notifications_first=notifications_first, order_rate_with_cod_per_s=20)
    desk.engine.markets.clear()
    desk.engine.listing = Listing(desk.engine, Products(), {"BTCUSD": 100_000.0})
    desk.engine.listing.refresh()
    desk.market = desk.engine.markets[PERPETUAL]
    background = Background(desk.engine, seed=3)
    desk.engine.add_listener(background)
    background.start()
    traders = [Trader(desk, seed) for seed in (1, 2)]
    for trader in traders:
        trader.begin()
    # If both do random things for a minute, leave channels and join them again, and the day settles
    for turn in range(600):
        for trader in traders:
            trader.act()
        desk.scheduler.advance(100 * NS_PER_MS)
        if turn == 300:
            desk.engine.move_clock(desk.engine.settlement.next_s - desk.scheduler.realtime_ns() / NS_PER_S + 1)
            traders[0].ask("unsubscribe", channels=["account.orders", f"book.{PERPETUAL}.none.10.100ms"])
            for name in ("account.orders", f"book.{PERPETUAL}.none.10.100ms"):
                traders[0].checker.forget(name)
            traders[0].ask("private/subscribe", channels=["account.orders"])
            traders[0].ask("public/subscribe", channels=[f"book.{PERPETUAL}.none.10.100ms"])
        for trader in traders:
            trader.listen()
    # I expect each request answered once, thousands of right frames, and most of the protocol seen
    for trader in traders:
        trader.checker.finish()
        assert trader.checker.frames_total > 3_000
        assert {name.split(".")[0] for name in PUBLIC} - {"system"} <= trader.checker.seen
        assert set(PRIVATE) <= trader.checker.seen
        assert {"private/insert", "private/amend", "private/cancel", "private/mass_quote"} <= trader.checker.seen


def test_the_checker_refuses_what_is_not_documented() -> None:
    index = b'{"index_name":"BTCUSD","price":1,"timestamp":1795223000.5,"previous_settlement_price":2}'
    good = b'{"channel_name":"price_index.BTCUSD","notification":' + index + b"}"
    ProtocolChecker().take(good)
    for bad in (
        good.replace(b'"price":1', b'"price":"1"'),
        good.replace(b'"price":1', b'"price": 1'),
        good.replace(b'"price":1', b'"price":NaN'),
        good.replace(b"1795223000.5", b"1795223000"),
        good.replace(b'"price":1,', b""),
        good.replace(b'"index_name":"BTCUSD","price":1,', b'"price":1,"index_name":"BTCUSD",'),
        good.replace(b"price_index", b"prices"),
        b'{"id":1}',
    ):
        with pytest.raises((AssertionError, KeyError)):
            ProtocolChecker().take(bad)
