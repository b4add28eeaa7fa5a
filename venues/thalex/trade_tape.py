"""Public trades, each once: over disconnects, restarts, and while two connections tell the same ones.

The venue numbers no public trade. Time, price, size and side tell one from another; equal ones in one message are
several trades (a sweep through orders of one size), and in two messages the same trades told twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from venues.thalex.market_wire import PublicTrade, stamp_ns

KEPT_MAX = 4096  # many times what a venue's snapshot lists
Key = tuple[int, float, float, str]  # what tells a trade from another: time in ns, price, size, side of the aggressor


class News(NamedTuple):
    """What a snapshot brought.

    Attributes:
        trades: those not told before, in the order of the snapshot.
        is_gap: it does not reach back to what we know: trades in between may be lost for good.
    """

    trades: list[Key]
    is_gap: bool = False


class TradeTape:
    """The trades of one instrument."""

    def __init__(self) -> None:
        # How many of each; what is in neither half is older than the floor, or new.
        self._recent: dict[Key, int] = {}
        self._older: dict[Key, int] = {}
        self._floor_ns = -1  # what is not younger is known, or history from before we listened
        self._newest_ns = -1
        self._has_begun = False

    def resume(self, keys: Iterable[Key]) -> None:
        """Take over the trades that a process before this one has told, oldest first."""
        for key in keys:
            self._recent[key] = self._recent.get(key, 0) + 1
        if self._recent:
            self._newest_ns = max(key[0] for key in self._recent)
            self._floor_ns = min(key[0] for key in self._recent) - 1
            self._has_begun = True

    def take_snapshot(self, trades: list[PublicTrade]) -> News:
        """Take what a subscription begins with; what the first one begins with is history, not news."""
        if not self._has_begun:
            self._has_begun = True
            self.take(trades)
            if trades:
                self._floor_ns = min(stamp_ns(trade.time) for trade in trades)
            return News([])
        oldest_ns = min((stamp_ns(trade.time) for trade in trades), default=None)
        if oldest_ns is None:
            return News([], is_gap=self._newest_ns >= 0)
        is_gap = oldest_ns > self._newest_ns
        return News(self.take(trades), is_gap)

    def take(self, trades: list[PublicTrade]) -> list[Key]:
        """Take a message; return those of its trades that were not told before, and remember them."""
        recent = self._recent
        newest_ns = known_ns = self._newest_ns
        new: list[Key] = []
        here: dict[Key, int] = {}
        for trade in trades:
            time_ns = stamp_ns(trade.time)
            key = (time_ns, trade.price, trade.size, trade.aggressor)
            if time_ns > known_ns:  # the common case: nothing so young was known before this message
                recent[key] = recent.get(key, 0) + 1
                new.append(key)
                newest_ns = max(newest_ns, time_ns)
            elif time_ns > self._floor_ns:
                count = here[key] = here.get(key, 0) + 1
                if count > (recent.get(key) or self._older.get(key, 0)):
                    recent[key] = count
                    new.append(key)
        self._newest_ns = newest_ns
        if len(recent) >= KEPT_MAX // 2:
            self._forget_older()
        return new

    def _forget_older(self) -> None:
        self._floor_ns = max((key[0] for key in self._older), default=self._floor_ns)  # grows, as times do
        self._older, self._recent = self._recent, {}
