"""Execution's core against a model venue: what is wanted, what is sent, what is known, how it ends."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from actors.execution.journal_format import Answered, Filled, Sent
from actors.execution.read_journal import read_journal
from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason, OrderEventKind
from domain.order import Side, TradingState
from runtime.paths import JOURNAL_FILE
from tests.execution_rig import ASKS, BIDS, LABEL, Bench, Run, quoting
from tests.model_venue import INSTRUMENT, Request


def test_what_a_wish_meant_to_buy_is_not_bought_twice(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given quotes made for a position of zero
        await quoting(bench)
        # If a level is filled whole
        bench.venue.fill(bench.venue.open[0], 5)
        bench.gateway.sent.clear()
        await bench.settle(3)
        # I expect nothing to be sent before strategy knows of the fill, and the level whole with its next wish
        assert bench.gateway.sent == []
        assert bench.resting(Side.BUY) == BIDS[1:]
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_start_cancels_what_is_ours_leaves_strangers_alone_and_then_quotes(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an order of an earlier process and one of somebody else
        ours = bench.venue.place(Request("insert", 1, Side.BUY, 90, 5, LABEL))
        theirs = bench.venue.place(Request("insert", 2, Side.BUY, 91, 5, "manual"))
        bench.wish(BIDS, ASKS)
        # If execution starts
        await bench.start()
        # I expect ours to be gone, theirs to stand, the account to be known, and the wish to rest
        assert (ours.is_open, theirs.is_open) == (False, True)
        assert bench.account.load(0)
        assert bench.account.latest["is_known"][0] == 1
        await bench.settle(3)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == (BIDS, ASKS)
        assert bench.measures.counts.by_name["strangers"] == 1

    run(scenario)


def test_quotes_are_sent_post_only_with_our_label_and_shown_once_confirmed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        bench.work()
        orders = [entry[4] for entry in bench.gateway.sent]
        assert len(orders) == 4
        assert all(order.post_only and order.label == LABEL and not order.reduce_only for order in orders)
        bench.account.load(0)
        assert bench.account.latest["bid_count"][0] == 0
        assert bench.account.latest["pending_buy_lots"][0] == 10
        bench.pump()
        bench.account.load(0)
        row = bench.account.latest
        assert (row["bid_count"][0], row["pending_buy_lots"][0]) == (2, 0)
        assert list(zip(row["bid_price_ticks"][0][:2], row["bid_size_lots"][0][:2], strict=True)) == BIDS
        assert list(zip(row["ask_price_ticks"][0][:2], row["ask_size_lots"][0][:2], strict=True)) == ASKS
        assert bench.event_kinds() == [OrderEventKind.ACCEPTED] * 4
        assert bench.bell.rings > 0

    run(scenario)


def test_a_move_amends_and_never_cancels_and_is_timed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        timed = len(bench.measures.tick_to_order)
        bench.wish([(101, 5), (100, 5)], [(104, 5), (105, 5)])
        bench.work()
        await bench.settle(3)
        # One order a side leapfrogs the other: two messages, no dark time
        assert bench.gateway.kinds() == ["amend", "amend"]
        assert bench.resting(Side.BUY) == [(101, 5), (100, 5)]
        assert bench.resting(Side.SELL) == [(104, 5), (105, 5)]
        assert len(bench.measures.tick_to_order) == timed + 2
        assert bench.measures.tick_to_order[-1] >= 1000

    run(scenario)


def test_what_the_venue_says_a_second_time_changes_nothing_and_wakes_nobody(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.wish([(101, 5), (100, 5)], ASKS)
        bench.work()
        bench.venue.take_request(refuse=False)
        answer, notification = bench.venue.outbox
        bench.venue.outbox.clear()
        bench.core.on_orders([answer])  # type: ignore[list-item]
        sequence, rings, events = bench.account.sequence(0), bench.bell.rings, len(bench.event_kinds())
        bench.work()
        bench.core.on_orders([notification])  # type: ignore[list-item]
        assert bench.account.sequence(0) == sequence
        assert (bench.bell.rings, len(bench.event_kinds())) == (rings, events)
        bench.account.load(0)
        assert bench.account.latest["bid_price_ticks"][0][:2].tolist() == [101, 100]
        assert not bench.core.desks[INSTRUMENT.name].is_dirty

    run(scenario)


def test_strategy_is_rung_by_the_last_of_several_answers_but_by_every_fill(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.wish([(101, 5), (100, 5)], [(104, 5), (105, 5)])
        bench.work()
        while bench.venue.inbox:
            bench.venue.take_request(refuse=False)
        first, _, second, _ = bench.venue.outbox
        bench.venue.outbox.clear()
        rings = bench.bell.rings
        bench.core.on_orders([first])  # type: ignore[list-item]
        assert bench.bell.rings == rings
        bench.core.on_orders([second])  # type: ignore[list-item]
        assert bench.bell.rings == rings + 1
        bench.wish([(100, 5), (99, 5)], [(104, 5), (105, 5)])
        bench.work()
        bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.SELL), 1)
        while bench.venue.outbox:
            bench.core.on_orders([bench.venue.outbox.pop(0)])  # type: ignore[list-item]
        assert bench.bell.rings == rings + 2, "a fill rings although an amend is unanswered"

    run(scenario)


def test_a_wish_written_again_costs_no_message(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        for _ in range(20):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.gateway.sent == []

    run(scenario)


def test_a_side_that_is_off_is_cancelled_and_the_other_stays(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.wish([], ASKS, bid_off=OffReason.POSITION_LIMIT)
        await bench.settle(3)
        assert bench.gateway.kinds() == ["cancel", "cancel"]
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == ([], ASKS)

    run(scenario)


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


def test_without_a_token_nothing_is_queued_and_the_newest_wish_is_priced(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        throttle = bench.core.quotes.throttle
        assert throttle is not None
        while throttle.take_order(bench.clock.monotonic_ns()):
            pass
        timed = len(bench.measures.tick_to_order)
        for price in (101, 102, 101):
            bench.wish([(price, 5), (price - 1, 5)], [(price + 5, 5), (price + 6, 5)])
            bench.work()
        assert bench.gateway.sent == []
        await bench.let_pass(NS_PER_S // 2)
        assert bench.resting(Side.BUY) == [(101, 5), (100, 5)]
        assert not any(entry[0] == "amend" and entry[2] == 102 for entry in bench.gateway.sent)
        assert len(bench.measures.throttle_wait) > 0
        assert len(bench.measures.tick_to_order) == timed

    run(scenario)


def test_cancels_pass_while_orders_wait_for_tokens(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        throttle = bench.core.quotes.throttle
        assert throttle is not None
        while throttle.take_order(bench.clock.monotonic_ns()):
            pass
        bench.wish([], [], bid_off=OffReason.PAUSED, ask_off=OffReason.PAUSED)
        bench.work()
        assert bench.gateway.kinds() == ["cancel"] * 4

    run(scenario)


def test_an_insert_whose_answer_is_lost_is_never_sent_twice(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an insert that the venue took, and an answer that never came
        await bench.start()
        bench.wish([(100, 5)], [])
        bench.work()
        bench.venue.take_request(refuse=False)
        bench.venue.outbox.clear()
        for _ in range(19):
            bench.wish([(100, 5)], [])
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.core.books.manager.exposed_lots(0, Side.BUY) == 5
        # If the time for an answer is over
        for _ in range(10):
            bench.wish([(100, 5)], [])
            await bench.let_pass(100 * NS_PER_MS)
        # I expect it to be found by asking, and to have been sent once
        assert bench.gateway.kinds() == ["insert"]
        assert bench.resting(Side.BUY) == [(100, 5)]
        assert bench.measures.counts.by_name["unknown_outcomes"] == 1
        assert not bench.core.books.manager.has_doubt()

    run(scenario)


def test_after_a_reconnect_missed_fills_are_counted_once_and_quoting_goes_on(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        # Given a fill that was told, and one that the broken connection swallowed
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        bench.venue.fill(bench.venue.open[0], 1)
        bench.disconnect()
        bench.account.load(0)
        assert bench.account.latest["is_known"][0] == 0
        bench.wish(BIDS, ASKS)
        bench.work()
        assert bench.gateway.sent == []
        # If the connection comes back
        await bench.reconnect()
        await bench.settle(10)
        bench.wish([(98, 5), (97, 5)], ASKS)
        await bench.settle(5)
        # I expect a position of three, two fills told, and quotes
        assert bench.core.desks[INSTRUMENT.name].position_lots == 3
        assert bench.fills_told() == ["t0", "t1"]
        assert bench.resting(Side.BUY) == [(98, 5), (97, 5)]
        bench.account.load(0)
        assert (bench.account.latest["is_known"][0], bench.account.latest["position_lots"][0]) == (1, 3)

    run(scenario)


def test_nothing_is_quoted_before_the_fills_add_up_to_the_position(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill that the history does not show yet
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 1)
        bench.gateway.history_lag = 1
        bench.disconnect()
        await bench.reconnect()
        bench.wish(BIDS, ASKS)
        await bench.settle(20)
        assert bench.resting(Side.BUY) == []
        bench.gateway.history_lag = 0
        await bench.run_until(lambda: not bench.core.quotes.holds, "recovery ends once the history is complete")
        assert bench.core.desks[INSTRUMENT.name].position_lots == 1

    run(scenario)


def test_fills_that_cancel_out_are_booked_when_the_history_shows_them_after_the_recovery(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a buy and a sell of the same size as the connection broke, untold and not in the history yet
        await quoting(bench)
        for side in (Side.BUY, Side.SELL):
            bench.venue.fill(next(order for order in bench.venue.open if order.side is side), 1)
        bench.venue.outbox.clear()
        bench.disconnect()
        bench.gateway.history_lag = 2
        await bench.reconnect()
        await bench.run_until(lambda: not bench.core.quotes.holds, "the position adds up without them")
        assert bench.fills_told() == []
        # If the history shows them later
        bench.gateway.history_lag = 0
        await bench.let_pass(15 * NS_PER_S)
        # I expect both to be counted and told, with their costs
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.position, line.fill_count, line.fees) == (Decimal(0), 2, Decimal("0.02"))
        assert sorted(bench.fills_told()) == ["t0", "t1"]

    run(scenario)


def test_a_fee_that_was_never_told_is_asked_for(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill that came with its order, and whose line of the history was lost
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 1)
        bench.pump()
        bench.core.on_positions(bench.gateway.position_reports(), False)
        ledger = bench.core.books.ledger
        assert (ledger.unbooked, ledger.lines[INSTRUMENT.name].fees) == (1, 0)
        # If the next audit comes
        await bench.let_pass(15 * NS_PER_S)
        # I expect its fee to be booked
        assert (ledger.unbooked, ledger.lines[INSTRUMENT.name].fees) == (0, Decimal("0.01"))

    run(scenario)


def test_a_restarted_execution_counts_the_whole_session_and_tells_no_fill_twice(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a session that began with a position, and had two fills, the second untold
        bench.gateway.start_position = Decimal("0.007")
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        bench.venue.fill(bench.venue.open[0], 1)
        # If execution is killed and started again
        bench.restart_core()
        await bench.start()
        # I expect the same ledger as if nothing had happened
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.position, line.fill_count, line.fees) == (Decimal("0.010"), 2, Decimal("0.02"))
        assert bench.fills_told() == ["t0", "t1"]

    run(scenario)


def test_a_position_changed_by_hand_is_taken_over_from_the_history(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        order = bench.venue.place(Request("insert", 99, Side.SELL, 103, 4, "manual"))
        bench.venue.fill(order, 4)
        bench.venue.outbox.clear()
        bench.core.on_positions(bench.gateway.position_reports(), True)
        for _ in range(15):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.core.desks[INSTRUMENT.name].position_lots == -4
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_quotes_are_pulled_while_a_difference_in_position_lasts(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.gateway.start_position = Decimal("0.001")  # no trade explains it
        bench.core.on_positions(bench.gateway.position_reports(), True)
        for _ in range(20):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == []
        bench.account.load(0)
        assert bench.account.latest["is_known"][0] == 0
        bench.gateway.start_position = Decimal(0)
        for _ in range(20):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_an_audit_cancels_an_order_of_ours_that_is_not_tracked(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        ghost = bench.venue.place(Request("insert", 5, Side.BUY, 90, 5, LABEL))
        for _ in range(110):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert not ghost.is_open
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_venue_that_throttles_is_left_alone_for_a_while(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        throttle = bench.core.quotes.throttle
        assert throttle is not None
        throttle.on_throttled(bench.clock.monotonic_ns())
        bench.wish([(101, 5)], ASKS)
        await bench.let_pass(200 * NS_PER_MS)
        assert bench.gateway.kinds() == ["cancel"]  # the level that is gone; cancels never wait
        bench.wish([(101, 5)], ASKS)
        await bench.let_pass(300 * NS_PER_MS)
        assert bench.resting(Side.BUY) == [(101, 5)]

    run(scenario)


def test_stop_cancels_confirms_settles_and_reports_exact_figures(run: Run, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        task = asyncio.create_task(bench.core.operations.stop(flatten=False))
        await bench.run_until(task.done, "the stop ends")
        report = task.result()
        assert report["open_orders_at_exit"] == 0
        assert bench.venue.open == []
        assert report["position"] == report["venue_position"] == {INSTRUMENT.name: "0.002"}
        assert (report["fills"], report["fees"], report["volume"]) == (1, "0.01", "0.002")
        # Two lots bought at 50.0, which the venue marks at 100.0
        assert report["pnl"] == {
            "realised": "0", "unrealised": "0.1", "fees": "0.01", "funding": "0", "total": "0.09",
        }  # fmt: skip
        assert report["orders"]["inserted"] == 4
        assert report["is_consistent"]
        assert json.loads((tmp_path / "execution.json").read_text()) == report
        # Nothing is quoted any more
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        assert bench.venue.open == []

    run(scenario)


def test_flatten_brings_the_position_to_zero_with_one_reduce_only_order_and_never_turns_it(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 5)
        bench.pump()
        bench.gateway.sent.clear()
        task = asyncio.create_task(bench.core.operations.stop(flatten=True))
        await bench.run_until(task.done, "the flattening ends")
        inserts = [entry for entry in bench.gateway.sent if entry[0] == "insert" and entry[4].reduce_only]
        assert len(inserts) == 1
        _, side, price_ticks, size_lots, order = inserts[0]
        assert (side, size_lots, order.reduce_only, order.post_only) == (Side.SELL, 5, True, False)
        assert price_ticks == 199  # 50 bps below the mark of 100.0
        assert task.result()["position"] == {INSTRUMENT.name: "0"}
        assert task.result()["open_orders_at_exit"] == 0

    run(scenario)


def test_a_stop_without_a_connection_ends_in_time_and_claims_nothing(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.disconnect()
        task = asyncio.create_task(bench.core.operations.stop_at_once(0.1))
        await bench.run_until(task.done, "the stop ends")
        assert task.result() is None

    run(scenario)


def test_quoted_time_counts_what_the_venue_confirmed_and_goes_on_after_a_restart(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)

        async def second(ladder: list[tuple[int, int]], ask_off: int = 0) -> None:
            for _ in range(10):
                bench.wish(ladder, ASKS if not ask_off else [], ask_off=ask_off)
                await bench.let_pass(100 * NS_PER_MS)

        def quoted() -> dict[str, float]:
            bench.account.load(0)
            names = ("bid_quoted_ns", "ask_quoted_ns", "bid_allowed_ns", "ask_allowed_ns")
            return {name: bench.account.latest[name][0] / NS_PER_S for name in names}

        await second(BIDS)
        await second(BIDS, ask_off=OffReason.POSITION_LIMIT)
        times = quoted()
        assert times["bid_quoted_ns"] == pytest.approx(times["bid_allowed_ns"], abs=0.01) == pytest.approx(2, abs=0.2)
        assert times["ask_allowed_ns"] == pytest.approx(times["ask_quoted_ns"], abs=0.15) == pytest.approx(1, abs=0.2)
        # If execution is dead for a second, that second was allowed and not quoted
        bench.clock.advance(NS_PER_S)
        bench.restart_core()
        await bench.start()
        later = quoted()
        assert later["bid_allowed_ns"] - times["bid_allowed_ns"] == pytest.approx(1, abs=0.2)
        assert later["bid_quoted_ns"] - times["bid_quoted_ns"] == pytest.approx(0, abs=0.1)

    run(scenario)


def test_the_work_loop_keeps_the_session_alive(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.clock.advance(NS_PER_S)
        bench.work()
        assert bench.gateway.kept_alive_ns == bench.clock.monotonic_ns()

    run(scenario)


def test_what_was_sent_and_filled_is_in_the_journal(run: Run, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        bench.core.close()
        entries = read_journal(tmp_path / JOURNAL_FILE)
        told = [entry.message for entry in entries if isinstance(entry, Sent)]
        assert told[-4:] == ["INSERT"] * 4
        assert [entry.event for entry in entries if isinstance(entry, Answered)] == ["ACCEPTED"] * 4
        assert [str(entry.size) for entry in entries if isinstance(entry, Filled)] == ["0.002"]

    run(scenario)
