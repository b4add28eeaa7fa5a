"""What a process was told to do, by whom, and what it answered: JSON lines in runs/<id>/commands/<process>.jsonl.

One process writes one file, a line a command, as the answer leaves. Questions (status, vitals) are not commands.
It goes on in a new file at 64 MB; the four before it are kept (runtime/continued.py).
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

import msgspec

from domain.clock import Clock
from messages.commands import AnyCommand, Reply, Status, Vitals
from runtime import continued

LINES_WAITING_MAX = 1000
COMMANDS_FOLDER = "commands"
QUESTIONS = (Status, Vitals)


class CommandJournal:
    """Appends to the file. A disk that refuses keeps nobody from anything: lines wait, the oldest fall off."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._waiting: deque[bytes] = deque(maxlen=LINES_WAITING_MAX)

    def now_ns(self) -> int:
        """Return the wall clock, Unix ns."""
        return self._clock.realtime_ns()

    def note(self, sender: str, command: AnyCommand, received_ns: int, reply: Reply) -> None:
        """Write down a command that was answered."""
        if isinstance(command, QUESTIONS):
            return
        line = {
            "received_ns": received_ns,
            "answered_ns": self.now_ns(),
            "sender": sender,
            "command": command.__struct_config__.tag,
            "content": command,
            "ok": reply.ok,
            "answer": reply.text,
            "data": reply.data,
        }
        self._waiting.append(msgspec.json.encode(line) + b"\n")
        try:
            self._write()
        except OSError:
            return  # they go with the next one

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._put_away_if_full()
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                os.write(fd, b"\n")  # ends the line that a full disk, or a kill, left unfinished
            if not size:
                continued.write_heading(fd, self._path)
            while self._waiting:
                line = self._waiting[0]
                if os.write(fd, line) < len(line):
                    return
                self._waiting.popleft()
        finally:
            os.close(fd)

    def _put_away_if_full(self) -> None:
        with contextlib.suppress(OSError):  # it is not there yet; or it stays, and grows
            if self._path.stat().st_size >= continued.FILE_BYTES_MAX:
                continued.put_away(self._path)
