"""A file of lines that a process leaves behind. A disk that refuses them costs lines, never the process.

Nothing is raised and nothing is torn: a line that was written in part is finished first when the disk takes it again,
and one that a killed process left unfinished is cut off by the next.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from runtime.continued import put_away, write_heading

_TAIL_BYTES = 1 << 20


class LineFile:
    """Appends whole lines, from any thread; private to this user.

    Attributes:
        trouble: why the last lines were not taken; empty = they were.
        lost: lines that were never written.
    """

    def __init__(
        self,
        path: Path,
        notice: Callable[[int, str], bytes] | None = None,
        *,
        bytes_max: int | None = None,
        kept: int = 0,
        is_followed: bool = False,
    ) -> None:
        """Open or create it; when that fails, the first line tries again.

        Args:
            bytes_max: a file that has grown to this size is put away as `<name>.1`, and lines go on in a new one;
                None = never.
            kept: how many are kept so, `<name>.1` the youngest.
            is_followed: a new file says in its first line where in the whole it begins (runtime/continued.py).
            notice: makes the lines that are written first when the disk takes lines again, from the number of lines
                lost since and the reason.
        """
        self._path = path
        self._notice = notice
        self._bytes_max = bytes_max
        self._kept = kept
        self._is_followed = is_followed
        self._bytes = 0
        self._lock = threading.Lock()
        self._fd = -1
        self._rest = b""
        self._lost_since = 0
        self.trouble = ""
        self.lost = 0
        try:
            self._open()
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def append(self, lines: bytes) -> bool:
        """Write lines, each with its newline; return whether the disk took all of them. Nothing waits for it."""
        left = lines
        with self._lock:
            try:
                self._open()
                self._put_away_if_full()
                self._finish_line()
                if self.trouble and self._notice is not None:
                    self._put(self._notice(self._lost_since, self.trouble))
                left = b""  # from here on it is counted line by line
                self._put(lines, is_counted=True)
            except OSError as error:
                self.trouble = error.strerror or str(error)
                self._lose(left.count(b"\n"))
                return False
            self.trouble = ""
            self._lost_since = 0
            return True

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    # ---- inside ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._fd >= 0:
            return
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _cut_torn_line(fd)
            if self._is_followed and not os.fstat(fd).st_size:
                write_heading(fd, self._path)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        self._bytes = os.fstat(fd).st_size

    def _put_away_if_full(self) -> None:
        if self._bytes_max is None or self._bytes < self._bytes_max or self._rest:
            return
        self._bytes = 0  # when it is refused, the next try comes after as much again
        try:
            put_away(self._path, self._kept)
        except OSError:
            return
        os.close(self._fd)
        self._fd = -1
        self._open()

    def _finish_line(self) -> None:
        while self._rest:
            self._rest = self._rest[os.write(self._fd, self._rest) :]

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self._lost_since += lines

    def _put(self, lines: bytes, *, is_counted: bool = False) -> None:
        left = lines
        try:
            while left:
                left = left[os.write(self._fd, left) :]
            self._bytes += len(lines)
        except OSError:
            is_torn = len(left) < len(lines) and not lines[: len(lines) - len(left)].endswith(b"\n")
            self._rest = left[: left.find(b"\n") + 1] if is_torn else b""
            if is_counted:
                self._lose(left.count(b"\n") - is_torn)
            raise


def _cut_torn_line(fd: int) -> None:
    """Cut off what follows the last newline."""
    size = os.fstat(fd).st_size
    start = max(size - _TAIL_BYTES, 0)
    tail = os.pread(fd, size - start, start)
    end = tail.rfind(b"\n") + 1
    if end < len(tail) and (end or not start):
        os.ftruncate(fd, start + end)
