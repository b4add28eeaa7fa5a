from __future__ import annotations

import os
import select
import threading
import time

import pytest

from runtime.early_look import LOOK_NS_MAX, EarlyLook
from shm.doorbell import Doorbell

STEP_NS = 10_000


class Clock:
    """Each look at it takes STEP_NS."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000

    def monotonic_ns(self) -> int:
        self.now_ns += STEP_NS
        return self.now_ns


class Waiting:
    """An actor whose news comes with look number `news_at`, and is called off with number `off_at`."""

    def __init__(self, news_at: int = 10**9, off_at: int = 10**9) -> None:
        self.news_at, self.off_at = news_at, off_at
        self.looks = 0
        self.passed_on = 0

    def has_news(self) -> bool:
        self.looks += 1
        return self.looks >= self.news_at

    def on_early_ring(self) -> None:
        self.passed_on += 1

    def is_called_off(self) -> bool:
        return self.looks >= self.off_at


def look_for(actor: Waiting, clock: Clock, *, rings: int = 1) -> int:
    """Return for how long the actor was made to look, ns."""
    before_ns = clock.now_ns
    return EarlyLook(actor, clock.monotonic_ns).await_news(rings, before_ns) - before_ns


def test_a_ring_without_news_ends_in_a_bounded_look() -> None:
    actor = Waiting()
    assert LOOK_NS_MAX <= look_for(actor, Clock()) < LOOK_NS_MAX + 2 * STEP_NS
    assert actor.passed_on == 1, "who waits for ours is woken once"


def test_news_that_is_there_is_worked_on_at_once_and_nobody_is_woken_for_it() -> None:
    actor = Waiting(news_at=1)
    assert look_for(actor, Clock()) == 0
    assert actor.passed_on == 0


def test_a_look_ends_with_its_news() -> None:
    assert look_for(Waiting(news_at=5), Clock()) == 3 * STEP_NS


def test_a_look_ends_when_no_news_will_come() -> None:
    assert look_for(Waiting(off_at=4), Clock()) == 3 * STEP_NS


def test_the_ring_of_news_that_was_found_early_starts_no_look() -> None:
    clock = Clock()
    actor = Waiting(news_at=3)
    look = EarlyLook(actor, clock.monotonic_ns)
    look.await_news(1, clock.now_ns)
    actor.looks, actor.news_at = 0, 10**9  # taken
    assert look.await_news(1, clock.now_ns) == clock.now_ns
    assert actor.looks == 0
    # the next ring, or an early one that came with it, is an announcement again
    assert look.await_news(1, clock.now_ns) - clock.now_ns <= LOOK_NS_MAX
    assert actor.looks > 1
    actor.looks, actor.news_at = 0, 3
    look.await_news(1, clock.now_ns)
    actor.looks, actor.news_at = 0, 10**9
    look.await_news(2, clock.now_ns)
    assert actor.looks > 1


@pytest.mark.parametrize("early_rings", [0, 1])
def test_no_news_is_lost_whether_or_not_it_is_announced(early_rings: int) -> None:
    # given: one thread that announces, publishes and rings, and one that sleeps until it is rung
    bell = Doorbell.create()
    published = 0
    rounds = 300

    class Reader(Waiting):
        taken = 0

        def has_news(self) -> bool:
            return self.taken != published

    def write() -> None:
        nonlocal published
        for number in range(rounds):
            if early_rings:
                bell.ring()
            if number % 3:
                time.sleep(1e-4)
            published += 1
            bell.ring()
            deadline_s = time.monotonic() + 5
            while reader.taken != published and time.monotonic() < deadline_s:
                time.sleep(0)

    reader = Reader()
    look = EarlyLook(reader, time.monotonic_ns)
    poller = select.poll()
    poller.register(bell.fd, select.POLLIN)
    writer = threading.Thread(target=write)
    writer.start()
    # if: the reader never looks but after a ring
    while reader.taken < rounds:
        assert poller.poll(2000), f"asleep after {reader.taken} of {published}"
        if rings := bell.clear():
            look.await_news(rings, time.monotonic_ns())
        reader.taken = published
    # expect: it ended
    writer.join()
    os.close(bell.fd)
