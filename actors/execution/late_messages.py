"""Amends and cancels that met an order which was gone: the ordinary race with a fill, told by its count."""

from __future__ import annotations

from actors.execution.ports import Log
from domain.clock import NS_PER_S

TELL_INTERVAL_NS = 60 * NS_PER_S


class LateMessages:
    """Counts them and writes one line a minute, while there are any."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._untold: dict[str, int] = {}
        self._due_ns = 0

    def add(self, kind: str) -> None:
        """The venue did not find the order of an amend or a cancel."""
        self._untold[kind] = self._untold.get(kind, 0) + 1

    def look(self, now_ns: int) -> None:
        if self._untold and now_ns >= self._due_ns:
            self._due_ns = now_ns + TELL_INTERVAL_NS
            self.tell()

    def tell(self) -> None:
        """Write what has not been told."""
        if self._untold:
            self._log.info("messages came too late for their orders", count=sum(self._untold.values()), **self._untold)
            self._untold = {}
