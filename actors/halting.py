"""Halts a session from outside, so that nothing quotes again after a kill: by a mark that risk takes.

The mark goes where the session looks: its supervisor left the name of that folder in the run directory, for who kills
may have another home. Where it is not found the mark goes to our own home, and only risk's row tells whether it saw it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from domain.errors import UserError
from domain.records import RISK
from runtime import paths
from runtime.heartbeats import Heartbeat, read_heartbeat
from runtime.session import is_supervised, open_session_segment
from shm.attach import DIRECTORY_SEGMENT
from shm.errors import RecordBusyError, SegmentError
from shm.layout import segment_file_name
from shm.ownership import is_owned
from shm.record import TableReader
from shm.segment import list_segments, open_fd
from trading.risk.latch import KILL_FILE_NAME, KillMark, kill_mark_bytes

MARK_WAIT_S = 0.25  # a disk that takes longer is not waited for: the cancel goes first
RISK_WAIT_S = 1.5
LOOK_AGAIN_S = 0.02


class _Told(msgspec.Struct, frozen=True):
    """The part of venue.json in the run directory that says where the session keeps its state."""

    state: str = ""


class SessionHalt:
    """One attempt to halt a session, if there is one that could place an order.

    Args:
        must_latch: halt it in any case, also one that is started later.
        is_ending: whoever asks ends the session: only a living execution is a reason for a halt.
    """

    def __init__(self, session: str, *, must_latch: bool, is_ending: bool) -> None:
        self._session = session
        self._began_ns = time.monotonic_ns()
        self._is_alive = bool(living_execution(session)) or (not is_ending and _is_run(session))
        self._is_wanted = self._is_alive or must_latch
        self._others = [] if is_ending or self._is_alive else _other_users(session)
        self._folder = _folder_told(session)
        self._path = (self._folder or paths.home() / "state" / session) / KILL_FILE_NAME
        self._fault = f"{self._path} is not written yet: the disk stands still"

    def begin(self) -> None:
        """Write the mark; one that the disk does not take in time is left to a thread that nobody waits for."""
        if self._is_wanted:
            writer = threading.Thread(target=self._write, name="mark", daemon=True)
            writer.start()
            writer.join(MARK_WAIT_S)

    def _write(self) -> None:
        try:
            if self._folder is None:
                paths.state_directory(self._session)
            paths.write_atomically(self._path, kill_mark_bytes(KillMark(time.time_ns())))
        except (OSError, UserError) as error:
            self._fault = f"{self._path} cannot be written ({error})"
        else:
            self._fault = ""

    def fault(self) -> str:
        """Return why the session may go on placing orders; empty when it is halted, or there is none."""
        if self._others:
            uids = ", ".join(map(str, self._others))
            return f"uid {uids} runs it, not you: kill it as that user (sudo -u)"
        fault = self._fault if self._is_wanted else ""
        if self._is_alive and not fault and self._folder is None:
            where = paths.run_directory(self._session)
            fault = f"{where} does not say where it keeps its state: set RINGMAKER_RUN_ROOT as it was at its start"
        return fault if fault and not self._risk_holds() else ""

    def _risk_holds(self) -> bool:
        """Whether risk says, after the mark, that it holds the session until a resume; waits a little for its word."""
        if not self._is_alive:
            return False
        deadline = time.monotonic() + RISK_WAIT_S
        while True:
            with suppress(OSError, SegmentError, ValueError, RecordBusyError):
                row = TableReader(open_session_segment(self._session, "risk", writable=False))
                is_later = row.load(0) and row.ints[RISK.word("written_time_ns")] > self._began_ns
                if is_later and row.ints[RISK.word("is_kill_latched")]:
                    return True  # else it may not have looked for the mark yet
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_AGAIN_S)


# ---- who lives -------------------------------------------------------------------------------------------


def living_execution(session: str) -> int:
    """Return the process id of the session's execution actor; 0 when there is none that lives."""
    try:
        heartbeat = _execution_heartbeat(session)
    except (OSError, SegmentError, ValueError):
        return 0
    # A process id may have been given to somebody else since: only our own module counts.
    if heartbeat is None or not runs_execution(heartbeat.pid):
        return 0
    return heartbeat.pid


def runs_execution(pid: int) -> bool:
    """Return whether a process is an execution actor."""
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"actors.execution" in command_line


def _execution_heartbeat(session: str) -> Heartbeat | None:
    heartbeat = read_heartbeat(TableReader(open_session_segment(session, "heartbeats.execution", writable=False)))
    return heartbeat if heartbeat.pid > 0 else None


def _is_run(session: str) -> bool:
    """Whether a supervisor may live: by its lock, or, with another run directory, by its segments. Doubt counts."""
    try:
        return is_supervised(session) or _has_owner(segment_file_name(session, DIRECTORY_SEGMENT))
    except UserError:
        return True


def _other_users(session: str) -> list[int]:
    """Return the users that run a session of that name, as far as shared memory tells."""
    found = []
    for name in list_segments("ringmaker."):
        uid, _, rest = name.removeprefix("ringmaker.").partition(".")
        if rest == f"{session}.{DIRECTORY_SEGMENT}" and uid.isdigit() and int(uid) != os.getuid() and _has_owner(name):
            found.append(int(uid))
    return found


def _has_owner(directory: str) -> bool:
    """Whether the owner of a directory segment lives; also when it may not be asked."""
    try:
        fd = open_fd(directory, writable=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return is_owned(fd)
    finally:
        os.close(fd)


def _folder_told(session: str) -> Path | None:
    """Return the folder of state that the session named at its start; None when it is not found."""
    try:
        told = msgspec.json.decode((paths.run_directory(session) / "venue.json").read_bytes(), type=_Told)
    except (OSError, msgspec.DecodeError):
        return None
    return Path(told.state) if told.state else None
