"""The throttle: rates, the reserve, cancels apart, backing off."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_MS, NS_PER_S
from trading.orders.breaker import PAUSE_NS_MIN, REFUSALS_MAX, Breaker
from trading.orders.throttle import Throttle, TokenBucket


def throttle(rate: int = 50, margin: float = 0.1, burst: int = 10, reserve: int = 2) -> Throttle:
    return Throttle(
        message_rate=rate, margin_ratio=margin, burst=burst, reserve=reserve, cancel_rate=1000,
        backoff_ns_min=250 * NS_PER_MS, backoff_ns_max=1000 * NS_PER_MS, now_ns=0,
    )  # fmt: skip


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate_per_s=10, capacity=5, now_ns=0)
    assert [bucket.take(0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.wait_ns(0) == NS_PER_S // 10
    assert not bucket.take(NS_PER_S // 10 - 1)
    assert bucket.take(NS_PER_S // 10)


def test_no_second_holds_more_messages_than_the_venue_takes_less_the_margin() -> None:
    # Given a throttle that is asked as often as possible for five seconds
    pace = throttle()
    sent = [now_ns for now_ns in range(0, 5 * NS_PER_S, NS_PER_MS) if pace.take_order(now_ns)]
    # I expect no second with more than 45, and nearly the steady rate in all
    busiest = max(sum(start <= at < start + NS_PER_S for at in sent) for start in sent)
    assert busiest <= 45
    assert len(sent) >= 5 * 35


def test_a_lower_limit_of_risk_holds() -> None:
    pace = throttle()
    pace.order_rate_max = 3
    assert [pace.take_order(1) for _ in range(4)] == [True, True, True, False]
    assert pace.wait_ns(1) == NS_PER_S
    assert pace.take_order(NS_PER_S + 1)


def test_who_waits_behind_others_waits_longer() -> None:
    # Given an empty bucket of 33 tokens a second
    pace = throttle(burst=12, reserve=0)
    while pace.take_order(0):
        pass
    assert pace.wait_ns(0, ahead=2) == pytest.approx(3 * NS_PER_S / 33, abs=2)
    # Given three messages a second, of which two have left, a tenth of a second apart
    pace = throttle()
    pace.order_rate_max = 3
    assert pace.take_order(0)
    assert pace.take_order(NS_PER_S // 10)
    # I expect the first that waits to leave at once, and each after it when one of those that left is a second old
    waits_ns = [pace.wait_ns(NS_PER_S // 10, ahead) for ahead in range(4)]
    assert waits_ns == [0, 9 * NS_PER_S // 10, NS_PER_S, NS_PER_S]


def test_nothing_leaves_while_risk_allows_no_message() -> None:
    pace = throttle()
    pace.order_rate_max = 0
    assert not pace.take_order(1)
    assert pace.wait_ns(1) > 0


def test_the_reserve_is_for_flattening() -> None:
    pace = throttle(burst=10, reserve=2)
    assert sum(pace.take_order(0) for _ in range(20)) == 8
    assert sum(pace.take_order(0, is_urgent=True) for _ in range(20)) == 2


def test_cancels_never_wait_for_orders() -> None:
    pace = throttle()
    while pace.take_order(0):
        pass
    pace.on_throttled(0)
    assert all(pace.take_cancel(0) for _ in range(900))
    assert not pace.take_cancel(0)


def test_a_throttled_venue_is_given_growing_pauses_and_forgets_in_time() -> None:
    pace = throttle()
    assert pace.on_throttled(0) == 250
    assert pace.on_throttled(1) == 249  # the same burst: one pause
    assert not pace.take_order(249 * NS_PER_MS)
    assert pace.wait_ns(0) >= 250 * NS_PER_MS
    assert pace.on_throttled(250 * NS_PER_MS) == 500
    assert pace.on_throttled(750 * NS_PER_MS) == 1000
    assert pace.on_throttled(1750 * NS_PER_MS) == 1000
    # Long after the last pause an accepted message makes the next one small again
    pace.on_accepted(5 * NS_PER_S)
    assert pace.on_throttled(5 * NS_PER_S) == 250


def test_a_venue_with_a_small_allowance_still_gets_quotes() -> None:
    pace = throttle(rate=10, burst=12, reserve=4)
    sent = [now_ns for now_ns in range(0, 3 * NS_PER_S, NS_PER_MS) if pace.take_order(now_ns)]
    assert len(sent) >= 3 * 4


def test_the_breaker_opens_after_many_refusals_tries_one_insert_and_closes_again() -> None:
    # Given a venue that refuses every insert
    breaker = Breaker()
    opened = [breaker.on_refused(now_ns) for now_ns in range(REFUSALS_MAX)]
    assert opened == [False] * (REFUSALS_MAX - 1) + [True]
    now_ns = REFUSALS_MAX
    assert not breaker.may_insert(now_ns)
    # If the pause is over, one insert is tried, and no second one meanwhile
    now_ns += PAUSE_NS_MIN
    assert breaker.may_insert(now_ns)
    breaker.on_sent(now_ns)
    assert not breaker.may_insert(now_ns + 1)
    # Refused again: the pause doubles
    assert breaker.on_refused(now_ns + 2)
    assert not breaker.may_insert(now_ns + 2 + PAUSE_NS_MIN)
    now_ns += 2 + 2 * PAUSE_NS_MIN
    assert breaker.may_insert(now_ns)
    # Accepted: closed
    breaker.on_sent(now_ns)
    breaker.on_accepted()
    assert breaker.may_insert(now_ns)
    assert not breaker.is_open


def test_refusals_far_apart_do_not_open_the_breaker() -> None:
    breaker = Breaker()
    assert not any(breaker.on_refused(second * NS_PER_S) for second in range(50))
