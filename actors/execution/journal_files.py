"""The files of one journal: `execution.journal` is written now, `execution.journal.1`, `.2`, ... were before it.

A file that goes on with the row is written under a name of its own, whole with all that it takes over; then the file
before it gets its number as a second name, and the new one takes its place: there is a whole `execution.journal` at
every moment, whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from actors.execution.journal_format import HEADER_BYTES_MAX, Start, read_header
from runtime.paths import write_at

READ_AT_ONCE = 1 << 24


class EarlierFile(NamedTuple):
    path: Path
    start: Start


def earlier_files(path: Path, start: Start | None) -> list[EarlierFile]:
    """Return the files that come before one which begins with `start`, oldest first; None = all that have a header.

    Raises:
        NewerVersionError: a later program wrote one.
    """
    found = []
    for file in _numbered(path):
        try:
            with file.open("rb") as opened:
                its = read_header(opened.read(HEADER_BYTES_MAX))
        except FileNotFoundError:
            continue  # the oldest was deleted meanwhile
        if its is not None and (start is None or its.place < start.place):
            found.append(EarlierFile(file, its))
    return sorted(found, key=lambda file: file.start.place)


def write_next(path: Path, content: bytes) -> int:
    """Write the file that will take the place of `path`; return it, open. OSError when the disk refuses."""
    fd = os.open(_next_name(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        write_at(fd, content, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def take_place(path: Path) -> None:
    """Let what `write_next` wrote take the place of `path`, which gets the next number. OSError: nothing changed."""
    number = max((int(file.suffix[1:]) for file in _numbered(path)), default=0) + 1
    before = path.with_name(f"{path.name}.{number}")
    os.link(path, before)
    try:
        os.replace(_next_name(path), path)
    except OSError:
        before.unlink()
        raise


def tidy(path: Path) -> None:
    """Remove what a kill in the middle of `write_next` or `take_place` left behind."""
    with contextlib.suppress(OSError):
        _next_name(path).unlink(missing_ok=True)
        for file in _numbered(path):
            if file.samefile(path):
                file.unlink()


def delete_oldest(path: Path, kept: int) -> int:
    """Delete earlier files but for the newest `kept`; return how many went. Those that cannot go stay."""
    files = sorted(_numbered(path), key=lambda file: int(file.suffix[1:]))
    count = 0
    for file in files[: max(len(files) - kept, 0)]:
        with contextlib.suppress(OSError):
            file.unlink()
            count += 1
    return count


def sync_names(path: Path) -> None:
    """Bring the names of files to the disk. OSError when it refuses."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_all(fd: int) -> bytes:
    """Return a whole file."""
    parts, offset = [], 0
    while part := os.pread(fd, READ_AT_ONCE, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def keep_aside(path: Path, offset: int, content: bytes) -> Path | None:
    """Write what is cut off at `offset` into a file of its own; None when the disk refuses, which must not stop us."""
    kept_in = _free_name(path, offset)
    try:
        fd = os.open(kept_in, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            rest = content
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        return None
    return kept_in


def _numbered(path: Path) -> list[Path]:
    prefix = path.name + "."
    return [
        path.with_name(entry.name)
        for entry in os.scandir(path.parent)
        if entry.name.startswith(prefix) and entry.name[len(prefix) :].isdecimal()
    ]


def _next_name(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def _free_name(path: Path, offset: int) -> Path:
    name = path.with_name(f"{path.name}.{offset}.damaged")
    number = 1
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}.{offset}-{number}.damaged")
    return name
