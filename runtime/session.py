"""The segments of a session: created and unlinked by the supervisor alone, opened by its actors."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.codes import SegmentKind
from domain.errors import ExitCode, UserError
from domain.records import DIRECTORY
from runtime.paths import make_private, run_directory
from runtime.topology import SUPERVISOR, SegmentSpec, Topology
from shm.attach import DIRECTORY_SEGMENT
from shm.layout import segment_file_name
from shm.ownership import Ownership
from shm.record import TableWriter
from shm.segment import Segment, create_segment, list_segments, mark_closed, open_segment, unlink_segment

LOOK_S_MAX = 0.1  # who looks whether a session runs holds its lock meanwhile
_ELSEWHERE = "set RINGMAKER_RUN_ROOT to another folder"


class SessionFolderError(UserError):
    """The disk refuses the folder of the running sessions: what runs cannot be told."""

    exit_code = ExitCode.CRASH


class SessionLock:
    """One supervisor a session, by flock: it falls with the process, whatever kills it."""

    def __init__(self, directory: Path, session: str) -> None:
        """Take the session, and make its run directory.

        Raises:
            UserError: another supervisor has it, or the disk refuses.
        """
        self._directory = directory
        self._path = directory / "lock"
        try:
            self._fd = self._take(session)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError as error:
            raise SessionFolderError(f"{self._path}: {error.strerror}: mend the disk, or {_ELSEWHERE}") from None

    def _take(self, session: str) -> int:
        while True:
            try:
                make_private(self._directory)
                fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # a session that ends has just taken its folder away
            if not _is_locked_soon(fd):
                holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
                os.close(fd)
                raise UserError(
                    f"session {session} is running already (supervisor pid {holder}): "
                    f"stop it (`./cli.py stop -s {session}`), or use a configuration of another name"
                )
            if _is_file(fd, self._path):
                return fd
            os.close(fd)  # it was that of a session that has just ended: nobody else would see it

    def clear_directory(self) -> None:
        """Remove sockets and files of the session; the lock itself goes last, with `release`."""
        for file in self._directory.iterdir():
            if file != self._path:
                file.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the session up; its folder goes too, if it is empty."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._directory.rmdir()
        os.close(self._fd)


class SessionSegments:
    """All segments of one session, as their owner: for as long as this process lives or until `unlink`."""

    def __init__(self, session: str, topology: Topology | Sequence[str]) -> None:
        """Plan them; names of instruments alone mean one strategy for all."""
        self._session = session
        self._segments: dict[str, Segment] = {}
        self._ownership: Ownership | None = None
        self.topology = topology if isinstance(topology, Topology) else Topology(topology)
        self.specs = self.topology.segments()

    def create(self) -> None:
        """Create every segment, the directory first, which names them once all exist; on failure nothing stays.

        Raises:
            SegmentError: a living process owns the session, or /dev/shm has no room.
        """
        self.reclaim()
        try:
            self._create(SegmentSpec(DIRECTORY_SEGMENT, SegmentKind.TABLE, DIRECTORY, SUPERVISOR, len(self.specs)))
            self._ownership = Ownership(segment_file_name(self._session, DIRECTORY_SEGMENT))
            for spec in self.specs:
                self._create(spec)
            self._write_directory()
        except BaseException:
            self.unlink()
            raise

    def reclaim(self) -> int:
        """Unlink what a killed owner of this session left and return how many segments that were.

        Raises:
            SessionOwnedError: the owner lives, though its lock file may be in another run directory.
        """
        directory = segment_file_name(self._session, DIRECTORY_SEGMENT)
        stale = [name for name in list_segments(segment_file_name(self._session, "")) if name != directory]
        try:
            ownership = Ownership(directory)
        except FileNotFoundError:
            ownership = None
        for name in stale:
            unlink_segment(name)
        if ownership is None:
            return len(stale)
        unlink_segment(directory)  # last: as long as anything is left, it shows to whom it belongs
        ownership.release()
        return len(stale) + 1

    def unlink(self) -> None:
        """Tell the attached readers that the session has ended and remove every name, the directory's last."""
        for segment in self._segments.values():
            mark_closed(segment)
        for segment in reversed(self._segments.values()):
            unlink_segment(segment.name)
        self._segments.clear()
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None

    def __getitem__(self, name: str) -> Segment:
        return self._segments[name]

    def _create(self, spec: SegmentSpec) -> None:
        name = segment_file_name(self._session, spec.name)
        self._segments[spec.name] = create_segment(name, spec.kind, spec.record, spec.capacity, writer=spec.writer)

    def _write_directory(self) -> None:
        writer = TableWriter(self._segments[DIRECTORY_SEGMENT])
        for row, listed in enumerate(self.specs):
            scratch = writer.scratch[0]
            scratch["segment"] = listed.name.encode()
            scratch["record"] = listed.record.name.encode()
            scratch["writer"] = listed.writer.encode()
            scratch["kind"] = listed.kind
            scratch["capacity"] = listed.capacity
            scratch["layout_hash"] = listed.record.layout_hash()
            writer.publish(row)


def open_session_segment(session: str, name: str, *, writable: bool) -> Segment:
    """Open one segment of a running session, for an actor."""
    return open_segment(segment_file_name(session, name), writable=writable)


def is_supervised(session: str) -> bool:
    """Return whether a supervisor of the session lives: the kernel drops its lock whatever kills it.

    Raises:
        SessionFolderError: the disk does not tell.
    """
    path = run_directory(session) / "lock"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SessionFolderError(
            f"{path}: {error.strerror}: whether session {session} runs cannot be told; mend the disk, "
            f"`./cli.py kill -s {session}` cancels at the venue without it"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def supervisor_pid(session: str) -> int:
    """Return the process id of a session's living supervisor; 0 when none lives, or is to be seen from here.

    The lock is the same in every container that shares the folder, a process id is not; and the file says that of the
    holder before for a moment. So only a process that has the file open is told.
    """
    path = run_directory(session) / "lock"
    with suppress(OSError, ValueError):
        pid = int(path.read_text())
        return pid if is_supervised(session) and _has_open(pid, path) else 0
    return 0


def _has_open(pid: int, path: Path) -> bool:
    """Return whether a process has a file open, as far as it may be looked into."""
    wanted = path.stat()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(fd.stat(), wanted):
                return True
    return False


def _is_locked_soon(fd: int) -> bool:
    """Lock an open file; False when somebody keeps it for longer than one who only looks (`is_supervised`)."""
    deadline_s = time.monotonic() + LOOK_S_MAX
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_S_MAX / 20)


def _is_file(fd: int, path: Path) -> bool:
    """Return whether an open file still has that name."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
