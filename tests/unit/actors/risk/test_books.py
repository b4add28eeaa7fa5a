"""A restart of risk goes on from what it kept of the run, or reads all of it; the figures are the same."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from actors.risk import venue
from actors.risk.books import KEEP_INTERVAL_NS, BooksKeeper
from domain.clock import NS_PER_S
from domain.order import Side
from runtime.sealed_fills import FillsFile
from tests.model_venue import INSTRUMENT
from tests.risk_view import Killed, Scene, a_trade, killed_at
from trading.risk.kept_account import FILE_NAME, read_kept
from trading.risk.latch import RiskMemory

TRADES = 300
FILLS_NAME = f"{FILE_NAME}.fills"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A run of ten minutes whose books were kept, and a trade that came after it."""
    monkeypatch.setattr(venue, "RESUME_PAUSES_S", (0.0,) * 7)
    scene = Scene(tmp_path)
    for number in range(TRADES):
        trade(scene, number, 2 * NS_PER_S)
    scene.pass_time(KEEP_INTERVAL_NS)
    trade(scene, TRADES, 0)
    return scene


def trade(scene: Scene, number: int, after_ns: int) -> None:
    """Have something bought or sold, and told at once."""
    new = a_trade(number, Side.SELL if number % 2 else Side.BUY, scene.pass_time(after_ns))
    scene.gateway.history.append(new)
    scene.view.on_trades([new])


def figures(scene: Scene) -> Any:
    view = scene.view
    assert view._account is not None
    return view._account.state, view.pnl_by_instrument()


def resumes(scene: Scene, **memory: Any) -> bool:
    """Begin the next life, which must come to the same figures; return whether it went on from what was kept."""
    before = figures(scene)
    scene.gateway.asked.clear()
    scene.start_again(**memory)
    assert figures(scene) == before
    reads = [count for _, count in scene.gateway.asked]
    assert sum(count > TRADES for count in reads) <= 1
    return max(reads) <= TRADES


def test_a_restart_asks_for_the_newest_trades_alone_and_comes_to_the_same_figures(scene: Scene) -> None:
    assert resumes(scene)
    assert len(scene.gateway.asked) == 1
    assert scene.gateway.asked[0][1] <= 40  # of the last minute and what came since, two seconds apart
    assert scene.warnings == []
    # ... and so does the one after it, with what the first has added
    for number in range(TRADES + 1, 2 * TRADES):
        trade(scene, number, 2 * NS_PER_S)
    scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)
    assert read_kept((scene.context.run_dir / FILE_NAME).read_bytes()).state.ledger.fills == 2 * TRADES
    assert (scene.context.run_dir / FILLS_NAME).stat().st_size == 2 * TRADES * 8


def test_as_many_files_are_open_after_a_day_as_at_the_start(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    at_first = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        trade(scene, number, 2 * NS_PER_S)
        scene.pass_time(KEEP_INTERVAL_NS)
    assert (tmp_path / FILLS_NAME).stat().st_size == 3 * 8
    assert len(os.listdir("/proc/self/fd")) == at_first


def test_trades_that_came_while_nobody_watched_are_new_and_the_others_are_not(scene: Scene) -> None:
    scene.view.new_trades.clear()
    scene.gateway.history.append(a_trade(TRADES + 1, Side.SELL, scene.clock.realtime_ns()))
    scene.start_again()
    assert [trade.trade_id for trade in scene.view.new_trades] == [f"t{TRADES}", f"t{TRADES + 1}"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("name", [FILE_NAME, FILLS_NAME])
def test_with_a_damaged_file_everything_is_read_and_then_kept_anew(
    scene: Scene, name: str, damage: Callable[[Path], None]
) -> None:
    damage(scene.context.run_dir / name)
    assert not resumes(scene)
    assert len(scene.warnings) == (not (name == FILE_NAME and damage is Path.unlink)), scene.warnings
    scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)


def test_a_file_of_another_run_account_or_beginning_does_not_count(scene: Scene, tmp_path: Path) -> None:
    names = (FILE_NAME, FILLS_NAME)
    content = {name: (tmp_path / name).read_bytes() for name in names}

    def has_read_all(reason: str) -> bool:
        for name in names:
            (scene.context.run_dir / name).write_bytes(content[name])
        scene.warnings.clear()
        scene.gateway.asked.clear()
        scene.start_again()
        return scene.gateway.asked[0][1] == TRADES + 1 and len(scene.warnings) == 1 and reason in scene.warnings[0]

    scene.account = "thalex wss://another"
    assert has_read_all("another account")
    scene.account = ""
    scene.view.since_ns -= 1
    assert has_read_all("another since_ns")
    scene.view.since_ns += 1
    scene.gateway.instrument = dataclasses.replace(INSTRUMENT, contract_multiplier=Decimal(10))
    assert has_read_all("another multipliers")
    scene.gateway.instrument = INSTRUMENT
    scene.context.run_dir = tmp_path / "another"
    scene.context.run_dir.mkdir()
    assert has_read_all("another run")


def test_with_other_openings_everything_is_read(scene: Scene) -> None:
    openings = {
        name: msgspec.structs.replace(one, price=one.price + 1) for name, one in scene.view.openings.items()
    }  # fmt: skip
    scene.start(RiskMemory(openings=openings, since_ns=scene.view.since_ns))
    assert "another openings" in scene.warnings[0]
    assert scene.gateway.asked[-1][1] == TRADES + 1


def test_a_position_that_does_not_follow_has_everything_read(scene: Scene) -> None:
    scene.gateway.moved = Decimal("0.001")
    assert not resumes(scene)
    assert "does not add up" in scene.warnings[0]
    assert INSTRUMENT.name in scene.warnings[0]
    # ... and nothing kept from which the life after it would try in vain to go on
    scene.pass_time(KEEP_INTERVAL_NS)
    assert not resumes(scene)
    assert len(scene.warnings) == 1
    # until both agree: what is kept then is this life's own
    scene.gateway.moved = Decimal(0)
    scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)


def test_positions_that_are_ahead_of_the_trades_for_moments_do_not_keep_it_from_being_kept(scene: Scene) -> None:
    # Given fills without a pause, so that the position is always a step ahead of the trades, by other sizes
    scene.gateway.moved = Decimal("0.001")
    scene.pass_time(KEEP_INTERVAL_NS)
    scene.gateway.moved = Decimal("0.002")
    scene.pass_time(KEEP_INTERVAL_NS)
    # If risk is killed once all is told, I expect the next life to know all that was kept meanwhile
    scene.gateway.moved = Decimal(0)
    assert resumes(scene)
    assert read_kept((scene.context.run_dir / FILE_NAME).read_bytes()).state.ledger.fills == TRADES + 1


def test_a_history_that_lags_behind_the_position_is_asked_again(scene: Scene) -> None:
    # Given that the newest trade moves the position before the history shows it
    late = scene.gateway.history.pop()
    scene.gateway.moved = late.side * late.size
    ask = scene.gateway.trade_history

    async def shows_later(since_ns: int) -> Any:
        if len(scene.gateway.asked) == 3:
            scene.gateway.history.append(late)
            scene.gateway.moved = Decimal(0)
        return await ask(since_ns)

    # If risk is started meanwhile, I expect it to wait for it, and to go on
    with patch.object(scene.gateway, "trade_history", shows_later):
        assert resumes(scene)
    assert scene.warnings == []


def test_a_trade_told_while_the_history_is_asked_counts_once(scene: Scene) -> None:
    ask, told = scene.gateway.trade_history, [a_trade(TRADES + 1, Side.SELL, scene.clock.realtime_ns())]

    async def with_news(since_ns: int) -> Any:
        found = await ask(since_ns)
        if told:
            scene.gateway.history += told
            scene.view.on_trades([told.pop()])
        return found

    with patch.object(scene.gateway, "trade_history", with_news):
        # the view that hears of it is the new one: it is not yet in place while it begins
        begin = venue.VenueView.on_ready

        def on_ready(view: venue.VenueView) -> None:
            scene.view = view
            begin(view)

        with patch.object(venue.VenueView, "on_ready", on_ready):
            scene.start_again()
    assert scene.warnings == []
    assert scene.fees() == Decimal("0.01") * (TRADES + 2)


def test_a_disk_that_refuses_is_said_once_and_stops_nothing(scene: Scene) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with patch.object(os, "pwrite", refuse):
        for number in range(TRADES + 1, TRADES + 4):
            trade(scene, number, KEEP_INTERVAL_NS)
    assert len(scene.warnings) == 1
    assert "No space left" in scene.warnings[0]
    # If risk is killed now, I expect the next life to go on from what was kept before
    assert resumes(scene)
    # and to keep the rest once the disk takes it
    scene.pass_time(KEEP_INTERVAL_NS)
    scene.gateway.asked.clear()
    assert resumes(scene)
    assert scene.gateway.asked[0][1] <= 2  # of the last minute


def test_killed_at_any_system_call_the_next_life_goes_on(scene: Scene) -> None:
    calls, is_over = 0, False
    while not is_over:
        # Given news that are written down
        trade(scene, len(scene.gateway.history), 0)
        left = iter(range(calls, -1, -1))
        try:
            with killed_at(lambda left=left: next(left, 0) == 0):  # type: ignore[misc]
                scene.pass_time(KEEP_INTERVAL_NS)
            is_over = True
        except Killed:
            calls += 1
        # If risk is killed in it, I expect the next life to go on with the same figures
        assert resumes(scene)
        scene.pass_time(NS_PER_S)
    assert scene.warnings == []
    assert calls == 5  # write and sync of the fingerprints; open, sync and replace of the sums


def test_it_is_written_beside_the_work_loop(scene: Scene) -> None:
    threads: set[int] = set()
    append = FillsFile.append

    def noted(fills: FillsFile, content: bytes) -> Any:
        threads.add(threading.get_ident())
        return append(fills, content)

    with patch.object(FillsFile, "append", noted):
        scene.pass_time(KEEP_INTERVAL_NS)
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_trade_that_comes_while_it_is_written_is_kept_the_next_time(scene: Scene) -> None:
    write = FillsFile.append

    def with_news(fills: FillsFile, content: bytes) -> Any:
        trade(scene, TRADES + 1, 0)
        return write(fills, content)

    with patch.object(FillsFile, "append", with_news):
        scene.pass_time(KEEP_INTERVAL_NS)
    scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)
    assert (scene.context.run_dir / FILLS_NAME).stat().st_size == (TRADES + 2) * 8


def test_a_trade_that_comes_before_the_writing_begins_is_kept_the_next_time(scene: Scene) -> None:
    save = BooksKeeper._save

    async def after_a_trade(keeper: BooksKeeper, *taken: Any) -> None:
        trade(scene, TRADES + 1, 0)
        await save(keeper, *taken)

    with patch.object(BooksKeeper, "_save", after_a_trade):
        scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)
    assert scene.warnings == []


def test_once_the_venue_contradicts_itself_the_next_life_reads_everything(scene: Scene) -> None:
    known = scene.gateway.history[-1]
    other = msgspec.structs.replace(known, price=known.price + 1)
    scene.view.on_trades([other])
    scene.pass_time(KEEP_INTERVAL_NS)
    scene.gateway.history[-1] = other
    scene.gateway.asked.clear()
    scene.start_again()
    assert scene.gateway.asked[0][1] == TRADES + 1


def test_a_trade_that_cannot_be_read_and_moved_nothing_does_not_end_the_keeping(scene: Scene) -> None:
    # Given a line of the history that nobody can read
    # If the positions agree with the trades that can be read, I expect each next life to go on from them
    for life in (1, 2):
        scene.view.on_unreadable_trade(INSTRUMENT.name, "price is null")
        for number in range(life * TRADES + 1, (life + 1) * TRADES):
            trade(scene, number, 2 * NS_PER_S)
        scene.pass_time(KEEP_INTERVAL_NS)
        scene.warnings.clear()
        assert resumes(scene)
        assert scene.warnings == []
        kept = read_kept((scene.context.run_dir / FILE_NAME).read_bytes())
        assert kept.state.ledger.fills == len(scene.gateway.history)


def test_while_an_unreadable_trade_leaves_a_difference_nothing_is_kept(scene: Scene) -> None:
    path = scene.context.run_dir / FILE_NAME
    assert path.exists()
    # If the venue has moved by what cannot be read, I expect no keeping, and nothing to go on from once that has lasted
    scene.gateway.moved = Decimal("0.001")
    scene.view.on_unreadable_trade("", "price is null")
    scene.pass_time(venue.AUDIT_INTERVAL_NS)
    assert path.exists()
    for _ in range(3):
        scene.pass_time(KEEP_INTERVAL_NS)
    assert not path.exists()
    # and, once both agree, to be kept again
    scene.gateway.moved = Decimal(0)
    scene.pass_time(KEEP_INTERVAL_NS)
    scene.pass_time(KEEP_INTERVAL_NS)
    assert resumes(scene)
