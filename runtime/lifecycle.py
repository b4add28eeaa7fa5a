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


def judge(
    heartbeat: Heartbeat, pid: int, *, started_ns: int, awake_since_ns: int, now_ns: int, patience: Patience
) -> Verdict:
    """Return what the newest sign of life of process `pid` means.

    Args:
        started_ns: when the process was started, monotonic.
        awake_since_ns: when the judge itself came back after it had not run (SIGSTOP, a frozen machine); silence
            before that proves nothing.
    """
    if heartbeat.pid != pid or heartbeat.phase in (ActorPhase.NONE, ActorPhase.STARTING, ActorPhase.COMPILING):
        if now_ns - max(started_ns, awake_since_ns) > patience.start_deadline_s * NS_PER_S:
            return Verdict(Event.LOST, f"not live within {patience.start_deadline_s:g} s of its start")
        return Verdict(None)
    silent_ms = (now_ns - max(heartbeat.beat_time_ns, awake_since_ns)) // NS_PER_MS
    if silent_ms > patience.dead_ms:
        return Verdict(Event.LOST, f"silent for {silent_ms} ms")
    if silent_ms > patience.suspect_ms:
        return Verdict(Event.SILENT, f"silent for {silent_ms} ms")
    # After the judge's own absence a heartbeat from before it is neither a sign of life nor silence.
    return Verdict(Event.BEAT if heartbeat.beat_time_ns >= awake_since_ns else None)
