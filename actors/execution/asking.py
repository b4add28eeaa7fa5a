"""When the venue is asked again: at once for a new reason, ever later for one that asking does not end."""

from __future__ import annotations

import sys
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S

PAUSE_NS_MIN = 20 * NS_PER_MS
LOST_PAUSE_NS = 1 * NS_PER_S
NEVER_NS = sys.maxsize
Reasons = frozenset[int | str]
UNSETTLED = "the venue did not answer, or there is a difference that is no reason yet"


class _Pause(NamedTuple):
    end_ns: int
    length_ns: int


class Asking:
    """The pace of audits. A reason is the number of an order in doubt, or what is wrong with the position.

    Each reason has pauses of its own: one that stays for long makes no other wait.

    Attributes:
        due_ns: monotonic, when the next audit is due if there is no reason and nothing was lost.
    """

    def __init__(self) -> None:
        self.due_ns = 0
        self._soon_ns = NEVER_NS  # when something that was lost is due: an audit that ends does not put it off
        self._pauses: dict[int | str, _Pause] = {}
        self._asked: Reasons = frozenset()  # what the newest audit was for
        self._unsettled: Reasons = frozenset()

    def is_due(self, reasons: Reasons, now_ns: int) -> bool:
        """Return whether to ask now; if so, it is taken for asked."""
        reasons |= self._unsettled
        asked = self._due(reasons, now_ns) if reasons or self._pauses else reasons
        if now_ns < min(self.due_ns, self._soon_ns) and not asked:
            return False
        self._soon_ns = NEVER_NS
        self._asked = asked
        return True

    def settled(self, now_ns: int, interval_ns: int) -> None:
        """Nothing is open between the venue and us; the next audit is due after `interval_ns`."""
        self._unsettled = frozenset()
        self._pause_asked(now_ns, interval_ns, frozenset())
        self.due_ns = now_ns + interval_ns

    def open(self, now_ns: int, pause_ns_max: int, reasons: Reasons) -> None:
        """These are open still, or the venue refused to answer: ask again, after twice the pause each time."""
        if not reasons and not self._unsettled:
            self._asked |= {UNSETTLED}
        self._unsettled = frozenset() if reasons else frozenset({UNSETTLED})
        self._pause_asked(now_ns, pause_ns_max, reasons | self._unsettled)
        self.due_ns = now_ns + pause_ns_max

    def begin(self, due_ns: int) -> None:
        """A recovery has ended: what was asked for before it counts no more; the next audit is due at `due_ns`."""
        self._pauses.clear()
        self._asked = self._unsettled = frozenset()
        self.due_ns = due_ns

    def ask_soon(self, now_ns: int) -> None:
        """Bring the next audit forward: something that the venue said was lost. A flood of such asks once a second."""
        self._soon_ns = min(self._soon_ns, now_ns + LOST_PAUSE_NS)

    def _due(self, reasons: Reasons, now_ns: int) -> Reasons:
        """Return those whose pause is over, or that are new; one that is absent as its pause ends will be new."""
        self._pauses = {
            reason: pause for reason, pause in self._pauses.items() if reason in reasons or now_ns < pause.end_ns
        }
        return frozenset(
            reason for reason in reasons if reason not in self._pauses or now_ns >= self._pauses[reason].end_ns
        )

    def _pause_asked(self, now_ns: int, pause_ns_max: int, left: Reasons) -> None:
        """Let what was asked for wait; what has ended may come back at once, and waits no longer than for a loss."""
        for reason in self._asked:
            length_ns = 2 * self._pauses[reason].length_ns if reason in self._pauses else PAUSE_NS_MIN
            length_ns = min(length_ns, pause_ns_max if reason in left else min(pause_ns_max, LOST_PAUSE_NS))
            self._pauses[reason] = _Pause(now_ns + length_ns, length_ns)
