"""When risk's memory goes to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from actors.risk.memory import MemoryKeeper
from domain.clock import NS_PER_S, SimClock
from trading.risk.latch import FILE_NAME, RiskMemory, load_memory
from trading.risk.states import Cause, Latched


def test_what_cannot_wait_and_came_during_a_save_is_saved_right_after_it(tmp_path: Path) -> None:
    # Given a limit set by hand that is on its way to the disk
    saves: list[Coroutine[Any, Any, None]] = []
    ctx: Any = SimpleNamespace(
        state_dir=tmp_path,
        run_dir=tmp_path / "run",
        config=SimpleNamespace(venue=SimpleNamespace(kind="local")),
        spawn=lambda save, _name: saves.append(save),
    )
    keeper = MemoryKeeper(ctx)
    first = replace(keeper.loaded, limits={"loss_from_peak_max_usd": 5.0})
    keeper.save_when_changed(first, 0, is_urgent=True)
    # If another is set meanwhile
    second = replace(keeper.loaded, limits={"loss_from_peak_max_usd": 4.0})
    keeper.save_when_changed(second, 1, is_urgent=True)
    assert len(saves) == 1
    asyncio.run(saves[0])
    # I expect the next look to save it, long before it is time for what can wait
    keeper.save_when_changed(second, 2)
    assert len(saves) == 2
    asyncio.run(saves[1])
    assert load_memory(tmp_path).limits == {"loss_from_peak_max_usd": 4.0}


def a_failing_keeper(tmp_path: Path) -> tuple[MemoryKeeper, Any]:
    """Return a keeper whose disk refuses, and its context, which keeps what it logs and runs what it spawns at once."""
    (tmp_path / FILE_NAME).mkdir()
    ctx: Any = SimpleNamespace(
        state_dir=tmp_path,
        run_dir=tmp_path / "run",
        config=SimpleNamespace(venue=SimpleNamespace(kind="local")),
        clock=SimClock(NS_PER_S, NS_PER_S),
        spawn=lambda save, _name: (ctx.saves.append(1), asyncio.run(save)),
        saves=[],
        log=SimpleNamespace(
            error=lambda text, **_: ctx.errors.append(text), info=lambda text, **_: ctx.errors.append(text)
        ),
        errors=[],
    )
    (tmp_path / FILE_NAME).rmdir()
    keeper = MemoryKeeper(ctx)
    (tmp_path / FILE_NAME).mkdir()
    return keeper, ctx


def looks(keeper: MemoryKeeper, ctx: Any, memory: RiskMemory, seconds: float) -> None:
    """Have it look ten times a second for so long."""
    for _ in range(round(seconds * 10)):
        keeper.save_when_changed(memory, ctx.clock.monotonic_ns())
        ctx.clock.advance(NS_PER_S // 10)


def test_a_disk_that_refuses_is_tried_every_two_seconds_and_told_once_a_minute(tmp_path: Path) -> None:
    # Given a halt that cannot be saved
    keeper, ctx = a_failing_keeper(tmp_path)
    halted = replace(keeper.loaded, latched=[Latched(Cause.OPERATOR_HALT, "by the operator", 1)])
    looks(keeper, ctx, halted, 60.0)
    assert len(ctx.saves) == 30
    assert ctx.errors == ["risk could not save its memory"]
    looks(keeper, ctx, halted, 10.0)
    assert len(ctx.errors) == 2
    # If the disk is mended, I expect it saved within two seconds, and told
    (tmp_path / FILE_NAME).rmdir()
    looks(keeper, ctx, halted, 2.1)
    assert load_memory(tmp_path).latched == halted.latched
    assert ctx.errors[2:] == ["risk saves its memory again"]


def test_who_gives_a_command_is_told_that_it_is_not_saved(tmp_path: Path) -> None:
    # Given a limit set by hand while the disk refuses, in the pause after another try
    keeper, ctx = a_failing_keeper(tmp_path)
    halted = replace(keeper.loaded, latched=[Latched(Cause.OPERATOR_HALT, "by the operator", 1)])
    looks(keeper, ctx, halted, 0.3)
    assert len(ctx.saves) == 1
    keeper.save_when_changed(halted, ctx.clock.monotonic_ns(), is_urgent=True)
    # I expect it tried at once, and the reason
    assert len(ctx.saves) == 2
    assert "Is a directory" in asyncio.run(keeper.unsaved())
    # and nothing once it is saved
    (tmp_path / FILE_NAME).rmdir()
    keeper.save_when_changed(halted, ctx.clock.monotonic_ns(), is_urgent=True)
    assert asyncio.run(keeper.unsaved()) == ""
