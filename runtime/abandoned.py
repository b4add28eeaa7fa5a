"""What is known of a session whose supervisor was killed: its lock file and its segments are still there."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from domain.clock import NS_PER_S
from runtime.heartbeats import Heartbeat, read_heartbeat
from runtime.paths import run_directory
from runtime.session import is_supervised, open_session_segment
from shm.errors import SegmentError
from shm.layout import segment_file_name
from shm.record import TableReader
from shm.segment import list_segments

_HEARTBEATS = "heartbeats."


class Abandoned(NamedTuple):
    """A session that nobody supervises any more, and that did not end.

    Attributes:
        supervisor_pid: as the lock file has it; empty when it cannot be read.
        gone_ns: time since the supervisor was killed, about: since the first actor fell silent, for most of them end
            with it; None while every actor lives.
        living: process ids of the actors that are still there.
    """

    supervisor_pid: str
    gone_ns: int | None
    living: dict[str, int]

    def words(self) -> str:
        """Return it in a line, without what to do."""
        pid = f" (pid {self.supervisor_pid})" if self.supervisor_pid else ""
        since = ""
        if self.gone_ns is not None:
            moment = datetime.fromtimestamp(time.time() - self.gone_ns / NS_PER_S, UTC)
            since = f" since about {moment:%H:%M:%S} UTC, {self.gone_ns / NS_PER_S:.0f} s ago"
        actors = ", ".join(f"{name} (pid {pid})" for name, pid in self.living.items())
        return f"its supervisor{pid} is gone{since}, killed or crashed; actors that still live: {actors or 'none'}"


def abandoned(session: str) -> Abandoned | None:
    """Return what is known of a session without its supervisor; None where it runs, or ended in order."""
    lock = run_directory(session) / "lock"
    if not lock.exists() or is_supervised(session):
        return None
    beats = _heartbeats(session)
    living = {name: beat.pid for name, beat in beats.items() if _is_actor(beat.pid)}
    silent = [beat.beat_time_ns for name, beat in beats.items() if name not in living and beat.pid > 0]
    gone_ns = time.monotonic_ns() - min(silent) if silent else None
    with suppress(OSError):
        return Abandoned(lock.read_text(errors="replace").strip(), gone_ns, living)
    return Abandoned("", gone_ns, living)


def _heartbeats(session: str) -> dict[str, Heartbeat]:
    found = {}
    prefix = segment_file_name(session, _HEARTBEATS)
    for segment in list_segments(prefix):
        name = segment.removeprefix(prefix)
        with suppress(OSError, SegmentError, ValueError):
            found[name] = read_heartbeat(
                TableReader(open_session_segment(session, f"{_HEARTBEATS}{name}", writable=False))
            )
    return found


def _is_actor(pid: int) -> bool:
    """Return whether a process id, which may have been given to somebody else since, is that of an actor of ours."""
    with suppress(OSError):
        return pid > 0 and b"actors." in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
