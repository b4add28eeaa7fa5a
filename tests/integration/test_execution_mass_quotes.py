"""Execution's core with mass quotes against a model venue: the same truths as with single orders, in one message."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OrderEventKind
from domain.order import Side
from tests.execution_rig import ASKS, BIDS, LABEL, Bench, Run, both, quoting
from tests.execution_rig.mass_quotes import CONFIG, PRODUCT, numbers, quotes_sent
from tests.model_venue import INSTRUMENT, Request
from trading.orders.order import Order
from venues.quoting import MassQuote


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench that quotes so."""
    return lambda scenario, config=None: run(scenario, config or CONFIG)


def test_protection_is_set_first_and_then_one_message_carries_all_levels(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        assert bench.gateway.kinds() == ["set_protection", "mass_quote"]
        assert bench.gateway.sent[0] == ("set_protection", PRODUCT, Decimal("0.1"), Decimal("0.1"))
        quote: MassQuote = bench.gateway.sent[1][1]
        assert (quote.label, quote.post_only) == (LABEL, True)
        assert quotes_sent(bench) == [{Side.BUY: BIDS, Side.SELL: ASKS}]
        assert both(bench) == (BIDS, ASKS)
        assert bench.event_kinds() == [OrderEventKind.ACCEPTED] * 4
        bench.account.load(0)
        row = bench.account.latest
        assert (row["bid_count"][0], row["ask_count"][0], row["pending_buy_lots"][0]) == (2, 2, 0)

    run(scenario)


def test_levels_count_from_the_moment_they_are_sent(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.wish(BIDS, ASKS)
        bench.work()
        await bench.settle(1)
        bench.wish([(100, 5), (98, 5)], ASKS)
        bench.work()
        bench.account.load(0)
        # 100 stays; 99 may fill until the venue says it is gone, 98 is on its way
        assert bench.account.latest["pending_buy_lots"][0] == 10

    run(scenario)


def test_only_the_side_that_changes_is_named_and_unchanged_levels_keep_their_place(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        before = numbers(bench)
        bench.wish([(100, 5), (98, 5)], ASKS)
        bench.work()
        await bench.settle(3)
        assert quotes_sent(bench) == [{Side.BUY: [(100, 5), (98, 5)]}]
        after = numbers(bench)
        assert after[Side.BUY, 100] == before[Side.BUY, 100]
        assert after[Side.SELL, 103] == before[Side.SELL, 103]
        assert both(bench) == ([(100, 5), (98, 5)], ASKS)

    run(scenario)


def test_a_move_of_both_sides_is_one_message_and_is_timed(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        timed = len(bench.measures.tick_to_order)
        bench.wish([(101, 5), (100, 5)], [(104, 5), (105, 5)])
        bench.work()
        assert len(quotes_sent(bench)) == 1
        assert len(bench.measures.tick_to_order) == timed + 1
        await bench.settle(3)
        assert both(bench) == ([(101, 5), (100, 5)], [(104, 5), (105, 5)])

    run(scenario)


def test_a_wish_that_says_nothing_new_costs_no_message(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        for _ in range(3):
            bench.wish(BIDS, ASKS)
            await bench.settle(2)
        assert bench.gateway.sent == []

    run(scenario)


def test_a_side_with_a_message_under_way_waits_for_the_venue_and_then_takes_the_newest_wish(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.wish([(101, 5), (100, 5)], ASKS)
        bench.work()
        for price in (98, 97):  # each is overtaken before the answer
            bench.wish([(price, 5)], ASKS)
            bench.work()
        assert len(quotes_sent(bench)) == 1
        await bench.settle(5)
        assert quotes_sent(bench)[1:] == [{Side.BUY: [(97, 5)]}]
        assert bench.resting(Side.BUY) == [(97, 5)]

    run(scenario)


def test_a_side_that_is_off_is_cleared_at_once_though_a_message_is_under_way(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.wish([(101, 5), (100, 5)], ASKS)
        bench.work()
        bench.wish([], ASKS, bid_off=1)
        bench.work()
        assert quotes_sent(bench)[1] == {Side.BUY: []}
        await bench.settle(5)
        assert both(bench) == ([], ASKS)

    run(scenario)


def test_silence_of_an_actor_pulls_all_levels(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.silent.add("heartbeats.market_data")
        await bench.let_pass(700 * NS_PER_MS)
        assert both(bench) == ([], [])
        bench.silent.clear()
        bench.wish(BIDS, ASKS)
        await bench.settle(30)
        assert both(bench) == (BIDS, ASKS)

    run(scenario)


def test_without_a_token_quotes_that_must_go_are_cancelled_and_protection_is_set_anew(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        throttle = bench.core.quotes.throttle
        assert throttle is not None
        throttle.on_throttled(bench.clock.monotonic_ns())
        bench.wish([], ASKS, bid_off=1)
        bench.work()
        assert bench.gateway.kinds() == ["cancel_mass_quotes"]
        await bench.let_pass(2 * NS_PER_S, 10 * NS_PER_MS)
        bench.wish(BIDS, ASKS)
        await bench.run_until(lambda: both(bench) == (BIDS, ASKS), "quotes are back")
        assert bench.gateway.kinds().count("set_protection") == 1

    run(scenario)


@pytest.mark.parametrize("why", ["venue", "risk", "breaker"])
def test_a_quote_that_should_lead_away_is_cancelled_by_its_number_when_it_would_wait_long(run: Run, why: str) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        quotes, now_ns = bench.core.quotes, bench.clock.monotonic_ns()
        assert quotes.throttle is not None
        # Given a venue that says that we send too much, a limit of risk that is spent, or inserts that pause
        if why == "venue":
            quotes.throttle.on_throttled(now_ns)
        elif why == "risk":
            bench.write_limits(order_rate_max=1)
        else:
            while not quotes.breaker.on_refused(now_ns):
                pass
        # If the ladders move down, I expect the best bid gone, by one cancel, and all others in their places
        lower = [(99, 5), (98, 5)]
        bench.wish(lower, [(101, 5), (103, 5)])
        await bench.let_pass(40 * NS_PER_MS, 5 * NS_PER_MS)
        assert both(bench) == ([(99, 5)], ASKS)
        assert bench.gateway.kinds() == ["cancel_order"]
        # I expect the wish to rest once messages may leave again
        bench.write_limits(order_rate_max=50)
        for _ in range(30):
            bench.wish(lower, [(101, 5), (103, 5)])
            await bench.let_pass(100 * NS_PER_MS)
        assert both(bench) == (lower, [(101, 5), (103, 5)])
        assert bench.gateway.kinds().count("cancel_order") == 1

    run(scenario)


@pytest.mark.parametrize("code", [1, 20])
def test_a_quote_whose_cancel_by_number_is_refused_is_cancelled_again_at_once(run: Run, code: int) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        quotes, now_ns = bench.core.quotes, bench.clock.monotonic_ns()
        assert quotes.throttle is not None
        # Given a pause of the venue, in which the best bid should go down, and a cancel that meets a bad moment
        quotes.throttle.on_throttled(now_ns)
        bench.venue.refusals = {"cancel_order": code}
        bench.wish([(99, 5), (98, 5)], ASKS)
        await bench.let_pass(5 * NS_PER_MS, 5 * NS_PER_MS)
        assert both(bench) == (BIDS, ASKS)
        # I expect the venue to be asked what became of it, and the quote gone long before the pause is over
        bench.venue.refusals = {}
        await bench.let_pass(60 * NS_PER_MS, 5 * NS_PER_MS)
        assert both(bench) == ([(99, 5)], ASKS)
        assert bench.gateway.kinds() == ["cancel_order", "cancel_order"]

    run(scenario)


def test_a_fill_counts_once_and_is_made_up_for(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        best = next(order for order in bench.venue.open if order.side is Side.BUY and order.price_ticks == 100)
        bench.venue.fill(best, 5)
        told = bench.venue.outbox[0]
        await bench.settle(3)
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == Decimal("0.005")
        assert bench.core.desks[INSTRUMENT.name].position_lots == 5
        assert bench.resting(Side.BUY) == BIDS[1:]  # not bought twice before strategy knows
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        assert bench.resting(Side.BUY) == BIDS
        bench.venue.outbox.append(told)
        await bench.settle(3)
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == 1
        assert len(bench.fills_told()) == 1

    run(scenario)


def test_a_small_fill_leaves_the_level_where_it_is(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        best = next(order for order in bench.venue.open if order.side is Side.BUY and order.price_ticks == 100)
        bench.venue.fill(best, 1)  # within size_tolerance_ratio
        await bench.settle(3)
        bench.wish([(100, 5), (98, 5)], ASKS)
        await bench.settle(3)
        assert quotes_sent(bench) == [{Side.BUY: [(100, 4), (98, 5)]}]
        assert numbers(bench)[Side.BUY, 100] == best.venue_order_id

    run(scenario)


def test_old_and_new_levels_count_together_against_the_position_limit(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.write_limits(position_lots_max=8)
        bench.wish([(100, 6)], [])
        await bench.settle(5)
        bench.gateway.sent.clear()
        # If the level moves while 6 of 8 rest
        bench.wish([(101, 6)], [])
        bench.work()
        # I expect no more than 2 beside them, and the whole size once they are gone
        assert quotes_sent(bench) == [{Side.BUY: [(101, 2)]}]
        await bench.settle(10)
        assert bench.resting(Side.BUY) == [(101, 6)]
        assert bench.measures.counts.by_name.get("denied", 0) == 0

    run(scenario)


def test_a_limit_that_tightens_takes_levels_back_without_a_new_wish(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.write_limits(position_lots_max=5)
        await bench.settle(10)
        assert both(bench) == ([(100, 5)], [(103, 5)])

    run(scenario)


def test_a_bid_waits_until_our_ask_has_got_out_of_its_way(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        # If the market jumps beyond our own ask
        bench.wish([(104, 5)], [(107, 5)])
        bench.work()
        # I expect the ask to move first, the old bids to stand meanwhile, and the bid to follow
        assert quotes_sent(bench) == [{Side.SELL: [(107, 5)]}]
        assert bench.resting(Side.BUY) == BIDS
        await bench.settle(5)
        assert both(bench) == ([(104, 5)], [(107, 5)])

    run(scenario)


def test_an_order_of_ours_with_a_number_is_no_quote_and_is_cancelled(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.venue.place(Request("insert", 77, Side.BUY, 90, 5, LABEL))
        for _ in range(110):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert both(bench) == (BIDS, ASKS)
        assert "cancel_order" in bench.gateway.kinds()

    run(scenario)


def test_stop_takes_all_quotes_back_in_one_message_and_confirms(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        stopping = asyncio.create_task(bench.core.operations.stop(flatten=False))
        await bench.run_until(stopping.done, "the stop ends")
        assert bench.gateway.kinds()[0] == "cancel_mass_quotes"
        assert bench.venue.open == []
        assert stopping.result()["open_orders_at_exit"] == 0

    run(scenario)


def test_an_order_that_is_no_quote_rests_beside_them_and_stays(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        # Given an order of ours that no wish moves, as a hedge or a flattening has it
        await quoting(bench, rounds=5)
        hedge = Order(
            client_order_id=bench.core.new_order_id(), instrument=0, side=Side.BUY, price_ticks=98, size_lots=5,
            is_operator=True,
        )  # fmt: skip
        bench.core.books.manager.insert_sent(hedge, bench.clock.monotonic_ns())
        bench.venue.inbox.append(Request("insert", hedge.client_order_id, Side.BUY, 98, 5, LABEL))
        bench.pump()
        # If the quotes of its side move, and then are switched off
        bench.wish([(101, 5)], ASKS)
        await bench.settle(5)
        assert bench.resting(Side.BUY) == [(101, 5), (98, 5)]
        bench.wish([], ASKS, bid_off=1)
        await bench.settle(5)
        assert bench.resting(Side.BUY) == [(98, 5)]

    run(scenario)
