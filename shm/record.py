"""A table of rows, each the latest state of one thing, guarded by a sequence lock.

The writer makes the row's sequence odd, stores the payload and makes it even again. A reader copies between
two looks at the sequence and takes the copy only when both were the same even number. Reads retry a bounded
number of times and then say so: a writer killed inside a row never holds a reader up for more than a
millisecond. The next writer repairs such a row by writing it.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from domain.addressed import address_of
from domain.codes import SegmentKind
from shm import layout
from shm.errors import RecordBusyError
from shm.segment import Segment, take_over
from shm.view import Record

Records = npt.NDArray[np.void]
SPINS_MAX = 200
BUSY_NS_MAX = 300_000  # the last pause may overrun: a reader is promised a millisecond


class TableWriter:
    """The one writer of a table.

    Attributes:
        scratch: private record, shape (1,); fill it, then `publish(row)`.
        ints, floats: the same scratch record as int64 and float64 words, indexed by `record.word(field)`.
        rows: number of rows.
        epoch: writer epoch that this writer took.
    """

    def __init__(self, segment: Segment) -> None:
        assert segment.kind is SegmentKind.TABLE, f"{segment.name} is no table"
        self.record = segment.record
        self.rows = segment.capacity
        self.epoch = take_over(segment)
        self.scratch: Records = np.zeros(1, dtype=segment.record.dtype)
        scratch_bytes = self.scratch.view(np.uint8).data
        self.ints = scratch_bytes.cast("q")
        self.floats = scratch_bytes.cast("d")
        self._scratch_bytes = scratch_bytes
        self._payload = scratch_bytes[8:]
        self._memory = segment.memory
        self._words = segment.words
        self._slot_bytes = segment.record.size_bytes

    def publish(self, row: int) -> None:
        """Replace a row by the scratch record."""
        start = layout.HEADER_BYTES + row * self._slot_bytes
        words = self._words
        sequence = words[start >> 3] | 1  # stays odd when a predecessor was killed while writing
        words[start >> 3] = sequence
        self._memory[start + 8 : start + self._slot_bytes] = self._payload
        words[start >> 3] = sequence + 1

    def load_own(self, row: int) -> bool:
        """Copy a row into the scratch record, as a restarted writer does; False when it is unusable
        (never written, or its writer was killed inside it)."""
        start = layout.HEADER_BYTES + row * self._slot_bytes
        sequence = self._words[start >> 3]
        if sequence == 0 or sequence & 1:
            return False
        self._scratch_bytes[:] = self._memory[start : start + self._slot_bytes]
        return True


class TableReader:
    """A reader of a table.

    Attributes:
        latest: private copy of the row loaded last, shape (1,); `ints` and `floats` are its words.
        words: the whole segment as int64; who looks at a row with every tick compares `words[sequence_word(row)]`.
    """

    def __init__(self, segment: Segment) -> None:
        assert segment.kind is SegmentKind.TABLE, f"{segment.name} is no table"
        self.record = segment.record
        self.rows = segment.capacity
        self.words = segment.words
        self._segment = segment
        self._memory = segment.memory
        self._words = segment.words
        self._slot_bytes = segment.record.size_bytes
        self.latest: Records = np.zeros(1, dtype=segment.record.dtype)
        latest_bytes = self.latest.view(np.uint8).data
        self._latest_bytes = latest_bytes
        self.ints = latest_bytes.cast("q")
        self.floats = latest_bytes.cast("d")

    @property
    def epoch(self) -> int:
        """Writer epoch; a change means that the writer was restarted."""
        return self._segment.epoch

    @property
    def is_closed(self) -> bool:
        """True once the session said that it ended."""
        return self._segment.is_closed

    def sequence(self, row: int) -> int:
        """Return the row's sequence now: cheap way to see whether it changed. 0 = never written."""
        return int(self._words[self.sequence_word(row)])

    def sequence_word(self, row: int) -> int:
        """Return where the row's sequence stands in `words`."""
        return (layout.HEADER_BYTES + row * self._slot_bytes) >> 3

    def row_address(self, row: int) -> int:
        """Return where the row lies in the memory of this process, for kernels (domain/addressed.py)."""
        return address_of(self._memory) + layout.HEADER_BYTES + row * self._slot_bytes

    def load(self, row: int) -> int:
        """Copy a row into `latest` and return its sequence; 0 = never written.

        Raises:
            RecordBusyError: if no consistent copy could be had.
        """
        start = layout.HEADER_BYTES + row * self._slot_bytes
        word = start >> 3
        end = start + self._slot_bytes
        words = self._words
        for _ in range(SPINS_MAX):
            before = words[word]
            if not before & 1:
                self._latest_bytes[:] = self._memory[start:end]
                if words[word] == before:
                    return int(before)
        return self._load_patiently(row)

    def read(self, row: int = 0) -> Record | None:
        """Return a fresh consistent copy of a row with fields by name; None when it was never written.

        Raises:
            RecordBusyError: as `load`.
        """
        return Record(self.record, self.latest.copy()[0]) if self.load(row) else None

    def snapshot(self, row: int) -> Records:
        """Return a fresh consistent copy of a row, shape (1,)."""
        self.load(row)
        return self.latest.copy()

    def _load_patiently(self, row: int) -> int:
        """Go on with pauses that let a preempted writer run, for at most `BUSY_NS_MAX`."""
        start = layout.HEADER_BYTES + row * self._slot_bytes
        deadline_ns = time.monotonic_ns() + BUSY_NS_MAX
        while time.monotonic_ns() < deadline_ns:
            before = self._words[start >> 3]
            if not before & 1:
                self._latest_bytes[:] = self._memory[start : start + self._slot_bytes]
                if self._words[start >> 3] == before:
                    return int(before)
            time.sleep(20e-6)
        raise RecordBusyError(
            f"row {row} of {self._segment.name} is being written for more than {BUSY_NS_MAX // 1000} µs: "
            "its writer is stopped or dead"
        )


def load_row(table: TableReader, row: int) -> bool:
    """Copy a row; False when it was never written, or when its writer was killed inside it."""
    try:
        return table.load(row) != 0
    except RecordBusyError:
        return False
