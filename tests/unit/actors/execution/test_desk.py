"""The account rows over a restart of execution."""

from __future__ import annotations

from collections.abc import Callable

from actors.execution.desk import disown_accounts
from domain.codes import SegmentKind
from domain.records import ACCOUNT
from shm.record import TableReader, TableWriter
from shm.segment import create_segment, open_segment


def test_a_row_of_a_killed_execution_is_unknown_before_the_venue_is_reached(segment_name: Callable[[], str]) -> None:
    name = segment_name()
    create_segment(name, SegmentKind.TABLE, ACCOUNT, 2)
    before = TableWriter(open_segment(name, writable=True))
    for field, value in (("is_known", 1), ("bid_count", 2), ("position_lots", 5), ("session_time_ns", 77)):
        before.ints[ACCOUNT.word(field)] = value
    before.publish(0)
    disown_accounts(TableWriter(open_segment(name, writable=True)))
    reader = TableReader(open_segment(name))
    assert reader.load(0)
    row = reader.latest[0]
    assert (row["is_known"], row["bid_count"], row["position_lots"], row["session_time_ns"]) == (0, 0, 5, 77)
    assert reader.load(1) == 0  # a row that nobody wrote stays so
