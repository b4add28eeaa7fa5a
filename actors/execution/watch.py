"""Who must be alive for quotes to stay: market_data, risk, and of each instrument its strategy.

Silence of one of them pulls the quotes that need it.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.heartbeats import NEVER, HeartbeatReader
from runtime.topology import STRATEGY, kind_of
from shm.record import TableReader

WATCH_INTERVAL_NS = 20_000_000


class WatchedStrategy:
    """One strategy process, as its heartbeat shows it.

    Attributes:
        is_suspect: it is silent.
        epoch: start count of the one that lives now.
    """

    __slots__ = ("epoch", "is_suspect", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_suspect = True
        self.epoch = 0


class Watch:
    """Looks at the heartbeats, at most every WATCH_INTERVAL_NS.

    Attributes:
        suspect: name of an actor that is silent and that every quote needs; empty when all live.
        strategies: by actor name.
        suspect_ns: silence that makes suspect.
    """

    def __init__(self, heartbeats: Mapping[str, TableReader], suspect_ns: int) -> None:
        self._heartbeats = {name: HeartbeatReader(table) for name, table in heartbeats.items()}
        self.suspect_ns = suspect_ns
        self._due_ns = 0
        self.strategies = {name: WatchedStrategy(name) for name in heartbeats if kind_of(name) == STRATEGY}
        self.suspect = next((name for name in heartbeats if name not in self.strategies), "")

    def look(self, now_ns: int) -> None:
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + WATCH_INTERVAL_NS
        suspect = ""
        for name, heartbeat in self._heartbeats.items():
            beat = heartbeat.read()
            is_silent = beat == NEVER or beat.age_ns(now_ns) > self.suspect_ns
            strategy = self.strategies.get(name)
            if strategy is None:
                suspect = suspect or (name if is_silent else "")
                continue
            strategy.is_suspect = is_silent
            if beat != NEVER:
                strategy.epoch = beat.epoch
        self.suspect = suspect
