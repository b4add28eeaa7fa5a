"""Mass quotes under random wishes, fills, refusals, lost messages and broken connections: it never holds too much."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.clock import NS_PER_MS
from domain.order import Side
from tests.execution_rig import Bench
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig, MassQuoteConfig

LIMIT_LOTS = 20
STEPS = 250


def config() -> ExecutionConfig:
    quick = MassQuoteConfig(cooldown_ms=50, protection_window_ms=0)
    return ExecutionConfig(mode="mass_quotes", mass_quotes=quick, answer_timeout_ms=100, throttle_burst=12)


class Storm:
    """Random events on a bench; what must hold is checked after each."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.draw = random.Random(seed)
        self.quotes = bench.gateway.quotes

    async def run(self) -> None:
        await self.bench.start()
        self.bench.write_limits(position_lots_max=LIMIT_LOTS)
        for _ in range(STEPS):
            await self.step()
            self.check()

    async def step(self) -> None:
        events = (
            [self.wish] * 6 + [self.deliver] * 5 + [self.fill] * 3
            + [self.lose, self.refuse, self.use_up, self.forget_protection]
        )  # fmt: skip
        if self.draw.random() < 0.01:
            self.bench.disconnect()
            self.bench.gateway.is_ready = True
            self.bench.core.on_ready()
            await self.bench.run_until(lambda: self.bench.core.books.is_known, "recovered")
        else:
            self.draw.choice(events)()
        self.bench.work()
        self.bench.clock.advance(self.draw.randrange(1, 20) * NS_PER_MS)
        self.bench.beat()
        await asyncio.sleep(0)

    def wish(self) -> None:
        middle, draw = self.draw.randrange(100, 110), self.draw
        sides = [
            [(middle + sign * (1 + 2 * n), draw.randrange(1, 7)) for n in range(draw.randrange(4))] for sign in (-1, 1)
        ]
        self.bench.wish(sides[0], sides[1])

    def deliver(self) -> None:
        self.bench.pump()

    def fill(self) -> None:
        if self.quotes.open:
            self.bench.venue.fill(self.draw.choice(self.quotes.open), self.draw.randrange(1, 7))

    def lose(self) -> None:
        """The venue carries a message out, and neither its answer nor what follows from it is heard."""
        if self.quotes.inbox:
            self.quotes.take(self.quotes.inbox.popleft())
            self.bench.venue.outbox.clear()

    def refuse(self) -> None:
        self.quotes.failing = {self.draw.randrange(95, 115) for _ in range(self.draw.randrange(3))}

    def use_up(self) -> None:
        if self.draw.random() < 0.2:
            self.quotes.cancel_all("mm_protection")

    def forget_protection(self) -> None:
        if self.draw.random() < 0.2:
            self.quotes.is_protected = False

    def check(self) -> None:
        """Whatever fills now, what we hold stays within the limit; and everything open counts or is on its way in."""
        for side in Side:
            open_lots = sum(o.size_lots - o.filled_lots for o in self.quotes.open if o.side is side)
            held_lots = side * self.bench.venue.position_lots
            assert open_lots + held_lots <= LIMIT_LOTS, f"{open_lots} lots open on {side.name}, {held_lots} held"

    async def settle(self) -> None:
        """Everything is heard; in the end both sides agree, to the last order and fill."""
        bench, manager = self.bench, self.bench.core.books.manager
        self.quotes.failing = set()
        for _ in range(40):
            bench.wish([(100, 2), (98, 2)], [(104, 2), (106, 2)])
            await bench.let_pass(100 * NS_PER_MS)
            await bench.settle(2)
        assert not manager.has_doubt()
        ours = sorted((o.venue_order_id, o.price_ticks, o.remaining_lots) for o in manager.all_live())
        theirs = sorted((o.venue_order_id, o.price_ticks, o.size_lots - o.filled_lots) for o in bench.venue.open)
        assert ours == theirs
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert INSTRUMENT.size_lots(line.position) == bench.venue.position_lots
        assert line.fill_count == len(bench.venue.trades)
        told = bench.fills_told()
        assert len(told) == len(set(told)) == len(bench.venue.trades)


@pytest.mark.parametrize("seed", range(12))
def test_limits_hold_at_every_moment_and_both_sides_agree_in_the_end(
    segment_name: Callable[[], str], tmp_path: Path, seed: int
) -> None:
    async def main() -> None:
        bench = Bench(segment_name, tmp_path, config())
        storm = Storm(bench, seed)
        await storm.run()
        await storm.settle()
        print(f"{len(bench.venue.trades)} fills, {bench.gateway.kinds().count('mass_quote')} mass quotes")
        bench.check_tasks()
        for task in bench.tasks:
            task.cancel()

    asyncio.run(main())
