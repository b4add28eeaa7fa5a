"""When the venue is asked again: at once for a new reason, ever later for one that asking does not end."""

from __future__ import annotations

from domain.clock import NS_PER_MS, NS_PER_S

PAUSE_NS_MIN = 20 * NS_PER_MS
LOST_PAUSE_NS = 1 * NS_PER_S
Reasons = frozenset[int | str]


class Asking:
    """The pace of audits. A reason is the number of an order in doubt, or what is wrong with the position.

    Attributes:
        due_ns: monotonic, when the next audit is due if no new reason comes.
    """

    def __init__(self) -> None:
        self.due_ns = 0
        self._pause_ns = PAUSE_NS_MIN
        self._asked: Reasons = frozenset()

    def is_due(self, reasons: Reasons, now_ns: int) -> bool:
        """Return whether to ask now; if so, it is taken for asked."""
        self._asked &= reasons
        if now_ns < self.due_ns and reasons <= self._asked:
            return False
        self._asked = reasons
        return True

    def settled(self, due_ns: int) -> None:
        """Nothing is open between the venue and us; the next audit is due at `due_ns`."""
        self._asked = frozenset()
        self._pause_ns = PAUSE_NS_MIN
        self.due_ns = due_ns

    def open(self, now_ns: int, pause_ns_max: int, reasons: Reasons) -> None:
        """These are open still, or the venue refused to answer: ask again, after twice the pause each time."""
        self._asked &= reasons
        self.due_ns = now_ns + min(self._pause_ns, pause_ns_max)
        self._pause_ns = min(2 * self._pause_ns, pause_ns_max)

    def ask_soon(self, now_ns: int) -> None:
        """Bring the next audit forward: something that the venue said was lost. A flood of such asks once a second."""
        self.due_ns = min(self.due_ns, now_ns + LOST_PAUSE_NS)
