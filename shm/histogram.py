"""Latency histograms in shared memory: recorded in well under a microsecond, read by anyone.

Buckets are log-linear, 16 to the octave: values below 16 ns have a bucket each; above, a value with highest
bit b falls into bucket 16·(b − 3) + its next four bits. The error of a quantile is at most 1/16 of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.records import HISTOGRAM, HISTOGRAM_BUCKETS
from shm import layout
from shm.segment import Segment

_COUNT = HISTOGRAM.word("count")
_SUM = HISTOGRAM.word("sum_ns")
_MAX = HISTOGRAM.word("max_ns")
_BUCKET = HISTOGRAM.word("bucket")


def bucket_of(duration_ns: int) -> int:
    """Return the bucket of a duration; negative ones count as 0."""
    if duration_ns < 16:
        return max(duration_ns, 0)
    shift = duration_ns.bit_length() - 5
    return min((shift << 4) + (duration_ns >> shift), HISTOGRAM_BUCKETS - 1)


def bucket_floor_ns(bucket: int) -> int:
    """Return the smallest duration of a bucket."""
    if bucket < 32:
        return bucket
    shift = (bucket >> 4) - 1
    return (16 + (bucket & 15)) << shift


class Quantiles(NamedTuple):
    """Summary of one stage; each quantile is the upper edge of the bucket that holds it, in ns."""

    samples: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int


class Histogram:
    """The writer's end of one row of a latency table.

    Attributes:
        note: keeps a duration until `record_noted` counts it: after a pause, a twentieth of what `record` takes.
    """

    def __init__(self, segment: Segment, row: int) -> None:
        start = layout.HEADER_BYTES + row * segment.record.size_bytes
        self._words = segment.words[start >> 3 : (start + segment.record.size_bytes) >> 3]
        self._noted: list[int] = []
        self.note = self._noted.append

    def record_noted(self) -> int:
        """Count every duration noted since the last call, and return how many; for a moment when nobody waits."""
        count = len(self._noted)
        for duration_ns in self._noted:
            self.record(duration_ns)
        self._noted.clear()
        return count

    def record(self, duration_ns: int) -> None:
        """Count one duration."""
        words = self._words
        if duration_ns < 16:
            bucket = _BUCKET + (duration_ns if duration_ns > 0 else 0)
        else:
            shift = duration_ns.bit_length() - 5
            bucket = _BUCKET + min((shift << 4) + (duration_ns >> shift), HISTOGRAM_BUCKETS - 1)
        words[bucket] += 1
        words[_COUNT] += 1
        words[_SUM] += duration_ns
        if duration_ns > words[_MAX]:
            words[_MAX] = duration_ns


def quantiles(buckets: npt.NDArray[np.int64], max_ns: int) -> Quantiles:
    """Return the quantiles of bucket counts, shape (HISTOGRAM_BUCKETS,)."""
    total = int(buckets.sum())
    if total == 0:
        return Quantiles(0, 0, 0, 0, 0)
    cumulative = np.cumsum(buckets)

    def at(ratio: float) -> int:
        bucket = int(np.searchsorted(cumulative, ratio * total))
        return min(bucket_floor_ns(bucket + 1) - 1, max_ns)

    return Quantiles(total, at(0.50), at(0.99), at(0.999), max_ns)
