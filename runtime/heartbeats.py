"""Signs of life: written from an actor's work loop, read by the supervisor, by execution and by risk.

The supervisor erases that of an actor whose death it has seen; the next life writes it again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from domain.codes import ActorPhase
from domain.records import HEARTBEAT
from shm.errors import RecordBusyError
from shm.record import TableReader, TableWriter
from shm.segment import Segment

_BEAT = HEARTBEAT.word("beat_time_ns")
_LOOPS = HEARTBEAT.word("loops")
_PHASE = HEARTBEAT.word("phase")
_PID = HEARTBEAT.word("pid")
_EPOCH = HEARTBEAT.word("epoch")


class HeartbeatWriter:
    """An actor's own sign of life."""

    def __init__(self, table: TableWriter, *, epoch: int, core: int, now_ns: int) -> None:
        self._table = table
        ints = table.ints
        ints[_PID] = os.getpid()
        ints[_EPOCH] = epoch
        ints[_PHASE] = ActorPhase.STARTING
        ints[HEARTBEAT.word("started_time_ns")] = now_ns
        ints[HEARTBEAT.word("core")] = core
        self.beat(now_ns)

    @property
    def phase(self) -> ActorPhase:
        return ActorPhase(self._table.ints[_PHASE])

    def set_phase(self, phase: ActorPhase, now_ns: int) -> None:
        self._table.ints[_PHASE] = phase
        self.beat(now_ns)

    def beat(self, now_ns: int) -> None:
        """Say that the work loop turned."""
        ints = self._table.ints
        ints[_BEAT] = now_ns
        ints[_LOOPS] += 1
        self._table.publish(0)


def erase_heartbeat(segment: Segment) -> None:
    """Say that nobody lives, of a process that has been reaped: who waits for its silence need not wait any more."""
    TableWriter(segment).publish(0)


class Heartbeat(NamedTuple):
    """One look at an actor's sign of life."""

    pid: int
    epoch: int
    phase: ActorPhase
    beat_time_ns: int

    def age_ns(self, now_ns: int) -> int:
        return now_ns - self.beat_time_ns


NEVER = Heartbeat(0, 0, ActorPhase.NONE, 0)


class HeartbeatReader:
    """Follows an actor's sign of life.

    A row that is just being written says what it said before: its writer may only have lost its core inside it, and one
    that died there has fallen silent like any other.
    """

    def __init__(self, table: TableReader) -> None:
        self._table = table
        self._last = NEVER

    def read(self) -> Heartbeat:
        """Return the newest sign of life; `NEVER` when there is none, or it was erased."""
        with suppress(RecordBusyError):
            self._last = _loaded(self._table)
        return self._last


def read_heartbeat(table: TableReader) -> Heartbeat:
    """Return an actor's newest sign of life at one look; `NEVER` when there is none, or it is just being written."""
    try:
        return _loaded(table)
    except RecordBusyError:
        return NEVER


def _loaded(table: TableReader) -> Heartbeat:
    if not table.load(0):
        return NEVER
    ints = table.ints
    return Heartbeat(ints[_PID], ints[_EPOCH], ActorPhase(ints[_PHASE]), ints[_BEAT])
