"""The pace at which the venue is asked: at once for what is new, ever later for what asking does not end."""

from __future__ import annotations

from itertools import pairwise

from actors.execution.asking import LOST_PAUSE_NS, PAUSE_NS_MIN, Asking, Reasons
from domain.clock import NS_PER_MS, NS_PER_S

INTERVAL_NS = 10 * NS_PER_S
NOTHING: Reasons = frozenset()
DOUBT: Reasons = frozenset({7})
OTHER: Reasons = frozenset({8})


def next_ask_ns(asking: Asking, reasons: Reasons, now_ns: int) -> int:
    """Return when it asks, looked at each millisecond."""
    while not asking.is_due(reasons, now_ns):
        now_ns += NS_PER_MS
    return now_ns


def pauses_ns(asking: Asking, reasons: Reasons, now_ns: int, count: int) -> list[int]:
    """Return the pauses between asks that end nothing."""
    found = []
    for _ in range(count):
        asked_ns = next_ask_ns(asking, reasons, now_ns)
        found.append(asked_ns - now_ns)
        asking.open(asked_ns, INTERVAL_NS, reasons)
        now_ns = asked_ns
    return found


def test_without_a_reason_it_asks_when_it_is_time() -> None:
    asking = Asking()
    assert asking.is_due(NOTHING, 0)
    asking.settled(0, INTERVAL_NS)
    assert not asking.is_due(NOTHING, INTERVAL_NS - 1)
    assert asking.is_due(NOTHING, INTERVAL_NS)


def test_a_reason_that_stays_is_asked_for_after_pauses_that_double_up_to_the_interval() -> None:
    expected = [0, *(min(PAUSE_NS_MIN << i, INTERVAL_NS) for i in range(11))]
    assert pauses_ns(Asking(), DOUBT, 0, 12) == expected


def test_an_audit_that_the_venue_refuses_is_tried_again_after_pauses_that_double() -> None:
    asking = Asking()
    assert pauses_ns(asking, NOTHING, 0, 4) == [0, PAUSE_NS_MIN, 2 * PAUSE_NS_MIN, 4 * PAUSE_NS_MIN]
    # If it answers, I expect short pauses again when it refuses the next one
    assert asking.is_due(NOTHING, INTERVAL_NS)
    asking.settled(INTERVAL_NS, INTERVAL_NS)
    assert next_ask_ns(asking, NOTHING, INTERVAL_NS) == 2 * INTERVAL_NS
    asking.open(2 * INTERVAL_NS, INTERVAL_NS, NOTHING)
    assert next_ask_ns(asking, NOTHING, 2 * INTERVAL_NS) == 2 * INTERVAL_NS + PAUSE_NS_MIN


def test_a_new_reason_is_asked_for_at_once() -> None:
    asking = Asking()
    assert asking.is_due(DOUBT, 0)
    # If another comes while the venue is asked, or later
    asking.open(0, INTERVAL_NS, DOUBT | OTHER)
    assert asking.is_due(DOUBT | OTHER, 1)
    asking.open(1, INTERVAL_NS, DOUBT | OTHER)
    assert asking.is_due(DOUBT | OTHER | {9}, 2)


def test_a_new_reason_has_short_pauses_beside_one_that_is_old() -> None:
    # Given a reason that has stayed until its pause is the longest
    asking = Asking()
    pauses_ns(asking, DOUBT, 0, 12)
    now_ns = 100 * NS_PER_S
    assert asking.is_due(DOUBT, now_ns)
    asking.open(now_ns, INTERVAL_NS, DOUBT)
    # If another comes that needs more than one look, I expect them soon after each other
    assert pauses_ns(asking, DOUBT | OTHER, now_ns, 3) == [0, PAUSE_NS_MIN, 2 * PAUSE_NS_MIN]


def test_a_reason_that_ends_and_comes_back_is_asked_for_soon_and_without_a_storm() -> None:
    # Given one that is gone as each answer comes, and back before anybody looks
    asking, now_ns, asked_ns = Asking(), 0, []
    while now_ns < 10 * NS_PER_S:
        now_ns = next_ask_ns(asking, DOUBT, now_ns)
        asked_ns.append(now_ns)
        if len(asked_ns) % 2:
            asking.settled(now_ns, INTERVAL_NS)
        else:
            asking.open(now_ns, INTERVAL_NS, OTHER)
    assert len(asked_ns) <= 20
    assert max(after - before for before, after in pairwise(asked_ns)) <= LOST_PAUSE_NS
    # If it is away for as long as the pause lasts, I expect it to be new again
    asking.settled(now_ns, INTERVAL_NS)
    now_ns += LOST_PAUSE_NS
    assert not asking.is_due(NOTHING, now_ns)
    assert asking.is_due(DOUBT, now_ns + 1)
    asking.open(now_ns + 1, INTERVAL_NS, DOUBT)
    assert not asking.is_due(DOUBT, now_ns + PAUSE_NS_MIN)
    assert asking.is_due(DOUBT, now_ns + 1 + PAUSE_NS_MIN)


def test_a_reason_that_was_asked_for_long_and_comes_back_waits_a_second_at_most() -> None:
    asking = Asking()
    pauses_ns(asking, DOUBT, 0, 12)
    now_ns = 100 * NS_PER_S
    assert asking.is_due(DOUBT, now_ns)
    asking.settled(now_ns, INTERVAL_NS)
    assert next_ask_ns(asking, DOUBT, now_ns) <= now_ns + LOST_PAUSE_NS


def test_a_recovery_forgets_what_was_asked_for_before_it() -> None:
    asking = Asking()
    pauses_ns(asking, DOUBT, 0, 12)
    asking.begin(INTERVAL_NS)
    assert not asking.is_due(NOTHING, INTERVAL_NS - 1)
    assert asking.is_due(DOUBT, 1)


def test_what_was_lost_is_asked_for_within_a_second() -> None:
    asking = Asking()
    assert asking.is_due(NOTHING, 0)
    asking.settled(0, INTERVAL_NS)
    asking.ask_soon(0)
    asking.ask_soon(LOST_PAUSE_NS // 2)
    assert asking.is_due(NOTHING, LOST_PAUSE_NS)


def test_what_was_lost_while_the_venue_was_asked_is_asked_for_within_a_second_too() -> None:
    for ends_settled in (True, False):
        asking = Asking()
        assert asking.is_due(NOTHING, 0)
        # If it is lost during an audit, whose answer may not know of it
        asking.ask_soon(1)
        if ends_settled:
            asking.settled(2, INTERVAL_NS)
        else:
            asking.open(2, INTERVAL_NS, DOUBT)
        assert next_ask_ns(asking, NOTHING, 2) <= 1 + LOST_PAUSE_NS + NS_PER_MS
        # and it was asked for then: the next audit is due as ever
        asking.settled(LOST_PAUSE_NS, INTERVAL_NS)
        assert next_ask_ns(asking, NOTHING, LOST_PAUSE_NS) == LOST_PAUSE_NS + INTERVAL_NS
