"""Whether the book channel of one instrument can be trusted. No I/O: the feed asks, acts and reports back.

    state      connected  snapshot   doubt     due        left      closed
    IDLE       AWAITING
    AWAITING              LIVE       DOUBTED                        IDLE     subscribed, no snapshot yet
    LIVE                  LIVE       DOUBTED                        IDLE
    DOUBTED                                    LEAVING              IDLE     a resync waits for its turn
    LEAVING                          DOUBTED             AWAITING   IDLE     unsubscribed, answer to come

The venue numbers nothing, so on any doubt we leave the channel and join again: the first message is then a
snapshot. Messages that were under way meanwhile are not applied.
"""

from __future__ import annotations

from enum import Enum

DOUBLINGS_MAX = 6  # of the pause between resyncs that bring nothing: a second becomes a minute


class BookState(Enum):
    IDLE = "idle"
    AWAITING = "awaiting"
    LIVE = "live"
    DOUBTED = "doubted"
    LEAVING = "leaving"


TRANSITIONS: dict[BookState, dict[str, BookState]] = {
    BookState.IDLE: {"connected": BookState.AWAITING},
    BookState.AWAITING: {
        "snapshot": BookState.LIVE, "doubt": BookState.DOUBTED, "closed": BookState.IDLE,
    },
    BookState.LIVE: {"snapshot": BookState.LIVE, "doubt": BookState.DOUBTED, "closed": BookState.IDLE},
    BookState.DOUBTED: {"due": BookState.LEAVING, "closed": BookState.IDLE},
    BookState.LEAVING: {
        "left": BookState.AWAITING, "doubt": BookState.DOUBTED, "closed": BookState.IDLE,
    },
}  # fmt: skip


class BookChannel:
    """The state of one book channel.

    Attributes:
        state: a BookState.
        resyncs: how often the channel was left and joined again.
    """

    def __init__(self, name: str, resync_interval_ns: int) -> None:
        self.name = name
        self.state = BookState.IDLE
        self.resyncs = 0
        self._interval_ns = resync_interval_ns
        self._since_ns = 0
        self._due_ns = 0
        self._last_resync_ns: int | None = None
        self._fruitless = 0  # resyncs since the last snapshot

    def move(self, event: str, now_ns: int) -> bool:
        """Take the step that `event` causes; False when it means nothing in this state."""
        following = TRANSITIONS[self.state].get(event)
        if following is None:
            return False
        self.state = following
        self._since_ns = now_ns
        return True

    def accepts(self, is_snapshot: bool, now_ns: int) -> bool:
        """Return whether a message may be applied now."""
        if is_snapshot:
            is_taken = self.move("snapshot", now_ns)
            if is_taken:
                self._fruitless = 0
            return is_taken
        return self.state is BookState.LIVE

    def doubt(self, now_ns: int) -> None:
        """Ask for a resync; it is due at once unless the last one was less than a pause ago."""
        if self.move("doubt", now_ns):
            last_ns = self._last_resync_ns
            self._due_ns = now_ns if last_ns is None else max(now_ns, last_ns + self._pause_ns)

    @property
    def _pause_ns(self) -> int:
        """The interval, doubled with every resync after the first that brought no snapshot."""
        return self._interval_ns << min(max(self._fruitless - 1, 0), DOUBLINGS_MAX)

    def is_resync_due(self, now_ns: int) -> bool:
        """Return True, once, when the channel is to be left now; waiting too long is a doubt too."""
        waits = self.state in (BookState.AWAITING, BookState.LEAVING)
        if waits and now_ns - self._since_ns > self._pause_ns:
            self.doubt(now_ns)
        if self.state is not BookState.DOUBTED or now_ns < self._due_ns:
            return False
        self._last_resync_ns = now_ns
        self.resyncs += 1
        self._fruitless += 1
        return self.move("due", now_ns)
