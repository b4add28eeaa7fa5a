"""Files of lines that go on in a new one when they are full, and how a reader follows them from one to the next.

The full one becomes `<name>.1`, that one `<name>.2`, and so on. A new file says in its first line at which byte of the
whole it begins, `{"begins_at_byte":67109002}`: so a place in the whole stays what it is, however often files go on.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from pathlib import Path
from typing import NamedTuple

FILE_BYTES_MAX = 64 << 20
FILES_KEPT = 4  # before the present one
HEADING = b'{"begins_at_byte":'
_HEADING_BYTES_MAX = 64


class Part(NamedTuple):
    """What was read: the place of its first byte in the whole, and its bytes; the last line may be unfinished."""

    place: int
    content: bytes


def put_away(path: Path, kept: int = FILES_KEPT) -> None:
    """Have a file become `<name>.1`, and so on; the oldest goes. A kill in between loses none but that.

    Raises:
        OSError: the disk refuses; some may have moved.
    """
    names = [path, *(path.with_name(f"{path.name}.{age + 1}") for age in range(kept))]
    for younger, older in reversed(list(itertools.pairwise(names))):
        with contextlib.suppress(FileNotFoundError):
            os.replace(younger, older)


def write_heading(fd: int, path: Path) -> int:
    """Write the first line of a new file at `path` where it goes on from another; returns its length, bytes.

    Raises:
        OSError: the disk refuses; the file is empty, as before.
    """
    try:
        before = os.open(path.with_name(f"{path.name}.1"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        heading = HEADING + b"%d}\n" % (_begin(before) + os.fstat(before).st_size)
    finally:
        os.close(before)
    if os.write(fd, heading) < len(heading):
        os.ftruncate(fd, 0)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return len(heading)


def read_on(path: Path, place: int, bytes_max: int) -> Part:
    """Return what stands after a place of the whole, at most so many bytes of one file; nothing while nothing is new.

    What was put away for so long that it is gone is passed over: then the part's place is behind the one asked for. So
    it is where the end of a file is no line, for its writer was killed.

    Raises:
        OSError: the disk refuses.
    """
    later: Part | None = None  # from the files after the one at hand
    for age in range(FILES_KEPT + 1):  # upwards: one that moves on meanwhile is seen twice, none is missed
        try:
            fd = os.open(path.with_name(f"{path.name}.{age}") if age else path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            begin = _begin(fd)
            part = Part(max(place, begin), os.pread(fd, bytes_max, max(place - begin, 0)))
        finally:
            os.close(fd)
        if begin <= place:
            return part if later is None or b"\n" in part.content else later
        later = part
    return later or Part(place, b"")


def _begin(fd: int) -> int:
    """Return the byte of the whole at which an open file begins."""
    first, _, _ = os.pread(fd, _HEADING_BYTES_MAX, 0).partition(b"\n")
    return int(first[len(HEADING) : -1]) if first.startswith(HEADING) else 0
