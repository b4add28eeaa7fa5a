"""A part: the Arrow stream in which the records of one ring wait for their hour to end.

Each batch is one append of whole bytes. What the disk took only half of is cut off again, so that the file is a
readable stream at any time; what a kill left half written is skipped by its readers (runtime/recordings/files.py).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

_END_BYTES = 8  # that close a stream
_MODE = 0o600
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)  # a few hundred rows: threads cost more


class Part:
    """One part that is being written.

    Attributes:
        rows: in it so far.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        """Create the file with the schema in it. OSError when the disk refuses; then there is none."""
        self.path = path
        self.rows = 0
        self._schema = schema
        head = _stream_bytes(schema, None)[:-_END_BYTES]
        self._head_bytes = len(head)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        self._size = 0
        self._is_torn = False
        try:
            self._append(head)
        except OSError:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise

    def append(self, batch: Any) -> None:
        """Append a batch, whole or not at all. OSError when the disk refuses."""
        self._append(memoryview(_stream_bytes(self._schema, batch))[self._head_bytes : -_END_BYTES])
        self.rows += batch.num_rows

    def close(self) -> None:
        os.close(self._fd)

    def _append(self, content: bytes | memoryview) -> None:
        if self._is_torn:
            self._cut_off()
        written = 0
        try:
            while written < len(content):
                written += os.write(self._fd, content[written:])
        except OSError:
            self._is_torn = True
            with suppress(OSError):  # then before the next append: nothing may stand behind torn bytes
                self._cut_off()
            raise
        self._size += written

    def _cut_off(self) -> None:
        os.ftruncate(self._fd, self._size)
        os.lseek(self._fd, self._size, os.SEEK_SET)
        self._is_torn = False


def _stream_bytes(schema: Any, batch: Any) -> Any:
    """Return a whole stream with one batch, or with none."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as stream:
        if batch is not None:
            stream.write_batch(batch)
    return sink.getvalue()
