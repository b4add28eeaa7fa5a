from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from domain.clock import NS_PER_S
from domain.codes import SegmentKind
from domain.records import STRATEGY_STATE
from shm import layout
from shm.record import TableWriter
from shm.segment import Segment, create_segment
from tests.quoting_case import START_NS, Case
from trading.quoting.quoter import Quoter
from trading.quoting.state_copies import AGE_NS_MAX, QUICK_DEATH_NS, SAVE_INTERVAL_NS, StateCopies


@pytest.fixture
def segment(segment_name: Callable[[], str]) -> Segment:
    return create_segment(segment_name(), SegmentKind.TABLE, STRATEGY_STATE, 2, writer="strategy")


def start(segment: Segment, epoch: int, now_ns: int) -> StateCopies:
    return StateCopies(TableWriter(segment), 0, epoch, now_ns)


def lived() -> Quoter:
    """A quoter that has seen a market."""
    case = Case()
    for i in range(20):
        case.set_book(100_000.0 + i, 100_001.0 + i)
        case.tick(NS_PER_S)
    case.quoter.record["signals"]["momentum"] = 0.25
    return case.quoter


def save(copies: StateCopies, quoter: Quoter, now_ns: int, times: int = 1) -> None:
    for i in range(times):
        assert copies.save(quoter, now_ns + i * SAVE_INTERVAL_NS)


def row_words(segment: Segment, row: int) -> slice:
    first = (layout.HEADER_BYTES + row * STRATEGY_STATE.size_bytes) // 8
    return slice(first, first + STRATEGY_STATE.size_bytes // 8)


def test_a_restarted_quoter_goes_on_with_its_state(segment: Segment) -> None:
    old, new = lived(), Quoter(0)
    save(start(segment, 1, START_NS), old, START_NS, times=3)
    resumed = start(segment, 2, START_NS + NS_PER_S).resume(new, START_NS + NS_PER_S)
    assert resumed.is_resumed
    old.take_outage()
    assert bytes(new.state) == bytes(old.state)
    # and the outage is not a return: the grid starts anew
    assert int(new.record["state"]["sigma_anchor_time_ns"][0]) == 0
    assert int(new.record["state"]["sigma_samples"][0]) > 10
    # and so are the signals
    assert float(new.record["signals"]["momentum"][0]) == 0.25


def test_saves_are_no_more_frequent_than_the_interval(segment: Segment) -> None:
    copies, quoter = start(segment, 1, START_NS), lived()
    assert copies.save(quoter, START_NS)
    assert not copies.save(quoter, START_NS + SAVE_INTERVAL_NS - 1)
    assert copies.save(quoter, START_NS + SAVE_INTERVAL_NS)


@pytest.mark.parametrize("damage", ["checksum", "killed inside"])
def test_a_damaged_copy_falls_back_to_the_one_before(segment: Segment, damage: str) -> None:
    # Given two copies, the newer one (generation 2, row 0) damaged
    copies, quoter = start(segment, 1, START_NS), lived()
    save(copies, quoter, START_NS)
    older = bytes(quoter.state)
    quoter.take_fill(1, 5, START_NS)
    save(copies, quoter, START_NS + NS_PER_S)
    words = segment.words[row_words(segment, 0)]
    words[STRATEGY_STATE.word("words") + 3 if damage == "checksum" else 0] += 1
    # If a new start resumes, I expect the older copy
    new = Quoter(0)
    assert start(segment, 2, START_NS).resume(new, START_NS + 2 * NS_PER_S).is_resumed
    expected = Quoter(0)
    expected.restore_state(memoryview(older).cast("q"))
    assert bytes(new.state) == bytes(expected.state)


def test_an_old_copy_is_not_taken(segment: Segment) -> None:
    save(start(segment, 1, START_NS), lived(), START_NS)
    new = Quoter(0)
    result = start(segment, 2, START_NS).resume(new, START_NS + AGE_NS_MAX + 1)
    assert not result.is_resumed
    assert "limit 30 s" in result.reason
    assert not np.any(np.frombuffer(new.state, np.int64))


def test_a_second_crash_in_a_row_starts_cold(segment: Segment) -> None:
    # Given a start that resumed, saved, and died within the limit
    save(start(segment, 1, START_NS), lived(), START_NS)
    second, quoter = start(segment, 2, START_NS + NS_PER_S), Quoter(0)
    assert second.resume(quoter, START_NS + NS_PER_S).is_resumed
    save(second, quoter, START_NS + 2 * NS_PER_S)
    # I expect the third to start cold
    third = start(segment, 3, START_NS + 3 * NS_PER_S).resume(Quoter(0), START_NS + 3 * NS_PER_S)
    assert not third.is_resumed
    assert "second crash in a row" in third.reason


def test_a_start_that_died_before_it_saved_anything_is_followed_by_a_cold_one(segment: Segment) -> None:
    save(start(segment, 1, START_NS), lived(), START_NS)
    third = start(segment, 3, START_NS + NS_PER_S).resume(Quoter(0), START_NS + NS_PER_S)
    assert not third.is_resumed
    assert "died before it saved" in third.reason


def test_a_resumed_start_that_lived_long_may_be_resumed_again(segment: Segment) -> None:
    save(start(segment, 1, START_NS), lived(), START_NS)
    second, quoter = start(segment, 2, START_NS + NS_PER_S), Quoter(0)
    second.resume(quoter, START_NS + NS_PER_S)
    later_ns = START_NS + 2 * NS_PER_S + QUICK_DEATH_NS
    save(second, quoter, later_ns)
    assert start(segment, 3, later_ns).resume(Quoter(0), later_ns).is_resumed


def test_without_any_copy_the_start_is_cold(segment: Segment) -> None:
    assert not start(segment, 2, START_NS).resume(Quoter(0), START_NS).is_resumed
