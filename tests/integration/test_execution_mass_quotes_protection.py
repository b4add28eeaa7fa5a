"""The venue's protection of mass quotes: set before them, used up, cooling down, refused, set anew."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.clock import NS_PER_MS
from domain.errors import ConfigError, VenueError
from tests.execution_rig import ASKS, BIDS, Bench, Run, both, quoting
from tests.execution_rig.mass_quotes import CONFIG, PRODUCT
from tests.model_venue import INSTRUMENT
from venues.quoting import ProtectionReport


@pytest.fixture
def run(run: Run) -> Run:
    """Run a scenario on a fresh bench that quotes so."""
    return lambda scenario, config=None: run(scenario, config or CONFIG)


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
