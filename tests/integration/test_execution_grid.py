"""Execution holds an instrument while the venue, the session and itself do not agree on its tick and lot size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from actors.execution.grids import instruments_of_session
from domain.codes import OffReason
from domain.grid import grid_of
from shm.record import TableReader
from shm.segment import open_segment
from tests.execution_rig import ASKS, BIDS, Bench, Run, both, quoting
from tests.model_venue import INSTRUMENT

SMALLER_LOT = replace(INSTRUMENT, lot_size=INSTRUMENT.lot_size / 10, size_min=INSTRUMENT.size_min)
OTHER_TICK = replace(INSTRUMENT, tick_size=INSTRUMENT.tick_size * 2)


async def expect_nothing_quoted(bench: Bench, words: str) -> None:
    for _ in range(3):
        bench.wish(BIDS, ASKS)  # whatever strategy wants
        await bench.settle(3)
        assert both(bench) == ([], [])
    assert words in bench.core.desks[INSTRUMENT.name].blocked_by
    assert "insert" not in bench.gateway.kinds()
    assert "amend" not in bench.gateway.kinds()


async def expect_quoted(bench: Bench) -> None:
    bench.wish(BIDS, ASKS)
    await bench.settle(5)
    assert both(bench) == (BIDS, ASKS)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (OffReason.INSTRUMENT_CHANGED, "restart the session to take the new grid"),
        (OffReason.INSTRUMENT_REMOVED, "no longer lists it"),
    ],
)
def test_what_market_data_switches_off_is_cancelled_and_not_quoted(run: Run, reason: OffReason, words: str) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.write_instrument(INSTRUMENT, reason)
        bench.work()
        assert bench.gateway.kinds() == ["cancel"] * 4
        await expect_nothing_quoted(bench, words)
        # until it is as it was
        bench.write_instrument(INSTRUMENT)
        await expect_quoted(bench)

    run(scenario)


@pytest.mark.parametrize("changed", [SMALLER_LOT, OTHER_TICK])
def test_another_definition_at_a_reconnect_holds_the_instrument(run: Run, changed: object) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.disconnect()
        bench.gateway.listed = {INSTRUMENT.name: changed}  # type: ignore[dict-item]
        await bench.reconnect()
        await expect_nothing_quoted(bench, "restart the session to take the new grid")
        # If the venue takes it back, the next connection shows it
        bench.disconnect()
        bench.gateway.listed = {INSTRUMENT.name: INSTRUMENT}
        await bench.reconnect()
        await expect_quoted(bench)

    run(scenario)


def test_an_instrument_that_is_gone_at_a_reconnect_is_held(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.disconnect()
        bench.gateway.listed = {}
        await bench.reconnect()
        await expect_nothing_quoted(bench, "no longer lists it")

    run(scenario)


def test_an_execution_that_began_with_another_grid_than_the_session_quotes_nothing(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        bench.write_instrument(SMALLER_LOT)
        await bench.start()
        await expect_nothing_quoted(bench, "lot_size")

    run(scenario)


def test_the_table_tells_an_instrument_that_the_venue_no_longer_lists(
    segment_name: Callable[[], str], tmp_path: Path
) -> None:
    bench = Bench(segment_name, tmp_path)
    odd = replace(INSTRUMENT, tick_size=Decimal("0.1"), lot_size=Decimal("0.001"), size_min=Decimal("0.002"))
    bench.write_instrument(odd)
    table = TableReader(open_segment(bench.names["instruments"]))
    (found,) = instruments_of_session(table, [odd.name]).values()
    assert grid_of(found) == grid_of(odd)
    assert (found.tick_size, found.lot_size, found.size_min) == (odd.tick_size, odd.lot_size, odd.size_min)
