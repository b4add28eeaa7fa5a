from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.codes import SegmentKind
from domain.records import HISTOGRAM, HISTOGRAM_BUCKETS
from shm import layout
from shm.histogram import Histogram, bucket_floor_ns, bucket_of, quantiles
from shm.record import TableReader
from shm.segment import create_segment


@given(st.integers(min_value=0, max_value=1 << 41))
def test_a_bucket_holds_its_values_to_a_sixteenth(duration_ns: int) -> None:
    bucket = bucket_of(duration_ns)
    assert bucket_floor_ns(bucket) <= duration_ns < bucket_floor_ns(bucket + 1)
    assert bucket_floor_ns(bucket + 1) - bucket_floor_ns(bucket) <= max(1, duration_ns / 16)


def test_absurd_durations_fall_into_the_outer_buckets() -> None:
    assert bucket_of(-5) == 0
    assert bucket_of(1 << 62) == HISTOGRAM_BUCKETS - 1


def test_quantiles_come_back_from_shared_memory(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, HISTOGRAM, 2)
    histogram = Histogram(segment, 1)
    for duration_us in range(1, 1001):
        histogram.record(duration_us * 1000)
    reader = TableReader(segment)
    reader.load(1)
    found = quantiles(np.asarray(reader.latest["bucket"][0]), reader.ints[HISTOGRAM.word("max_ns")])
    assert found.samples == 1000
    assert 500_000 <= found.p50_ns <= 540_000
    assert 990_000 <= found.p99_ns <= 1_000_000
    assert found.max_ns == 1_000_000


def test_what_was_noted_counts_once_when_it_is_recorded(segment_name: Callable[[], str]) -> None:
    segment = create_segment(segment_name(), SegmentKind.TABLE, HISTOGRAM, 1)
    histogram = Histogram(segment, 0)
    for duration_us in (1, 2, 300):
        histogram.note(duration_us * 1000)
    assert segment.words[(layout.HEADER_BYTES >> 3) + HISTOGRAM.word("count")] == 0
    assert (histogram.record_noted(), histogram.record_noted()) == (3, 0)
    reader = TableReader(segment)
    reader.load(0)
    assert (reader.ints[HISTOGRAM.word("count")], reader.ints[HISTOGRAM.word("max_ns")]) == (3, 300_000)


def test_no_samples_have_no_quantiles() -> None:
    assert quantiles(np.zeros(HISTOGRAM_BUCKETS, dtype=np.int64), 0).samples == 0
