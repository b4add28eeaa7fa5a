"""Execution's core and doubt about the venue's truth: it holds quotes back, asks, and goes on as soon as it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import structlog

from actors.execution import recovery
from actors.execution.ending import UNKNOWN, VENUE_POSITION_AGE_NS_MAX
from actors.execution.permission import POSITION_DIFFERS, RECOVERING
from actors.execution.truth import FEE_PATIENCE_NS
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ProtocolError, VenueError
from domain.order import Side, VenueOrderStatus
from domain.reports import OrderReport, PositionReport, TradeReport
from tests.execution_rig import Bench, Run, quoting
from tests.model_venue import INSTRUMENT, Request
from trading.orders.config import ExecutionConfig
from trading.orders.states import OrderState

BIDS, ASKS = [(100, 5)], [(103, 5)]


async def pass_with_wishes(bench: Bench, seconds: float) -> None:
    for _ in range(round(10 * seconds)):
        bench.wish(BIDS, ASKS)
        await bench.let_pass(100 * NS_PER_MS)


async def held_by_a_difference(bench: Bench, lots: int = 4) -> None:
    """Have somebody trade the account by hand: the portfolio shows it, the history not yet."""
    bench.pump()
    side = Side.BUY if lots > 0 else Side.SELL
    bench.venue.fill(bench.venue.place(Request("insert", 99, side, 101, abs(lots), "manual")), abs(lots))
    bench.venue.outbox.clear()
    bench.gateway.history_lag = 1
    bench.core.on_positions(bench.gateway.position_reports(), True)
    await pass_with_wishes(bench, 2)
    assert bench.resting(Side.BUY) == []
    assert not bench.core.books.is_known


def test_a_difference_that_a_late_message_heals_lets_quotes_out_again(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given quotes held back for a difference
        await quoting(bench, BIDS, ASKS)
        await held_by_a_difference(bench)
        # If what was missing is pushed between two audits
        bench.gateway.history_lag = 0
        bench.core.on_trades(bench.venue.trades[-1:])
        assert bench.core.truth.differences() == {}
        # I expect the position to be known and the wish to rest within a second
        await pass_with_wishes(bench, 1)
        assert bench.core.books.is_known
        assert bench.core.desks[INSTRUMENT.name].position_lots == 4
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_position_can_be_flattened_once_a_difference_has_healed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        await held_by_a_difference(bench)
        bench.gateway.history_lag = 0
        bench.core.on_trades(bench.venue.trades[-1:])
        await pass_with_wishes(bench, 1)
        # If it is flattened then
        flattening = asyncio.get_running_loop().create_task(bench.core.operations.flatten())
        for _ in range(100):
            await bench.let_pass(NS_PER_S // 5)
            await asyncio.sleep(0.01)
            if flattening.done():
                break
        # I expect it to end flat
        assert flattening.done()
        assert await flattening == {}
        assert bench.venue.position_lots == 0

    run(scenario)


def test_a_history_that_contradicts_a_fill_ends_nothing_and_is_told_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill that came with its order
        await quoting(bench, BIDS, ASKS)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        # If the history says another price of it, and shows one more fill after it
        bench.venue.trades[0] = msgspec.structs.replace(bench.venue.trades[0], price=Decimal("48.5"))
        bench.venue.fill(bench.venue.open[1], 1)
        bench.venue.outbox.clear()
        await pass_with_wishes(bench, 25)
        # I expect both counted as first told, each with its fee, the contradiction told once, and quotes out
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.position, line.fill_count, line.fees) == (Decimal("0.001"), 2, Decimal("0.02"))
        assert bench.measures.counts.by_name["trades_contradicted"] == 1
        assert bench.measures.counts.by_name["audits"] >= 2
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_trade_that_the_venue_takes_back_holds_quotes_until_it_is_explained(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill that is booked
        await quoting(bench, BIDS, ASKS)
        bench.venue.fill(bench.venue.open[0], 2)
        await pass_with_wishes(bench, 1)
        # If the venue takes it back
        gone = bench.venue.trades[0]
        bench.gateway.start_position -= gone.size
        bench.venue.trades.append(msgspec.structs.replace(gone, is_correction=True, time_ns=bench.clock.realtime_ns()))
        bench.core.on_trades(bench.venue.trades[-1:])
        bench.core.on_positions(bench.gateway.position_reports(), False)
        await pass_with_wishes(bench, 2)
        # I expect it not to be booked, told once, and nothing quoted on a position that nobody can explain
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == gone.size
        assert bench.measures.counts.by_name["trades_contradicted"] == 1
        assert bench.resting(Side.BUY) == []

    run(scenario)


@pytest.mark.parametrize("is_restart", [True, False])
def test_a_difference_that_nothing_explains_ends_the_recovery_and_holds_quotes(
    run: Run, is_restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PAUSE_S_MAX", 0.02)

    async def scenario(bench: Bench) -> None:
        # Given a fill that the venue has taken back, after the ledger was written down
        await quoting(bench, BIDS, ASKS)
        bench.venue.fill(bench.venue.open[0], 2)
        await pass_with_wishes(bench, 12)
        gone = bench.venue.trades[0]
        bench.gateway.start_position -= gone.size
        bench.venue.trades.append(msgspec.structs.replace(gone, is_correction=True, time_ns=bench.clock.realtime_ns()))
        # If execution is started anew or has to reconnect
        lives: list[int] = []
        with structlog.testing.capture_logs() as lines:
            if is_restart:
                bench.restart_core()
                bench.core.recovery._on_recovered = lambda: lives.append(1)
                await bench.start()
            else:
                bench.disconnect()
                bench.core.recovery._on_recovered = lambda: lives.append(1)
                await bench.reconnect()
            await bench.run_until(lambda: bool(lives), "the end of the recovery")
            await pass_with_wishes(bench, 3)
        # I expect it to be live, to ask on, to quote nothing, and to say once what the operator can do
        assert bench.core.quotes.holds == {POSITION_DIFFERS}
        assert not bench.core.books.is_known
        assert bench.measures.counts.by_name["audits"] >= 2
        assert bench.resting(Side.BUY) == bench.resting(Side.SELL) == []
        told = [line for line in lines if line["log_level"] == "error" and "begin another" in line["event"]]
        assert [line[INSTRUMENT.name] for line in told if INSTRUMENT.name in line] == [
            "0.002 by fills, 0.000 by the venue"
        ]
        # If the difference ends, I expect quotes
        bench.gateway.start_position += gone.size
        bench.wish(BIDS, ASKS)
        await pass_with_wishes(bench, 2)
        assert bench.core.books.is_known
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_correction_instead_of_a_fills_own_line_does_not_pin_the_history(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill of which the history tells its correction only, and one more fill minutes later
        await quoting(bench, BIDS, ASKS)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        bench.venue.trades[0] = msgspec.structs.replace(bench.venue.trades[0], is_correction=True)
        bench.clock.advance(300 * NS_PER_S)
        bench.venue.time_ns = bench.clock.realtime_ns()
        await pass_with_wishes(bench, 1)
        bench.venue.fill(bench.venue.open[-1], 1)
        await pass_with_wishes(bench, 25)
        # I expect the venue to be asked for no trades before it any more, and its fee not to be waited for
        assert bench.core.truth.history_from_ns > bench.venue.trades[0].time_ns
        assert bench.core.books.ledger.unbooked == 0
        assert bench.measures.counts.by_name["trades_contradicted"] == 1
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_fee_that_the_history_never_tells_does_not_pin_it_for_ever(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill whose line of the history never comes
        await quoting(bench, BIDS, ASKS)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        gone = bench.venue.trades.pop(0)
        await pass_with_wishes(bench, 25)
        assert bench.core.books.ledger.unbooked == 1
        with structlog.testing.capture_logs() as lines:
            bench.clock.advance(FEE_PATIENCE_NS)
            bench.venue.time_ns = bench.clock.realtime_ns()
            await pass_with_wishes(bench, 1)
            bench.venue.fill(bench.venue.open[-1], 1)
            bench.pump()
            await pass_with_wishes(bench, 25)
        # I expect its fee to be waited for no longer, which is said once, and older trades not to be asked for again
        assert bench.core.books.ledger.unbooked == 0
        assert [line["trade_id"] for line in lines if "what a fill cost" in line["event"]] == [gone.trade_id]
        assert bench.core.truth.history_from_ns > gone.time_ns
        assert bench.resting(Side.BUY) == BIDS
        # and the report to say so, without an end that waits for it
        task = asyncio.create_task(bench.core.operations.stop(flatten=False))
        await bench.run_until(task.done, "the end")
        report = task.result()
        assert (report["unbooked_fees"], report["is_consistent"]) == (1, False)

    run(scenario)


@pytest.mark.parametrize(("own_lots", "by_hand"), [(0, 4), (5, 4), (5, -2), (5, -8), (5, -5)])
def test_while_the_position_differs_a_flattening_goes_by_what_the_venue_shows(
    run: Run, own_lots: int, by_hand: int
) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a position that fills do not explain: somebody has traded beside us, and the history never shows it
        await quoting(bench, BIDS, ASKS)
        if own_lots:
            bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.BUY), own_lots)
        await held_by_a_difference(bench, by_hand)
        told = await bench.gateway.trade_history(0)

        async def history(_: int) -> list[TradeReport]:
            return told

        bench.gateway.trade_history = history  # type: ignore[method-assign]
        desk, held_lots = bench.core.desks[INSTRUMENT.name], own_lots + by_hand
        assert desk.position_lots == own_lots
        bench.gateway.sent.clear()
        # If risk wants it closed, as it does after a loss
        flattening = asyncio.create_task(bench.core.operations.flatten_instrument(desk))
        await bench.run_until(flattening.done, "the flattening ends")
        # I expect one order that brings what the venue shows to zero, and turns nothing round
        orders = [entry for entry in bench.gateway.sent if entry[0] == "insert"]
        assert [(side * lots, order.reduce_only) for _, side, _, lots, order in orders] == (
            [(-held_lots, True)] if held_lots else []
        )
        assert (bench.venue.position_lots, flattening.result()) == (0, {})
        # The difference is there as before: nothing is quoted
        await pass_with_wishes(bench, 1)
        assert not bench.core.books.is_known
        assert bench.venue.open == []

    run(scenario)


def test_while_the_position_differs_and_the_venue_does_not_answer_nothing_is_flattened(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        await held_by_a_difference(bench)
        await bench.let_pass(2 * VENUE_POSITION_AGE_NS_MAX)
        bench.gateway.sent.clear()

        # If what the venue told is older than a second, and it tells nothing more
        async def silent() -> Any:
            raise VenueError(20, "not now")

        bench.gateway.positions = silent  # type: ignore[method-assign]
        flattening = asyncio.create_task(bench.core.operations.flatten())
        await bench.let_pass(2 * VENUE_POSITION_AGE_NS_MAX)
        await bench.run_until(flattening.done, "the flattening gives up")
        # I expect no order, and the venue's last word as what is left
        assert "insert" not in bench.gateway.kinds()
        assert flattening.result() == {INSTRUMENT.name: "0.004"}

    run(scenario, ExecutionConfig(flatten_timeout_s=1.0))


@pytest.mark.parametrize("is_stop", [False, True])
def test_a_position_that_only_the_venue_shows_is_not_called_flat_while_we_recover(
    run: Run, is_stop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_stop:
        monkeypatch.setattr(recovery, "PAUSE_S_MIN", 0.002)
        monkeypatch.setattr(recovery, "PAUSE_S_MAX", 0.002)

    async def scenario(bench: Bench) -> None:
        # Given nothing by our own count, four lots by the venue, and a connection that has broken for a moment
        await quoting(bench, BIDS, ASKS)
        await held_by_a_difference(bench)

        async def history(_: int) -> list[TradeReport]:
            return []

        bench.gateway.trade_history = history  # type: ignore[method-assign]
        bench.disconnect()
        bench.gateway.is_ready = True
        bench.core.on_ready()
        assert RECOVERING in bench.core.quotes.holds
        assert bench.core.desks[INSTRUMENT.name].position_lots == 0
        operations = bench.core.operations
        if is_stop:
            # If the session ends flat, I expect it to wait for the recovery, and to go by what the venue shows
            stop = asyncio.create_task(operations.stop(flatten=True))
            while not stop.done():
                await bench.let_pass(10 * NS_PER_MS)
                await asyncio.sleep(0.001)
            assert bench.venue.position_lots == 0
            assert stop.result()["venue_position"] == {INSTRUMENT.name: "0"}
        else:
            # If an operator flattens, I expect neither an order nor "flat" before the recovery has ended
            flattening = asyncio.create_task(operations.flatten())
            await bench.run_until(flattening.done, "the flattening gives up")
            assert RECOVERING in bench.core.quotes.holds
            assert "insert" not in bench.gateway.kinds()
            assert flattening.result() == {INSTRUMENT.name: UNKNOWN}

    run(scenario, ExecutionConfig(flatten_timeout_s=0.2))


def test_a_session_that_ends_without_the_venue_does_not_claim_to_be_flat(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        bench.disconnect()
        with structlog.testing.capture_logs() as lines:
            stop = asyncio.create_task(bench.core.operations.stop(flatten=True))
            while not stop.done():
                await bench.let_pass(100 * NS_PER_MS)
                await asyncio.sleep(0.001)
        assert [line[INSTRUMENT.name] for line in lines if "ends with positions" in line["event"]] == [UNKNOWN]
        assert not stop.result()["is_consistent"]

    run(scenario, ExecutionConfig(flatten_timeout_s=0.2, stop_timeout_s=0.2))


@pytest.mark.parametrize("name", ["cancel_all", "flatten", "flatten_instrument"])
def test_of_two_operations_at_once_the_first_to_end_lets_no_quote_out(run: Run, name: str) -> None:
    async def scenario(bench: Bench) -> None:
        # Given two at once, of which the first ends at once and the second has not ended
        await quoting(bench, BIDS, ASKS)
        operations, loop = bench.core.operations, asyncio.get_running_loop()
        arguments = [bench.core.desks[INSTRUMENT.name]] if name == "flatten_instrument" else []
        second_may_end = asyncio.Event()
        ways_out = iter([asyncio.sleep(0), second_may_end.wait()])

        async def wait(*_: object) -> dict[str, str]:
            await next(ways_out)
            return {}

        setattr(bench.core.ending, "cancel_everything" if name == "cancel_all" else "flatten", wait)
        first = loop.create_task(getattr(operations, name)(*arguments))
        second = loop.create_task(getattr(operations, name)(*arguments))
        await bench.run_until(first.done, "the end of the first")
        await pass_with_wishes(bench, 1)
        # I expect no quotes until the second has ended, too
        assert not second.done()
        assert bench.core.quotes.permission.blocked_by(bench.core.desks[INSTRUMENT.name], bench.clock.monotonic_ns())
        assert bench.resting(Side.BUY) == []
        second_may_end.set()
        await bench.run_until(second.done, "the end of the second")
        await pass_with_wishes(bench, 1)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


async def with_a_gap(bench: Bench) -> None:
    """Have the venue say that an order is filled by two lots, of which it tells no fill and shows nothing else."""
    report = bench.venue.open_orders()[0]
    report = msgspec.structs.replace(report, filled_size=INSTRUMENT.size(2), status=VenueOrderStatus.PARTIALLY_FILLED)
    bench.core.on_orders([report])
    assert bench.core.books.manager.has_fill_gap()


def test_a_fill_that_the_venue_never_tells_is_asked_for_ever_less_often_and_given_up(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        await with_a_gap(bench)
        # If a minute passes, I expect a handful of audits, not one after the other
        await pass_with_wishes(bench, 50)
        audits = bench.measures.counts.by_name["audits"]
        assert 8 <= audits <= 20
        assert bench.core.books.manager.has_fill_gap()
        # ... and then that it is given up, so that the history moves on
        await pass_with_wishes(bench, 30)
        assert not bench.core.books.manager.has_doubt()
        bench.venue.time_ns = bench.clock.realtime_ns()
        bench.venue.fill(bench.venue.open[-1], 1)
        history_from_ns = bench.core.truth.history_from_ns
        await pass_with_wishes(bench, 15)
        assert bench.core.truth.history_from_ns > history_from_ns
        assert bench.measures.counts.by_name["audits"] <= audits + 10

    run(scenario)


def test_a_fill_that_the_venue_never_tells_keeps_no_recovery_from_ending(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        await with_a_gap(bench)
        bench.disconnect()
        await bench.reconnect()
        assert not bench.core.books.is_known
        bench.clock.advance(61 * NS_PER_S)
        await bench.run_until(lambda: bench.core.books.is_known, "the end of the recovery")

    run(scenario)


def test_a_doubt_that_is_new_is_asked_for_at_once_beside_an_old_one(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an old gap, asked for every ten seconds by now
        await quoting(bench, BIDS, ASKS)
        await with_a_gap(bench)
        await pass_with_wishes(bench, 30)
        audits = bench.measures.counts.by_name["audits"]
        # If the fate of another order becomes unknown
        manager = bench.core.books.manager
        order = next(order for order in manager.all_live() if order.side is Side.SELL)
        manager.doubt(order, bench.clock.monotonic_ns())
        await pass_with_wishes(bench, 0.2)
        # I expect it to be known again at once
        assert order.state is OrderState.WORKING
        assert 1 <= bench.measures.counts.by_name["audits"] - audits <= 3

    run(scenario)


def test_an_insert_without_an_answer_is_given_up_soon_beside_an_old_doubt(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an old gap, asked for every ten seconds by now, and an order that the venue never saw
        await quoting(bench, BIDS, ASKS)
        await with_a_gap(bench)
        await pass_with_wishes(bench, 25)
        bench.wish([(100, 5), (99, 5)], ASKS)
        bench.work()
        assert [request.kind for request in bench.venue.inbox] == ["insert"]
        bench.venue.inbox.clear()
        manager = bench.core.books.manager
        order = next(order for order in manager.all_live() if not order.venue_order_id)
        manager.doubt(order, bench.clock.monotonic_ns())
        # If a moment passes, I expect the venue to have been asked as often as it takes to call it gone
        await bench.let_pass(NS_PER_S // 2)
        assert not order.is_live

    run(scenario)


def off_the_grid(bench: Bench, venue_order_id: str) -> Callable[[OrderReport], OrderReport]:
    """Return what tells reports of one order as a venue would whose tick is not ours."""

    def shifted(report: OrderReport) -> OrderReport:
        assert report.price is not None
        is_it = report.venue_order_id == venue_order_id
        return msgspec.structs.replace(report, price=report.price + Decimal("0.1")) if is_it else report

    return shifted


@pytest.mark.parametrize("is_told", [True, False])
def test_an_order_of_ours_off_the_price_grid_is_doubted_and_cancelled(run: Run, is_told: bool) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an order that the venue shows, and perhaps tells, at a price that is no tick
        await quoting(bench, BIDS, ASKS)
        venue_order = next(order for order in bench.venue.open if order.side is Side.BUY)
        shifted = off_the_grid(bench, venue_order.venue_order_id)
        open_orders = bench.gateway.open_orders

        async def shifted_orders() -> list[OrderReport]:
            return [shifted(report) for report in await open_orders()]

        bench.gateway.open_orders = shifted_orders  # type: ignore[method-assign]
        if is_told:
            bench.core.on_orders([shifted(report) for report in bench.venue.open_orders()])
            assert bench.core.books.manager.has_doubt()
        # If it is heard of, and partly filled meanwhile
        bench.venue.fill(venue_order, 1)
        report = bench.venue.outbox.pop()
        assert isinstance(report, OrderReport)
        bench.core.on_orders([shifted(report)])
        await pass_with_wishes(bench, 0.5)
        # I expect the fill to count, the order to be gone, and another where it is wanted
        assert bench.core.desks[INSTRUMENT.name].position_lots == 1
        assert not venue_order.is_open
        assert bench.resting(Side.BUY) == BIDS
        assert not bench.core.books.manager.has_doubt()

    run(scenario)


def test_a_reconnect_cancels_what_is_off_the_price_grid(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        venue_order = next(order for order in bench.venue.open if order.side is Side.BUY)
        shifted = off_the_grid(bench, venue_order.venue_order_id)
        open_orders = bench.gateway.open_orders

        async def shifted_orders() -> list[OrderReport]:
            return [shifted(report) for report in await open_orders()]

        bench.gateway.open_orders = shifted_orders  # type: ignore[method-assign]
        # If a connection breaks and the venue keeps the order
        bench.gateway.is_ready = False
        bench.core.on_disconnected("test")
        await bench.reconnect()
        # I expect it to be cancelled, and quotes to go on
        await pass_with_wishes(bench, 1)
        assert not venue_order.is_open
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_a_trade_of_ours_that_nobody_can_read_holds_quotes_until_the_positions_agree(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        # If a line of another instrument cannot be read, I expect nothing
        bench.core.on_unreadable_trade("ANOTHER", "price is null")
        assert bench.core.books.is_known
        # If one of ours cannot be read, I expect quotes to be held at once, and back when the positions have agreed
        bench.core.on_unreadable_trade(INSTRUMENT.name, "price is null")
        assert POSITION_DIFFERS in bench.core.quotes.holds
        assert not bench.core.books.is_known
        await pass_with_wishes(bench, 3)
        assert bench.core.books.is_known
        assert bench.resting(Side.BUY) == BIDS

    run(scenario)


def test_what_an_unreadable_trade_has_moved_holds_quotes_and_the_cancels_go(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a fill that nobody was told of but by a line that cannot be read
        await quoting(bench, BIDS, ASKS)
        bench.gateway.start_position += Decimal("0.004")
        bench.core.on_unreadable_trade(INSTRUMENT.name, "price is null")
        # I expect no quote to rest, however long that lasts, and the connection to live
        await pass_with_wishes(bench, 30)
        assert bench.resting(Side.BUY) == bench.resting(Side.SELL) == []
        assert bench.venue.open == []
        assert not bench.core.books.is_known
        assert bench.gateway.is_ready

    run(scenario)


def test_answers_that_nobody_can_read_hold_quotes_until_they_can_be_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> list[PositionReport]:
        raise ProtocolError("position in BTC-PERPETUAL, which may be ours: unreadable")

    async def scenario(bench: Bench) -> None:
        await quoting(bench, BIDS, ASKS)
        # If an audit cannot read what is held, I expect nothing to be quoted on it
        with monkeypatch.context() as patch:
            patch.setattr(bench.gateway, "positions", unreadable)
            await pass_with_wishes(bench, 100)
            assert bench.resting(Side.BUY) == []
        # and quotes to be back soon after it can, however rarely it looks when nothing is wrong
        await pass_with_wishes(bench, 2)
        assert bench.resting(Side.BUY) == BIDS

    run(scenario, ExecutionConfig(audit_interval_s=60.0))
