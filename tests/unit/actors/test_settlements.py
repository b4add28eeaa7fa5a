"""Asking for daily settlements: a venue that does not tell is not asked all the time, and nothing else suffers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.settlements import REFUSED_PAUSE_NS, Settlements
from domain.clock import NS_PER_S
from domain.errors import ProtocolError, VenueError
from domain.reports import SettlementReport

NOW_NS = 1_795_000_000 * NS_PER_S


class Refusing:
    """A venue that refuses."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    async def settlements(self, since_realtime_ns: int) -> list[SettlementReport]:
        self.asked += 1
        raise self.error


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, event: str, **_values: Any) -> None:
        self.said.append(event)

    warning = info


@pytest.mark.parametrize("error", [VenueError(31, "unknown method"), ProtocolError("no line"), TimeoutError()])
def test_a_venue_that_does_not_tell_is_asked_again_after_a_pause(error: Exception) -> None:
    venue, log = Refusing(error), Lines()
    settlements = Settlements(log)
    for now_ns in (NOW_NS, NOW_NS + NS_PER_S, NOW_NS + REFUSED_PAUSE_NS):
        assert asyncio.run(settlements.ask(venue, 1, now_ns)) is None
    assert venue.asked == 1
    asyncio.run(settlements.ask(venue, 1, NOW_NS + REFUSED_PAUSE_NS + 1))
    assert venue.asked == 2
    asyncio.run(settlements.ask(venue, 1, NOW_NS - 3600 * NS_PER_S))  # a clock that was set holds up nothing
    assert venue.asked == 3
    assert log.said == ["the venue refuses to tell what its daily settlement has paid"]
