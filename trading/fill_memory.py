"""Which fills were heard of, for as long as the venue can tell them again: memory that does not grow with a session.

A fill counts once, by its key. The venue tells it several times within moments, and again when the history is asked,
from a known time on. Keys of fills long before that time are forgotten; a fill as old as they are is told by its time
to be no news. A fill that came without a time is remembered for good.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Generic, TypeVar

from domain.clock import NS_PER_S

FillKey = tuple[str, str, int]
STAMPS_DIFFER_NS = NS_PER_S  # a fill may be stamped apart in a report on its order and in the history

_T = TypeVar("_T")


class FillMemory(Generic[_T]):
    """What is remembered of each fill, by its key.

    Attributes:
        from_ns: the venue's clock; what is older is no news, whether it is still remembered or not. 0 = all is.
    """

    def __init__(self) -> None:
        self.from_ns = 0
        self._kept: dict[FillKey, tuple[_T, int]] = {}

    def __contains__(self, key: FillKey) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[FillKey]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: FillKey) -> _T | None:
        known = self._kept.get(key)
        return None if known is None else known[0]

    def keep(self, key: FillKey, value: _T, time_ns: int) -> None:
        """Remember a fill; `time_ns` is the venue's, 0 = it told none, now or before."""
        known = self._kept.get(key)
        if known is None or time_ns == 0:
            self._kept[key] = (value, time_ns)

    def is_past(self, time_ns: int) -> bool:
        """Return whether a fill of this time that is not remembered was heard of before, or is not to be counted."""
        return 0 < time_ns < self.from_ns

    def forget_before(self, time_ns: int, spared: Container[FillKey] = ()) -> None:
        """Forget fills that the venue will not tell again, but for those in `spared`. Time only moves on.

        Fills come nearly in order: it stops at the first that is younger, and finds what is behind it the next time.
        """
        if time_ns <= self.from_ns:
            return
        self.from_ns = time_ns
        old: list[FillKey] = []
        for key, (_, stamp_ns) in self._kept.items():
            if stamp_ns >= time_ns - STAMPS_DIFFER_NS:
                break
            if stamp_ns and key not in spared:
                old.append(key)
        for key in old:
            del self._kept[key]
