"""A quiet exchange under a clock that the test moves: two instruments at 100,000, no background flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exchange.background.simulation import Background
from exchange.core.accounts import Account
from exchange.core.book import Change
from exchange.core.engine import Engine
from exchange.core.events import AccountTrade, Event, PublicTrade
from exchange.core.instrument import BTC_GRID, Instrument, make_perpetual, make_quarter_future
from exchange.core.market import Market
from exchange.core.orders import NewOrder, Order, OrderUpdate, Side
from exchange.core.scheduler import NS_PER_S, SimScheduler
from exchange.gateways.thalex.auth import Authenticator
from exchange.gateways.thalex.hub import Hub
from exchange.gateways.thalex.methods import ALL_METHODS
from exchange.gateways.thalex.session import Context, Session, Settings
from exchange.order_log import OrderLog

CREATE_TIME = 1_795_223_000.0


@dataclass
class Tape:
    """A listener that keeps everything."""

    events: list[Event] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def on_events(self, events: list[Event]) -> None:
        self.events.extend(events)

    def on_book(self, instrument: Instrument, changes: list[Change]) -> None:
        self.changes.extend(changes)

    def on_second(self) -> None:
        pass

    def trades(self) -> list[tuple[int, int, Side]]:
        return [(e.price_ticks, e.lots, e.aggressor_side) for e in self.events if isinstance(e, PublicTrade)]

    def account_trades(self) -> list[AccountTrade]:
        return [event for event in self.events if isinstance(event, AccountTrade)]

    def updates(self) -> list[OrderUpdate]:
        return [event for event in self.events if isinstance(event, OrderUpdate)]


class Venue:
    """The core alone, with one account `a`, another `b`, and short words for what tests do."""

    def __init__(self) -> None:
        self.scheduler = SimScheduler()
        self.engine = Engine(self.scheduler)
        self.perpetual = make_perpetual("BTC", BTC_GRID, CREATE_TIME)
        self.future = make_quarter_future("BTC", BTC_GRID, CREATE_TIME)
        self.market: Market = self.engine.add_market(self.perpetual)
        self.engine.add_market(self.future)
        self.index_price = Decimal(100_000)
        self.engine.set_index_source("BTCUSD", lambda: self.index_price)
        self.a: Account = self.engine.add_account("A1", Decimal(100_000))
        self.b: Account = self.engine.add_account("A2", Decimal(100_000))
        self.tape = Tape()
        self.engine.add_listener(self.tape)
        self.engine.start()

    def order(self, account: Account, side: Side, price: int | None, amount: str, **fields: Any) -> OrderUpdate:
        """Insert an order and end the transaction."""
        price_decimal = None if price is None else Decimal(price)
        try:
            return self.market.insert(NewOrder(account, "S1", side, Decimal(amount), price_decimal, **fields))
        finally:
            self.engine.commit()

    def buy(self, price: int | None, amount: str, **fields: Any) -> OrderUpdate:
        return self.order(self.a, Side.BUY, price, amount, **fields)

    def sell(self, price: int | None, amount: str, **fields: Any) -> OrderUpdate:
        return self.order(self.a, Side.SELL, price, amount, **fields)

    def amend(self, order: Order, price: int, amount: str) -> OrderUpdate:
        try:
            return self.market.amend(order, Decimal(price), Decimal(amount), None)
        finally:
            self.engine.commit()

    def rest(self, side: Side, price: int, lots: int) -> Order:
        """Let an unknown maker rest an order."""
        order = self.market.rest_anonymous(side, price, lots)
        assert order is not None
        self.engine.commit()
        return order

    def take(self, side: Side, lots: int, limit: int) -> int:
        """Let an unknown taker trade."""
        taken = self.market.take_anonymous(side, lots, limit)
        self.engine.commit()
        return taken

    def levels(self, side: Side) -> list[tuple[int, int]]:
        return self.market.book.side(side).top(None)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def venue_factory() -> type[Venue]:
    return Venue


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Client:
    """One session without a socket. `call` returns the response, `notes` are the notifications so far."""

    def __init__(self, desk: Desk, session_id: str) -> None:
        self.frames: list[bytes] = []
        self.hung_up: str | None = None
        self.was_reset = False
        self.session = Session(
            desk.context, ALL_METHODS, session_id, self.frames.append, self._hang_up, self._reset, "127.0.0.1:9"
        )
        self._desk = desk
        self._next_id = 1

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        request_id, self._next_id = self._next_id, self._next_id + 1
        before = len(self.frames)
        self.session.on_activity()
        self.session.on_frame(msgspec.json.encode({"method": method, "params": params, "id": request_id}))
        replies = [m for m in map(msgspec.json.decode, self.frames[before:]) if m.get("id") == request_id]
        assert len(replies) == 1, f"{method} was answered {len(replies)} times"
        return replies[0]

    def result(self, method: str, **params: Any) -> Any:
        reply = self.call(method, **params)
        assert "error" not in reply, reply
        return reply["result"]

    def error(self, method: str, **params: Any) -> int:
        """Call, and return the error's code."""
        code = self.call(method, **params)["error"]["code"]
        assert isinstance(code, int)
        return code

    def login(self, **overrides: Any) -> Client:
        self.result("public/login", token=self._desk.token(**overrides))
        return self

    def notes(self, channel_name: str) -> list[dict[str, Any]]:
        decoded = [msgspec.json.decode(frame) for frame in self.frames]
        return [message for message in decoded if message.get("channel_name") == channel_name]

    def _hang_up(self, reason: str) -> None:
        self.hung_up = reason

    def _reset(self) -> None:
        self.was_reset = True


class Desk(Venue):
    """The venue with its Thalex front-end."""

    def __init__(self, private_key: rsa.RSAPrivateKey, order_log: Path, settings: Settings) -> None:
        super().__init__()
        self._private_key = private_key
        self._tokens = 0
        self._sessions = 0
        authenticator = Authenticator()
        authenticator.register("K1", private_key.public_key(), self.a.number)
        authenticator.register("K2", private_key.public_key(), self.b.number)
        hub = Hub(self.engine)
        log = OrderLog(order_log, self.scheduler)
        self.engine.add_listener(log)
        self.engine.add_listener(hub)
        self.log_path = order_log
        self.background: Background | None = None
        self.context = Context(self.engine, hub, authenticator, log, settings, None, {})

    def token(self, *, iat: float | None = None, kid: str = "K1", key: Any = None, **claims: Any) -> str:
        self._tokens += 1
        now_s = self.scheduler.realtime_ns() / NS_PER_S
        payload = {"iat": now_s + self._tokens * 1e-3 if iat is None else iat, **claims}
        return jwt.encode(payload, key or self._private_key, algorithm="RS512", headers={"kid": kid})

    def client(self) -> Client:
        self._sessions += 1
        return Client(self, f"S{self._sessions}")

    def log_lines(self) -> list[dict[str, Any]]:
        self.context.order_log.flush()
        return [msgspec.json.decode(line) for line in self.log_path.read_bytes().splitlines()]


@pytest.fixture
def make_desk(private_key: rsa.RSAPrivateKey, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Build a desk; keyword arguments are the front-end's settings."""
    desks: list[Desk] = []

    def make(**settings: Any) -> Desk:
        desk = Desk(private_key, tmp_path / f"orders{len(desks)}.jsonl", Settings(**settings))
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        desk.context.order_log.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def trader(desk: Desk) -> Client:
    """A client that is logged in, on the desk of the same test."""
    return desk.client().login()
