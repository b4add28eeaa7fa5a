"""The probe's other measurement: ticks come when they come, answered or not, and each order is dated by its price.

The mid of a stream only rises, by a few of very small ticks, so that no two ticks have the same: an order's price says
which tick it was computed from, whatever has been sent since, also when that was ten seconds ago.
"""

from __future__ import annotations

import asyncio
import copy
import ctypes
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks.probe_market import ProbeMarket
from benchmarks.probe_ticks import LEARN_PAUSE_S, ProbeError, TickRun, mode_of

NS_PER_S = 1_000_000_000
PREPARED_AT_ONCE = 50
RECOVERY_TIMEOUT_S = 20.0
BURST_SLOT_S = 0.001  # faster than SLOTTED_RATE_MIN, ticks go out in packs, one a slot
SLOTTED_RATE_MIN = 5000
AT_ONCE_MAX = 64
END_S = 0.5  # "at the end" is the last half second
_CLOCK_MONOTONIC, _TFD_NONBLOCK, _TFD_ABSTIME = 1, os.O_NONBLOCK, 1
Frames = list[tuple[Any, bytes]]  # of one tick: who follows it, and what it is sent
_libc = ctypes.CDLL(None, use_errno=True)


class StreamResult(msgspec.Struct, kw_only=True):
    """What a stream gave.

    Attributes:
        wire_to_wire_ns: from the tick to the first order computed from it, an item for each tick that got one.
        order_ages_ns: age of the tick behind each order when the order came.
        end_ages_ns: likewise, of the orders that came in the last half second of the stream.
        superseded: ticks from which no order was computed.
        recovery_ns: from the last tick to the first order computed from it; -1 = none within RECOVERY_TIMEOUT_S.
    """

    wire_to_wire_ns: list[int]
    order_ages_ns: list[int]
    end_ages_ns: list[int]
    ticks: int
    superseded: int
    recovery_ns: int
    orders: int
    stray_orders: int
    seconds: float


class Stream:
    """Sends ticks at a rate, at random moments (Poisson) or in packs, and dates orders.

    Args:
        markets: each tick is of one of them, drawn; only orders in the first are dated, and only its ticks counted.
        encode: makes the frames of a tick of an instrument, with who follows it.
        settling: what waits for the subject and warms it up.
        rate: ticks a second, of all markets together.
    """

    def __init__(
        self,
        markets: Sequence[ProbeMarket],
        encode: Callable[[dict[str, object], str], Frames],
        settling: TickRun,
        *,
        rate: float,
        seed: int,
    ) -> None:
        self._markets = list(markets)
        self._market = self._markets[0]
        self._encode = encode
        self._settling = settling
        self._rate = rate
        self._random = random.Random(seed)
        self._distances: dict[str, int] = {}
        self._mids: list[int] = []
        self._sent_ns: list[int] = []
        self._answered: dict[int, int] = {}
        self._ages: list[tuple[int, int]] = []  # received, age
        self._stray_orders = 0
        self._last_answer = asyncio.Event()
        self._last_index = -1

    def on_order(self, receive_ns: int, direction: str, price: float) -> None:
        """Take the arrival of an insert or amend."""
        distance = self._distances.get(direction)
        if distance is None:
            self._settling.on_order(receive_ns, direction, price)
            return
        index = self._tick_of(self._market.ticks(price) - distance)
        if index < 0:
            self._stray_orders += 1
            return
        age_ns = receive_ns - self._sent_ns[index]
        self._ages.append((receive_ns, age_ns))
        self._answered.setdefault(index, age_ns)
        if index == self._last_index:
            self._last_answer.set()

    async def run(self, warmup_ticks: int, ticks: int) -> StreamResult:
        """Wait for the subject, learn how far from the mid it quotes, send the stream.

        Raises:
            ProbeError: when it does not quote, or its quotes do not follow the mid.
        """
        learnt = await self._settling.learn(warmup_ticks)
        frames: list[Frames] = []
        ticked: list[tuple[ProbeMarket, int]] = []
        copies = [copy.deepcopy(market) for market in self._markets]
        for number in range(ticks):
            at = self._random.randrange(len(copies)) if number else 0
            market = copies[at]
            if number % PREPARED_AT_ONCE == 0:
                await asyncio.sleep(0)  # a venue that says nothing for a second is dead to its clients
            frames.append(self._encode(market.jump(), market.name))
            ticked.append((self._markets[at], market.mid_ticks))
        self._distances = {side: mode_of(side, counts) for side, counts in learnt.items()}
        dated = sum(market is self._market for market, _ in ticked)
        self._last_index = dated - 1
        started_ns = time.monotonic_ns()
        await self._send(frames, ticked)
        ended_ns = time.monotonic_ns()
        recovery_ns = await self._await_last()
        await asyncio.sleep(LEARN_PAUSE_S)
        return StreamResult(
            wire_to_wire_ns=list(self._answered.values()),
            order_ages_ns=[age_ns for _, age_ns in self._ages],
            end_ages_ns=[age for at_ns, age in self._ages if ended_ns - END_S * NS_PER_S <= at_ns <= ended_ns],
            ticks=dated,
            superseded=dated - len(self._answered),
            recovery_ns=recovery_ns,
            orders=len(self._ages) + self._stray_orders,
            stray_orders=self._stray_orders,
            seconds=round((ended_ns - started_ns) / NS_PER_S, 3),
        )

    # ---- inside --------------------------------------------------------------------------------------

    def _tick_of(self, mid_ticks: int) -> int:
        """Return which tick had this mid, give or take a rounding; -1 = none."""
        at = bisect_left(self._mids, mid_ticks - 1)
        return at if at < len(self._mids) and self._mids[at] <= mid_ticks + 1 else -1

    async def _send(self, frames: Sequence[Frames], ticked: Sequence[tuple[ProbeMarket, int]]) -> None:
        due_ns = self._due_ns(len(frames), time.monotonic_ns() + NS_PER_S // 100)
        timer = Timer()
        try:
            at = 0
            while at < len(frames):
                await timer.wait_until(due_ns[at])
                last = at + AT_ONCE_MAX
                while at < min(last, len(frames)) and due_ns[at] <= time.monotonic_ns():
                    market, mid_ticks = ticked[at]
                    if market is self._market:
                        self._mids.append(mid_ticks)
                        self._sent_ns.append(time.monotonic_ns())
                    for place, frame in frames[at]:
                        place.send(frame)
                    at += 1
                market.stand_at(mid_ticks)  # for tickers, which come seldom: close enough for the others of a pack
                if at == last:
                    await asyncio.sleep(0)  # the orders that came meanwhile
        finally:
            timer.close()

    def _due_ns(self, count: int, first_ns: int) -> list[int]:
        """Return when each tick is due."""
        if self._rate >= SLOTTED_RATE_MIN:
            slot_ns = round(BURST_SLOT_S * NS_PER_S)
            return [first_ns + int(i / self._rate / BURST_SLOT_S) * slot_ns for i in range(count)]
        due_ns, at_ns = [], float(first_ns)
        for _ in range(count):
            at_ns += self._random.expovariate(self._rate) * NS_PER_S
            due_ns.append(round(at_ns))
        return due_ns

    async def _await_last(self) -> int:
        try:
            async with asyncio.timeout(RECOVERY_TIMEOUT_S):
                await self._last_answer.wait()
        except TimeoutError:
            return -1
        return self._answered[self._last_index]


class Timer:
    """A timer of the kernel: the event loop's own knows no less than a millisecond."""

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._fd < 0:
            raise ProbeError("this system has no timerfd")
        self._loop = asyncio.get_running_loop()
        self._fired = asyncio.Event()
        self._loop.add_reader(self._fd, self._on_fired)

    def _on_fired(self) -> None:
        os.read(self._fd, 8)
        self._fired.set()

    async def wait_until(self, due_ns: int) -> None:
        """Return at the monotonic time `due_ns`, at once when that is past."""
        if due_ns <= time.monotonic_ns():
            return
        self._fired.clear()
        spec = (ctypes.c_long * 4)(0, 0, due_ns // NS_PER_S, due_ns % NS_PER_S)
        _libc.timerfd_settime(self._fd, _TFD_ABSTIME, spec, None)
        await self._fired.wait()

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
