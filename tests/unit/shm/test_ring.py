from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from domain.codes import SegmentKind
from domain.records import TRADE
from shm import layout
from shm.doorbell import Doorbell
from shm.errors import RecordBusyError, SessionClosedError
from shm.ring import RingReader, RingWriter
from shm.segment import Segment, create_segment, mark_closed, open_segment

PRICE = TRADE.word("price")


@pytest.fixture
def ring(segment_name: Callable[[], str]) -> Segment:
    return create_segment(segment_name(), SegmentKind.RING, TRADE, 8)


def publish(writer: RingWriter, *prices: float) -> None:
    for price in prices:
        writer.floats[PRICE] = price
        writer.publish()


def test_a_reader_gets_records_in_order(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0, 2.0, 3.0)
    assert reader.read()["price"].tolist() == [1.0, 2.0, 3.0]
    assert len(reader.read()) == 0


def test_read_returns_at_most_what_was_asked_for(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0, 2.0, 3.0)
    assert reader.read(2)["price"].tolist() == [1.0, 2.0]
    assert reader.read(2)["price"].tolist() == [3.0]


def test_a_reader_that_is_overtaken_is_told_how_many_it_lost(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, *range(20))
    assert reader.read()["price"].tolist() == [float(price) for price in range(12, 20)]
    assert reader.lost == 12


def test_a_read_over_the_wrap_keeps_the_order(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, *range(6))
    reader.read()
    publish(writer, *range(6, 11))
    assert reader.read()["price"].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0]
    assert reader.lost == 0


@pytest.mark.parametrize(("start", "expected"), [("newest", []), ("oldest", [4.0, 5.0]), (5, [5.0])])
def test_a_late_joiner_starts_where_it_asks(ring: Segment, start: str | int, expected: list[float]) -> None:
    writer = RingWriter(ring)
    publish(writer, *range(4))
    publish(writer, 4.0, 5.0)
    reader = RingReader(ring, start)  # type: ignore[arg-type]
    assert reader.read()["price"].tolist()[-2:] == expected


def test_the_newest_record_is_read_without_moving_on(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    assert reader.load_latest() == -1
    publish(writer, 1.0, 2.0)
    assert reader.load_latest() == 1
    assert reader.floats[PRICE] == 2.0
    assert len(reader.read()) == 2


def test_the_newest_record_has_its_fields_by_name(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    assert reader.latest() is None
    publish(writer, 1.0, 2.0)
    newest = reader.latest()
    assert newest is not None
    assert (newest.price, newest["price"], newest.position) == (2.0, 2.0, 1)
    publish(writer, 3.0)
    assert newest.price == 2.0


def test_the_newest_of_a_writer_that_never_rests_is_an_error_and_no_hang(segment_name: Callable[[], str]) -> None:
    # Given a ring of one slot, whose writer was killed inside it
    segment = create_segment(segment_name(), SegmentKind.RING, TRADE, 1)
    publish(RingWriter(segment), 1.0)
    segment.words[layout.HEADER_BYTES >> 3] = 0
    with pytest.raises(RecordBusyError, match="tries"):
        RingReader(segment).load_latest()


@pytest.mark.parametrize("start", [-1, 3, "yesterday"])
def test_a_start_that_is_no_position_is_refused(ring: Segment, start: str | int) -> None:
    publish(RingWriter(ring), 1.0, 2.0)
    with pytest.raises(ValueError, match=f"0 to 2: cannot start at {start!r}"):
        RingReader(ring, start)  # type: ignore[arg-type]


def test_records_are_read_into_memory_of_the_callers(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, *range(5))
    out = np.zeros(3, dtype=TRADE.dtype)
    assert reader.read(out=out)["price"].tolist() == [0.0, 1.0, 2.0]
    assert out["price"].tolist() == [0.0, 1.0, 2.0]
    assert reader.read(out=out)["price"].tolist() == [3.0, 4.0]


def test_a_publish_that_is_interrupted_leaves_no_hole(ring: Segment) -> None:
    # Given a signal handler's exception between the sequence and the head
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 0.0)
    words = writer._words

    class Interrupted:
        def __setitem__(self, word: int, value: int) -> None:
            if word == layout.WORD_HEAD:
                raise KeyboardInterrupt
            words[word] = value

    writer._words = Interrupted()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        publish(writer, 1.0)
    writer._words = words
    # If the writer goes on
    publish(writer, 2.0)
    # I expect every record once, in order
    assert reader.read()["price"].tolist() == [0.0, 1.0, 2.0]
    assert reader.lost == 0


def test_a_fork_has_a_position_of_its_own(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0, 2.0)
    child = os.fork()
    if child == 0:
        os._exit(int(reader.read()["price"].tolist() != [1.0, 2.0]))
    assert os.waitpid(child, 0)[1] == 0
    assert reader.read()["price"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("count", [0, -3])
def test_nothing_asked_for_is_nothing_read(ring: Segment, count: int) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0)
    assert len(reader.read(count)) == 0
    assert len(reader.to_numpy(last=count)) == 0
    assert reader.position == 0


def test_to_numpy_returns_the_last_records(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, *range(20))
    assert reader.to_numpy(last=3)["price"].tolist() == [17.0, 18.0, 19.0]
    assert len(reader.to_numpy()) == 8


def test_a_restarted_writer_continues_the_positions(ring: Segment) -> None:
    publish(RingWriter(ring), 1.0, 2.0)
    again = RingWriter(ring)
    publish(again, 3.0)
    assert again.epoch == 2
    reader = RingReader(ring, "oldest")
    assert reader.read()["price"].tolist() == [1.0, 2.0, 3.0]


def test_a_writer_killed_between_slot_and_head_loses_nothing(ring: Segment) -> None:
    # Given a record whose sequence was published and whose head was not
    writer = RingWriter(ring)
    publish(writer, 1.0, 2.0)
    ring.words[layout.WORD_HEAD] = 1
    # If the next writer takes over
    again = RingWriter(ring)
    # I expect it to go on after that record
    assert again.position == 2
    assert RingReader(ring, "oldest").read()["price"].tolist() == [1.0, 2.0]


def test_a_writer_killed_inside_a_slot_leaves_no_half_record(ring: Segment) -> None:
    writer = RingWriter(ring)
    publish(writer, *range(8))
    ring.words[layout.HEADER_BYTES >> 3] = 0  # slot of position 8, invalidated for overwriting
    reader = RingReader(ring, "oldest")
    assert reader.read()["price"].tolist() == [float(price) for price in range(1, 8)]
    assert reader.lost == 1
    publish(RingWriter(ring), 8.0)
    assert reader.read()["price"].tolist() == [8.0]


def test_positions_go_beyond_32_bits(ring: Segment) -> None:
    start = (1 << 40) + 3
    ring.words[layout.WORD_HEAD] = start
    writer = RingWriter(ring)
    reader = RingReader(ring)
    publish(writer, *range(10))
    records = reader.read()
    assert records["sequence"].tolist() == [start + i + 1 for i in range(2, 10)]
    assert reader.lost == 2


def test_what_is_read_is_a_copy(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0)
    records = reader.read()
    publish(writer, *np.arange(20.0))
    assert records["price"].tolist() == [1.0]


def test_following_ends_with_the_session(ring: Segment) -> None:
    writer = RingWriter(ring)
    reader = RingReader(open_segment(ring.name))
    publish(writer, 7.0)
    follower = reader.follow(timeout_s=5.0)
    assert next(follower).price == 7.0
    mark_closed(ring)
    with pytest.raises(SessionClosedError):
        next(follower)


def test_following_hands_out_what_was_published_before_the_end(ring: Segment) -> None:
    writer, reader = RingWriter(ring), RingReader(ring)
    publish(writer, 1.0, 2.0)
    mark_closed(ring)
    follower = reader.follow()
    assert [next(follower).price, next(follower).price] == [1.0, 2.0]
    with pytest.raises(SessionClosedError):
        next(follower)


@pytest.mark.parametrize("wait", ["auto", "spin", "block"])
def test_every_way_of_waiting_finds_what_comes(ring: Segment, wait: Literal["auto", "spin", "block"]) -> None:
    writer, reader, doorbell = RingWriter(ring), RingReader(ring), Doorbell.create()

    def publish_later() -> None:
        for price in range(3):
            time.sleep(0.01)
            publish(writer, price)
            doorbell.ring()

    thread = threading.Thread(target=publish_later)
    thread.start()
    bell = doorbell if wait == "block" else None
    prices = [record.price for record in reader.follow(timeout_s=0.5, wait=wait, doorbell=bell)]
    thread.join()
    doorbell.close()
    assert prices == [0.0, 1.0, 2.0]


def test_an_unknown_way_of_waiting_is_refused(ring: Segment) -> None:
    with pytest.raises(ValueError, match="sometimes"):
        next(RingReader(ring).follow(wait="sometimes"))  # type: ignore[arg-type]


def test_following_a_quiet_ring_ends_after_the_timeout(ring: Segment) -> None:
    RingWriter(ring)
    assert list(RingReader(ring).follow(timeout_s=0.05)) == []
