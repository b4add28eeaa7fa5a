"""Execution under limits that change: duplicates, levels, and cancels that nothing holds back."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.clock import NS_PER_MS
from domain.order import Side
from tests.execution_rig import Bench
from trading.orders.config import ExecutionConfig

BIDS, ASKS = [(100, 5), (99, 5), (98, 5)], [(103, 5), (104, 5), (105, 5)]
MODES = pytest.mark.parametrize("mode", ["orders", "mass_quotes"])
NamesOf = Callable[[], str]


async def quoting(segment_name: NamesOf, run_dir: Path, mode: str = "orders", **limits: float) -> Bench:
    """Return a bench whose quotes rest at the venue."""
    bench = Bench(segment_name, run_dir, ExecutionConfig(mode=mode))  # type: ignore[arg-type]
    bench.write_limits(**limits)
    await bench.start()
    bench.wish(BIDS, ASKS)
    await bench.settle(6)
    return bench


def test_a_level_that_is_filled_at_once_is_not_sent_again_within_the_window(
    segment_name: NamesOf, tmp_path: Path
) -> None:
    async def scenario() -> None:
        higher = [(102, 5), *BIDS[1:]]
        # Given a window of 20 ms, and the best bid filled as soon as it rests
        bench = await quoting(segment_name, tmp_path, duplicate_window_ns=20 * NS_PER_MS)
        await bench.let_pass(300 * NS_PER_MS)
        bench.wish(higher, ASKS)
        await bench.run_until(lambda: bench.resting(Side.BUY)[0][0] == 102, "the amend")
        best = next(order for order in bench.venue.open if order.price_ticks == 102)
        bench.venue.fill(best, 5)
        await bench.settle(2)
        # If strategy wants the same again
        bench.wish(higher, ASKS)
        await bench.settle(3)
        denied = bench.measures.counts.by_name.get("denied", 0)
        within = bench.resting(Side.BUY)
        await bench.settle(25)
        # I expect it held back, which is no denial to tell, and sent once the window is over, without another wish
        assert (denied, within) == (0, BIDS[1:])
        assert bench.resting(Side.BUY) == higher

    asyncio.run(scenario())


@pytest.mark.parametrize(("mode", "window_ms"), [("orders", 1000), ("mass_quotes", 5)])
def test_a_ladder_that_moves_to_and_fro_is_no_duplicate(
    segment_name: NamesOf, tmp_path: Path, mode: str, window_ms: int
) -> None:
    async def scenario() -> None:
        # Given a window longer than the time between moves for amends; a mass quote places levels anew
        bench = await quoting(segment_name, tmp_path, mode, duplicate_window_ns=window_ms * NS_PER_MS)
        up, down = [(102, 5), (100, 5), (98, 5)], [(100, 5), (98, 5), (96, 5)]
        # If every level moves up and back again, levels taking each other's prices
        for ladder in (up, down, up, down):
            bench.wish(ladder, ASKS)
            await bench.let_pass(200 * NS_PER_MS)
            # I expect each ladder to rest
            assert bench.resting(Side.BUY) == ladder
        assert bench.measures.counts.by_name.get("denied", 0) == 0

    asyncio.run(scenario())


@MODES
def test_levels_follow_risk_down_and_up_again(segment_name: NamesOf, tmp_path: Path, mode: str) -> None:
    async def scenario() -> None:
        bench = await quoting(segment_name, tmp_path, mode)
        # If risk allows so many levels, I expect that many to rest, the best first
        for levels in (1, 2, 3, 0, 8):
            bench.write_limits(levels_max=levels)
            bench.wish(BIDS, ASKS)
            await bench.let_pass(300 * NS_PER_MS)
            assert bench.resting(Side.BUY) == BIDS[:levels]
            assert bench.resting(Side.SELL) == ASKS[:levels]

    asyncio.run(scenario())


HOSTILE: dict[str, list[float]] = {
    "state": [0, 0, 2, 9],
    "is_position_known": [0, 1],
    "order_lots_max": [0, 1],
    "position_lots_max": [0, 3],
    "open_orders_max": [0],
    "order_rate_max": [0, 1],
    "levels_max": [0, 1, -5],
    "order_notional_max": [0.0, math.nan],
    "gross_notional_room": [-1e9, math.nan],
    "net_long_room": [-1e9, math.nan],
    "net_short_room": [-1e9, math.nan],
    "mark_price": [math.nan, math.inf, 100.0],
    "collar_low": [math.nan, 1e9],
    "collar_high": [math.nan, -1e9],
}


@MODES
@pytest.mark.parametrize("seed", range(6))
def test_no_state_of_the_limits_holds_a_cancel_back(
    segment_name: NamesOf, tmp_path: Path, mode: str, seed: int
) -> None:
    async def scenario() -> None:
        # Given quotes that rest, and limits that let no order pass
        bench = await quoting(segment_name, tmp_path, mode)
        assert bench.resting(Side.BUY) == BIDS
        rng = random.Random(seed)
        bench.limits_silent = rng.random() < 0.3
        bench.write_limits(**{name: rng.choice(values) for name, values in HOSTILE.items()})
        # If strategy wants nothing any more
        bench.wish([], [])
        await bench.settle(10)
        # I expect everything to be cancelled
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], [])

    asyncio.run(scenario())
