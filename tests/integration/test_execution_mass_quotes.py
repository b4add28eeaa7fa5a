"""Execution's core with mass quotes against a model venue: the same truths as with single orders, in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OrderEventKind
from domain.errors import ConfigError, VenueError
from domain.order import Side
from tests.execution_rig import ASKS, BIDS, LABEL, Bench, Ladder, Run, both, quoting
from tests.model_venue import INSTRUMENT, Request
from trading.orders.config import ExecutionConfig, MassQuoteConfig
from trading.orders.order import Order
from venues.quoting import MassQuote, ProtectionReport

CONFIG = ExecutionConfig(mode="mass_quotes", mass_quotes=MassQuoteConfig(cooldown_ms=300))
PRODUCT = "FBTCUSD"


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench that quotes so."""
    return lambda scenario, config=None: run(scenario, config or CONFIG)


def quotes_sent(bench: Bench) -> list[dict[Side, list[tuple[int, int]]]]:
    """Return each mass quote as its sides in ticks and lots."""
    messages: list[MassQuote] = [entry[1] for entry in bench.gateway.sent if entry[0] == "mass_quote"]
    return [
        {s.side: [(INSTRUMENT.price_ticks(p), INSTRUMENT.size_lots(a)) for p, a in s.levels] for s in message.sides}
        for message in messages
    ]


def numbers(bench: Bench) -> dict[tuple[Side, int], str]:
    """Return the venue's number of each order that rests."""
    return {(order.side, order.price_ticks): order.venue_order_id for order in bench.venue.open}


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


def test_a_level_that_the_venue_refuses_is_rejected_and_the_others_stand(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.gateway.quotes.failing = {99}
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        assert both(bench) == ([(100, 5)], ASKS)
        assert bench.measures.counts.by_name["rejected"] >= 1
        assert OrderEventKind.REJECTED in bench.event_kinds()
        bench.gateway.quotes.failing = set()
        bench.wish([(100, 5), (98, 5)], ASKS)
        await bench.run_until(lambda: bench.resting(Side.BUY) == [(100, 5), (98, 5)], "the next wish is quoted")

    run(scenario)


def test_a_message_refused_as_a_whole_leaves_the_old_quotes_and_they_stay_known(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.wish([(98, 5)], ASKS)
        bench.work()
        quote = bench.gateway.quotes.inbox.popleft()
        assert bench.core.mass_quotes is not None
        bench.core.mass_quotes.on_quote_rejected(quote.quote_id, VenueError(4, "throttle exceeded"))
        live = {order.price_ticks for order in bench.core.books.manager.live(0) if order.side is Side.BUY}
        assert {100, 99} <= live
        for _ in range(6):
            bench.wish([(98, 5)], ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.resting(Side.BUY) == [(98, 5)]

    run(scenario)


def test_a_message_whose_answer_is_lost_is_resolved_by_asking_and_never_sent_blindly(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.wish([(98, 5)], ASKS)
        bench.work()
        # If the venue carries it out and says nothing
        bench.gateway.quotes.take(bench.gateway.quotes.inbox.popleft())
        bench.venue.outbox.clear()
        bench.gateway.sent.clear()
        for _ in range(10):
            bench.wish([(98, 5)], ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert quotes_sent(bench) == []
        assert bench.core.books.manager.exposed_lots(0, Side.BUY) == 15
        # I expect the list of open orders to tell, after the answer's time is over
        for _ in range(20):
            bench.wish([(98, 5)], ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert quotes_sent(bench) == []
        assert not bench.core.books.manager.has_doubt()
        assert bench.core.books.manager.exposed_lots(0, Side.BUY) == 5
        assert bench.resting(Side.BUY) == [(98, 5)]

    run(scenario)


def test_a_quote_that_fills_while_it_is_named_to_stay_is_taken_over_when_it_comes_anew(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.wish([(100, 5), (98, 5)], ASKS)
        bench.work()
        best = next(order for order in bench.venue.open if order.side is Side.BUY and order.price_ticks == 100)
        bench.venue.fill(best, 5)  # before the message arrives, which names 100 to keep it
        await bench.settle(5)
        bench.wish([(100, 5), (98, 5)], ASKS)
        await bench.settle(5)
        assert bench.resting(Side.BUY) == [(100, 5), (98, 5)]
        assert "cancel_order" not in bench.gateway.kinds()
        assert bench.core.books.manager.exposed_lots(0, Side.BUY) == 10

    run(scenario)


def test_a_quote_that_the_venue_moves_back_is_tried_again_later_and_not_in_a_storm(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.gateway.quotes.moved_back = {102: 101}
        bench.wish([(102, 5)], ASKS)
        for _ in range(4):
            await bench.let_pass(100 * NS_PER_MS)
            bench.wish([(102, 5)], ASKS)
        assert len(quotes_sent(bench)) == 1
        assert bench.resting(Side.BUY) == [(101, 5)]
        bench.gateway.quotes.moved_back = {}
        for _ in range(4):
            await bench.let_pass(100 * NS_PER_MS)
            bench.wish([(102, 5)], ASKS)
        assert bench.resting(Side.BUY) == [(102, 5)]

    run(scenario)


def test_protection_that_is_used_up_is_told_cools_down_and_is_set_again(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        # If the venue takes all quotes back
        bench.gateway.quotes.cancel_all("mm_protection")
        assert bench.core.mass_quotes is not None
        bench.core.mass_quotes.on_protection([ProtectionReport(PRODUCT, Decimal("-0.01"), "executions")])
        await bench.settle(3)
        # I expect it counted once, told in the status, and nothing quoted before the cool-down is over
        assert bench.measures.counts.by_name["mm_protections"] == 1
        now_ns = bench.clock.monotonic_ns()
        assert bench.core.quotes.troubles(now_ns) == [f"{PRODUCT} cools down"]
        for _ in range(2):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert both(bench) == ([], [])
        assert "set_protection" not in bench.gateway.kinds()
        assert not any(bench.core.books.manager.all_live())
        for _ in range(3):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert both(bench) == (BIDS, ASKS)
        assert bench.gateway.kinds().count("set_protection") == 1
        assert bench.core.quotes.troubles(bench.clock.monotonic_ns()) == []

    run(scenario)


def test_protection_that_was_used_is_filled_up_after_its_window(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        assert bench.core.mass_quotes is not None
        bench.core.mass_quotes.on_protection([ProtectionReport(PRODUCT, Decimal("0.095"), "executions")])
        for _ in range(60):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert bench.gateway.kinds() == ["set_protection"]
        assert both(bench) == (BIDS, ASKS)

    run(scenario)


def test_an_account_that_may_not_quote_so_ends_with_one_clear_line(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.gateway.protection_error = VenueError(51, "not enabled", "private/set_mm_protection")
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        with pytest.raises(ConfigError, match='mode = "orders"'):
            bench.check_tasks()
        bench.tasks.clear()

    run(scenario)


def test_protection_that_is_refused_for_now_is_tried_again(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.start()
        bench.gateway.protection_error = VenueError(20, "temporary failure", "private/set_mm_protection")
        bench.wish(BIDS, ASKS)
        await bench.settle(3)
        bench.gateway.protection_error = None
        for _ in range(12):
            bench.wish(BIDS, ASKS)
            await bench.let_pass(100 * NS_PER_MS)
        assert both(bench) == (BIDS, ASKS)

    run(scenario)


def test_after_a_reconnect_protection_is_set_anew_and_missed_fills_count_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.venue.fill(bench.venue.open[0], 5)
        bench.disconnect()
        bench.wish(BIDS, ASKS)
        await bench.reconnect()
        bench.wish(BIDS, ASKS)
        await bench.settle(10)
        assert bench.gateway.kinds().count("set_protection") == 1
        assert both(bench) == (BIDS, ASKS)
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == 1

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


async def refused() -> Any:
    raise VenueError(20, "temporary failure", "private/open_orders")


def lose(bench: Bench, kind: str) -> Callable[[str], int]:
    """Return what a gateway does whose cancels get lost."""

    def lost(what: str) -> int:
        bench.gateway.sent.append((kind, what))
        return bench.clock.monotonic_ns()

    return lost


async def wished(bench: Bench, bids: Ladder, duration_ns: int) -> None:
    for _ in range(duration_ns // (100 * NS_PER_MS)):
        bench.wish(bids, ASKS)
        await bench.let_pass(100 * NS_PER_MS)


def test_one_quote_in_doubt_is_cancelled_by_its_number_and_the_others_keep_their_place(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        before = numbers(bench)
        # If it is not known of one quote whether it went when the wish left it, and the venue will not list it
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        by_number = bench.gateway.cancel_order
        bench.gateway.cancel_order = lose(bench, "cancel_order")  # type: ignore[method-assign]
        bench.wish(BIDS[:1], ASKS)
        bench.work()
        bench.gateway.quotes.inbox.clear()
        await wished(bench, BIDS[:1], 10 * NS_PER_S)
        # I expect that one alone to be cancelled, about once a second
        assert "cancel_mass_quotes" not in bench.gateway.kinds()
        assert {entry[1] for entry in bench.gateway.sent if entry[0] == "cancel_order"} == {before[Side.BUY, 99]}
        assert 5 <= bench.gateway.kinds().count("cancel_order") <= 10
        bench.gateway.cancel_order = by_number  # type: ignore[method-assign]
        await wished(bench, BIDS[:1], 1500 * NS_PER_MS)
        del before[Side.BUY, 99]
        assert numbers(bench) == before

    run(scenario)


def test_a_quote_that_never_got_a_number_has_the_product_pulled_once(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        # If a message gets lost, its new level is not wanted any more, and the venue will not list what is open
        open_orders = bench.gateway.open_orders
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        bench.wish([*BIDS, (98, 5)], ASKS)
        bench.work()
        bench.gateway.quotes.inbox.clear()
        await wished(bench, BIDS, 10 * NS_PER_S)
        # I expect the quotes to be pulled once, and the side without doubt to rest again
        assert bench.gateway.kinds() == ["mass_quote", "cancel_mass_quotes", "set_protection", "mass_quote"]
        assert both(bench) == ([], ASKS)
        # and the other one as soon as the venue has said what is open
        bench.gateway.open_orders = open_orders  # type: ignore[method-assign]
        await wished(bench, BIDS, 35 * NS_PER_S)
        assert both(bench) == (BIDS, ASKS)
        assert bench.gateway.kinds().count("cancel_mass_quotes") == 1

    run(scenario)


def test_a_pull_that_the_venue_refuses_is_tried_again(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        pull = bench.gateway.cancel_mass_quotes
        bench.gateway.cancel_mass_quotes = lose(bench, "cancel_mass_quotes")  # type: ignore[method-assign]
        bench.wish([*BIDS, (98, 5)], ASKS)
        bench.work()
        bench.gateway.quotes.inbox.clear()
        await bench.run_until(lambda: "cancel_mass_quotes" in wished_kinds(bench), "a pull", 4000)
        assert bench.core.mass_quotes is not None
        bench.core.mass_quotes.on_quote_rejected(0, VenueError(20, "temporary failure", "private/cancel_mass_quote"))
        bench.gateway.cancel_mass_quotes = pull  # type: ignore[method-assign]
        await wished(bench, BIDS, 4 * NS_PER_S)
        assert bench.gateway.kinds().count("cancel_mass_quotes") == 2

    run(scenario)


def wished_kinds(bench: Bench) -> list[str]:
    bench.wish(BIDS, ASKS)
    return bench.gateway.kinds()


def test_quotes_in_doubt_that_nobody_wants_are_taken_back_about_once_a_second(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench, rounds=5)
        # If strategy dies and what takes the quotes back gets lost, while the venue does not list what is open
        bench.gateway.open_orders = refused  # type: ignore[method-assign]
        by_number = bench.gateway.cancel_order
        bench.gateway.cancel_mass_quotes = lose(bench, "cancel_mass_quotes")  # type: ignore[method-assign]
        bench.gateway.cancel_order = lose(bench, "cancel_order")  # type: ignore[method-assign]
        bench.silent.add("strategy")
        for _ in range(60):
            bench.clock.advance(100 * NS_PER_MS)
            bench.beat()
            bench.work()
            bench.gateway.quotes.inbox.clear()
        # I expect it to be tried again, but no storm
        assert both(bench) == (BIDS, ASKS)
        assert 2 * 4 <= bench.gateway.kinds().count("cancel_order") <= 5 * 4
        bench.gateway.cancel_order = by_number  # type: ignore[method-assign]
        await bench.let_pass(1200 * NS_PER_MS)
        assert both(bench) == ([], [])

    run(scenario)
