"""A broadcast ring: one writer that never waits, any number of readers that are told what they missed.

Positions count records from 0 and only grow; an index is a position masked. The writer of position p stores
sequence 0, the payload, sequence p + 1, and then the head. A reader takes a record only when its sequence is
p + 1 both before and after copying: a reader that was overtaken in the middle notices.

A process that takes a ring over after its writer was killed scans forward from the head: a record whose
sequence was published and whose head was not is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from domain.codes import SegmentKind
from shm import layout
from shm.errors import SessionClosedError
from shm.segment import Segment, take_over

Records = npt.NDArray[np.void]
FOLLOW_PAUSE_S_MIN = 20e-6
FOLLOW_PAUSE_S_MAX = 2e-3


class RingWriter:
    """The one writer of a ring.

    Attributes:
        scratch: private record, shape (1,); fill it, then `publish`.
        ints, floats: the same scratch record as int64 and float64 words, indexed by `record.word(field)`.
        position: position of the next record.
        epoch: writer epoch that this writer took.
    """

    def __init__(self, segment: Segment) -> None:
        assert segment.kind is SegmentKind.RING, f"{segment.name} is no ring"
        self.record = segment.record
        self.epoch = take_over(segment)
        self.scratch: Records = np.zeros(1, dtype=segment.record.dtype)
        scratch_bytes = self.scratch.view(np.uint8).data
        self.ints = scratch_bytes.cast("q")
        self.floats = scratch_bytes.cast("d")
        self._payload = scratch_bytes[8:]
        self._memory = segment.memory
        self._words = segment.words
        self._mask = segment.capacity - 1
        self._slot_bytes = segment.record.size_bytes
        self.position = self._recovered_head()

    def publish(self) -> int:
        """Append the scratch record and return its position. Never waits, never fails."""
        position = self.position
        start = layout.HEADER_BYTES + (position & self._mask) * self._slot_bytes
        words = self._words
        words[start >> 3] = 0
        self._memory[start + 8 : start + self._slot_bytes] = self._payload
        self.position = position + 1
        words[start >> 3] = position + 1
        words[layout.WORD_HEAD] = position + 1
        return position

    def _recovered_head(self) -> int:
        head = int(self._words[layout.WORD_HEAD])
        while True:
            start = layout.HEADER_BYTES + (head & self._mask) * self._slot_bytes
            if self._words[start >> 3] != head + 1:
                break
            head += 1
        self._words[layout.WORD_HEAD] = head
        return head


class RingReader:
    """One reader of a ring, with its own position.

    Attributes:
        position: position of the next record to read.
        lost: records that were overwritten before this reader came to them.
        latest: private copy of the newest record after `load_latest`, shape (1,); `ints` and `floats` are
            its words.
    """

    def __init__(self, segment: Segment, start: Literal["newest", "oldest"] | int = "newest") -> None:
        """Attach to `segment` and start at the newest record (those published from now on), the oldest one
        still kept, or a position."""
        assert segment.kind is SegmentKind.RING, f"{segment.name} is no ring"
        self.record = segment.record
        self.lost = 0
        self._segment = segment
        self._words = segment.words
        self._mask = segment.capacity - 1
        self._slots: Records = np.frombuffer(
            segment.memory, dtype=segment.record.dtype, count=segment.capacity, offset=layout.HEADER_BYTES
        )
        self._sequences: npt.NDArray[np.int64] = self._slots["sequence"]
        self._indices = np.arange(segment.capacity + 1, dtype=np.int64)
        self.latest: Records = np.zeros(1, dtype=segment.record.dtype)
        latest_bytes = self.latest.view(np.uint8).data
        self._latest_bytes = latest_bytes
        self.ints = latest_bytes.cast("q")
        self.floats = latest_bytes.cast("d")
        head = self.head
        oldest = max(0, head - segment.capacity)
        self.position = {"newest": head, "oldest": oldest}[start] if isinstance(start, str) else start

    @property
    def head(self) -> int:
        """Position after the newest published record."""
        return int(self._words[layout.WORD_HEAD])

    @property
    def epoch(self) -> int:
        """Writer epoch; a change means that the writer was restarted. Positions go on."""
        return self._segment.epoch

    @property
    def is_closed(self) -> bool:
        return self._segment.is_closed

    def read(self, max_records: int = 1 << 30) -> Records:
        """Return up to `max_records` records in order as a copy, shape (n,), and move past them.

        Records that were overwritten first are skipped and counted in `lost`.
        """
        while True:
            head = self.head
            capacity = self._mask + 1
            if head - self.position > capacity:
                self.lost += head - capacity - self.position
                self.position = head - capacity
            count = min(head - self.position, max_records)
            if count <= 0:
                return self.latest[:0]
            records = self._copy(self.position, count)
            kept = self._intact_suffix(records, count)
            self.lost += count - len(kept)
            self.position += count
            if len(kept):
                return kept

    def load_latest(self) -> int:
        """Copy the newest record into `latest` and return its position; -1 when there is none yet.

        Does not move `position`.
        """
        words = self._words
        slot_bytes = self.record.size_bytes
        memory = self._segment.memory
        while True:
            head = words[layout.WORD_HEAD]
            if head == 0:
                return -1
            start = layout.HEADER_BYTES + ((head - 1) & self._mask) * slot_bytes
            if words[start >> 3] == head:
                self._latest_bytes[:] = memory[start : start + slot_bytes]
                if words[start >> 3] == head:
                    return int(head) - 1

    def to_numpy(self, last: int | None = None) -> Records:
        """Return a copy of the newest `last` records (all that are kept by default), oldest first."""
        head = self.head
        count = min(head, self._mask + 1, self._mask + 1 if last is None else last)
        return self._intact_suffix(self._copy(head - count, count), count)

    def follow(self, *, timeout_s: float | None = None) -> Iterator[Records]:
        """Yield each record, shape (1,), as it comes; sleeps between looks, longer the longer it is quiet.

        Ends after `timeout_s` without a record.

        Raises:
            SessionClosedError: when the session ends.
        """
        pause_s = FOLLOW_PAUSE_S_MIN
        quiet_since = time.monotonic()
        while True:
            records = self.read(256)
            if len(records):
                for i in range(len(records)):
                    yield records[i : i + 1]
                pause_s = FOLLOW_PAUSE_S_MIN
                quiet_since = time.monotonic()
                continue
            if self.is_closed:
                raise SessionClosedError(f"the session behind {self._segment.name} has ended")
            if timeout_s is not None and time.monotonic() - quiet_since > timeout_s:
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, FOLLOW_PAUSE_S_MAX)

    def _copy(self, position: int, count: int) -> Records:
        """Copy the slots of `count` positions, in order; a slot of the wrong round is set to sequence 0."""
        first = position & self._mask
        until_wrap = min(count, self._mask + 1 - first)
        expected = self._indices[:count] + (position + 1)
        before = self._sequences_of(first, until_wrap, count)
        if count <= until_wrap:
            records = self._slots[first : first + count].copy()
        else:
            records = np.concatenate((self._slots[first:], self._slots[: count - until_wrap]))
        after = self._sequences_of(first, until_wrap, count)
        torn = (before != expected) | (after != expected)
        if torn.any():
            records["sequence"][torn] = 0
        return records

    def _sequences_of(self, first: int, until_wrap: int, count: int) -> npt.NDArray[np.int64]:
        if count <= until_wrap:
            return self._sequences[first : first + count].copy()
        return np.concatenate((self._sequences[first:], self._sequences[: count - until_wrap]))

    @staticmethod
    def _intact_suffix(records: Records, count: int) -> Records:
        """Drop what the writer overtook: always the oldest part."""
        torn = np.flatnonzero(records["sequence"] == 0)
        return records[torn[-1] + 1 :] if len(torn) else records
