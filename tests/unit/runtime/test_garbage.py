"""Tests of when an actor collects its garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from runtime.garbage import PERIOD_NS, GarbageCollector

LENGTH = 13  # of tuples that nobody else here makes
KEPT = 1_000


@pytest.fixture(autouse=True)
def _nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def leave_free_tuples() -> None:
    """Have CPython keep freed tuples of LENGTH for reuse; made of an iterator, they are taken from no such store."""
    for made in [tuple(iter(range(LENGTH))) for _ in range(KEPT)]:
        del made


def test_a_minute_after_the_start_what_was_kept_for_reuse_is_let_go() -> None:
    collector = GarbageCollector()
    collector.set_live(0)
    leave_free_tuples()
    kept = sys.getallocatedblocks()

    collector.poll(PERIOD_NS - 1)
    assert sys.getallocatedblocks() > kept - KEPT // 2, "it is too early"

    collector.poll(PERIOD_NS)
    assert sys.getallocatedblocks() < kept - KEPT // 2


def test_it_comes_again_every_minute() -> None:
    collector = GarbageCollector()
    collector.set_live(0)
    before = gc.get_stats()[2]["collections"]

    for now_ns in range(0, 3 * PERIOD_NS + 1, PERIOD_NS // 4):
        collector.poll(now_ns)

    assert gc.get_stats()[2]["collections"] == before + 3


def test_nothing_is_collected_before_the_actor_is_live() -> None:
    collector = GarbageCollector()
    before = gc.get_stats()[2]["collections"]

    collector.poll(10 * PERIOD_NS)

    assert gc.get_stats()[2]["collections"] == before


def test_what_the_start_made_is_not_looked_at_again() -> None:
    made_by_the_start = [[number] for number in range(1_000)]
    collector = GarbageCollector()

    collector.set_live(0)

    assert gc.get_freeze_count() > len(made_by_the_start)
    assert len(gc.get_objects()) < len(made_by_the_start)
