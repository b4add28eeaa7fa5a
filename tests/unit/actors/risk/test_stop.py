"""Tests of the order in which risk ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from actors.risk.actor import RiskActor


class Ending:
    """What `RiskActor.stop` works with; notes what it does."""

    def __init__(self, seen: int | None, *, stays_ready: bool = True) -> None:
        self.done: list[str] = []
        self.venue: Any = SimpleNamespace(gateway=self, guard=self)
        self._keeper: Any = SimpleNamespace(save=lambda _: self.done.append("saved"))
        self.is_ready = True
        self._seen, self._stays_ready = seen, stays_ready

    def _end_session(self, why: str) -> None:
        self.done.append("closed the gate")

    def _memory(self) -> None: ...

    async def look(self) -> int | None:
        self.is_ready = self._stays_ready
        return self._seen

    async def sweep(self, why: str, timeout_s: float) -> None:
        assert timeout_s < 2.0, "the supervisor waits no longer"
        self.done.append("swept")

    async def close(self) -> None:
        self.done.append("closed")


@pytest.mark.parametrize("seen", [1, None])
def test_it_remembers_before_it_asks_the_venue_for_it_may_be_killed_meanwhile(seen: int | None) -> None:
    ending = Ending(seen)
    asyncio.run(RiskActor.stop(ending))  # type: ignore[arg-type]
    assert ending.done == ["closed the gate", "saved", "swept", "closed", "saved"]


def test_nothing_is_swept_over_a_connection_that_the_look_has_lost() -> None:
    ending = Ending(None, stays_ready=False)
    asyncio.run(RiskActor.stop(ending))  # type: ignore[arg-type]
    assert ending.done == ["closed the gate", "saved", "closed", "saved"]
