"""Execution's core and what a venue may say that nobody asked for: it must go on, with the right position."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OrderEventKind
from domain.errors import ConnectivityError
from domain.order import LiquiditySide, Side
from domain.records import BOOK
from domain.reports import OrderReport, TradeReport
from tests.execution_rig import Bench, Run
from tests.model_venue import INSTRUMENT, Request
from trading.orders.config import ExecutionConfig

BIDS, ASKS = [(100, 5)], [(103, 5)]


def settlement(bench: Bench, size: str) -> TradeReport:
    """Return a trade that no order made, at the average of an index: its price is on no grid."""
    bench.gateway.start_position += Decimal(size)
    trade = TradeReport(
        "x1", "", 0, INSTRUMENT.name, Side.BUY, Decimal("50.1234"), Decimal(size), Decimal("0.01"), Decimal(size),
        Decimal(0), Decimal(0), LiquiditySide.TAKER, "", bench.clock.realtime_ns(),
    )  # fmt: skip
    bench.venue.trades.append(trade)
    return trade


def test_a_trade_off_the_price_grid_is_booked_exactly_and_told_to_the_nearest_tick(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        trade = settlement(bench, "0.004")
        bench.core.on_trades([trade])
        bench.core.on_positions(bench.gateway.position_reports(), True)
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.position, line.cash) == (Decimal("0.004"), Decimal("-0.2004936"))
        assert bench.core.desks[INSTRUMENT.name].position_lots == 4
        events = bench.events.to_numpy()
        fill = events[events["kind"] == OrderEventKind.FILLED][0]
        assert (fill["price_ticks"], fill["size_lots"]) == (100, 4)  # a tick is 0.5

    run(scenario)


def test_recovery_takes_a_trade_off_the_price_grid_from_the_history(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        settlement(bench, "0.004")
        bench.restart_core()
        await bench.start()
        assert bench.core.books.is_known
        assert bench.core.desks[INSTRUMENT.name].position_lots == 4

    run(scenario)


def test_a_position_off_the_lot_grid_counts_as_a_whole_lot_more(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.gateway.start_position = Decimal("-0.0015")
        await bench.start()
        assert bench.core.books.is_known
        assert bench.core.desks[INSTRUMENT.name].position_lots == -2
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == Decimal("-0.0015")
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_an_untracked_order_told_while_the_connection_breaks_does_not_end_the_actor(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        order = bench.venue.place(Request("insert", 77, Side.BUY, 90, 5, bench.core.label))
        report = next(one for one in bench.venue.open_orders() if one.venue_order_id == order.venue_order_id)

        def broken(venue_order_id: str) -> int:
            raise ConnectivityError(f"{venue_order_id}: the connection is closing")

        bench.gateway.cancel_order = broken  # type: ignore[method-assign]
        bench.core.on_orders([report])

    run(scenario)


def test_a_fill_that_is_told_again_counts_once_and_as_a_duplicate(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        bench.venue.fill(bench.venue.open[0], 5)
        report = bench.venue.outbox[0]
        bench.pump()
        bench.core.on_orders([report])  # type: ignore[list-item]
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == 1
        assert bench.measures.counts.by_name["duplicate_fills"] == 1

    run(scenario)


def test_a_frame_that_nobody_could_read_has_the_venue_asked_within_two_seconds(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await bench.let_pass(6 * NS_PER_S)  # past the audit that follows a recovery
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        # If the venue cancels a bid by itself and the frame that says so cannot be read
        bench.venue.cancel_by_itself(next(order for order in bench.venue.open if order.side is Side.BUY))
        bench.venue.outbox.clear()
        bench.core.on_bad_frame()
        for _ in range(20):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        # I expect it to be known as gone and quoted anew
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


@pytest.mark.parametrize("way", ["stop", "halt"])
def test_a_stop_or_halt_ends_a_flattening_that_would_place_orders_after_it(run: Run, way: str) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a position that is being flattened with an order at the touch
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.BUY), 5)
        book = bench._writer("book_table")
        book.ints[BOOK.word("is_valid")] = 1
        book.floats[BOOK.word("bid_price")], book.floats[BOOK.word("ask_price")] = 50.0, 52.0
        book.publish(0)
        flattening = asyncio.create_task(bench.core.operations.flatten())
        await bench.run_until(lambda: bench.resting(Side.SELL) == [(104, 5)], "an order that flattens rests")
        # If the session is stopped or halted
        operations = bench.core.operations
        ending: asyncio.Task[Any] = asyncio.create_task(
            operations.stop(flatten=False) if way == "stop" else operations.halt()
        )
        await bench.run_until(ending.done, "the stop ends")
        # I expect nothing to be open, then and later
        assert (ending.result()["open_orders_at_exit"] if way == "stop" else ending.result()) == 0
        await bench.settle(20)
        assert bench.venue.open == []
        await bench.run_until(flattening.done, "the flattening ends")

    run(scenario, ExecutionConfig(flatten_passive_s=3.0, flatten_timeout_s=5.0))


def test_a_cancel_that_the_venue_refuses_is_sent_again_once_the_order_is_known_to_stand(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        # If the bid is switched off and its cancel is refused for a moment
        bench.wish([], ASKS, bid_off=1)
        bench.work()
        bench.pump(refuse=True)
        # I expect the venue to be asked, and the bid to go without a word from strategy
        await bench.settle(20)
        assert bench.gateway.kinds().count("cancel") == 2
        assert bench.resting(Side.BUY) == []

    run(scenario)


def test_a_post_only_order_that_may_not_rest_is_quoted_behind_and_tried_again_later(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish([(100, 5), (99, 5)], ASKS)
        bench.work()
        # If the venue refuses the better bid for crossing, as some do instead of moving it
        while bench.venue.inbox:
            bench.venue.take_request(refuse=False)
        best = next(order for order in bench.venue.open if order.price_ticks == 100)
        bench.venue.outbox.clear()
        bench.venue.cancel_by_itself(best)
        report = bench.venue.outbox.pop()
        assert isinstance(report, OrderReport)
        reports = [one for one in bench.venue.open_orders() if one.client_order_id != best.client_order_id]
        bench.core.on_orders([*reports, msgspec.structs.replace(report, delete_reason="immediate_cancel")])
        sent = len(bench.gateway.sent)
        for _ in range(4):
            bench.wish([(100, 5), (99, 5)], ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        # I expect it one tick behind, the next level behind that, no storm, and the wanted price after a while
        assert bench.resting(Side.BUY) == [(99, 5), (98, 5)]
        assert len(bench.gateway.sent) - sent == 1
        for _ in range(4):
            bench.wish([(100, 5), (99, 5)], ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == [(100, 5), (99, 5)]

    run(scenario)


def test_a_post_only_amend_that_the_venue_moves_back_is_not_repeated_at_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        take = bench.venue.take_request

        def moving_back(*, refuse: bool) -> None:
            request = bench.venue.inbox[0]
            if request.price_ticks > 101:
                bench.venue.inbox[0] = request._replace(price_ticks=101)
            take(refuse=refuse)

        bench.venue.take_request = moving_back  # type: ignore[method-assign]
        for _ in range(4):
            bench.wish([(102, 5)], [(105, 5)])
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == [(101, 5)]
        assert bench.gateway.kinds().count("amend") == 2  # one for each side
        bench.venue.take_request = take  # type: ignore[method-assign]
        for _ in range(4):
            bench.wish([(102, 5)], [(105, 5)])
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == [(102, 5)]

    run(scenario)


def test_the_breaker_is_seen_in_status_and_counter_and_inserts_resume_by_themselves(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        # If the venue refuses every insert
        for _ in range(10):
            bench.wish(BIDS, ASKS)
            bench.work()
            bench.pump(refuse=True)
            bench.clock.advance(20 * NS_PER_MS)
            bench.beat()
        # I expect a pause that is said and counted, in which none is sent
        assert bench.measures.counts.by_name["insert_pauses"] == 1
        (trouble,) = bench.core.quotes.troubles(bench.clock.monotonic_ns())
        assert trouble.startswith("inserts pause 1000 ms")
        sent = len(bench.gateway.sent)
        bench.wish(BIDS, ASKS)
        await bench.let_pass(500 * NS_PER_MS)
        assert len(bench.gateway.sent) == sent
        # and, once it takes one again, all of them
        for _ in range(10):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert (bench.resting(Side.BUY), bench.resting(Side.SELL)) == (BIDS, ASKS)
        assert bench.core.quotes.troubles(bench.clock.monotonic_ns()) == []

    run(scenario)


@pytest.mark.parametrize("must_go", [False, True])
def test_a_strangers_order_is_told_and_cancelled_only_if_configured(run: Run, must_go: bool) -> None:
    async def scenario(bench: Bench) -> None:
        theirs = bench.venue.place(Request("insert", 2, Side.BUY, 91, 5, "manual"))
        await bench.start()
        assert theirs.is_open is not must_go
        assert bench.measures.counts.by_name["strangers"] == 1

    run(scenario, ExecutionConfig(cancel_strangers=must_go))


def test_of_strangers_orders_only_those_that_are_open_are_remembered(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        for number in range(1, 4):
            # Given an order of somebody else after the other, each gone before the next comes
            theirs = bench.venue.place(Request("insert", number, Side.BUY, 91, 5, "manual"))
            for _ in range(2):  # told once, however often it shows
                bench.clock.advance(11 * NS_PER_S)
                await bench.settle(3)
            assert bench.core.truth.strangers == {theirs.venue_order_id}
            assert bench.measures.counts.by_name["strangers"] == number
            bench.venue.cancel_by_itself(theirs)

    run(scenario)
