"""Who must be alive for quotes to stay: strategy, market_data, risk. Silence of one of them pulls the quotes."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.heartbeats import NEVER, Heartbeat, read_heartbeat
from shm.record import TableReader

WATCH_INTERVAL_NS = 20_000_000


class Watch:
    """Looks at the heartbeats, at most every WATCH_INTERVAL_NS.

    Attributes:
        suspect: name of an actor that is silent; empty when all live.
        strategy_epoch: start count of the strategy that lives now.
    """

    def __init__(self, heartbeats: Mapping[str, TableReader], suspect_ns: int) -> None:
        self._heartbeats = heartbeats
        self._suspect_ns = suspect_ns
        self._due_ns = 0
        self.suspect = next(iter(heartbeats), "")
        self.strategy_epoch = 0

    def look(self, now_ns: int) -> None:
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + WATCH_INTERVAL_NS
        suspect = ""
        for name, table in self._heartbeats.items():
            beat = read_heartbeat(table)
            if beat == NEVER or beat.age_ns(now_ns) > self._suspect_ns:
                suspect = suspect or name
            if name == "strategy":
                self.strategy_epoch = self._epoch_of(beat)
        self.suspect = suspect

    def _epoch_of(self, beat: Heartbeat) -> int:
        return self.strategy_epoch if beat == NEVER else beat.epoch
