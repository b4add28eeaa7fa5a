"""A checker of the documented protocol: every frame that a session gets is held against envelope and shapes.

Beside each frame's own shape it follows what frames say of each other: each request is answered once, a
snapshot comes first and only then, books add up and are never crossed, and an order that is over stays over.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.unit.exchange.protocol_shapes import CHANNELS, RESULTS
from tests.unit.exchange.shape_language import integer, shape, text

CODES = frozenset(range(1, 59)) - {36}  # the documented error codes; 36 is deprecated
STRING, WHITESPACE = re.compile(rb'"(?:[^"\\]|\\.)*"'), re.compile(rb"\s")
CLOSED = frozenset({"cancelled", "cancelled_partially_filled", "filled"})


class FollowedBook:
    """What a client has that applies the changes of a book channel."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}

    def apply(self, payload: dict[str, Any], levels_max: int | None) -> None:
        for name, levels in self.sides.items():
            for price, amount, outright in payload[f"{name}_changes"]:
                assert 0 <= outright <= amount, payload
                assert amount or price in levels, f"level {price} goes and was not there: {payload}"
                if amount:
                    levels[price] = amount
                else:
                    del levels[price]
            assert levels_max is None or len(levels) <= levels_max, f"{len(levels)} levels of {levels_max}"
            if levels_max is None:
                total = payload[f"total_{name}_amount"]
                assert abs(sum(levels.values()) - total) < 1e-6, f"levels add up to {sum(levels.values())}: {payload}"
        if self.sides["bid"] and self.sides["ask"]:
            assert max(self.sides["bid"]) < min(self.sides["ask"]), f"crossed: {payload}"


class ProtocolChecker:
    """Takes the requests of one connection as they are sent, and each frame that comes back."""

    def __init__(self) -> None:
        self.frames_total = 0
        self.seen: set[str] = set()  # methods answered with a result, and channels
        self.codes: set[int] = set()  # of errors
        self._asked: dict[int, str] = {}
        self._told: set[str] = set()
        self._books: dict[str, FollowedBook] = {}
        self._closed: dict[str, set[str]] = {}  # by channel: orders that are over
        self._filled: dict[str, dict[str, set[str]]] = {}  # by channel and order: trades told

    def ask(self, request_id: int, method: str) -> None:
        assert request_id not in self._asked, f"the test uses id {request_id} twice"
        self._asked[request_id] = method

    def forget(self, channel_name: str) -> None:
        """Expect a first message again: the channel has been left."""
        self._told.discard(channel_name)

    def take(self, frame: bytes) -> None:
        """Check one frame.

        Raises:
            AssertionError: with what is wrong, and the frame.
        """
        self.frames_total += 1
        message = json.loads(frame, parse_constant=_refuse)
        assert "jsonrpc" not in message, frame
        assert not WHITESPACE.search(STRING.sub(b"", frame)), f"not compact: {frame[:80]!r}"
        if frame.startswith(b'{"id":'):
            self._take_response(message, frame)
        else:
            assert frame.startswith(b'{"channel_name":"'), frame
            self._take_notification(message, frame)

    def finish(self) -> None:
        """Expect that everything asked has been answered exactly once."""
        assert not self._asked, f"not answered: {self._asked}"

    def _take_response(self, message: dict[str, Any], frame: bytes) -> None:
        assert message.keys() in ({"id", "result"}, {"id", "error"}), frame
        method = self._asked.pop(message["id"])
        if "error" in message:
            shape({"code": integer, "message": text})(message["error"])
            assert message["error"]["code"] in CODES, frame
            assert message["error"]["message"], frame
            self.codes.add(message["error"]["code"])
            return
        self.seen.add(method)
        assert RESULTS[method](message["result"]), f"{method}: {frame!r}"

    def _take_notification(self, message: dict[str, Any], frame: bytes) -> None:
        assert list(message) in (
            ["channel_name", "notification"],
            ["channel_name", "notification", "snapshot"],
        ), frame
        name = message["channel_name"]
        kind = name if name in CHANNELS else name.split(".")[0]
        check, is_stateful = CHANNELS[kind]
        assert check(message["notification"]), f"{name}: {frame!r}"
        assert message.get("snapshot", True) is True, frame
        is_first = name not in self._told
        assert ("snapshot" in message) == (is_stateful and is_first), f"{name}: snapshot at the wrong time: {frame!r}"
        self._told.add(name)
        self.seen.add(kind)
        if kind == "book":
            self._follow_book(name, message["notification"], is_first=is_first)
        elif kind.endswith("orders") and kind != "account.conditional_orders":
            self._follow_orders(name, message["notification"], is_first=is_first)

    def _follow_book(self, name: str, payload: dict[str, Any], *, is_first: bool) -> None:
        if is_first:
            self._books[name] = FollowedBook()
        levels = name.split(".")[-2]
        self._books[name].apply(payload, None if levels == "all" else int(levels))

    def _follow_orders(self, name: str, orders: list[dict[str, Any]], *, is_first: bool) -> None:
        closed, filled = self._closed.setdefault(name, set()), self._filled.setdefault(name, {})
        for order in orders:
            order_id = order["order_id"]
            assert (order["change_reason"] == "existing") == is_first, order
            assert order_id not in closed, f"{order_id} was over: {order}"
            trades = filled.setdefault(order_id, set())
            for fill in order["fills"] if not is_first else ():
                assert fill["trade_id"] not in trades, f"a fill is told twice: {order}"
                trades.add(fill["trade_id"])
            if order["status"] in CLOSED:
                closed.add(order_id)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
