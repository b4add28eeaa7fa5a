"""The file that a journal appends to now, and how it is left for the next one."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import NamedTuple

from actors.execution import journal_files
from actors.execution.journal_format import Entry, Start, frame
from runtime.paths import write_at
from runtime.sealed_fills import FillsFile, SealedFills
from trading.orders.config import JournalConfig


class NextFile(NamedTuple):
    """A file with which a journal may go on: its content, the number of its next entry, and what is sealed then."""

    start: Start
    content: bytes
    number: int
    sealed: SealedFills


class JournalFile:
    """The present file, the one before it until that is synced, and the sealed fills beside them.

    Attributes:
        disk: held by whoever writes or syncs, but for `append`.
        fd: of the present file.
        number: of the next entry.
        fills: the sealed fills.
    """

    def __init__(self, path: Path, config: JournalConfig) -> None:
        """Open or create it; OSError when that fails. It is to be `use`d before anything else."""
        self._path = path
        self._config = config
        self._syncs = config.sync != "never"
        self.disk = threading.RLock()
        self.fills = FillsFile(path)
        self._unsynced = bytearray()  # what a failed sync may have lost: it is written again
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self.fd, 0o600)
        self._fd_before: int | None = None  # until it is synced

    def use(self, start: Start, end: int, number: int, *, carried_bytes: int = 0) -> None:
        """Append to the file with this header, at byte `end`, entry `number` next."""
        self._start, self._end, self.number = start, end, number
        self._carried_bytes = carried_bytes

    @property
    def place(self) -> int:
        """Of the next entry, in the row of all."""
        return self._start.place_of(self._end)

    @property
    def is_full(self) -> bool:
        """Whether more was written since it began than a file is to hold."""
        return self._end - self._carried_bytes >= self._config.file_mb_max << 20

    # ---- writing ---------------------------------------------------------------------------------------

    def append(self, entry: Entry) -> None:
        """Write an entry. OSError when the disk refuses: what it took of it is overwritten by the next."""
        content = frame(self._start.file_id, self.number, entry)
        write_at(self.fd, content, self._end)
        self._end += len(content)
        self.number += 1
        self._unsynced += content
        if not self._syncs:
            self._unsynced.clear()

    def write_again(self) -> None:
        """Cut off what a full disk took of an entry, and write what a failed sync may have lost. May raise OSError."""
        os.ftruncate(self.fd, self._end)
        write_at(self.fd, bytes(self._unsynced), self._end - len(self._unsynced))

    def begin(self, file: NextFile) -> None:
        """Write the present file, of which nothing is good, anew. OSError when the disk refuses; it is to be mended."""
        self._adopt(file)
        self._unsynced += file.content
        write_at(self.fd, file.content, 0)

    def go_on(self, file: NextFile) -> None:
        """Let a file take the place of the present one. OSError: nothing changed."""
        with self.disk:
            fd = journal_files.write_next(self._path, file.content)
            try:
                journal_files.take_place(self._path)
            except OSError:
                os.close(fd)
                raise
            self._leave_file_before()
            self._fd_before, self.fd = self.fd, fd
            self._adopt(file)
            self._unsynced = bytearray(file.content) if self._syncs else bytearray()
        if not self._syncs:
            self._leave_file_before()

    # ---- syncing ---------------------------------------------------------------------------------------

    @property
    def needs_sync(self) -> bool:
        return bool(self._unsynced)

    def sync(self) -> None:
        """Bring to the disk what was written so far; may run in a thread. OSError when the disk refuses."""
        with self.disk:
            upto = len(self._unsynced)
            self._leave_file_before()
            self.fills.sync()
            os.fdatasync(self.fd)
            del self._unsynced[:upto]

    def sync_all(self) -> None:
        """The same, of a file that nobody else writes meanwhile, and `disk` held."""
        if self._syncs:
            os.fdatasync(self.fd)
        self._unsynced.clear()

    def close(self) -> None:
        """Sync the rest and close, once a thread that still writes is done. OSError when the disk refuses."""
        try:
            if self._syncs:
                self.fills.sync()
                os.fsync(self.fd)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close without another sync."""
        with self.disk:
            self._leave_file_before()
            self.fills.close()
            os.close(self.fd)

    # ---- inside ----------------------------------------------------------------------------------------

    def _adopt(self, file: NextFile) -> None:
        end = len(file.content)
        self.use(file.start, end, file.number, carried_bytes=end)
        self.fills.sealed = file.sealed

    def _leave_file_before(self) -> None:
        """Sync and close the file before this one, and bring the names of both to the disk."""
        if self._fd_before is None:
            return
        fd, self._fd_before = self._fd_before, None
        with contextlib.suppress(OSError):  # all that is needed of it stands in the new file
            if self._syncs:
                os.fdatasync(fd)
                journal_files.sync_names(self._path)
        os.close(fd)
