"""Event counters of one actor in shared memory."""

from __future__ import annotations

from collections.abc import Sequence

from domain.records import COUNTERS, COUNTERS_MAX
from shm import layout
from shm.segment import Segment

_FIRST = COUNTERS.word("value")


class Counters:
    """Named counters, writable by their actor alone; they go on after its restart."""

    def __init__(self, segment: Segment, names: Sequence[str]) -> None:
        assert len(names) <= COUNTERS_MAX, f"{len(names)} counters, room for {COUNTERS_MAX}"
        first = (layout.HEADER_BYTES >> 3) + _FIRST
        self._words = segment.words[first : first + COUNTERS_MAX]
        self._index = {name: i for i, name in enumerate(names)}
        self.names = tuple(names)

    def add(self, name: str, count: int = 1) -> None:
        """Add to a counter; KeyError for a name that the topology does not declare."""
        self._words[self._index[name]] += count

    def values(self) -> dict[str, int]:
        """Return all counters now."""
        return {name: int(self._words[i]) for name, i in self._index.items()}
