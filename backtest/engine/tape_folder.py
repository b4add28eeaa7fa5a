"""Where the tapes of recordings are kept that lie where nothing may be written: in the temporary folder, not for ever.

Who plays a tape, or writes one, holds a lock on it (flock): the kernel lets go of it whatever ends the process. A tape
that nobody holds may go, and is built again when it is wanted.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

TAPE_SUFFIX = ".tape"
PARTIAL_SUFFIX = ".partial"
TAPES_MAX = 16
BYTES_MAX = 8 << 30


def elsewhere(source: Path) -> Path:
    """Return the place of the tape of an event file that lies where nothing may be written."""
    name = str(source.resolve()).replace(os.sep, "%")
    return Path(tempfile.gettempdir()) / f"ringmaker-{os.getuid()}" / (name[-200:] + TAPE_SUFFIX)


def hold(fd: int) -> None:
    """Keep an open tape from being removed until it is closed."""
    with suppress(OSError):  # a file system without locks, which the temporary folder is not on
        fcntl.flock(fd, fcntl.LOCK_SH)


def make_room(folder: Path) -> None:
    """Remove the tapes played longest ago until there is room for another one within TAPES_MAX and BYTES_MAX.

    One in use stays, and so does one that cannot be removed. What a killed process left half written counts as a tape.
    """
    found = []
    for path in folder.glob(f"*{TAPE_SUFFIX}*"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    count, size = len(found), sum(one[1] for one in found)
    for _, its_size, path in sorted(found):
        if count < TAPES_MAX and size <= BYTES_MAX:
            return
        with suppress(OSError):
            _remove_unused(path)
            count, size = count - 1, size - its_size


def _remove_unused(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(fd)
