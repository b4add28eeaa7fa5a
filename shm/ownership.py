"""Who owns a session: a lock on its directory segment, which falls with the owner, whatever killed it.

An open-file-description lock (fcntl F_OFD_SETLK) on the segment's own file. Process ids lie across pid
namespaces, and a lock file in a run directory is another file for everyone with another run directory; whoever
sees the segment sees this lock. Looking (F_OFD_GETLK) takes nothing, so that no reader can ever be in the way
of an owner. docs/decisions/0003.
"""

from __future__ import annotations

import fcntl
import os
import struct

from shm.errors import SessionOwnedError
from shm.segment import open_fd

_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


def is_owned(fd: int) -> bool:
    """Return whether an owner holds the segment behind `fd`, a descriptor of any mode."""
    asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    found = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))
    return int(found[0]) != fcntl.F_UNLCK


class Ownership:
    """The owner's lock on the directory segment of a session, held until `release` or the process's death."""

    def __init__(self, segment_name: str) -> None:
        """Take the lock.

        Raises:
            FileNotFoundError: there is no such segment.
            SessionOwnedError: somebody else holds it.
        """
        self._fd = open_fd(segment_name, writable=True)
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            is_lost = os.fstat(self._fd).st_nlink == 0  # somebody reclaimed it between creation and lock
        except (BlockingIOError, PermissionError):
            is_lost = True
        if is_lost:
            os.close(self._fd)
            raise SessionOwnedError(f"another process owns {segment_name}: stop it, or use another session name")

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._fd)
