"""The states of an actor as its supervisor sees them, and every way from one to the next: one table.

                 spawned            first beat           silent for suspect_ms
        DEAD ──────────────> STARTING ────────> LIVE ──────────────────────────> SUSPECT
         ^                      │                 │  <──────────────────────────    │
         │                      │                 │            a beat              │
         └── SIGKILL, reaped <──┴── exited, overdue, silent for dead_ms ───────────┘

A state that the table does not lead to from another cannot be reached from there: that is a KeyError, a bug. DEAD
means reaped: nothing of it can still send, so the next life may start. ENDED is DEAD for good.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ActorPhase
from runtime.heartbeats import Heartbeat

AWAY_NS_MAX = NS_PER_S // 2  # longer between two looks: the supervisor itself did not run, and saw nobody
ABSENCE_COUNTED_NS_MAX = 100 * NS_PER_MS  # of an absence alone; less than any silence that makes suspect


class ChildState(Enum):
    DEAD = "dead"  # no process; the policy says when the next one starts
    STARTING = "starting"  # has a deadline of its own, for imports and kernels
    LIVE = "live"
    SUSPECT = "suspect"  # silent for suspect_ms: execution pulls the quotes that depend on it
    ENDED = "ended"  # no process, and none will follow


class Event(Enum):
    SPAWNED = "spawned"
    BEAT = "beat"
    SILENT = "silent"
    LOST = "lost"  # exited, overdue or silent for too long: by now killed and reaped
    GIVEN_UP = "given up"


TRANSITIONS: dict[ChildState, dict[Event, ChildState]] = {
    ChildState.DEAD: {Event.SPAWNED: ChildState.STARTING, Event.GIVEN_UP: ChildState.ENDED},
    ChildState.STARTING: {
        Event.BEAT: ChildState.LIVE,
        Event.LOST: ChildState.DEAD,
        Event.GIVEN_UP: ChildState.ENDED,
    },
    ChildState.LIVE: {
        Event.BEAT: ChildState.LIVE,
        Event.SILENT: ChildState.SUSPECT,
        Event.LOST: ChildState.DEAD,
        Event.GIVEN_UP: ChildState.ENDED,
    },
    ChildState.SUSPECT: {
        Event.BEAT: ChildState.LIVE,
        Event.SILENT: ChildState.SUSPECT,
        Event.LOST: ChildState.DEAD,
        Event.GIVEN_UP: ChildState.ENDED,
    },
    ChildState.ENDED: {Event.GIVEN_UP: ChildState.ENDED},
}


class Patience(NamedTuple):
    """How long an actor may be silent, ms, and take to start, s."""

    suspect_ms: int
    dead_ms: int
    start_deadline_s: float


class Verdict(NamedTuple):
    """What a look at a running actor says. `event` None = nothing yet; LOST with the reason why it must be killed."""

    event: Event | None
    reason: str = ""


class Absences:
    """How much of the time between looks the supervisor itself was away: stopped, or with its whole machine.

    Silence in that time proves nothing. But an absence is never forgiven whole, and of some in a row each but the first
    counts for all that a look may take: a supervisor that is late every time would never judge. That is a quarter of
    the patience at most: it takes four absences at least to lose an actor of which nothing is heard between them.
    """

    def __init__(self, now_ns: int, dead_ms: int) -> None:
        """Begin now; after a silence of `dead_ms` an actor is lost."""
        self._looked_ns = now_ns
        self._was_away = False
        self._away_ns = min(AWAY_NS_MAX, dead_ms * NS_PER_MS // 4)

    def look(self, now_ns: int) -> int:
        """Return how much of the time since the look before does not count, ns."""
        passed_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        was_away, self._was_away = self._was_away, passed_ns > self._away_ns
        if not self._was_away:
            return 0
        return passed_ns - (self._away_ns if was_away else min(self._away_ns, ABSENCE_COUNTED_NS_MAX))


class Observed:
    """How long one life has been starting and how long it is silent, without what does not count of that time.

    Attributes:
        starting_ns: since its process was started.
        silent_ns: since its newest sign of life.
        silent_before_ns: that as of the look before, of the same sign of life; 0 when there is a newer one.
        was_away: the supervisor was, until this look.
    """

    def __init__(self, started_ns: int) -> None:
        self.starting_ns = self.silent_ns = self.silent_before_ns = 0
        self.was_away = False
        self._looked_ns = started_ns
        self._beat_ns = self._forgiven_ns = 0

    def look(self, beat_ns: int, now_ns: int, away_ns: int) -> None:
        """Take note of the newest sign of life; `away_ns` of the time since the look before does not count."""
        self.starting_ns += now_ns - self._looked_ns - away_ns
        self._looked_ns = now_ns
        if beat_ns != self._beat_ns:
            self._beat_ns, self._forgiven_ns, self.silent_ns = beat_ns, 0, 0
        self.silent_before_ns, self.was_away = self.silent_ns, away_ns > 0
        self._forgiven_ns = min(self._forgiven_ns + away_ns, max(now_ns - beat_ns, 0))
        self.silent_ns = now_ns - beat_ns - self._forgiven_ns


def judge(heartbeat: Heartbeat, pid: int, observed: Observed, patience: Patience) -> Verdict:
    """Return what the newest sign of life of process `pid` means."""
    if heartbeat.pid != pid or heartbeat.phase in (ActorPhase.NONE, ActorPhase.STARTING, ActorPhase.COMPILING):
        if observed.starting_ns > patience.start_deadline_s * NS_PER_S:
            return Verdict(Event.LOST, f"not live within {patience.start_deadline_s:g} s of its start")
        return Verdict(None)
    silent_ms = observed.silent_ns // NS_PER_MS
    # One that wakes up together with its supervisor may beat before it is lost: an absence alone never is its end.
    is_waking = observed.was_away and observed.silent_before_ns // NS_PER_MS <= patience.dead_ms
    if silent_ms > patience.dead_ms and not is_waking:
        return Verdict(Event.LOST, f"silent for {silent_ms} ms")
    if silent_ms > patience.suspect_ms:
        return Verdict(Event.SILENT, f"silent for {silent_ms} ms")
    return Verdict(Event.BEAT)
