"""The ring equals a bounded deque, under any interleaving of publishing and reading."""

from __future__ import annotations

import itertools
import os
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.codes import SegmentKind
from domain.records import TRADE
from shm import layout
from shm.ring import RingReader, RingWriter
from shm.segment import create_segment, open_segment, unlink_segment

CAPACITY = 8
PRICE = TRADE.word("price")
_numbers = itertools.count()


class RingAgainstDeque(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        name = f"ringmaker.test.{os.getpid()}.property{next(_numbers)}"
        self.segment = create_segment(name, SegmentKind.RING, TRADE, CAPACITY)
        self.writer = RingWriter(self.segment)
        self.reader = RingReader(open_segment(name))
        self.kept: deque[float] = deque(maxlen=CAPACITY)
        self.published = 0
        self.taken = 0

    @rule(count=st.integers(min_value=1, max_value=20))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self.writer.floats[PRICE] = float(self.published)
            assert self.writer.publish() == self.published
            self.kept.append(float(self.published))
            self.published += 1

    @rule(most=st.integers(min_value=1, max_value=12))
    def read(self, most: int) -> None:
        first = max(self.taken, self.published - CAPACITY)
        expected = [float(n) for n in range(first, min(self.published, first + most))]
        assert self.reader.read(most)["price"].tolist() == expected
        self.taken = first + len(expected)

    @rule()
    def restart_the_writer(self) -> None:
        self.writer = RingWriter(self.segment)

    @rule()
    def restart_the_writer_after_a_kill_before_the_head(self) -> None:
        if self.published:
            self.segment.words[layout.WORD_HEAD] = self.published - 1
            self.writer = RingWriter(self.segment)

    @invariant()
    def every_record_is_read_or_reported_as_lost(self) -> None:
        assert self.reader.position == self.taken
        assert self.reader.to_numpy()["price"].tolist() == list(self.kept)

    def teardown(self) -> None:
        unlink_segment(self.segment.name)


RingAgainstDeque.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRingAgainstDeque = RingAgainstDeque.TestCase
