"""What a session prints, written by a thread of its own: a reader that stands still (`| less`, ssh to a laptop that
sleeps) costs lines, never the session. One that went away costs nothing at all.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import TextIO

CHUNKS_MAX = 1000  # one is what a single print gives
CLOSE_S = 1.0
RETRY_S = 1.0  # for a descriptor that somebody else has made non-blocking


class Outlet:
    """A text stream over a descriptor, on which nobody ever waits."""

    def __init__(self, stream: TextIO | None) -> None:
        """Write to the descriptor of `stream`, past it, from now on; None, as of a process that was started without
        one: to nowhere."""
        stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # closed with the process
        self._stream = stream
        self.encoding = stream.encoding
        self._dropped = 0  # lines, since the last that was taken
        self._fd = stream.fileno()
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="outlet", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Have text written; while too much waits already it is left out, and how many lines that were is told."""
        with self._changed:
            if len(self._waiting) < CHUNKS_MAX:
                self._tell_dropped()
                self._waiting.append(text.encode(self.encoding, "replace"))
                self._changed.notify_all()
            else:
                self._dropped += text.count("\n")
        return len(text)

    def say(self, line: str) -> None:
        """Have a line written."""
        self.write(f"{line}\n")

    def flush(self) -> None:
        """It is on its way: nobody waits for it here, see `close`."""

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def fileno(self) -> int:
        return self._fd

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Wait until all is written, for `timeout_s` at most: what is left then is lost."""
        with self._changed:
            self._tell_dropped()
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._waiting.append(f"({self._dropped} lines left out: nobody read them)\n".encode())
            self._dropped = 0

    # ---- on the thread -----------------------------------------------------------------------------------

    def _write_all(self) -> None:
        while content := self._next():
            try:
                self._put(content)
            except OSError:  # the terminal is gone, or the disk is full; what comes next is tried anew
                continue

    def _next(self) -> bytes:
        """Wait for what is to be written next and return it; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._is_closed)
            return self._waiting.popleft() if self._waiting else b""

    def _put(self, content: bytes) -> None:
        while content:
            try:
                content = content[os.write(self._fd, content) :]
            except BlockingIOError:
                select.select([], [self._fd], [], RETRY_S)
