"""Which fills were counted, in a file that only grows: eight bytes each (trading/fill_keys.py).

It stands beside the file that it belongs to, which says how many of its bytes count and what their checksum is: the
journal of execution, and the account of risk. What comes after these bytes counts for nothing: it is written again.
A kill between the two writes loses nothing, therefore, and no fill can be taken for counted that is not.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

from runtime.paths import write_at


class SealedFills(NamedTuple):
    """So many bytes of the file count, and this is their CRC-32."""

    size_bytes: int = 0
    checksum: int = 0


class FillsFile:
    """The file beside the one at `path`, `.fills` after its name.

    Attributes:
        sealed: what of it counts.
    """

    def __init__(self, path: Path) -> None:
        self.sealed = SealedFills()
        self._path = path.with_name(path.name + ".fills")
        self._fd: int | None = None
        self._is_synced = True

    def load(self, sealed: SealedFills) -> bytes | None:
        """Return what counts; None, and the file is put aside, when it is unreadable or not what `sealed` says."""
        if not sealed.size_bytes:
            return b""
        content = b""
        with contextlib.suppress(OSError):
            content = self._path.read_bytes()[: sealed.size_bytes]
        if sealed != SealedFills(len(content), zlib.crc32(content)):
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_name(self._path.name + ".damaged"))
            return None
        self.sealed = sealed
        return content

    def open(self) -> int:
        """Open it, or create it empty, and return the descriptor. OSError when the disk refuses.

        Called at the start, not when it is first needed, a process holds as many after a day as in its first minute.
        """
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(self._fd, 0o600)
        return self._fd

    def append(self, content: bytes) -> SealedFills:
        """Write more after what counts; return what counts once `sealed` says so. OSError when the disk refuses."""
        if not content:
            return self.sealed
        write_at(self.open(), content, self.sealed.size_bytes)
        self._is_synced = False
        return SealedFills(self.sealed.size_bytes + len(content), zlib.crc32(content, self.sealed.checksum))

    def sync(self) -> None:
        """Bring to the disk what was appended; may run in a thread. OSError when it refuses."""
        if self._fd is None or self._is_synced:
            return
        self._is_synced = True  # before it is: what is appended meanwhile is synced the next time
        try:
            os.fdatasync(self._fd)
        except OSError:
            self._is_synced = False
            raise

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
