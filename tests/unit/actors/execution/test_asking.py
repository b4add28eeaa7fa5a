"""The pace at which the venue is asked: at once for what is new, ever later for what asking does not end."""

from __future__ import annotations

from actors.execution.asking import LOST_PAUSE_NS, PAUSE_NS_MIN, Asking
from domain.clock import NS_PER_S

INTERVAL_NS = 10 * NS_PER_S
NOTHING: frozenset[int | str] = frozenset()
DOUBT: frozenset[int | str] = frozenset({7})


def test_without_a_reason_it_asks_when_it_is_time() -> None:
    asking = Asking()
    asking.settled(INTERVAL_NS)
    assert not asking.is_due(NOTHING, INTERVAL_NS - 1)
    assert asking.is_due(NOTHING, INTERVAL_NS)


def test_a_reason_that_stays_is_asked_for_after_pauses_that_double_up_to_the_interval() -> None:
    asking, now_ns, pauses_ns = Asking(), 0, []
    for _ in range(12):
        assert asking.is_due(DOUBT, now_ns)
        asking.open(now_ns, INTERVAL_NS, DOUBT)
        assert not asking.is_due(DOUBT, asking.due_ns - 1)
        pauses_ns.append(asking.due_ns - now_ns)
        now_ns = asking.due_ns
    assert pauses_ns == [min(PAUSE_NS_MIN << i, INTERVAL_NS) for i in range(12)]


def test_a_new_reason_is_asked_for_at_once_and_one_that_came_back_too() -> None:
    asking = Asking()
    assert asking.is_due(DOUBT, 0)
    asking.open(0, INTERVAL_NS, DOUBT)
    assert asking.is_due(DOUBT | {8}, 1)
    # If the first has ended as the answer came, and begins again before anybody looks
    asking.open(1, INTERVAL_NS, frozenset({8}))
    assert asking.is_due(DOUBT | {8}, 2)
    asking.settled(INTERVAL_NS)
    assert asking.is_due(DOUBT, 3)


def test_pauses_are_short_again_once_all_was_settled() -> None:
    asking = Asking()
    for _ in range(9):
        asking.open(0, INTERVAL_NS, DOUBT)
    asking.settled(INTERVAL_NS)
    asking.open(0, INTERVAL_NS, DOUBT)
    assert asking.due_ns == PAUSE_NS_MIN


def test_what_was_lost_is_asked_for_within_a_second() -> None:
    asking = Asking()
    asking.settled(INTERVAL_NS)
    asking.ask_soon(0)
    asking.ask_soon(LOST_PAUSE_NS // 2)
    assert asking.is_due(NOTHING, LOST_PAUSE_NS)
