"""Execution's core against a model venue: what is wanted, what is sent, what is known, what is told."""

from __future__ import annotations

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason, OrderEventKind
from domain.order import Side
from tests.execution_rig import ASKS, BIDS, LABEL, Bench, Run, quoting
from tests.model_venue import INSTRUMENT


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


def test_the_work_loop_keeps_the_session_alive(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.clock.advance(NS_PER_S)
        bench.work()
        assert bench.gateway.kept_alive_ns == bench.clock.monotonic_ns()

    run(scenario)
