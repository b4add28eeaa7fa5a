from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from domain.codes import SegmentKind
from domain.records import LIMITS
from shm import layout
from shm.errors import RecordBusyError
from shm.record import TableReader, TableWriter
from shm.segment import Segment, create_segment

STATE = LIMITS.word("state")
MARK = LIMITS.word("mark_price")


@pytest.fixture
def table(segment_name: Callable[[], str]) -> Segment:
    return create_segment(segment_name(), SegmentKind.TABLE, LIMITS, 3)


def test_a_row_that_was_never_written_says_so(table: Segment) -> None:
    assert TableReader(table).load(1) == 0


def test_a_reader_sees_the_newest_state_of_each_row(table: Segment) -> None:
    writer, reader = TableWriter(table), TableReader(table)
    for row, mark in ((0, 10.0), (2, 30.0), (0, 11.0)):
        writer.floats[MARK] = mark
        writer.publish(row)
    reader.load(0)
    assert reader.floats[MARK] == 11.0
    reader.load(2)
    assert reader.latest["mark_price"][0] == 30.0


def test_a_changed_row_has_another_sequence(table: Segment) -> None:
    writer, reader = TableWriter(table), TableReader(table)
    writer.publish(0)
    before = reader.sequence(0)
    assert reader.sequence(0) == before
    writer.publish(0)
    assert reader.sequence(0) != before


def test_a_row_whose_writer_died_inside_it_is_an_error_within_a_millisecond_or_so(table: Segment) -> None:
    writer, reader = TableWriter(table), TableReader(table)
    writer.publish(1)
    table.words[(layout.HEADER_BYTES + LIMITS.size_bytes) >> 3] |= 1
    started = time.monotonic()
    with pytest.raises(RecordBusyError, match="row 1"):
        reader.load(1)
    assert time.monotonic() - started < 0.2
    assert reader.load(0) == 0  # other rows do not mind


def test_the_next_writer_mends_a_half_written_row(table: Segment) -> None:
    writer, reader = TableWriter(table), TableReader(table)
    writer.publish(0)
    table.words[layout.HEADER_BYTES >> 3] |= 1
    again = TableWriter(table)
    assert not again.load_own(0)
    again.ints[STATE] = 2
    again.publish(0)
    assert reader.load(0) % 2 == 0
    assert reader.ints[STATE] == 2


def test_a_restarted_writer_can_go_on_from_its_own_row(table: Segment) -> None:
    writer = TableWriter(table)
    writer.ints[STATE] = 3
    writer.publish(0)
    again = TableWriter(table)
    assert again.load_own(0)
    assert again.ints[STATE] == 3
    assert not again.load_own(1)
