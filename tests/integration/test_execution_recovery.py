"""Execution's core after starts, lost answers and reconnects: fills count once and add up before it quotes."""

from __future__ import annotations

from decimal import Decimal

from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import Side
from tests.execution_rig import ASKS, BIDS, LABEL, Bench, Run, quoting
from tests.model_venue import INSTRUMENT, Request


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
