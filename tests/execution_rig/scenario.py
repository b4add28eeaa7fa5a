"""A scenario: what a test lets happen on a bench, from the first wish to the last look at what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from domain.order import Side
from tests.execution_rig.bench import Bench, Ladder
from trading.orders.config import ExecutionConfig

BIDS, ASKS = [(100, 5), (99, 5)], [(103, 5), (104, 5)]
Scenario = Callable[[Bench], Coroutine[Any, Any, None]]


class Run(Protocol):
    """Runs a scenario on a fresh bench, of another configuration if one is given."""

    def __call__(self, scenario: Scenario, config: ExecutionConfig | None = None) -> None: ...


def play(bench: Bench, scenario: Scenario) -> None:
    """Run a scenario to its end, and raise what a task of execution died of."""

    async def main() -> None:
        await scenario(bench)
        bench.check_tasks()
        for task in bench.tasks:
            task.cancel()

    asyncio.run(main())


async def quoting(bench: Bench, bids: Ladder = BIDS, asks: Ladder = ASKS, rounds: int = 3) -> None:
    """Start, and have a wish rest at the venue; what it took to get there is forgotten."""
    await bench.start()
    bench.wish(bids, asks)
    await bench.settle(rounds)
    assert both(bench) == (bids, asks)
    bench.gateway.sent.clear()


def both(bench: Bench) -> tuple[Ladder, Ladder]:
    """Return what is open at the venue: bids, asks."""
    return bench.resting(Side.BUY), bench.resting(Side.SELL)
