"""How execution's core ends: orders cancelled and confirmed, positions flattened, exact figures reported."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from actors.execution.journal_format import Answered, Filled, Sent
from actors.execution.read_journal import read_journal
from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import OffReason
from domain.order import Side
from runtime.paths import JOURNAL_FILE
from tests.execution_rig import ASKS, BIDS, Bench, Run, quoting
from tests.model_venue import INSTRUMENT


def test_stop_cancels_confirms_settles_and_reports_exact_figures(run: Run, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        task = asyncio.create_task(bench.core.operations.stop(flatten=False))
        await bench.run_until(task.done, "the stop ends")
        report = task.result()
        assert report["open_orders_at_exit"] == 0
        assert bench.venue.open == []
        assert report["position"] == report["venue_position"] == {INSTRUMENT.name: "0.002"}
        assert (report["fills"], report["fees"], report["volume"]) == (1, "0.01", "0.002")
        # Two lots bought at 50.0, which the venue marks at 100.0
        assert report["pnl"] == {
            "realised": "0", "unrealised": "0.1", "fees": "0.01", "funding": "0", "total": "0.09",
        }  # fmt: skip
        assert report["orders"]["inserted"] == 4
        assert report["is_consistent"]
        assert json.loads((tmp_path / "execution.json").read_text()) == report
        # Nothing is quoted any more
        bench.wish(BIDS, ASKS)
        await bench.settle(5)
        assert bench.venue.open == []

    run(scenario)


def test_flatten_brings_the_position_to_zero_with_one_reduce_only_order_and_never_turns_it(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 5)
        bench.pump()
        bench.gateway.sent.clear()
        task = asyncio.create_task(bench.core.operations.stop(flatten=True))
        await bench.run_until(task.done, "the flattening ends")
        inserts = [entry for entry in bench.gateway.sent if entry[0] == "insert" and entry[4].reduce_only]
        assert len(inserts) == 1
        _, side, price_ticks, size_lots, order = inserts[0]
        assert (side, size_lots, order.reduce_only, order.post_only) == (Side.SELL, 5, True, False)
        assert price_ticks == 199  # 50 bps below the mark of 100.0
        assert task.result()["position"] == {INSTRUMENT.name: "0"}
        assert task.result()["open_orders_at_exit"] == 0

    run(scenario)


def test_a_stop_without_a_connection_ends_in_time_and_claims_nothing(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.disconnect()
        task = asyncio.create_task(bench.core.operations.stop_at_once(0.1))
        await bench.run_until(task.done, "the stop ends")
        assert task.result() is None

    run(scenario)


def test_quoted_time_counts_what_the_venue_confirmed_and_goes_on_after_a_restart(run: Run) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)

        async def second(ladder: list[tuple[int, int]], ask_off: int = 0) -> None:
            for _ in range(10):
                bench.wish(ladder, ASKS if not ask_off else [], ask_off=ask_off)
                await bench.let_pass(100 * NS_PER_MS)

        def quoted() -> dict[str, float]:
            bench.account.load(0)
            names = ("bid_quoted_ns", "ask_quoted_ns", "bid_allowed_ns", "ask_allowed_ns")
            return {name: bench.account.latest[name][0] / NS_PER_S for name in names}

        await second(BIDS)
        await second(BIDS, ask_off=OffReason.POSITION_LIMIT)
        times = quoted()
        assert times["bid_quoted_ns"] == pytest.approx(times["bid_allowed_ns"], abs=0.01) == pytest.approx(2, abs=0.2)
        assert times["ask_allowed_ns"] == pytest.approx(times["ask_quoted_ns"], abs=0.15) == pytest.approx(1, abs=0.2)
        # If execution is dead for a second, that second was allowed and not quoted
        bench.clock.advance(NS_PER_S)
        bench.restart_core()
        await bench.start()
        later = quoted()
        assert later["bid_allowed_ns"] - times["bid_allowed_ns"] == pytest.approx(1, abs=0.2)
        assert later["bid_quoted_ns"] - times["bid_quoted_ns"] == pytest.approx(0, abs=0.1)

    run(scenario)


def test_what_was_sent_and_filled_is_in_the_journal(run: Run, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await quoting(bench)
        bench.venue.fill(bench.venue.open[0], 2)
        bench.pump()
        bench.core.close()
        entries = read_journal(tmp_path / JOURNAL_FILE)
        told = [entry.message for entry in entries if isinstance(entry, Sent)]
        assert told[-4:] == ["INSERT"] * 4
        assert [entry.event for entry in entries if isinstance(entry, Answered)] == ["ACCEPTED"] * 4
        assert [str(entry.size) for entry in entries if isinstance(entry, Filled)] == ["0.002"]

    run(scenario)
