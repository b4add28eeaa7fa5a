"""When execution's core may quote: silence, old limits and old wishes, reduce and halt take quotes back."""

from __future__ import annotations

import asyncio

import pytest

from domain.clock import NS_PER_MS
from domain.codes import OrderEventKind
from domain.order import Side, TradingState
from tests.execution_rig import ASKS, BIDS, Bench, Run, quoting
from tests.model_venue import INSTRUMENT


@pytest.mark.parametrize("actor", ["strategy", "market_data", "risk"])
def test_silence_of_an_actor_pulls_the_quotes_and_its_return_brings_them_back(run: Run, actor: str) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)

        async def pass_time(duration_ns: int) -> None:
            for _ in range(duration_ns // (50 * NS_PER_MS)):
                bench.wish(BIDS, ASKS)
                await bench.let_pass(50 * NS_PER_MS)

        bench.silent.add(f"heartbeats.{actor}")
        await pass_time(300 * NS_PER_MS)
        assert bench.resting(Side.BUY) == BIDS
        await pass_time(200 * NS_PER_MS)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], [])
        assert bench.core.desks[INSTRUMENT.name].blocked_by == f"{actor} is silent"
        bench.silent.clear()
        await pass_time(200 * NS_PER_MS)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == (BIDS, ASKS)

    run(scenario)


def test_limits_older_than_half_a_second_pull_the_quotes(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.limits_silent = True
        await bench.let_pass(450 * NS_PER_MS)
        assert bench.resting(Side.BUY) == BIDS
        await bench.let_pass(150 * NS_PER_MS)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], [])

    run(scenario)


def test_an_old_wish_and_one_of_a_dead_strategy_are_dropped(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        await bench.let_pass(1100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == []
        bench.wish(BIDS, ASKS, epoch=2)  # of a strategy that is not the one whose heart beats
        await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == []
        bench.wish(BIDS, ASKS)
        await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_reducing_leaves_only_what_brings_the_position_down(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 3)  # the first bid: long three lots
        bench.pump()
        bench.write_limits(state=TradingState.REDUCING, position_lots=3)
        await bench.settle(5)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], [(103, 3)])

    run(scenario)


def test_a_limit_that_tightens_takes_resting_orders_back_without_a_new_wish(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.write_limits(position_lots_max=5)
        await bench.settle(5)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([(100, 5)], [(103, 5)])
        bench.write_limits(state=TradingState.REDUCING)
        await bench.settle(5)
        assert bench.venue.open == []

    run(scenario)


def test_a_halt_cancels_at_once_and_lasts_until_risk_lets_go(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        task = asyncio.create_task(bench.core.operations.halt())
        await bench.run_until(task.done, "the halt is confirmed")
        assert task.result() == 0
        bench.write_limits(state=TradingState.HALTED)
        for _ in range(10):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == []
        bench.write_limits(state=TradingState.ACTIVE)
        bench.wish(BIDS, ASKS)
        await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_an_amend_that_the_gate_refuses_takes_the_order_away(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.write_limits(collar_low=45.0)  # the bids rest at 50.0 and 49.5; the wish goes below the collar
        bench.wish([(80, 5)], ASKS)
        await bench.settle(3)
        assert bench.resting(Side.BUY) == []
        assert bench.resting(Side.SELL) == ASKS
        assert bench.measures.counts.by_name["denied"] >= 1
        assert OrderEventKind.DENIED in bench.event_kinds()

    run(scenario)
