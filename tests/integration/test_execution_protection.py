"""Protective stops: one at the venue for each position, over fills, restarts, lost answers and the end."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.clock import NS_PER_MS
from domain.errors import VenueError
from domain.order import Side
from domain.reports import PositionReport
from tests.execution_rig import LABEL, Bench, Run
from tests.model_venue import INSTRUMENT
from trading.orders.config import ExecutionConfig, ProtectionConfig, stop_label
from venues.conditional import ConditionalOrderReport, NewConditionalOrder

BIDS, ASKS = [(198, 50)], [(202, 50)]
ON = ExecutionConfig(protection=ProtectionConfig(kind="stop", distance_bps=100.0, resize_base=0.002))


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench that protects what it holds."""
    return lambda scenario, config=None: run(scenario, config or ON)


def stops(bench: Bench) -> list[ConditionalOrderReport]:
    return [one for one in bench.gateway.conditional if one.is_open]


def created(bench: Bench) -> list[NewConditionalOrder]:
    return [entry[1] for entry in bench.gateway.sent if entry[0] == "create_stop"]


def tell_average(bench: Bench, price: Decimal) -> None:
    """Have the venue tell an average price of its own."""
    told = bench.gateway.position_reports

    def instead() -> list[PositionReport]:
        return [msgspec.structs.replace(report, average_price=price) for report in told()]

    bench.gateway.position_reports = instead  # type: ignore[method-assign]


async def hold(bench: Bench, lots: int) -> None:
    """Have `lots` filled: bids of ours when positive, asks when negative."""
    bench.write_limits(position_lots_max=100)
    bench.wish(BIDS, ASKS)
    await bench.settle(3)
    side = Side.BUY if lots > 0 else Side.SELL
    bench.venue.fill(next(order for order in bench.venue.open if order.side is side), abs(lots))
    bench.core.on_positions(bench.gateway.position_reports(), True)
    await rest(bench)


async def rest(bench: Bench, rounds: int = 12) -> None:
    """Let time enough pass for several rounds, the venue telling positions as it goes."""
    for _ in range(rounds):
        bench.wish(BIDS, ASKS)
        await bench.let_pass(50 * NS_PER_MS)
        bench.core.on_positions(bench.gateway.position_reports(), True)
        await bench.settle(1)


def test_a_position_gets_one_reduce_only_stop_of_its_size_off_its_entry(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        (stop,) = stops(bench)
        assert (stop.side, stop.size, stop.reduce_only) == (Side.SELL, Decimal("0.010"), True)
        assert stop.stop_price == Decimal("98.0")  # 1 % below 99, to the tick of 0.5
        assert (stop.label, stop.target, stop.callback_rate) == (stop_label(LABEL), "mark", None)
        assert bench.measures.counts.by_name["stops_placed"] == 1
        await rest(bench)
        assert len(created(bench)) == 1

    run(scenario)


def test_it_follows_the_size_beyond_a_threshold_and_the_side(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        await hold(bench, 2)
        assert [stop.size for stop in stops(bench)] == [Decimal("0.010")]
        await hold(bench, 1)
        assert [stop.size for stop in stops(bench)] == [Decimal("0.013")]
        await hold(bench, -20)
        assert [(stop.side, stop.size) for stop in stops(bench)] == [(Side.BUY, Decimal("0.007"))]

    run(scenario)


def test_a_fixed_stop_follows_the_average_entry_at_the_same_size(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        assert [str(stop.stop_price) for stop in stops(bench)] == ["98.0"]
        # If the venue says that what is held was bought for more in the end, 109 on average
        tell_average(bench, Decimal(109))
        await rest(bench)
        # I expect one stop, 1 % below that
        assert [(stop.size, str(stop.stop_price)) for stop in stops(bench)] == [(Decimal("0.010"), "108.0")]

    run(scenario)


def test_never_two_stand_at_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        most = 0
        create = bench.gateway.create_conditional_order

        async def counting(order: NewConditionalOrder) -> ConditionalOrderReport:
            nonlocal most
            report = await create(order)
            most = max(most, len(stops(bench)))
            return report

        bench.gateway.create_conditional_order = counting  # type: ignore[method-assign]
        await bench.start()
        for lots in (10, 10, -30, 5, -20):
            await hold(bench, lots)
        assert len(created(bench)) >= 4
        assert most == 1

    run(scenario)


def test_a_flat_position_has_none(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        await hold(bench, -10)
        assert stops(bench) == []

    run(scenario)


def test_a_restart_finds_it_and_goes_on_with_it(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        (before,) = stops(bench)
        bench.restart_core()
        await bench.start()
        await rest(bench)
        assert stops(bench) == [before]
        assert len(created(bench)) == 1

    run(scenario)


def test_a_new_session_at_a_loss_goes_on_with_the_stop_off_what_the_position_was_bought_for(
    run: Run, tmp_path: Path
) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        (before,) = stops(bench)
        # Given a mark 5 % below the entry of 99
        bench.gateway.mark_price = Decimal(94)
        # If one session after the other begins, each counting its profit from the mark
        for name in ("second", "third"):
            bench.run_dir = tmp_path / name
            bench.run_dir.mkdir()
            bench.restart_core()
            await bench.start()
            await rest(bench)
            assert bench.core.books.ledger.lines[INSTRUMENT.name].average_entry == Decimal(94)
        # I expect the same stop,
        assert stops(bench) == [before]
        assert len(created(bench)) == 1
        # and after more is bought one off what all of it was bought for, 98.5 on average
        bench.wish([(196, 50)], ASKS)
        await bench.settle(3)
        bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.BUY), 10)
        await rest(bench)
        assert [(stop.size, str(stop.stop_price)) for stop in stops(bench)] == [(Decimal("0.020"), "97.5")]

    run(scenario)


def test_a_stop_that_is_found_stays_while_the_venue_does_not_say_the_entry(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        (before,) = stops(bench)
        tell_average(bench, Decimal(0))
        bench.restart_core()
        await bench.start()
        await rest(bench)
        assert stops(bench) == [before]

    run(scenario)


def test_a_create_whose_answer_is_lost_is_found_and_not_repeated(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.gateway.loses_answers = True
        await hold(bench, 10)
        assert len(created(bench)) == 1
        bench.gateway.loses_answers = False
        await rest(bench, 60)
        assert len(created(bench)) == len(stops(bench)) == 1

    run(scenario)


def test_others_conditional_orders_are_left_alone_and_do_not_count(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.gateway.create_conditional_order(
            NewConditionalOrder(
                instrument_name=INSTRUMENT.name, side=Side.SELL, size=Decimal("0.01"), stop_price=Decimal(90)
            )
        )
        (theirs,) = stops(bench)
        await bench.start()
        await hold(bench, 10)
        assert len(stops(bench)) == 2
        await hold(bench, -10)
        assert stops(bench) == [theirs]

    run(scenario)


def test_with_protection_off_what_an_earlier_session_left_is_taken_back(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        left = NewConditionalOrder(
            instrument_name=INSTRUMENT.name, side=Side.SELL, size=Decimal("0.01"), stop_price=Decimal(90),
            reduce_only=True, label=stop_label(LABEL),
        )  # fmt: skip
        await bench.gateway.create_conditional_order(left)
        await bench.start()
        await hold(bench, 10)
        assert stops(bench) == []
        assert len(created(bench)) == 1

    run(scenario, ExecutionConfig())


def test_what_triggers_is_told_and_counted(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        assert bench.core.stops is not None
        converted = [msgspec.structs.replace(stop, status="converted") for stop in stops(bench)]
        bench.core.stops.on_conditional_orders(converted)
        assert bench.measures.counts.by_name["stops_triggered"] == 1

    run(scenario)


def test_no_stop_is_created_while_fills_and_position_differ(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.write_limits(position_lots_max=100)
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.BUY), 10)
        await bench.settle(10)  # the venue has not told the position yet
        assert created(bench) == []

    run(scenario)


@pytest.mark.parametrize("flatten", [False, True])
def test_the_end_leaves_a_stop_to_the_position_that_stays_and_to_no_other(run: Run, flatten: bool) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        stopping = asyncio.create_task(bench.core.operations.stop(flatten=flatten))
        await bench.run_until(stopping.done, "the stop ends", 8000)
        assert len(stops(bench)) == (0 if flatten else 1)
        assert stopping.result()["open_orders_at_exit"] == 0

    run(scenario)


def test_a_trailing_stop_says_its_distance_and_keeps_what_it_gained_when_it_grows(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        await hold(bench, 10)
        (first,) = stops(bench)
        assert (first.callback_rate, first.stop_price) == (Decimal("0.01"), Decimal("99.0"))
        raised = msgspec.structs.replace(first, stop_price=Decimal("99.5"))
        bench.gateway.conditional = [raised]
        assert bench.core.stops is not None
        bench.core.stops.on_conditional_orders([raised])
        await hold(bench, 11)
        assert [(stop.size, stop.stop_price) for stop in stops(bench)] == [(Decimal("0.021"), Decimal("99.5"))]

    run(scenario, ExecutionConfig(protection=ProtectionConfig(kind="trailing", distance_bps=100.0)))


def test_with_protection_off_a_venue_without_conditional_orders_is_asked_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        asked = 0

        async def unknown() -> list[ConditionalOrderReport]:
            nonlocal asked
            asked += 1
            raise VenueError(31, "unknown method", "private/open_conditional_orders")

        bench.gateway.conditional_orders = unknown  # type: ignore[method-assign]
        await bench.start()
        await rest(bench, 60)
        assert asked == 1

    run(scenario, ExecutionConfig())
