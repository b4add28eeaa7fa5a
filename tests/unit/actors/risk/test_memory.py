"""When risk's memory goes to disk."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from actors.risk.memory import MemoryKeeper
from trading.risk.latch import load_memory


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
