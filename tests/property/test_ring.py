"""The ring equals a bounded deque, under any interleaving of publishing and reading."""

from __future__ import annotations

import itertools
import os
from collections import deque
from typing import Literal

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
    first_position = 0

    def __init__(self) -> None:
        super().__init__()
        name = f"ringmaker.test.{os.getpid()}.property{next(_numbers)}"
        self.segment = create_segment(name, SegmentKind.RING, TRADE, CAPACITY)
        self.segment.words[layout.WORD_HEAD] = self.first_position
        self.writer = RingWriter(self.segment)
        self.kept: deque[float] = deque(maxlen=CAPACITY)
        self.published = self.first_position
        if self.first_position:
            self.publish(CAPACITY)
        self.reader = RingReader(open_segment(name))
        self.started = self.taken = self.published
        self.read_count = 0

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
        self.read_count += len(expected)

    @rule()
    def load_next(self) -> None:
        oldest = max(self.taken, self.published - CAPACITY)
        assert self.reader.load_next() == (oldest < self.published)
        if oldest < self.published:
            assert self.reader.floats[PRICE] == float(oldest)
            self.taken = oldest + 1
            self.read_count += 1

    @rule()
    def load_latest(self) -> None:
        assert self.reader.load_latest() == self.published - 1
        if self.published:
            assert self.reader.floats[PRICE] == float(self.published - 1)

    @rule(start=st.sampled_from(["newest", "oldest"]))
    def join_late(self, start: Literal["newest", "oldest"]) -> None:
        joined = RingReader(open_segment(self.segment.name), start)
        assert joined.read()["price"].tolist() == (list(self.kept) if start == "oldest" else [])
        assert joined.lost == 0

    @rule(last=st.integers(min_value=0, max_value=12))
    def look_back(self, last: int) -> None:
        assert (
            self.reader.to_numpy(last)["price"].tolist()
            == list(self.kept)[len(self.kept) - min(last, len(self.kept)) :]
        )

    @rule()
    def kill_the_writer_inside_a_slot_and_restart_it(self) -> None:
        slot = self.published % CAPACITY
        self.segment.words[(layout.HEADER_BYTES + slot * TRADE.size_bytes) >> 3] = 0
        self.writer = RingWriter(self.segment)
        self.publish(1)  # until then the oldest is lost; the next record takes its place

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
        assert self.read_count + self.reader.lost == self.taken - self.started
        assert self.reader.to_numpy()["price"].tolist() == list(self.kept)

    def teardown(self) -> None:
        unlink_segment(self.segment.name)


RingAgainstDeque.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRingAgainstDeque = RingAgainstDeque.TestCase


class RingFarBeyond32Bits(RingAgainstDeque):
    first_position = (1 << 45) + 5


RingFarBeyond32Bits.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestRingFarBeyond32Bits = RingFarBeyond32Bits.TestCase
