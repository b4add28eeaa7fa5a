"""A venue in its own process that times its client: `python -m benchmarks.probe_venue --ticks 1000`.

It speaks as much of Thalex's WebSocket protocol as a quoter needs, on loopback, with one perpetual: login with
any well-formed token, instruments, channels, orders that rest and never fill. It names a message rate of
100,000 a second and throttles nobody, so that throttles do not blur the figures. Its garbage collector is off.

wire_to_wire is taken by this process alone, on its own monotonic clock: from just before the tick's bytes are
handed to the socket to the callback of the order's frame. Its own cost on both ways is in every figure alike;
the bare echo shows it.

Standard output: one line {"url"} once it listens, one line with the `Result` (or {"error"}) when it has
measured. It then serves on, so that the subject can leave in good order, until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import picows
import uvloop

from benchmarks.probe_market import INSTRUMENT_NAME, ProbeMarket, instrument_names, notification
from benchmarks.probe_orders import (
    AmendParams,
    CancelParams,
    InsertParams,
    OrderError,
    OrderStatus,
    ProbeOrders,
)
from benchmarks.probe_stream import Stream
from benchmarks.probe_ticks import ProbeError, TickRun

MESSAGE_RATE = 100_000
TICKER_INTERVAL_S = 0.2
CODE_INVALID_REQUEST, CODE_NOT_LOGGED_IN, CODE_AUTHENTICATION_FAILED, CODE_UNKNOWN_METHOD = 6, 7, 19, 31

_encode = msgspec.json.encode
_decode_insert = msgspec.json.Decoder(InsertParams).decode
_decode_amend = msgspec.json.Decoder(AmendParams).decode
_decode_cancel = msgspec.json.Decoder(CancelParams).decode


class _Request(msgspec.Struct, gc=False):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: int | str | None = None


class _Channels(msgspec.Struct):
    channels: list[str]


class _Login(msgspec.Struct):
    token: str


_decode_request = msgspec.json.Decoder(_Request).decode


class ProbeVenue:
    """Markets, orders and everybody who is connected. The first market is the one that is measured."""

    def __init__(self, market: ProbeMarket, orders: ProbeOrders, others: Sequence[ProbeMarket] = ()) -> None:
        self.market = market
        self.markets = {one.name: one for one in (market, *others)}
        self.orders = orders
        self.connections: dict[int, ProbeConnection] = {}
        self.on_order: Callable[[int, str, float], None] = lambda _ns, _direction, _price: None
        self._count = 0

    def connect(self) -> ProbeConnection:
        """Return the listener of a new connection."""
        self._count += 1
        return ProbeConnection(self, self._count)

    def followers(self, prefix: str) -> list[tuple[ProbeConnection, str]]:
        """Return (connection, channel) of every subscription to a channel of that prefix."""
        found = []
        for connection in self.connections.values():
            found += [(connection, channel) for channel in connection.channels if channel.startswith(prefix)]
        return found

    def send_tick(self, payload: dict[str, object]) -> int:
        """Send a book change to its followers; return the monotonic ns just before the first byte went."""
        ready = self.frames_of(payload)
        sent_ns = time.monotonic_ns()
        for place, frame in ready:
            place.send(frame)
        return sent_ns

    def frames_of(self, payload: dict[str, object], name: str = INSTRUMENT_NAME) -> list[tuple[ProbeConnection, bytes]]:
        """Return a book change as a frame for each of its followers."""
        return [(place, notification(channel, payload)) for place, channel in self.followers(f"book.{name}.")]

    def market_of(self, channel: str) -> ProbeMarket:
        """Return the market of a channel like `book.NAME.none.10.raw`."""
        return self.markets[channel.split(".")[1]]

    def send_tickers(self) -> None:
        """Send ticker and index to their followers."""
        for connection, channel in self.followers("ticker."):
            connection.send(notification(channel, self.market_of(channel).ticker()))
        for connection, channel in self.followers("price_index."):
            connection.send(notification(channel, self.market.index()))

    def report(self, order: OrderStatus, owner: int) -> None:
        """Tell session.orders of the owner and account.orders of everybody."""
        encoded = _encode(order)
        for connection, channel in self.followers("session.orders") + self.followers("account.orders"):
            if channel != "session.orders" or connection.number == owner:
                connection.send(b'{"channel_name":"%s","notification":[%s]}' % (channel.encode(), encoded))


class ProbeConnection(picows.WSListener):
    """One client."""

    def __init__(self, venue: ProbeVenue, number: int) -> None:
        self._venue = venue
        self.number = number
        self.channels: list[str] = []
        self._transport: picows.WSTransport | None = None
        self._is_logged_in = False
        self._methods: dict[str, Callable[[Any], object]] = {
            "public/login": self._login,
            "public/instruments": lambda _params: [one.instrument for one in venue.markets.values()],
            "public/subscribe": self._subscribe,
            "private/subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "private/set_cancel_on_disconnect": lambda _params: {"message_rate": MESSAGE_RATE},
            "private/cancel": self._cancel,
            "private/cancel_session": self._cancel_session,
            "private/cancel_all": self._cancel_all,
            "private/cancel_all_conditional_orders": lambda _params: None,
            "private/open_conditional_orders": lambda _params: [],
            "private/open_orders": lambda _params: venue.orders.live,
            "private/portfolio": lambda _params: [],
            "private/account_summary": lambda _params: _account_summary(),
            "private/trade_history": lambda _params: {"trades": [], "bookmark": None},
        }

    def send(self, frame: bytes) -> None:
        """Write one message, unless the client is gone."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(picows.WSMsgType.TEXT, frame)

    # ---- from picows ---------------------------------------------------------------------------------

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self._venue.connections[self.number] = self

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._venue.connections.pop(self.number, None)
        self._close_orders(self._venue.orders.of(self.number), "session_end")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        receive_ns = time.monotonic_ns()
        if frame.msg_type is picows.WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()
        elif frame.msg_type is picows.WSMsgType.TEXT:
            self._on_request(frame.get_payload_as_bytes(), receive_ns)

    # ---- requests ------------------------------------------------------------------------------------

    def _on_request(self, payload: bytes, receive_ns: int) -> None:
        try:
            request = _decode_request(payload)
        except msgspec.DecodeError as error:
            self._answer_error(None, CODE_INVALID_REQUEST, str(error))
            return
        try:
            if request.method.startswith("private/") and not self._is_logged_in:
                raise OrderError(CODE_NOT_LOGGED_IN, "not logged in")
            if request.method == "private/amend":
                self._amend(request, receive_ns)
            elif request.method == "private/insert":
                self._insert(request, receive_ns)
            else:
                self._answer_other(request)
        except OrderError as error:
            self._answer_error(request.id, error.code, str(error))
        except msgspec.DecodeError as error:
            self._answer_error(request.id, CODE_INVALID_REQUEST, str(error))

    def _insert(self, request: _Request, receive_ns: int) -> None:
        params = _decode_insert(request.params)
        if params.instrument_name == INSTRUMENT_NAME:
            self._venue.on_order(receive_ns, params.direction, params.price)
        self._answer_order(request.id, self._venue.orders.insert(self.number, params))

    def _amend(self, request: _Request, receive_ns: int) -> None:
        params = _decode_amend(request.params)
        order = self._venue.orders.find(self.number, params.client_order_id, params.order_id)
        if order.instrument_name == INSTRUMENT_NAME:
            self._venue.on_order(receive_ns, order.direction, params.price)
        self._answer_order(request.id, self._venue.orders.amend(self.number, params))

    def _answer_order(self, request_id: int | str | None, order: OrderStatus) -> None:
        self.send(_encode({"id": request_id, "result": order}))
        self._venue.report(order, self.number)

    def _answer_other(self, request: _Request) -> None:
        method = self._methods.get(request.method)
        if method is None:
            raise OrderError(CODE_UNKNOWN_METHOD, f"unknown method {request.method}")
        before = list(self.channels)
        self.send(_encode({"id": request.id, "result": method(request.params)}))
        for channel in self.channels:
            if channel not in before:
                self._send_first(channel)

    def _answer_error(self, request_id: int | str | None, code: int, text: str) -> None:
        self.send(_encode({"id": request_id, "error": {"code": code, "message": text}}))

    def _login(self, params: Any) -> object:
        token = msgspec.json.decode(params, type=_Login).token
        if not is_token_well_formed(token):
            raise OrderError(CODE_AUTHENTICATION_FAILED, "authentication failed")
        self._is_logged_in = True
        return {"account_number": "A000000001"}

    def _subscribe(self, params: Any) -> object:
        channels = msgspec.json.decode(params, type=_Channels).channels
        self.channels += [channel for channel in channels if channel not in self.channels]
        return channels

    def _unsubscribe(self, params: Any) -> object:
        channels = msgspec.json.decode(params, type=_Channels).channels
        self.channels = [channel for channel in self.channels if channel not in channels]
        return channels

    def _send_first(self, channel: str) -> None:
        """Send what a channel begins with."""
        venue = self._venue
        if channel.startswith("book."):
            self.send(notification(channel, venue.market_of(channel).book(), is_snapshot=True))
        elif channel.startswith("ticker."):
            self.send(notification(channel, venue.market_of(channel).ticker()))
        elif channel.startswith("price_index."):
            self.send(notification(channel, venue.market.index()))
        elif channel == "instruments":
            self.send(
                notification(channel, [{"added": one.instrument} for one in venue.markets.values()], is_snapshot=True)
            )
        elif channel == "account.orders":
            self.send(notification(channel, venue.orders.live, is_snapshot=True))
        elif channel == "session.orders":
            self.send(notification(channel, venue.orders.of(self.number), is_snapshot=True))
        elif channel == "account.portfolio" or channel.startswith("recent_trades."):
            self.send(notification(channel, [], is_snapshot=True))

    def _cancel(self, params: Any) -> object:
        wanted = _decode_cancel(params)
        order = self._venue.orders.find(self.number, wanted.client_order_id, wanted.order_id)
        self._close_orders([order], "client_cancel")
        return order

    def _cancel_session(self, _params: Any) -> object:
        self._close_orders(self._venue.orders.of(self.number), "session_end")
        return None

    def _cancel_all(self, _params: Any) -> object:
        orders = self._venue.orders.live
        self._close_orders(orders, "client_bulk_cancel")
        return len(orders)

    def _close_orders(self, orders: list[OrderStatus], delete_reason: str) -> None:
        for order in orders:
            owner = self._venue.orders.owner_of(order)
            self._venue.report(self._venue.orders.close(order, delete_reason), owner)


def is_token_well_formed(token: str) -> bool:
    """Return whether `token` is a JWT with an RSA algorithm and a key id; its signature is not looked at."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        return False
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (msgspec.DecodeError, ValueError):
        return False
    return isinstance(header, dict) and str(header.get("alg", "")).startswith("RS") and bool(header.get("kid"))


def _account_summary() -> dict[str, object]:
    return {
        "cash": [], "unrealised_pnl": 0, "session_realised_pnl": 0, "cash_collateral": 100_000, "margin": 100_000,
        "required_margin": 0, "remaining_margin": 100_000,
    }  # fmt: skip


async def _serve(options: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    is_rising = options.rate > 0
    first, *others = (
        ProbeMarket(options.seed + i, is_rising=is_rising, name=name)
        for i, name in enumerate(instrument_names(options.instruments))
    )
    venue = ProbeVenue(first, ProbeOrders(), others)
    run = TickRun(
        venue.market,
        venue.orders,
        venue.send_tick,
        lambda: bool(venue.followers("book.")),
        match=options.match,
        gap_s=options.gap_ms / 1000,
        seed=options.seed,
    )
    measured: TickRun | Stream = run
    if options.rate > 0:
        measured = Stream(list(venue.markets.values()), venue.frames_of, run, rate=options.rate, seed=options.seed)
    venue.on_order = measured.on_order
    server = await picows.ws_create_server(
        lambda _request: venue.connect(), "127.0.0.1", 0, websocket_handshake_timeout=10
    )
    port = server.sockets[0].getsockname()[1]
    _say({"url": f"ws://127.0.0.1:{port}/ws/api/v2"})
    tickers = loop.create_task(_tick_tickers(venue))
    measuring = loop.create_task(measured.run(options.warmup_ticks, options.ticks))
    stopping = loop.create_task(stopped.wait())
    await asyncio.wait([measuring, stopping], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if not measuring.done() else _say_result(measuring)
    await stopped.wait()
    measuring.cancel()
    tickers.cancel()
    server.close()
    return code


def _say_result(measuring: asyncio.Task[Any]) -> int:
    try:
        _say(msgspec.to_builtins(measuring.result()))
    except ProbeError as error:
        _say({"error": str(error)})
        return 1
    return 0


async def _tick_tickers(venue: ProbeVenue) -> None:
    while True:
        await asyncio.sleep(TICKER_INTERVAL_S)
        venue.send_tickers()


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(_encode(message).decode() + "\n")
    sys.stdout.flush()


def main() -> int:
    """Serve one subject and measure it."""
    parser = argparse.ArgumentParser(prog="benchmarks.probe_venue", description="A venue that times its client.")
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--warmup-ticks", type=int, default=100)
    parser.add_argument("--gap-ms", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0, help="ticks a second, whether answered or not; 0 = in turn")
    parser.add_argument("--instruments", type=int, default=1, help="the rate is that of all together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--match", choices=("price", "any"), default="price")
    options = parser.parse_args()
    gc.collect()
    gc.freeze()
    gc.disable()
    return uvloop.run(_serve(options))


if __name__ == "__main__":
    sys.exit(main())
