"""Execution's core against a venue that refuses what it is sent: nothing stays unwanted, nothing storms."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from actors.execution.quotes import RETREAT_WAIT_NS_MAX
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import VenueError
from domain.order import Side
from domain.reports import OrderReport
from tests.execution_rig import LABEL, Bench, Ladder, Run, Scenario, both
from tests.model_venue import INSTRUMENT, Request
from trading.orders.breaker import REFUSALS_MAX
from trading.orders.config import ExecutionConfig
from trading.orders.order import Order

BIDS, ASKS = [(100, 5)], [(110, 5)]
STEP_NS = 100 * NS_PER_MS
CODE_ORDER_NOT_FOUND, CODE_THROTTLED, CODE_TEMPORARY, CODE_MARGIN = 1, 4, 20, 24


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench whose wish rests at the venue."""

    def runner(scenario: Scenario, config: ExecutionConfig | None = None) -> None:
        async def wished_first(bench: Bench) -> None:
            await bench.start()
            await wished(bench, BIDS, ASKS, 200 * NS_PER_MS)
            assert both(bench) == (BIDS, ASKS)
            await scenario(bench)

        run(wished_first, config)

    return runner


async def wished(bench: Bench, bids: Ladder, asks: Ladder, duration_ns: int) -> None:
    """Let time pass while strategy wishes the same again and again."""
    for _ in range(duration_ns // STEP_NS):
        bench.wish(bids, asks)
        await bench.let_pass(STEP_NS)


def test_a_quote_whose_amends_are_refused_is_cancelled_and_inserted_where_it_is_wanted(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # If the venue refuses each amend for want of margin
        bench.venue.refusals = {"amend": CODE_MARGIN}
        sent = len(bench.gateway.sent)
        await wished(bench, [(90, 5)], ASKS, 6 * NS_PER_S)
        # I expect two tries, then a new order where the old one should have gone
        assert bench.resting(Side.BUY) == [(90, 5)]
        assert bench.gateway.kinds()[sent:] == ["amend", "amend", "cancel", "insert"]

    run(scenario)


def test_a_venue_that_refuses_amends_and_inserts_is_left_without_the_quote_and_is_not_stormed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.venue.refusals = {"amend": CODE_MARGIN, "insert": CODE_MARGIN}
        sent = len(bench.gateway.sent)
        await wished(bench, [(90, 5)], ASKS, 6 * NS_PER_S)
        assert bench.resting(Side.BUY) == []
        # Ten inserts open the breaker; after a second, and two more, one is tried
        assert bench.gateway.kinds()[sent:].count("amend") == 2
        assert bench.gateway.kinds()[sent:].count("insert") <= 13

    run(scenario)


def test_a_flattening_that_is_refused_backs_off_and_leaves_the_quotes_alone(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given a position, and a venue that refuses to have it closed
        bench.venue.fill(next(order for order in bench.venue.open if order.side is Side.BUY), 5)
        bench.pump()
        book = bench._writer("book_table")
        book.scratch["is_valid"], book.scratch["bid_price"][0, 0], book.scratch["ask_price"][0, 0] = 1, 50.0, 55.0
        book.publish(0)
        bench.venue.refusals = {"insert": CODE_TEMPORARY}
        bench.gateway.sent.clear()
        # If it is flattened at the touch for a while
        flattening = asyncio.create_task(bench.core.operations.flatten_instrument(bench.core.desks[INSTRUMENT.name]))
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            await bench.settle(5)
        tried = bench.gateway.kinds().count("insert")
        flattening.cancel()
        # I expect a few tries, each later than the one before, of which the breaker of the quotes knows nothing
        assert 2 <= tried <= 5
        for _ in range(3 * REFUSALS_MAX):
            bench.core.on_rejected("insert", sent_one(bench, is_operator=True), VenueError(CODE_TEMPORARY, "refused"))
        assert not bench.core.quotes.breaker.is_open

    run(scenario, ExecutionConfig(flatten_passive_s=60.0, flatten_timeout_s=60.0))


def test_hedges_that_are_refused_pause_and_leave_the_quotes_alone(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        quotes, hedges = bench.core.quotes.breaker, bench.core.hedging.breaker
        for _ in range(REFUSALS_MAX):
            bench.core.on_rejected("insert", sent_one(bench, is_hedge=True), VenueError(CODE_MARGIN, "refused"))
        assert (quotes.is_open, hedges.is_open) == (False, True)
        # If the venue takes a quote, I expect hedges to pause on; if it fills one that crosses, to resume
        bench.wish([*BIDS, (98, 5)], ASKS)
        await bench.let_pass(STEP_NS)
        assert hedges.is_open
        hedge = sent_one(bench, is_hedge=True)
        bench.venue.inbox.append(Request("insert", hedge, Side.BUY, 110, 1, LABEL, is_immediate=True))
        bench.pump()
        report = bench.core.books.manager.get(hedge)
        assert report is not None
        assert report.filled_lots == 1
        assert not hedges.is_open

    run(scenario)


@pytest.mark.parametrize("reason", ["insert", "cancel"])
def test_a_hedge_that_was_taken_and_found_nothing_ends_the_pause(run: Run, reason: str) -> None:
    async def scenario(bench: Bench) -> None:
        hedges = bench.core.hedging.breaker
        # Given a hedge that rests, and others that are refused
        rested = sent_one(bench, is_hedge=True)
        bench.venue.inbox.append(Request("insert", rested, Side.BUY, 90, 1, LABEL))
        bench.pump()
        for _ in range(REFUSALS_MAX):
            bench.core.on_rejected("insert", sent_one(bench, is_hedge=True), VenueError(CODE_MARGIN, "refused"))
        # If the one that rested is cancelled, I expect nothing of it: it says nothing about inserts
        bench.venue.cancel_by_itself(bench.venue.orders[rested])
        bench.pump()
        assert hedges.is_open
        now_ns = bench.clock.monotonic_ns()
        assert bench.core.troubles(now_ns) == ["hedges pause 1000 ms: the venue refused too many"]
        # and if one is taken and ends unfilled, the pause to be over
        tried = sent_one(bench, is_hedge=True)
        order = bench.venue.place(Request("insert", tried, Side.BUY, 110, 1, LABEL, is_immediate=True))
        bench.venue.cancel_by_itself(order)
        ended = bench.venue.outbox.pop()
        assert isinstance(ended, OrderReport)
        bench.core.on_orders([msgspec.structs.replace(ended, change_reason=reason)])
        assert not hedges.is_open
        assert bench.core.troubles(now_ns) == []

    run(scenario)


def sent_one(bench: Bench, **kind: bool) -> int:
    """Note an order as sent that no wish has led to; return our number of it."""
    order = Order(
        client_order_id=bench.core.new_order_id(), instrument=0, side=Side.BUY, price_ticks=110, size_lots=1, **kind
    )  # type: ignore[arg-type]
    bench.core.books.manager.insert_sent(order, bench.clock.monotonic_ns())
    return order.client_order_id


def test_an_amend_that_is_taken_lets_the_refusals_before_it_be_forgotten(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        sent = len(bench.gateway.sent)
        for price in (99, 98, 97):
            # If one amend is refused, and the next one taken, again and again
            bench.venue.refusals = {"amend": CODE_MARGIN}
            bench.wish([(price, 5)], ASKS)
            bench.work()
            bench.pump()
            bench.venue.refusals = {}
            await wished(bench, [(price, 5)], ASKS, 2 * STEP_NS)
        # I expect the order to live on
        assert bench.gateway.kinds()[sent:] == ["amend"] * 6

    run(scenario)


@pytest.mark.parametrize(("code", "price"), [(CODE_ORDER_NOT_FOUND, 90), (CODE_THROTTLED, 105)])
def test_amends_that_come_too_late_or_advances_that_come_too_often_cancel_nothing(
    run: Run, code: int, price: int
) -> None:
    async def scenario(bench: Bench) -> None:
        bench.venue.refusals = {"amend": code}
        sent = len(bench.gateway.sent)
        await wished(bench, [(price, 5)], ASKS, 3 * NS_PER_S)
        assert "cancel" not in bench.gateway.kinds()[sent:]
        bench.venue.refusals = {}
        await wished(bench, [(price, 5)], ASKS, 6 * NS_PER_S)
        assert bench.resting(Side.BUY) == [(price, 5)]
        assert "cancel" not in bench.gateway.kinds()[sent:]

    run(scenario)


@pytest.mark.parametrize("bids", [[(90, 5)], [(100, 3)], [(101, 3)]], ids=["down", "smaller", "smaller and up"])
def test_a_quote_that_should_lead_away_is_cancelled_while_the_venue_is_told_too_much(run: Run, bids: Ladder) -> None:
    async def scenario(bench: Bench) -> None:
        # If the venue takes neither amends nor inserts for their rate, and the bid should go down, or be smaller
        bench.venue.refusals = {"amend": CODE_THROTTLED, "insert": CODE_THROTTLED}
        sent = len(bench.gateway.sent)
        await wished(bench, bids, ASKS, 3 * NS_PER_S)
        # I expect it gone after one cancel, the ask where it is, and a few inserts tried between the pauses
        assert both(bench) == ([], ASKS)
        kinds = bench.gateway.kinds()[sent:]
        assert kinds[:2] == ["amend", "cancel"]
        assert set(kinds[2:]) == {"insert"}
        assert len(kinds[2:]) <= 4
        # If it takes them again, I expect the newest wish to rest, by one insert
        bench.venue.refusals = {}
        await wished(bench, [(80, 5)], ASKS, 6 * NS_PER_S)
        assert both(bench) == ([(80, 5)], ASKS)
        assert bench.gateway.kinds()[sent:].count("cancel") == 1

    run(scenario)


def test_a_market_that_falls_through_a_pause_finds_no_bid_that_was_left_behind(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.venue.refusals = {"amend": CODE_THROTTLED}
        sent = len(bench.gateway.sent)
        highest_over = 0
        for mid in range(104, 44, -2):
            bench.wish([(mid - 5, 5)], [(mid + 5, 5)])
            await bench.let_pass(200 * NS_PER_MS)
            highest_over = max([highest_over, *(price - mid + 5 for price, _ in bench.resting(Side.BUY))])
        # I expect no bid above the wish at any look, and no more cancels than orders
        assert highest_over <= 0
        kinds = bench.gateway.kinds()[sent:]
        assert 0 < kinds.count("cancel") <= kinds.count("insert") + 1

    run(scenario)


def test_a_quote_that_should_lead_away_is_cancelled_when_risk_leaves_no_message_for_long(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given two messages a second, which are spent
        bench.write_limits(order_rate_max=2)
        await wished(bench, BIDS, ASKS, NS_PER_S)
        await wished(bench, [(101, 5)], [(109, 5)], 2 * STEP_NS)
        sent = len(bench.gateway.sent)
        # If both should move down, I expect the bid cancelled at once, and the ask left where it is: it can wait
        bench.wish([(96, 5)], [(102, 5)])
        await bench.let_pass(2 * STEP_NS)
        assert both(bench) == ([], [(109, 5)])
        assert bench.gateway.kinds()[sent:] == ["cancel"]
        # I expect both in their places once there are messages again
        await wished(bench, [(96, 5)], [(102, 5)], 2 * NS_PER_S)
        assert both(bench) == ([(96, 5)], [(102, 5)])
        assert sorted(bench.gateway.kinds()[sent:]) == ["amend", "cancel", "insert"]

    run(scenario)


def test_a_quote_keeps_its_life_while_the_next_token_is_near(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        sent = len(bench.gateway.sent)
        # If a bid falls far more often than messages are allowed, each wait some 30 ms
        for price in range(99, 19, -1):
            bench.wish([(price, 5)], ASKS)
            await bench.let_pass(10 * NS_PER_MS, 5 * NS_PER_MS)
        # I expect amends alone
        assert set(bench.gateway.kinds()[sent:]) == {"amend"}

    run(scenario)


async def starved(bench: Bench, bids: Ladder, asks: Ladder, duration_ns: int) -> None:
    """Let time pass with a wish for which others leave no token."""
    throttle = bench.core.quotes.throttle
    assert throttle is not None
    for _ in range(duration_ns // (10 * NS_PER_MS)):
        bench.clock.advance(10 * NS_PER_MS)
        bench.beat()
        while throttle.take_order(bench.clock.monotonic_ns()):
            pass
        bench.wish(bids, asks)
        bench.work()
        bench.pump()
        await asyncio.sleep(0)


def test_what_leads_away_waits_from_when_it_should_and_not_from_when_another_began_to_wait(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        up, smaller = [(105, 5)], [(110, 3)]
        # Given a bid that should go up, and finds no token for longer than an order may wait that should go down
        await starved(bench, up, ASKS, 2 * RETREAT_WAIT_NS_MAX)
        sent = len(bench.gateway.sent)
        # If the ask should be smaller now, twice for less than that, I expect no cancel
        for _ in range(2):
            await starved(bench, up, smaller, RETREAT_WAIT_NS_MAX - 100 * NS_PER_MS)
            await starved(bench, up, ASKS, 20 * NS_PER_MS)
        assert bench.gateway.kinds()[sent:] == []
        # and it amended, in its place in the queue, as soon as there is a token
        await starved(bench, up, smaller, 100 * NS_PER_MS)
        await wished(bench, up, smaller, 300 * NS_PER_MS)
        assert both(bench) == (up, smaller)
        assert bench.gateway.kinds()[sent:] == ["amend", "amend"]
        # If it finds none for really long, I expect it cancelled after all
        await starved(bench, up, [(110, 2)], RETREAT_WAIT_NS_MAX)
        assert both(bench) == (up, [])
        assert bench.gateway.kinds()[sent + 2 :] == ["cancel"]

    run(scenario)


def test_messages_that_came_too_late_are_told_by_their_number_once_a_minute(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        with capture_logs() as lines:
            # If amends meet orders that are gone, one a second for two minutes
            for second in range(120):
                bench.core.on_rejected("amend", 0x1000 + second, VenueError(CODE_ORDER_NOT_FOUND, "order not found"))
                await bench.let_pass(NS_PER_S)
            bench.core.on_rejected("cancel", 1, VenueError(CODE_ORDER_NOT_FOUND, "order not found"))
            bench.core.on_rejected("cancel", 1, VenueError(CODE_TEMPORARY, "temporary failure"))
            bench.core.close()
        # I expect few lines with the right sum, and others' refusals each in their own
        told = [line["count"] for line in lines if "too late" in line["event"]]
        assert sum(told) == 121
        assert len(told) <= 4
        assert [line["kind"] for line in lines if line["event"] == "rejected"] == ["cancel"]

    run(scenario)


@pytest.mark.parametrize("mode", ["orders", "mass_quotes"])
def test_a_level_that_has_passed_is_told_again_when_the_gate_refuses_it_again(run: Run, mode: Any) -> None:
    async def scenario(bench: Bench) -> None:
        for times in (1, 2):
            await wished(bench, [], [], 5 * STEP_NS)
            # If risk's collar shuts a level out, for a while
            bench.write_limits(collar_high=49.0)
            await wished(bench, BIDS, [], 10 * STEP_NS)
            assert bench.resting(Side.BUY) == []
            # I expect it told once for each while
            assert bench.measures.counts.by_name["denied"] == times
            bench.write_limits(collar_high=1e6)
            await wished(bench, [], [], STEP_NS)
            await wished(bench, BIDS, [], 10 * STEP_NS)
            assert bench.resting(Side.BUY) == BIDS

    run(scenario, ExecutionConfig(mode=mode))


async def refused(*_: Any) -> Any:
    raise VenueError(CODE_TEMPORARY, "temporary failure", "private/open_orders")


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_quote_in_doubt_that_nobody_wants_is_cancelled_until_it_is_gone(run: Run, is_refused: bool) -> None:
    async def scenario(bench: Bench) -> None:
        # If strategy dies, the cancels fail and the venue does not list what is open
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        bench.silent.add("strategy")
        sent = len(bench.gateway.sent)
        for _ in range(50):
            bench.clock.advance(STEP_NS)
            bench.beat()
            bench.work()
            if is_refused:
                bench.venue.refusals = {"cancel": CODE_TEMPORARY}
                bench.pump()
            else:
                bench.venue.inbox.clear()
        # I expect them to count as long as they may be open, and to be cancelled about once a second
        assert bench.resting(Side.BUY) == BIDS
        assert [order.exposed_lots for order in bench.core.books.manager.live(0)] == [5, 5]
        assert 4 <= bench.gateway.kinds()[sent:].count("cancel") <= 12
        # and to be gone soon after the venue takes cancels again
        bench.venue.refusals = {}
        await bench.let_pass(1200 * NS_PER_MS)
        assert bench.venue.open == []
        assert bench.core.books.manager.live_count(0) == 0

    run(scenario)


def test_a_quote_whose_amend_is_in_doubt_is_cancelled_where_it_may_still_rest(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        bench.wish([(90, 5)], ASKS)
        bench.work()
        bench.venue.inbox.clear()
        await wished(bench, [(90, 5)], ASKS, 4 * NS_PER_S)
        assert bench.resting(Side.BUY) == [(90, 5)]
        assert bench.gateway.kinds().count("cancel") == 1

    run(scenario)


def test_a_quote_in_doubt_that_is_wanted_where_it_is_stays(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        (bid,) = (order for order in bench.core.books.manager.live(0) if order.side is Side.BUY)
        bench.core.books.manager.doubt(bid, bench.clock.monotonic_ns())
        await wished(bench, BIDS, ASKS, 3 * NS_PER_S)
        assert bench.resting(Side.BUY) == BIDS
        assert "cancel" not in bench.gateway.kinds()

    run(scenario)


@pytest.mark.parametrize("code", [CODE_ORDER_NOT_FOUND, CODE_THROTTLED, CODE_TEMPORARY])
@pytest.mark.parametrize("wanted", [[], [(90, 5)]])
def test_a_cancel_that_is_refused_is_tried_again_once_a_second_while_the_venue_shows_the_order(
    run: Run, code: int, wanted: Ladder
) -> None:
    async def scenario(bench: Bench) -> None:
        lists = 0
        open_orders = bench.gateway.open_orders

        async def counted() -> list[OrderReport]:
            nonlocal lists
            lists += 1
            return await open_orders()

        bench.gateway.open_orders = counted  # type: ignore[method-assign]
        # If the venue neither cancels nor moves an order that it lists as open
        bench.venue.refusals = {"cancel": code, "amend": CODE_MARGIN}
        sent = len(bench.gateway.sent)
        await wished(bench, wanted, ASKS, 10 * NS_PER_S)
        # I expect patience
        assert 8 <= bench.gateway.kinds()[sent:].count("cancel") <= 12
        assert bench.gateway.kinds()[sent:].count("amend") == 2 * len(wanted)
        assert lists <= 22
        assert bench.resting(Side.BUY) == BIDS
        # and the order gone soon after the venue takes cancels again
        bench.venue.refusals = {}
        await wished(bench, wanted, ASKS, 1500 * NS_PER_MS)
        assert bench.resting(Side.BUY) != BIDS
        await wished(bench, wanted, ASKS, 8 * NS_PER_S)  # "throttle exceeded" keeps new ones back for longer
        assert bench.resting(Side.BUY) == wanted

    run(scenario)
