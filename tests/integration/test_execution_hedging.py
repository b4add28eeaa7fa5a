"""Hedges against a model venue: what is sent, what an answer says, and that nothing doubles them."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from domain.order import Side, TimeInForce, TradingState
from messages.commands import Hedge, Reply
from tests.execution_rig import Bench, Run
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig
from venues.gateway import SelfTradePrevention

BID, ASK = 200, 204  # ticks of $0.5: the mark is $100 = 200 ticks
BASE = float(INSTRUMENT.lot_size)


def command(**changes: Any) -> Hedge:
    """Sell 20 of the 30 lots that are held, so that the net is 10."""
    terms: dict[str, Any] = {
        "command_id": "strategy/1/1", "instrument": INSTRUMENT.name, "weights": {INSTRUMENT.name: 1.0},
        "target_base": 10 * BASE, "is_buy": False, "size_max_base": 50 * BASE, "passive_s": 60.0, "reprice_ms": 50,
        "cross_s": 60.0, "collar_bps": 50.0,
    }  # fmt: skip
    return Hedge(**(terms | changes))


async def holding(bench: Bench, lots: int = 30) -> None:
    """Let execution be long `lots`, with a book around the mark."""
    bench.gateway.start_position = INSTRUMENT.size(lots)
    touch(bench, BID, ASK)
    await bench.start()
    assert bench.core.desks[INSTRUMENT.name].position_lots == lots


def touch(bench: Bench, bid_ticks: int, ask_ticks: int) -> None:
    book = bench._writer("book_table")
    book.scratch["is_valid"] = 1
    book.scratch["bid_price"][0, 0], book.scratch["ask_price"][0, 0] = bid_ticks * 0.5, ask_ticks * 0.5
    book.publish(0)


def begin(bench: Bench, hedge: Hedge) -> asyncio.Task[Reply]:
    return asyncio.get_running_loop().create_task(bench.core.hedging.hedge(hedge))


async def rests(bench: Bench, price_ticks: int, lots: int) -> None:
    await bench.run_until(
        lambda: bench.resting(Side.SELL) == [(price_ticks, lots)], f"{lots} lots rest at {price_ticks}"
    )


def fill(bench: Bench, lots: int) -> None:
    bench.venue.fill(bench.venue.open[0], lots)


def inserts(bench: Bench) -> list[Any]:
    return [entry[4] for entry in bench.gateway.sent if entry[0] == "insert"]


def test_a_hedge_rests_post_only_at_the_touch_until_it_is_filled_and_says_what_it_did(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command())
        await rests(bench, ASK, 20)
        (order,) = inserts(bench)
        assert (order.post_only, order.reduce_only, order.label) == (True, False, bench.core.label)
        fill(bench, 5)
        await bench.settle(10)
        assert not answer.done()
        fill(bench, 15)
        reply = await settled(bench, answer)
        assert reply.ok
        assert reply.data["hedged_base"] == pytest.approx(-0.020)
        assert bench.core.desks[INSTRUMENT.name].position_lots == 10
        assert bench.measures.counts.by_name["hedges"] == bench.measures.counts.by_name["hedge_orders"] == 1
        assert len(inserts(bench)) == 1

    run(scenario)


def test_without_patience_it_crosses_at_once_inside_the_collar(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        reply = await settled(bench, begin(bench, command(passive_s=0.0)))
        (order,) = inserts(bench)
        assert order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
        assert not order.post_only
        assert float(order.price) == pytest.approx(100.0 * (1 - 50 / 10_000))
        assert reply.data["hedged_base"] == pytest.approx(-0.020)

    run(scenario)


async def settled(bench: Bench, answer: asyncio.Task[Reply]) -> Reply:
    await bench.run_until(answer.done, "the hedge is answered")
    return answer.result()


def test_an_order_that_rested_too_long_is_withdrawn_before_it_crosses(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command(passive_s=0.1))
        await rests(bench, ASK, 20)
        fill(bench, 5)
        reply = await settled(bench, answer)
        passive, crossing = inserts(bench)
        assert (passive.size, crossing.size) == (INSTRUMENT.size(20), INSTRUMENT.size(15))
        assert bench.gateway.kinds().index("cancel") < bench.gateway.kinds().index("insert", 1)
        assert reply.data == {"hedged_base": pytest.approx(-0.020), "orders": 2, "reason": "done"}

    run(scenario)


def test_a_touch_that_moved_away_is_followed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command())
        await rests(bench, ASK, 20)
        touch(bench, BID - 4, ASK - 2)
        await rests(bench, ASK - 2, 20)
        fill(bench, 20)
        assert (await settled(bench, answer)).ok

    run(scenario)


def test_a_fill_of_a_quote_meanwhile_shrinks_the_hedge(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command())
        await rests(bench, ASK, 20)
        bench.wish([], [(ASK + 2, 15)])
        await bench.run_until(lambda: len(bench.resting(Side.SELL)) == 2, "a quote on the side of the hedge")
        quote = next(order for order in bench.venue.open if order.price_ticks == ASK + 2)
        bench.venue.fill(quote, 15)
        await bench.run_until(lambda: (ASK, 5) in bench.resting(Side.SELL), "the hedge is cut to what is needed")
        hedge = next(order for order in bench.venue.open if order.price_ticks == ASK)
        bench.venue.fill(hedge, 5)
        reply = await settled(bench, answer)
        assert reply.data["hedged_base"] == pytest.approx(-0.005)
        assert bench.core.desks[INSTRUMENT.name].position_lots == 10

    run(scenario)


def test_quotes_on_the_other_side_make_way_and_come_back(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        bench.wish([(BID, 5)], [(ASK + 2, 5)])
        await bench.run_until(lambda: bench.resting(Side.BUY) == [(BID, 5)], "our bid rests")
        answer = begin(bench, command(passive_s=0.0))
        reply = await settled(bench, answer)
        assert reply.data["hedged_base"] == pytest.approx(-0.020), "crossing waited until our own bid was gone"
        kinds = bench.gateway.kinds()
        assert "cancel" in kinds
        await bench.run_until(lambda: bench.resting(Side.BUY) == [(BID, 5)], "our bid is back")

    run(scenario)


@pytest.mark.parametrize(("passive_s", "collar"), [(60.0, None), (0.0, "clamp")])
def test_a_hedge_says_what_quotes_say_of_self_trades_and_is_clamped_when_it_crosses(
    run: Run, passive_s: float, collar: str | None
) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        begin(bench, command(passive_s=passive_s))
        await bench.run_until(lambda: bool(inserts(bench)), "the hedge's order")
        (order,) = inserts(bench)
        assert order.stp == SelfTradePrevention(None, "cancel_aggressive_no_fill")
        assert order.collar == collar

    run(scenario, ExecutionConfig(self_trade_prevention_action="cancel_aggressive_no_fill"))


def test_the_same_command_again_is_the_same_hedge(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        first, second = begin(bench, command()), begin(bench, command())
        await rests(bench, ASK, 20)
        fill(bench, 20)
        assert await settled(bench, first) == await settled(bench, second)
        later = await settled(bench, begin(bench, command()))
        assert later == first.result(), "the answer was lost: it is given again, and nothing is traded"
        assert len(inserts(bench)) == 1

    run(scenario)


def test_a_restarted_execution_does_not_hedge_again_what_its_predecessor_began(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        begin(bench, command())
        await rests(bench, ASK, 20)
        fill(bench, 20)
        bench.restart_core()
        await bench.start()
        assert bench.core.desks[INSTRUMENT.name].position_lots == 10
        reply = await settled(bench, begin(bench, command()))
        assert not reply.ok
        assert "execution was restarted during this hedge" in reply.text
        assert len(inserts(bench)) == 1
        # A new decision, made on the same old net, finds nothing to do: what is needed is counted from the fills.
        reply = await settled(bench, begin(bench, command(command_id="strategy/1/2")))
        assert reply.data["hedged_base"] == 0.0
        assert len(inserts(bench)) == 1

    run(scenario)


def test_a_second_hedge_of_the_instrument_is_refused_while_one_is_under_way(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        begin(bench, command())
        await rests(bench, ASK, 20)
        reply = await settled(bench, begin(bench, command(command_id="strategy/2/1")))
        assert not reply.ok
        assert "strategy/1/1 is under way" in reply.text

    run(scenario)


@pytest.mark.parametrize("how", ["halt", "flatten", "stop", "strategy is silent", "risk is silent", "disconnect"])
def test_whatever_ends_quoting_ends_a_hedge_and_leaves_no_order(run: Run, how: str) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command())
        await rests(bench, ASK, 20)
        if how == "disconnect":
            bench.disconnect()
            await bench.reconnect()
        elif how.endswith("silent"):
            bench.silent.add("heartbeats." + how.split()[0])
            await bench.let_pass(10**9)
        else:
            work = {
                "halt": bench.core.operations.halt,
                "flatten": bench.core.operations.flatten,
                "stop": lambda: bench.core.operations.stop(flatten=False),
            }
            asyncio.get_running_loop().create_task(work[how]())  # type: ignore[operator]
        reply = await settled(bench, answer)
        assert not reply.ok
        assert reply.data["hedged_base"] == 0.0
        hedge_id = inserts(bench)[0].client_order_id
        assert not bench.venue.orders[hedge_id].is_open
        assert bench.core.desks[INSTRUMENT.name].hedging is None

    run(scenario)


def test_nothing_more_is_sent_while_a_fill_is_missing(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        answer = begin(bench, command())
        await rests(bench, ASK, 20)
        # Given an order that the venue calls filled, while neither the report nor the history names the fill
        order = bench.venue.open[0]
        bench.venue.fill(order, 20)
        bench.venue.outbox[-1] = bench.venue._report(order, "fill", ())
        bench.gateway.history_lag = 1
        await bench.settle(60)
        # I expect the hedge to wait: by our count of fills it would need as much again
        assert len(inserts(bench)) == 1
        assert not answer.done()
        bench.gateway.history_lag = 0
        reply = await settled(bench, answer)
        assert reply.data["hedged_base"] == pytest.approx(-0.020)
        assert len(inserts(bench)) == 1

    run(scenario)


def test_the_instrument_that_is_being_flattened_is_not_hedged_with(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        bench.core.desks[INSTRUMENT.name].is_flattening = True
        reply = await settled(bench, begin(bench, command()))
        assert (reply.ok, reply.text) == (False, "flattening")
        assert inserts(bench) == []

    run(scenario)


def test_a_gate_that_refuses_is_told_and_nothing_is_sent(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        bench.write_limits(state=TradingState.HALTED)
        reply = await settled(bench, begin(bench, command(passive_s=0.0, cross_s=0.05)))
        assert reply.text.startswith("time is up: 0.000 sold; denied by the gate: HALTED")
        assert inserts(bench) == []

    run(scenario)


def test_a_pause_of_the_hedges_is_told(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        now_ns = bench.clock.monotonic_ns()
        while not bench.core.hedging.breaker.on_refused(now_ns):
            pass
        reply = await settled(bench, begin(bench, command(passive_s=0.0, cross_s=0.05)))
        assert reply.text == "time is up: 0.000 sold; hedges pause 1000 ms: the venue refused too many"
        assert inserts(bench) == []
        # It has nothing to do with a hedge that is not needed
        needless = await settled(bench, begin(bench, command(command_id="x", target_base=30 * BASE)))
        assert needless.text == "done: 0.000 sold"

    run(scenario)


def test_nothing_needed_is_an_answer_and_no_order(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)
        for changes in ({"target_base": 30 * BASE}, {"target_base": 40 * BASE}, {"size_max_base": 0.0}):
            reply = await settled(bench, begin(bench, command(command_id=str(changes), **changes)))
            assert (reply.ok, reply.data["orders"]) == (True, 0)
        unknown = await settled(bench, begin(bench, command(command_id="x", weights={"X": 1.0})))
        assert unknown.text == "no instrument X in this session"

    run(scenario)


def test_a_hedge_that_the_disk_does_not_take_down_is_refused_and_a_later_one_is_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(bench: Bench) -> None:
        await holding(bench)

        def full(command_id: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(bench.core.hedging._begun, "add", full)
            reply = await settled(bench, begin(bench, command()))
        assert not reply.ok
        assert "hedges.begun cannot be written (No space left on device)" in reply.text
        assert inserts(bench) == []
        begin(bench, command())
        await rests(bench, ASK, 20)

    run(scenario)
