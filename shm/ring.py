"""A broadcast ring: one writer that never waits, any number of readers that are told what they missed.

Positions count records from 0 and only grow; an index is a position masked. The writer of position p stores
sequence 0, the payload, sequence p + 1, and then the head. A reader loads the head, copies, and then looks at
the sequences again; it keeps position p when the sequence of its slot is still p + 1.

Why one look, after the copy, is enough. The head said that p was published before the copy began. From then on
the sequence of its slot can only go p + 1, 0, p + 1 + capacity. So p + 1 after the copy means that the store
of 0 was not yet visible, and the payload stores come after it: none of them can have been in the copy. This
needs stores that become visible in program order and loads that do not pass loads (layout.py).

A process that takes a ring over after its writer was killed scans forward from the head: a record whose
sequence was published and whose head was not is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from domain.addressed import address_of
from domain.codes import SegmentKind
from shm import layout
from shm.doorbell import Doorbell
from shm.errors import RecordBusyError, SessionClosedError
from shm.segment import Segment, take_over
from shm.view import Record
from shm.waiting import Wait, waiter

Records = npt.NDArray[np.void]
Start = Literal["newest", "oldest"] | int
RETRIES_MAX = 1000
OWNER_LOOK_S = 0.25
_FOLLOW_BATCH = 256
_FEW = 8


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
        self._prepare(self.position)

    def publish(self) -> int:
        """Append the scratch record and return its position. Never waits, never fails."""
        position = self.position
        if self._prepared != position:  # an exception, a signal handler's, came after the last record's head
            self._prepare(position)
        words = self._words
        sequence_word = self._sequence_word
        words[sequence_word] = 0
        self._slot[:] = self._payload
        words[sequence_word] = position + 1
        # Between sequence and head, so that an exception thrown in here neither leaves a hole nor has a position
        # that readers may see written twice.
        self.position = position + 1
        words[layout.WORD_HEAD] = position + 1
        self._prepare(position + 1)
        return position

    def _prepare(self, position: int) -> None:
        """Find the slot of `position` before it is wanted: no reader waits for that, and after a pause it would
        cost as much as the stores."""
        start = layout.HEADER_BYTES + (position & self._mask) * self._slot_bytes
        self._sequence_word = start >> 3
        self._slot = self._memory[start + 8 : start + self._slot_bytes]
        self._prepared = position

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
    """One reader of a ring, with its own position. Not shared between threads; a fork has its own.

    Attributes:
        position: position of the next record to read.
        lost: records that were overwritten before this reader came to them.
        loaded: private copy of the record that `load_latest` or `load_next` took, shape (1,); `ints` and
            `floats` are its words, indexed by `record.word(field)`.
    """

    def __init__(
        self, segment: Segment, start: Start = "newest", *, is_ended: Callable[[], bool] | None = None
    ) -> None:
        """Attach to `segment` and start at the newest record (those published from now on), the oldest one
        still kept, or a position.

        Args:
            is_ended: whether the session is over although nobody could say so, asked while it is quiet.

        Raises:
            ValueError: `start` is no position that was published or comes next.
        """
        assert segment.kind is SegmentKind.RING, f"{segment.name} is no ring"
        self.record = segment.record
        self.lost = 0
        self._segment = segment
        self._is_ended = is_ended
        self._session = f"session {layout.session_of(segment.name)}"
        self._memory = segment.memory
        self._words = segment.words
        self._mask = segment.capacity - 1
        self._slot_bytes = segment.record.size_bytes
        slots: Records = np.frombuffer(
            segment.memory, dtype=segment.record.dtype, count=segment.capacity, offset=layout.HEADER_BYTES
        )
        self._sequences: npt.NDArray[np.int64] = slots["sequence"]
        self._indices = np.arange(segment.capacity, dtype=np.int64)
        self.loaded: Records = np.zeros(1, dtype=segment.record.dtype)
        self._loaded_bytes = self.loaded.view(np.uint8).data
        self.ints = self._loaded_bytes.cast("q")
        self.floats = self._loaded_bytes.cast("d")
        self.position = self._start(start)

    @property
    def head(self) -> int:
        """Position after the newest published record."""
        return int(self._words[layout.WORD_HEAD])

    @property
    def has_news(self) -> bool:
        """Whether records came after `position`."""
        return self._words[layout.WORD_HEAD] != self.position

    @property
    def address(self) -> int:
        """Where the segment lies in the memory of this process, for kernels (domain/addressed.py)."""
        return address_of(self._memory)

    @property
    def capacity(self) -> int:
        """Records that the ring keeps."""
        return self._segment.capacity

    @property
    def epoch(self) -> int:
        """Writer epoch; a change means that the writer was restarted. Positions go on."""
        return self._segment.epoch

    @property
    def is_closed(self) -> bool:
        """True once the session said that it ended; `follow` also notices when nobody was left to say so."""
        return self._segment.is_closed

    def read(self, max_records: int = 1 << 30, *, out: Records | None = None) -> Records:
        """Return up to `max_records` records in order as a copy, shape (n,), and move past them.

        Records that were overwritten first are skipped and counted in `lost`. With `out`, contiguous and of
        the record's dtype, at most `len(out)` are copied to its front and a view of it is returned.
        """
        if out is not None:
            max_records = min(max_records, len(out))
        while True:
            head = self.head
            oldest = head - self._mask - 1
            if self.position < oldest:
                self.lost += oldest - self.position
                self.position = oldest
            count = min(head - self.position, max_records)
            if count <= 0:
                return self.loaded[:0].copy()
            kept = self._copy(self.position, count, out)
            self.lost += count - len(kept)
            self.position += count
            if len(kept):
                return kept

    def latest(self) -> Record | None:
        """Return the newest record, None while there is none. Does not move `position`."""
        if self.load_latest() < 0:
            return None
        return Record(self.record, self.loaded.copy()[0])

    def load_latest(self) -> int:
        """Copy the newest record into `loaded` and return its position; -1 when there is none yet.

        Does not move `position`.

        Raises:
            RecordBusyError: the writer was faster over all retries.
        """
        words = self._words
        slot_bytes = self._slot_bytes
        memory = self._memory
        for _ in range(RETRIES_MAX):
            head = words[layout.WORD_HEAD]
            if head == 0:
                return -1
            start = layout.HEADER_BYTES + ((head - 1) & self._mask) * slot_bytes
            self._loaded_bytes[:] = memory[start : start + slot_bytes]
            if words[start >> 3] == head:
                return int(head) - 1
        raise RecordBusyError(f"the newest record of {self._segment.name} was overwritten in {RETRIES_MAX} tries")

    def load_next(self) -> bool:
        """Copy the record at `position` into `loaded` and move past it; False when it is not published yet.

        What `read(1)` does, without an array for each record: for loops that take every record at once.
        """
        words = self._words
        slot_bytes = self._slot_bytes
        while True:
            position = self.position
            behind = words[layout.WORD_HEAD] - position
            if behind <= 0:
                return False
            if behind > self._mask + 1:
                self.lost += behind - self._mask - 1
                self.position += behind - self._mask - 1
                continue
            start = layout.HEADER_BYTES + (position & self._mask) * slot_bytes
            self._loaded_bytes[:] = self._memory[start : start + slot_bytes]
            self.position = position + 1
            if words[start >> 3] == position + 1:
                return True
            self.lost += 1

    def to_numpy(self, last: int | None = None) -> Records:
        """Return a copy of the newest `last` records (all that are kept by default), oldest first.

        Shape (n,) with n <= last. Does not move `position`.
        """
        head = self.head
        count = min(head, self._mask + 1, self._mask + 1 if last is None else max(last, 0))
        return self._copy(head - count, count, None)

    def follow(
        self, *, timeout_s: float | None = None, wait: Wait = "auto", doorbell: Doorbell | None = None
    ) -> Iterator[Record]:
        """Yield each record as it comes, from `position` on; ends after `timeout_s` without one.

        Args:
            wait: `spin` takes a whole core; `block` and `auto` sleep on `doorbell` where there is one, else
                for 20 µs to 2 ms, the longer the quieter it is.

        Raises:
            SessionClosedError: the session ended, or the process that owns it died.
        """
        waiting = waiter(wait, doorbell)
        quiet_since = owner_seen = time.monotonic()
        while True:
            records = self.read(_FOLLOW_BATCH)
            if len(records):
                for record in records:
                    yield Record(self.record, record)
                waiting.reset()
                quiet_since = owner_seen = time.monotonic()
                continue
            now = time.monotonic()
            if timeout_s is not None and now - quiet_since > timeout_s:
                return
            if self.is_closed:
                if self.head > self.position:
                    continue  # published before the end
                raise SessionClosedError(f"{self._session} has ended")
            if now - owner_seen > OWNER_LOOK_S:
                owner_seen = now
                if self._is_ended is not None and self._is_ended():
                    raise SessionClosedError(
                        f"session {layout.session_of(self._segment.name)} has ended: its owner died"
                    )
            waiting.pause()

    def _start(self, start: Start) -> int:
        head = self.head
        if start == "newest":
            return head
        if start == "oldest":
            return max(0, head - self._mask - 1)
        if not isinstance(start, int) or not 0 <= start <= head:
            raise ValueError(
                f"{self._segment.name} has positions 0 to {head}: cannot start at {start!r} "
                '(expected "newest", "oldest" or a position)'
            )
        return start

    def _copy(self, position: int, count: int, out: Records | None) -> Records:
        """Return the records of `count` positions, without the oldest of them that the writer overtook."""
        slot_bytes = self._slot_bytes
        memory = self._memory
        first = position & self._mask
        until_wrap = min(count, self._mask + 1 - first)
        start = layout.HEADER_BYTES + first * slot_bytes
        if count <= min(_FEW, until_wrap) and out is None:
            return self._copy_few(start, position, count)
        # Bytes, because NumPy copies structured records field by field: 8 times slower.
        records = np.empty(count, dtype=self.record.dtype) if out is None else out[:count]
        copied = records.view(np.uint8).data
        copied[: until_wrap * slot_bytes] = memory[start : start + until_wrap * slot_bytes]
        if until_wrap < count:
            rest = (count - until_wrap) * slot_bytes
            copied[until_wrap * slot_bytes :] = memory[layout.HEADER_BYTES : layout.HEADER_BYTES + rest]
        torn = self._torn(first, until_wrap, position)
        if until_wrap < count:
            wrapped = self._torn(0, count - until_wrap, position + until_wrap)
            torn = until_wrap + wrapped if wrapped else torn
        return records[torn:] if torn else records

    def _copy_few(self, start: int, position: int, count: int) -> Records:
        """Do the same for a few records in one piece, where the overhead of NumPy would be most of the time."""
        slot_bytes = self._slot_bytes
        records: Records = np.frombuffer(
            bytearray(self._memory[start : start + count * slot_bytes]), dtype=self.record.dtype
        )
        words = self._words
        for torn in range(count, 0, -1):
            if words[(start + (torn - 1) * slot_bytes) >> 3] != position + torn:
                return records[torn:]
        return records

    def _torn(self, first: int, count: int, position: int) -> int:
        """Return how many of `count` slots from index `first` on are no longer those of `position` and so on,
        counted up to the last such one: the writer overtakes the oldest first."""
        expected = self._indices[first : first + count] + (position + 1 - first)
        intact = self._sequences[first : first + count] == expected
        return 0 if intact.all() else int(np.flatnonzero(~intact)[-1]) + 1
