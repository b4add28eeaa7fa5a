"""A restart goes on from the ledger in the journal: the same to the last digit, whenever it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.execution import recovery
from actors.execution.journal import Journal
from actors.execution.session_state import StartPosition, save_session_state
from actors.execution.truth import Truth
from domain.clock import NS_PER_S, SimClock
from domain.errors import HistoryTooLongError
from domain.reports import PositionReport, TradeReport
from runtime.paths import JOURNAL_FILE
from tests.execution_rig.session import Session
from tests.model_venue import INSTRUMENT
from trading.ledger import Ledger, LedgerState
from trading.orders.config import JournalConfig

STEPS = 120


@pytest.mark.parametrize("seed", range(6))
def test_restarted_at_random_places_the_ledger_is_the_same_to_the_last_digit(
    segment_name: Callable[[], str], tmp_path: Path, seed: int
) -> None:
    async def scenario() -> None:
        session = Session(segment_name, tmp_path, seed)
        rng, bench = session.rng, session.bench
        await bench.start()
        first_ns = bench.core.truth.history_from_ns
        restarts = resumed = 0
        for _ in range(STEPS):
            what = rng.random()
            if what < 0.7:
                session.trade(has_fee=rng.random() < 0.8)
            elif what < 0.85:
                await session.audit()
            elif what < 0.93:
                bench.core.journal.begin_next_file(lambda _: False, bench.core.truth.settled())
            else:
                await session.restart()
                session.assert_exact()
                restarts += 1
                resumed += min(since for since, _ in session.gateway.asked) > first_ns
        await session.restart()
        session.assert_exact()
        # I expect restarts to ask for what is new alone, as soon as anything was written down
        assert restarts > 2
        assert resumed > restarts // 2
        assert max(count for _, count in session.gateway.asked) < len(session.trades)

    asyncio.run(scenario())


def test_a_ledger_that_does_not_add_up_is_given_up_and_all_fills_are_counted_anew(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "RESUME_TRIES", 2)

    async def scenario() -> None:
        # Given a journal whose ledger holds what the venue does not
        session = Session(segment_name, tmp_path, 7)
        await session.bench.start()
        for _ in range(5):
            session.trade()
        history_from_ns, ledger = session.bench.core.truth.settled() or (0, None)
        assert ledger is not None
        line = ledger.lines[INSTRUMENT.name]
        wrong = ledger._replace(lines={INSTRUMENT.name: line._replace(position=line.position + 1)})
        session.bench.core.journal.settle(history_from_ns, wrong)
        # If execution starts anew, I expect it to count from the session's start
        await session.restart()
        session.assert_exact()

    asyncio.run(scenario())


def test_rounds_that_only_cancel_do_not_cost_the_ledger_of_the_journal(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PAUSE_S_MAX", 0.02)
    cancel_ours, rounds = Truth.cancel_ours, iter(range(2 * recovery.RESUME_TRIES))

    async def cancel_slowly(truth: Truth) -> int:
        return 1 if next(rounds, None) is not None else await cancel_ours(truth)

    async def scenario() -> None:
        # Given a ledger in the journal
        session = Session(segment_name, tmp_path, 10)
        await session.bench.start()
        first_ns = session.bench.core.truth.history_from_ns
        session.trade()
        session.bench.clock.advance(300 * NS_PER_S)
        session.trade()
        await session.audit()
        # If the venue takes long to cancel what the life before left, and shows the last trade a little later
        monkeypatch.setattr(Truth, "cancel_ours", cancel_slowly)
        session.gateway.history_lag = 1
        session.trade(is_told=False)
        positions = session.gateway.positions
        asked = []

        async def shown_late() -> list[PositionReport]:
            asked.append(1)
            session.gateway.history_lag = int(len(asked) < 3)
            return await positions()

        monkeypatch.setattr(session.gateway, "positions", shown_late)
        await session.restart()
        # I expect it to go on from that ledger
        assert min(since for since, _ in session.gateway.asked) > first_ns
        session.assert_exact()

    asyncio.run(scenario())


def test_a_session_whose_history_is_too_long_to_be_counted_anew_begins_from_the_venues_position(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "RESUME_TRIES", 2)

    async def scenario() -> None:
        # Given a journal whose ledger does not add up, and a history that nobody can read from the session's start
        session = Session(segment_name, tmp_path, 11)
        bench = session.bench
        await bench.start()
        first_ns = bench.core.truth.history_from_ns
        for _ in range(5):
            bench.clock.advance(300 * NS_PER_S)
            session.trade()
        history_from_ns, ledger = bench.core.truth.settled() or (0, None)
        assert ledger is not None
        line = ledger.lines[INSTRUMENT.name]
        wrong = ledger._replace(lines={INSTRUMENT.name: line._replace(position=line.position + 1)})
        bench.core.journal.settle(history_from_ns + 1, wrong)
        readable = session.gateway.trade_history

        async def trade_history(since_realtime_ns: int) -> list[TradeReport]:
            if since_realtime_ns == first_ns:
                raise HistoryTooLongError("private/trade_history did not end after 1000 pages")
            return await readable(since_realtime_ns)

        monkeypatch.setattr(session.gateway, "trade_history", trade_history)
        # If execution starts anew, I expect the venue's position, and what is traded from then on counted once
        await session.restart()
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == session.gateway.start_position
        session.trade()
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == session.gateway.start_position
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == 1
        told = bench.fills_told()
        assert len(told) == len(set(told))
        # ... and the life after it to go on from there
        await session.restart()
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == session.gateway.start_position

    asyncio.run(scenario())


def test_a_session_that_was_begun_anew_is_resumed(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "REBASE_TRIES", 2)

    async def scenario() -> None:
        # Given a history that shows the newest trade later than the position: it is booked on top, and the session's
        # start is taken anew, after it
        session = Session(segment_name, tmp_path, 9)
        bench, gateway = session.bench, session.gateway
        session.trade(is_told=False)
        gateway.history_lag = 1
        lagging = gateway.trade_history

        async def trade_history(since_realtime_ns: int) -> list[TradeReport]:
            trades = await lagging(since_realtime_ns)
            gateway.history_lag = 0
            return trades

        monkeypatch.setattr(gateway, "trade_history", trade_history)
        await bench.start()
        await bench.run_until(lambda: bench.core.books.is_known, "recovery")
        assert bench.core.recovery.state is not None
        assert [key[0] for key in bench.core.recovery.state.trades_before] == ["t0"]
        assert len(bench.core.journal.state.fills) == 1
        # If more is traded, the ledger is written down and execution starts anew
        for _ in range(3):
            session.trade()
        bench.core.truth.settle()
        ledger = bench.core.books.ledger.state
        assert ledger.fills == 3
        bench.restart_core()
        # I expect the next life to go on from that ledger
        assert bench.core.books.ledger.state == ledger

    asyncio.run(scenario())


@pytest.mark.parametrize("trades_after", [0, 3])
def test_a_session_that_began_anew_in_the_middle_of_a_run_is_resumed(
    segment_name: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trades_after: int
) -> None:
    async def scenario() -> None:
        # Given a ledger that was written down, one more trade minutes later, and then a history that is too long
        session = Session(segment_name, tmp_path, 12)
        bench = session.bench
        await bench.start()
        for _ in range(4):
            session.trade()
        bench.core.truth.settle()
        bench.clock.advance(300 * NS_PER_S)
        session.trade()
        too_long_ns, readable = bench.core.truth.history_from_ns, session.gateway.trade_history

        async def trade_history(since_realtime_ns: int) -> list[TradeReport]:
            if since_realtime_ns == too_long_ns:
                raise HistoryTooLongError("private/trade_history did not end after 1000 pages")
            return await readable(since_realtime_ns)

        monkeypatch.setattr(session.gateway, "trade_history", trade_history)
        # If a connection breaks, so that the session begins anew from the venue's position
        bench.disconnect()
        await bench.reconnect()
        assert bench.core.books.is_known
        assert bench.core.books.ledger.lines[INSTRUMENT.name].fill_count == 0
        # and the venue tells a fill again that was before it, and others that were not
        bench.core.on_trades(session.trades[:2])
        for _ in range(trades_after):
            session.trade()
        if trades_after:
            bench.core.truth.settle()
        line = bench.core.books.ledger.lines[INSTRUMENT.name]
        assert (line.fill_count, line.position) == (trades_after, session.gateway.start_position)
        # I expect its ledger in the journal, and the next life to go on from it
        ledger = bench.core.books.ledger.state
        assert bench.core.journal.state.settled is not None
        assert bench.core.journal.state.settled.ledger == ledger
        bench.restart_core()
        assert bench.core.books.ledger.state == ledger
        await bench.start()
        await bench.run_until(lambda: bench.core.books.is_known, "recovery")
        assert bench.core.books.ledger.state.fills == ledger.fills

    asyncio.run(scenario())


def test_a_ledger_of_before_the_sessions_start_is_not_resumed(segment_name: Callable[[], str], tmp_path: Path) -> None:
    async def scenario() -> None:
        # Given a ledger that was written down, and a session that began anew as execution was killed: nothing came
        # into the journal any more
        session = Session(segment_name, tmp_path, 13)
        bench = session.bench
        await bench.start()
        session.trade()
        bench.core.truth.settle()
        bench.clock.advance(300 * NS_PER_S)
        session.trade()
        state = bench.core.recovery.state
        assert state is not None
        start = StartPosition(session.gateway.start_position, Decimal(100), Decimal(0))
        begun = msgspec.structs.replace(
            state,
            history_since_ns=session.trades[-1].time_ns - recovery.HISTORY_MARGIN_NS,
            trades_before=[session.trades[-1].key],
            positions={INSTRUMENT.name: start},
        )
        save_session_state(bench.run_dir, begun)
        bench.restart_core()
        # I expect the next life to count from the session's start
        assert bench.core.books.ledger.state.fills == 0
        assert bench.core.books.ledger.lines[INSTRUMENT.name].position == start.position

    asyncio.run(scenario())


def test_a_ledger_is_used_only_with_every_fill_that_it_has_counted(
    segment_name: Callable[[], str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        # Given a journal whose sealed fills are gone
        session = Session(segment_name, tmp_path, 8)
        bench = session.bench
        await bench.start()
        first_ns = bench.core.truth.history_from_ns
        for _ in range(5):
            session.trade()
        bench.core.journal.begin_next_file(lambda _: False, bench.core.truth.settled())
        session.path.with_name(f"{JOURNAL_FILE}.fills").unlink()
        # If execution starts anew, I expect it to count from the session's start, and nothing twice
        await session.restart()
        assert min(since for since, _ in session.gateway.asked) == first_ns
        session.assert_exact()

    asyncio.run(scenario())


def test_a_ledger_that_has_counted_what_the_journal_does_not_tell_is_not_written_down(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL_FILE, SimClock(5, 7), JournalConfig(sync="never"))
    ledger = Ledger({INSTRUMENT.name: INSTRUMENT.contract_multiplier})
    journal.settle(1, ledger.state)
    assert journal.state.settled is not None
    journal.settle(2, LedgerState(ledger.state.lines, [], 1))
    assert journal.state.settled.history_from_ns == 1
