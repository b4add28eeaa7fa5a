"""Follows the order log of a standalone exchange: what is open, whose it is, what was filled. It judges the suite."""

from __future__ import annotations

import bisect
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

FillKey = tuple[str, str, int]
Line = dict[str, Any]
REQUESTS = ("insert", "amend")
BOTH_SIDES = (True, False)


class Openness(NamedTuple):
    """How many orders of ours were open on each side from a moment on."""

    monotonic_ns: int
    bids: int
    asks: int


class Touch(NamedTuple):
    """One line about an order: inserted, amended, cancelled or filled."""

    monotonic_ns: int
    event: str
    session: str
    order_id: str
    is_buy: bool
    is_open: bool  # afterwards


class Fill(NamedTuple):
    monotonic_ns: int
    is_buy: bool
    price: Decimal
    size: Decimal


class JsonLines:
    """A file of JSON lines that another process is writing; `read` reads on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""

    def close(self) -> None:
        self._file.close()

    def read(self) -> list[Line]:
        """Return the lines that were written since the last time; a line still being written waits."""
        whole, newline, self._rest = (self._rest + self._file.read()).rpartition(b"\n")
        return [json.loads(text, parse_float=Decimal) for text in whole.split(b"\n")] if newline else []


class OrderLog:
    """What an exchange has written so far; `poll` reads on.

    Attributes:
        open: the newest line of each open order, by venue order id.
        fills: every fill by (trade id, venue order id, leg).
        openness: after each line about an order, oldest first.
        inserts: how often an insert was carried out, by client order id.
        touched: every line about an order, oldest first.
        session_at: session id of each client address.
        twice: keys of fills that the venue itself told twice (it never should).
    """

    def __init__(self, path: Path) -> None:
        self._lines = JsonLines(path)
        self.open: dict[str, Line] = {}
        self.fills: dict[FillKey, Fill] = {}
        self.openness: list[Openness] = [Openness(0, 0, 0)]
        self.inserts: dict[int, int] = {}
        self.touched: list[Touch] = []
        self.session_at: dict[str, str] = {}
        self.session_ends_ns: dict[str, int] = {}
        self.twice: list[FillKey] = []
        self.position: dict[str, Decimal] = {}

    def close(self) -> None:
        self._lines.close()

    def poll(self) -> None:
        """Read the lines that were written since the last time."""
        for line in self._lines.read():
            self._take(line)

    # ---- questions ---------------------------------------------------------------------------------

    def first_empty_ns(self, since_ns: int) -> int | None:
        """Return when, from `since_ns` on, no order was open for the first time; None = not yet."""
        return self._first(since_ns, lambda state: not (state.bids or state.asks))

    def first_pulled_ns(self, since_ns: int) -> int | None:
        """Return when, from `since_ns` on, the last open order was cancelled, not filled; None = not yet."""
        for index in range(self._first_touch(since_ns), len(self.touched)):
            state = self.openness[index + 1]  # the first one is before all
            if not (state.bids or state.asks) and self.touched[index].event != "fill":
                return state.monotonic_ns
        return None

    def empty_ns_max(self, since_ns: int, until_ns: int) -> int:
        """Return the longest time from `since_ns` to `until_ns` in which no order was open."""
        states = self._since(since_ns)
        ends = [*(state.monotonic_ns for state in states[1:]), until_ns]
        return max(
            (
                min(end_ns, until_ns) - max(state.monotonic_ns, since_ns)
                for state, end_ns in zip(states, ends, strict=True)
                if not (state.bids or state.asks)
            ),
            default=0,
        )

    def first_both_sides_ns(self, since_ns: int) -> int | None:
        """Return when, from `since_ns` on, both sides were open for the first time; None = not yet."""
        return self._first(since_ns, lambda state: bool(state.bids and state.asks))

    def gone_ns(self, since_ns: int, until_ns: int) -> int:
        """Return when the last of the orders open at `since_ns` was closed or amended, at most `until_ns`."""
        first = self._first_touch(since_ns)
        left: set[str] = set()
        for touch in self.touched[:first]:
            (left.add if touch.is_open else left.discard)(touch.order_id)
        last_ns = since_ns
        for touch in self.touched[first:]:
            if touch.order_id in left and (touch.event == "amend" or not touch.is_open):
                left.discard(touch.order_id)
                last_ns = min(touch.monotonic_ns, until_ns)
        return until_ns if left else last_ns

    def first_fresh_ns(self, since_ns: int) -> int | None:
        """Return when both sides had been inserted or amended after `since_ns`; None = not yet."""
        sides: set[bool] = set()
        for touch in self.touched[self._first_touch(since_ns) :]:
            if touch.event in REQUESTS:
                sides.add(touch.is_buy)
            if len(sides) == len(BOTH_SIDES):
                return touch.monotonic_ns
        return None

    def requests_of(self, session: str, since_ns: int) -> int:
        """Return how many orders a session inserted or amended after `since_ns`."""
        later = self.touched[self._first_touch(since_ns) :]
        return sum(touch.session == session and touch.event in REQUESTS for touch in later)

    @property
    def is_both_sided(self) -> bool:
        return bool(self.openness[-1].bids and self.openness[-1].asks)

    def most_on_a_side(self, since_ns: int) -> int:
        """Return the largest number of orders that were open on one side at any time since."""
        return max(max(state.bids, state.asks) for state in self._since(since_ns))

    def orders_of_others(self, session: str) -> list[Line]:
        """Return open orders that belong to another session than the one named."""
        return [line for line in self.open.values() if line["session"] != session]

    # ---- inside ------------------------------------------------------------------------------------

    def _first_touch(self, since_ns: int) -> int:
        """Return the index of the first line after `since_ns`."""
        return bisect.bisect_right(self.touched, since_ns, key=lambda touch: touch.monotonic_ns)

    def _since(self, since_ns: int) -> list[Openness]:
        """Return the states since a time, the one in force at that time first."""
        index = len(self.openness) - 1
        while index and self.openness[index].monotonic_ns > since_ns:
            index -= 1
        return self.openness[index:]

    def _first(self, since_ns: int, holds: Any) -> int | None:
        for state in self._since(since_ns):
            if holds(state):
                return max(state.monotonic_ns, since_ns)
        return None

    def _take(self, line: Line) -> None:
        event = line["event"]
        if event == "connect":
            self.session_at[line["peer"]] = line["session"]
        elif event == "disconnect":
            self.session_ends_ns[line["session"]] = line["monotonic_ns"]
        if "order_id" not in line:
            return
        if event == "insert":
            client_order_id = line["client_order_id"]
            self.inserts[client_order_id] = self.inserts.get(client_order_id, 0) + 1
        if event == "fill":
            self._take_fill(line)
        is_open = line["status"] in ("open", "partially_filled")
        is_buy = line["side"] == "buy"
        touch = Touch(line["monotonic_ns"], event, line["session"], line["order_id"], is_buy, is_open)
        self.touched.append(touch)
        if is_open:
            self.open[line["order_id"]] = line
        else:
            self.open.pop(line["order_id"], None)
        bids = sum(order["side"] == "buy" for order in self.open.values())
        self.openness.append(Openness(line["monotonic_ns"], bids, len(self.open) - bids))

    def _take_fill(self, line: Line) -> None:
        key = (line["trade_id"], line["order_id"], 0)
        if key in self.fills:
            self.twice.append(key)
        size = Decimal(line["fill_amount"])
        is_buy = line["side"] == "buy"
        self.fills[key] = Fill(line["monotonic_ns"], is_buy, Decimal(line["fill_price"]), size)
        name = line["instrument"]
        self.position[name] = self.position.get(name, Decimal(0)) + (size if is_buy else -size)
