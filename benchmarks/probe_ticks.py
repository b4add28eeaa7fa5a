"""The probe's measurement: one tick out, the time of the first order that answers it, the next tick.

A tick waits for the answer to the one before it, or for ANSWER_TIMEOUT_S; so a slow subject gets fewer ticks a
second, never a queue of them. Which tick an order answers shows in its price: during the warm-up the probe
learns how far from the mid the subject quotes each side, and later only an order at just that distance from the
newest mid counts. An order on its way for an older tick is counted as stray, not as an answer. With
`match="any"` (for a subject whose orders are prebuilt) the first order counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

import msgspec

from benchmarks.probe_market import ProbeMarket
from benchmarks.probe_orders import ProbeOrders

ANSWER_TIMEOUT_S = 0.1
GAP_JITTER_RATIO = 0.4  # 5 ms: 3 to 7
START_TIMEOUT_S = 40.0
SETTLE_S = 0.3
LEARN_PAUSE_S = 0.005  # after a tick of the warm-up, until the orders of both sides are here
Match = Literal["price", "any"]


class Result(msgspec.Struct, kw_only=True):
    """What one run gave: an item for each answered tick, in order."""

    wire_to_wire_ns: list[int]
    unanswered: int
    stray_orders: int
    orders: int
    seconds: float


class ProbeError(Exception):
    """The run could not be made; the text says why."""


class TickRun:
    """Sends ticks and times answers.

    Args:
        send: puts a book payload on the wire of everybody who follows the book.
        is_followed: whether anybody does.
    """

    def __init__(
        self,
        market: ProbeMarket,
        orders: ProbeOrders,
        send: Callable[[dict[str, object]], int],
        is_followed: Callable[[], bool],
        *,
        match: Match,
        gap_s: float,
        seed: int,
    ) -> None:
        self._market = market
        self._orders = orders
        self._send = send
        self._is_followed = is_followed
        self._match = match
        self._gap_s = gap_s
        self._random = random.Random(seed)
        self._distances: dict[str, int] = {}
        self._answer: asyncio.Future[int] | None = None
        self._stray_orders = 0
        self._order_count = 0

    def on_order(self, receive_ns: int, direction: str, price: float) -> None:
        """Take the arrival of an insert or amend; called before anything else is done with it."""
        self._order_count += 1
        answer = self._answer
        if answer is None or answer.done():
            return
        wanted = self._distances.get(direction)
        if wanted is not None and self._market.ticks(price) - self._market.mid_ticks != wanted:
            self._stray_orders += 1
            return
        answer.set_result(receive_ns)

    async def run(self, warmup_ticks: int, ticks: int) -> Result:
        """Wait for the subject, warm it up, measure.

        Raises:
            ProbeError: when it does not quote, or its quotes do not follow the mid.
        """
        distances = await self.learn(warmup_ticks)
        if self._match == "price":
            self._distances = {side: mode_of(side, counts) for side, counts in distances.items()}
        return await self._measure(ticks)

    async def learn(self, warmup_ticks: int) -> dict[str, Counter[int]]:
        """Wait for the subject and warm it up; return how often each side stood how far from the mid, in ticks."""
        await self._subject_ready()
        distances: dict[str, Counter[int]] = {"buy": Counter(), "sell": Counter()}
        due_s = time.monotonic()
        for _ in range(warmup_ticks):
            due_s = await self._wait_gap(due_s)
            await self._tick()
            await asyncio.sleep(LEARN_PAUSE_S)
            for order in self._orders.live_in(self._market.name):
                distances[order.direction][self._market.ticks(order.price) - self._market.mid_ticks] += 1
        return distances

    async def _measure(self, ticks: int) -> Result:
        self._stray_orders = self._order_count = 0
        wire_to_wire_ns = []
        started_s = due_s = time.monotonic()
        for _ in range(ticks):
            due_s = await self._wait_gap(due_s)
            taken_ns = await self._tick()
            if taken_ns is not None:
                wire_to_wire_ns.append(taken_ns)
        await asyncio.sleep(LEARN_PAUSE_S)  # the other side's order of the last tick
        return Result(
            wire_to_wire_ns=wire_to_wire_ns,
            unanswered=ticks - len(wire_to_wire_ns),
            stray_orders=self._stray_orders,
            orders=self._order_count,
            seconds=round(time.monotonic() - started_s, 3),
        )

    async def _subject_ready(self) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if time.monotonic() > deadline_s:
                quotes = Counter(order.direction for order in self._orders.live_in(self._market.name))
                raise ProbeError(
                    f"the subject was not ready within {START_TIMEOUT_S:g} s: follows the book: "
                    f"{self._is_followed()}, live orders: {dict(quotes)}"
                )
            await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLE_S)

    def _is_ready(self) -> bool:
        sides = {order.direction for order in self._orders.live_in(self._market.name)}
        return self._is_followed() and (self._match == "any" or sides == {"buy", "sell"})

    async def _wait_gap(self, due_s: float) -> float:
        """Wait until the next tick is due and return that time; late ticks are not made up for."""
        spread = GAP_JITTER_RATIO * self._gap_s
        due_s = max(due_s + self._gap_s + self._random.uniform(-spread, spread), time.monotonic())
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        return due_s

    async def _tick(self) -> int | None:
        """Send one tick; return the time to its answer in ns, None when there was none."""
        payload = self._market.jump()
        self._answer = asyncio.get_running_loop().create_future()
        sent_ns = self._send(payload)
        try:
            receive_ns = await asyncio.wait_for(self._answer, ANSWER_TIMEOUT_S)
        except TimeoutError:
            return None
        return receive_ns - sent_ns


def mode_of(side: str, counts: Counter[int]) -> int:
    """Return the usual distance of a side's quotes from the mid, in ticks."""
    if not counts:
        raise ProbeError(f"no {side} order was live during the warm-up")
    distance, times = counts.most_common(1)[0]
    if times * 2 < counts.total():
        raise ProbeError(f"the {side} quotes do not follow the mid: distances in ticks {dict(counts.most_common(5))}")
    return distance
