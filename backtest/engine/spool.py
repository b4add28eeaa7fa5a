"""Rows that grow without end: in memory while they are few, on disk when they are many."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
import numpy.typing as npt

MEMORY_BYTES_MAX = 64 << 20

Rows = npt.NDArray[np.void]


class Spool:
    """Rows of one dtype, appended; `rows` shows all of them as one array, mapped where they lie on disk.

    The file has no name and is gone when nobody looks at it any more.
    """

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._dtype = dtype
        self._parts: list[npt.NDArray[np.uint8]] = []  # NumPy copies bytes ten times as fast as rows of many fields
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._rows_on_disk = 0

    def add(self, rows: Rows) -> None:
        """Append a copy of some rows."""
        if not len(rows):
            return
        self._parts.append(rows.view(np.uint8).copy())
        self._bytes += rows.nbytes
        if self._bytes > MEMORY_BYTES_MAX:
            self._spill()

    def rows(self) -> Rows:
        """Return all rows so far."""
        if self._file is None:
            return np.concatenate([np.zeros(0, np.uint8), *self._parts]).view(self._dtype)
        self._spill()
        self._file.flush()
        return np.memmap(self._file, self._dtype, "r", 0, (self._rows_on_disk,)).view(np.ndarray)

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="ringmaker-backtest-")  # noqa: SIM115  it lives as long as this
        for part in self._parts:
            self._file.write(part.data)
            self._rows_on_disk += len(part) // self._dtype.itemsize
        self._parts, self._bytes = [], 0
