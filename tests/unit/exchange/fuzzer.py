"""A client that calls everything, right and wrong, from a seed, and hears every frame through a checker."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from exchange.core.scheduler import NS_PER_S
from exchange.gateways.thalex.methods import ALL_METHODS
from tests.unit.exchange.protocol_checker import ProtocolChecker

FUTURE = "BTC-25DEC26"
CALL, PUT, LOW = f"{FUTURE}-100000-C", f"{FUTURE}-100000-P", f"{FUTURE}-95000-C"
ROLL = f"{FUTURE}-PERPETUAL"
NAMES = ["BTC-PERPETUAL", "BTC-PERPETUAL", FUTURE, CALL, PUT, LOW, ROLL, "ETH-PERPETUAL", "ETH-25DEC26", "BTC-NOPE"]
COMBINATION = f"[{LOW}:1,{CALL}:-1]"
PUBLIC = [
    *(f"ticker.{name}.{delay}" for name, delay in zip(NAMES[1:-1], ("raw", "100ms", "1000ms") * 3, strict=False)),
    "book.BTC-PERPETUAL.none.10.raw",
    "book.BTC-PERPETUAL.10.3.100ms",
    "book.ETH-PERPETUAL.none.all.200ms",
    f"book.{ROLL}.none.all.raw",
    f"book.{CALL}.none.1.raw",
    f"ticker.{COMBINATION}.raw",
    f"lwt.{COMBINATION}.100ms",
    f"book.{COMBINATION}.none.all.raw",
    "lwt.BTC-PERPETUAL.raw",
    f"lwt.{CALL}.500ms",
    "lwt_options.BTCUSD.all.1000ms",
    "lwt_options.BTCUSD.2026-12-25.raw",
    "lwt_futures.ETHUSD.500ms",
    "lwt_future_rolls.BTCUSD.100ms",
    "recent_trades.BTC-PERPETUAL.single",
    "recent_trades.BTCUSD.all",
    "recent_trades.BTCUSD.options",
    "recent_trades.BTCUSD.future_rolls",
    "price_index.BTCUSD",
    "price_index.ETHUSD",
    "underlying_statistics.BTCUSD",
    "base_price.BTCUSD.2026-12-25",
    "index_components.ETHUSD",
    "instruments",
    "instruments.options.BTCUSD.all",
    "instruments.all.all.all",
    "rfqs",
    "system",
    "banners",
]
PRIVATE = [
    "session.orders",
    "session.mm_protection",
    "account.orders",
    "account.persistent_orders",
    "account.portfolio",
    "account.summary",
    "account.trade_history",
    "account.order_history",
    "account.conditional_orders",
    "account.bots",
    "account.rfqs",
    "account.rfq_history",
    "mm.rfqs",
    "mm.rfq_quotes",
    "user.inbox_notifications",
]
WRONG_VALUES = [None, "", "x", -1, 0, 1e300, 2**70, 0.000000001, True, [], {}, [1], {"a": 1}, "BTC-PERPETUAL", -0.5]
Params = dict[str, Any]


class Fuzzer:
    """One connection. `act` makes one call; what it knows of the venue it has from its answers."""

    def __init__(self, desk: Any, key_id: str, seed: int) -> None:
        self.client = desk.client()
        self.checker = ProtocolChecker()
        self.draw = random.Random(seed)
        self.order_ids: list[str] = []
        self._desk = desk
        self._key_id = key_id
        self._id = 0
        self._taken = 0
        self._names: dict[str, list[Any]] = {
            name: [] for name in ("order", "conditional", "rfq", "quote", "bot", "note")
        }
        self._ways: list[Callable[[], tuple[str, Params]]] = [
            *[self._insert] * 6,
            *[self._amend] * 3,
            *[self._cancel] * 2,
            *[self._mass_quote] * 3,
            *[self._combination] * 2,
            *[self._conditional] * 2,
            *[self._rfq] * 3,
            *[self._bot] * 2,
            *[self._read] * 2,
            self._market_data,
            self._transfer,
            self._bulk,
            self._channels,
        ]

    def begin(self) -> None:
        self.ask("public/login", token=self._desk.token(kid=self._key_id))
        self.ask("private/set_cancel_on_disconnect", timeout_secs=3_600)
        self.ask("public/subscribe", channels=PUBLIC)
        self.ask("private/subscribe", channels=PRIVATE)
        for product in ("FBTCUSD", "OBTCUSD", "FETHUSD"):
            self.ask("private/set_mm_protection", product=product, trade_amount=2, quote_amount=5)

    def act(self) -> None:
        """Make one call; one in six has something wrong with it."""
        method, params = self.draw.choice(self._ways)()
        if self.draw.random() < 1 / 6:
            method, params = self._spoil(method, params)
        self.ask(method, **params)

    def ask(self, method: str, **params: Any) -> Any:
        self._id += 1
        self.checker.ask(self._id, method)
        before = len(self.client.frames)
        self.client.session.on_activity()
        self.client.session.on_frame(msgspec.json.encode({"method": method, "params": params, "id": self._id}))
        start = b'{"id":%d,' % self._id
        frame = next(frame for frame in self.client.frames[before:] if frame.startswith(start))
        self.listen()
        self._learn(method, msgspec.json.decode(frame).get("result"))

    def listen(self) -> None:
        frames = self.client.frames[self._taken :]
        self._taken += len(frames)
        for frame in frames:
            self.checker.take(frame)

    # -- what to call --------------------------------------------------------------------------

    def _price(self, name: str) -> float:
        market = self._desk.engine.markets.get(name)
        if market is None:
            return 100.0
        tick = float(market.instrument.grid.tick_size)
        mark = float(market.mark.mark_price)
        away = self.draw.choice([-40, -8, -3, -1, 0, 1, 3, 8, 40])
        return round((round(mark / tick) + away) * tick, 2)

    def _amount(self, name: str) -> float:
        lots = {"E": 1.0, "R": 0.1}.get(name[0], 0.1)
        return round(lots * self.draw.choice([1, 2, 5]), 3)

    def _order(self) -> Params:
        name, draw = self.draw.choice(NAMES), self.draw
        order: Params = {"instrument_name": name, "amount": self._amount(name), "price": self._price(name)}
        if draw.random() < 0.8:
            order["client_order_id"] = draw.randint(1, 12)
        if draw.random() < 0.2:
            order |= {"order_type": "market", "time_in_force": "immediate_or_cancel"}
            del order["price"]
        flags = {
            "post_only": [True, False],
            "reject_post_only": [True],
            "reduce_only": [True],
            "label": ["fuzz", "A-b_c|<>9"],
            "time_in_force": ["immediate_or_cancel", "good_till_cancelled"],
            "collar": ["clamp", "ignore", "reject"],
            "stp_level": ["customer", "account", "disabled"],
            "stp_action": ["cancel_aggressive_no_fill", "cancel_aggressive_partial_fill"],
        }
        for flag in draw.sample(sorted(flags), draw.choice([0, 0, 1, 2])):
            order[flag] = draw.choice(flags[flag])
        return order

    def _insert(self) -> tuple[str, Params]:
        order = self._order()
        if self.draw.random() < 0.5:
            return self.draw.choice(["private/buy", "private/sell"]), order
        return "private/insert", {"direction": self.draw.choice(["buy", "sell"]), **order}

    def _which(self, kind: str = "order") -> Params:
        known = self._names[kind]
        if known and self.draw.random() < 0.5:
            return {"order_id": self.draw.choice(known[-20:])}
        return {"client_order_id": self.draw.randint(1, 12)}

    def _amend(self) -> tuple[str, Params]:
        name = self.draw.choice(NAMES)
        amount = self.draw.choice([0, self._amount(name), self._amount(name)])
        return "private/amend", {**self._which(), "price": self._price(name), "amount": amount}

    def _cancel(self) -> tuple[str, Params]:
        return "private/cancel", self._which()

    def _mass_quote(self) -> tuple[str, Params]:
        if self.draw.random() < 0.2:
            product = self.draw.choice(["FBTCUSD", "OBTCUSD", "FETHUSD", "OETHUSD", "NONE"])
            amount = self.draw.choice([{"amount": 3}, {"trade_amount": 1, "quote_amount": 4}])
            return "private/set_mm_protection", {"product": product, **amount}
        quotes = []
        for name in self.draw.sample(NAMES, self.draw.randint(1, 3)):
            price, amount = self._price(name), self._amount(name)
            tick = 5 if name in (CALL, PUT, LOW) else 1
            bid = {"p": price - 3 * tick, "a": self.draw.choice([0, amount])}
            asks = [[price + (3 + step) * tick, amount] for step in range(self.draw.randint(0, 3))]
            quotes.append(
                self.draw.choice([{"i": name, "b": bid, "a": asks}, {"i": name, "a": asks}, {"i": name, "b": bid}])
            )
        return "private/mass_quote", {"quotes": quotes, "post_only": self.draw.random() < 0.5, "label": "mm"}

    def _combination(self) -> tuple[str, Params]:
        legs = [{"instrument_name": name, "quantity": self.draw.choice([-2, -1, 1, 2])} for name in (LOW, CALL)]
        if self.draw.random() < 0.3:
            return "private/required_margin_for_order", {"legs": legs, "price": 0, "amount": 0.1}
        order = {"legs": legs, "amount": 0.1, "time_in_force": "immediate_or_cancel"}
        kind = self.draw.choice([{"order_type": "market"}, {"price": 5 * self.draw.randint(-1_000, 1_000)}])
        return "private/insert", {"direction": self.draw.choice(["buy", "sell"]), **order, **kind}

    def _conditional(self) -> tuple[str, Params]:
        draw, known = self.draw, self._names["conditional"]
        if known and draw.random() < 0.3:
            return "private/cancel_conditional_order", {"order_id": draw.choice(known)}
        name = draw.choice(NAMES)
        price = self._price(name)
        order = {"instrument_name": name, "amount": self._amount(name), "stop_price": price}
        more = draw.choice(
            [{}, {"limit_price": price}, {"bracket_price": price - 20}, {"trailing_stop_callback_rate": 0.001}]
        )
        target = draw.choice([{}, {"target": "mark"}, {"target": "index"}, {"reduce_only": True}])
        return "private/create_conditional_order", {
            "direction": draw.choice(["buy", "sell"]),
            **order,
            **more,
            **target,
        }

    def _rfq(self) -> tuple[str, Params]:
        draw, known = self.draw, self._names["rfq"]
        way = draw.randint(0, 6)
        if way < 2 or not known:
            legs = [
                {"instrument_name": name, "amount": draw.choice([-0.2, 0.1, 0.2])} for name in draw.sample(NAMES, 2)
            ]
            return "private/create_rfq", {"legs": legs, "label": "rfq"}
        rfq = {"rfq_id": draw.choice(known[-6:])}
        side = {"direction": draw.choice(["buy", "sell"])}
        if way == 2:
            return "private/cancel_rfq", rfq
        if way == 3:
            return "private/trade_rfq", {
                **rfq,
                **side,
                "limit_price": 10**6 if side["direction"] == "buy" else -(10**6),
            }
        quote = {"price": draw.randint(-1_000, 1_000), "amount": draw.choice([0.1, 0.2])}
        if way == 4:
            return "private/mm_rfq_amend_quote", {**self._which("quote"), **quote}
        if way == 5:
            return "private/mm_rfq_delete_quote", self._which("quote")
        return "private/mm_rfq_insert_quote", {**rfq, **side, **quote, "client_order_id": draw.randint(1, 12)}

    def _bot(self) -> tuple[str, Params]:
        draw, known = self.draw, self._names["bot"]
        if known and draw.random() < 0.4:
            return "private/cancel_bot", {"bot_id": draw.choice(known)}
        name = draw.choice(NAMES[:3])
        price = round(self._price(name))
        common = {
            "instrument_name": name,
            "end_time": self._desk.scheduler.realtime_ns() / NS_PER_S + draw.choice([5, 500]),
        }
        terms = draw.choice(
            [
                {"strategy": "grid", "grid": [price - 20, price - 10, price + 10, price + 20], "step_size": 0.02},
                {"strategy": "levels", "bids": [price - 15], "asks": [price + 15, price + 25], "step_size": 0.01},
                {
                    "strategy": "ocq",
                    "signal": draw.choice(["mark", "index"]),
                    "bid_offset": -8,
                    "ask_offset": 8,
                    "quote_size": 0.05,
                    "min_position": -1,
                    "max_position": 1,
                },
                {
                    "strategy": "sgsl",
                    "signal": "mark",
                    "entry_price": price,
                    "target_position": 0.1,
                    "exit_price": price - 5,
                    "exit_position": 0,
                },
                {"strategy": "dhedge", "period": 2, "threshold": 0.1},
                {
                    "strategy": "dfollow",
                    "target_instrument": CALL,
                    "target_amount": 0.2,
                    "period": 1,
                    "max_slippage": 1,
                },
            ]
        )
        return "private/create_bot", {**common, **terms}

    def _read(self) -> tuple[str, Params]:
        history = {"limit": self.draw.randint(1, 20), "sort": self.draw.choice(["ascending", "descending"])}
        with_paging = ("trade", "order", "daily_mark", "transaction", "rfq", "conditional_order")
        ways: list[tuple[str, Params]] = [(f"private/{name}_history", history) for name in with_paging]
        plain = (
            "portfolio",
            "open_orders",
            "account_summary",
            "account_breakdown",
            "required_margin_breakdown",
            "bots",
        )
        plain += ("open_conditional_orders", "conditional_orders", "open_rfqs", "mm_rfqs", "mm_rfq_quotes")
        plain += ("notifications_inbox", "crypto_deposits", "crypto_withdrawals", "btc_deposit_address")
        ways += [(f"private/{name}", {}) for name in plain]
        return self.draw.choice(ways)

    def _market_data(self) -> tuple[str, Params]:
        name = {"instrument_name": self.draw.choice(NAMES)}
        span = {"from": 0, "to": 2e9, "resolution": self.draw.choice(["1m", "5m", "1d"])}
        return self.draw.choice(
            [
                ("public/ticker", name),
                ("public/book", name),
                ("public/instrument", name),
                ("public/instruments", {"underlying": "ETHUSD"}),
                ("public/all_instruments", {}),
                ("public/index", {"underlying": self.draw.choice(["BTCUSD", "SOLUSD"])}),
                ("public/system_info", {}),
                ("public/mark_price_historical_data", {**name, **span}),
                ("public/index_price_historical_data", {"index_name": "ETHUSD", **span}),
            ]
        )

    def _transfer(self) -> tuple[str, Params]:
        to = {"destination_account_number": self.draw.choice(["A1", "A2", "A3"])}
        what = self.draw.choice(
            [
                {"assets": [{"asset_name": "USDT", "amount": self.draw.choice([100, -100, 10**7])}]},
                {"positions": [{"instrument_name": self.draw.choice(NAMES[:6]), "amount": 0.1}]},
            ]
        )
        return self.draw.choice(["private/verify_internal_transfer", "private/internal_transfer"]), {**to, **what}

    def _bulk(self) -> tuple[str, Params]:
        names = (
            "cancel_all",
            "cancel_session",
            "cancel_mass_quote",
            "cancel_all_bots",
            "cancel_all_conditional_orders",
        )
        return f"private/{self.draw.choice(names)}", {}

    def _channels(self) -> tuple[str, Params]:
        names = self.draw.sample([*PUBLIC, *PRIVATE], 2)
        for name in names:
            if name in self.client.session.channels:
                self.ask("unsubscribe", channels=[name])
                self.checker.forget(name)
        private = [name for name in names if name in PRIVATE]
        return ("private/subscribe", {"channels": private}) if private else ("public/subscribe", {"channels": names})

    # -- what is wrong with it -----------------------------------------------------------------

    def _spoil(self, method: str, params: Params) -> tuple[str, Params]:
        if method.endswith("subscribe"):
            return method, params
        params, draw = dict(params), self.draw
        key = draw.choice(sorted(params)) if params else "extra"
        match draw.randint(0, 3):
            case 0:
                params.pop(key, None)
            case 1:
                method = draw.choice(sorted(name for name in ALL_METHODS if name.startswith("private/")))
                if "subscribe" in method or method == "private/set_cancel_on_disconnect":
                    method = "private/nothing_of_the_kind"
            case _:
                params[key] = draw.choice(WRONG_VALUES)
        return method, params

    def _learn(self, method: str, result: Any) -> None:
        if not isinstance(result, dict):
            return
        if method in ("private/insert", "private/buy", "private/sell"):
            self._names["order"].append(result["order_id"])
            self.order_ids.append(result["order_id"])
        elif method == "private/create_conditional_order":
            self._names["conditional"].append(result["order_id"])
        elif method == "private/create_rfq":
            self._names["rfq"].append(result["rfq_id"])
        elif method == "private/mm_rfq_insert_quote":
            self._names["quote"].append(result["order_id"])
        elif method == "private/create_bot":
            self._names["bot"].append(result["bot_id"])

    def share(self, others: list[Fuzzer]) -> None:
        """Let the others know of this one's requests, so that they quote on them."""
        for other in others:
            other._names["rfq"] = self._names["rfq"]
