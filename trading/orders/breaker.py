"""A circuit breaker for inserts: a venue that refuses one after the other is given a pause, not a storm."""

from __future__ import annotations

from collections import deque

from domain.clock import NS_PER_MS, NS_PER_S

REFUSALS_MAX = 10
WINDOW_NS = 5 * NS_PER_S
PAUSE_NS_MIN = NS_PER_S
PAUSE_NS_MAX = 60 * NS_PER_S


class Breaker:
    """Closed: inserts pass. Too many refusals within the window open it for a pause; then one insert is tried
    (half open), and its fate closes it again or doubles the pause. Cancels are not its business, nor are amends:
    an order that cannot be moved is cancelled, and what takes its place is an insert.

    Attributes:
        is_open: no insert passes before the pause is over.
        openings: how often it opened.
    """

    def __init__(self) -> None:
        self._refusals_ns: deque[int] = deque()
        self._pause_ns = 0
        self._next_try_ns = 0
        self._is_trying = False
        self.is_open = False
        self.openings = 0

    @property
    def pause_ms(self) -> int:
        """How long the present pause lasts in all."""
        return self._pause_ns // NS_PER_MS

    def may_insert(self, now_ns: int) -> bool:
        """Return whether an insert may be sent now."""
        return not self.is_open or now_ns >= self._next_try_ns

    def on_sent(self, now_ns: int) -> None:
        """An insert was sent; while half open the next one waits for its fate, or for another pause."""
        if self.is_open:
            self._is_trying = True
            self._next_try_ns = now_ns + self._pause_ns

    def on_accepted(self) -> None:
        """The venue took an insert."""
        self._is_trying = self.is_open = False
        self._pause_ns = 0
        self._refusals_ns.clear()

    def on_refused(self, now_ns: int) -> bool:
        """The venue refused an insert; return True when that opens the breaker, or keeps it open."""
        if self.is_open and not self._is_trying:
            return False  # sent before the pause began
        refusals_ns = self._refusals_ns
        refusals_ns.append(now_ns)
        while now_ns - refusals_ns[0] > WINDOW_NS:
            refusals_ns.popleft()
        if not self.is_open and len(refusals_ns) < REFUSALS_MAX:
            return False
        self._is_trying = False
        self.is_open = True
        self.openings += 1
        self._pause_ns = min(max(2 * self._pause_ns, PAUSE_NS_MIN), PAUSE_NS_MAX)
        self._next_try_ns = now_ns + self._pause_ns
        refusals_ns.clear()
        return True
