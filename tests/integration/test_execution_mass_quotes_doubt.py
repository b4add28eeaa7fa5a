"""Mass quotes that the venue refuses, moves back or leaves in doubt: asked about, cancelled by number, no storms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OrderEventKind
from domain.errors import VenueError
from domain.order import Side
from tests.execution_rig import ASKS, BIDS, Bench, Ladder, Run, both, quoting
from tests.execution_rig.mass_quotes import CONFIG, numbers, quotes_sent


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench that quotes so."""
    return lambda scenario, config=None: run(scenario, config or CONFIG)


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


async def refused() -> Any:
    raise VenueError(20, "temporary failure", "private/open_orders")


def lose(bench: Bench, kind: str) -> Callable[..., int]:
    """Return what a gateway does whose cancels get lost."""

    def lost(what: str, client_order_id: int = 0) -> int:
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
