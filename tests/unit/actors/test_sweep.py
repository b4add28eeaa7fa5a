"""Cancelling until the venue itself shows nothing twice, against a venue that can be awkward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from actors.sweep import SweepResult, sweep
from domain.clock import NS_PER_MS, SimClock
from domain.errors import ConnectivityError, VenueError
from domain.order import Side, VenueOrderStatus
from domain.reports import OrderReport

ANSWER_NS = 10 * NS_PER_MS


def order(number: int) -> OrderReport:
    return OrderReport(
        f"O{number}", number, "BTC-PERPETUAL", Side.BUY, Decimal(1), Decimal(1), Decimal(0),
        VenueOrderStatus.OPEN, (), "insert", "", "rm-x", 0, 0,
    )  # fmt: skip


class FakeVenue:
    """An account whose every answer takes 10 ms; `on_round` may do something before each cancel_all."""

    def __init__(self, clock: SimClock, orders: int = 0, conditional: int = 0) -> None:
        self.clock = clock
        self.orders = orders
        self.conditional = conditional
        self.rounds = 0
        self.on_round: Callable[[int], None] = lambda _round: None

    async def cancel_all(self) -> int:
        self.clock.advance(ANSWER_NS)
        self.rounds += 1
        self.on_round(self.rounds)
        cancelled, self.orders = self.orders, 0
        return cancelled

    async def cancel_all_conditional_orders(self) -> None:
        self.clock.advance(ANSWER_NS)
        self.conditional = 0

    async def open_orders(self) -> list[OrderReport]:
        self.clock.advance(ANSWER_NS)
        return [order(number) for number in range(self.orders)]

    async def open_conditional_orders(self) -> int:
        self.clock.advance(ANSWER_NS)
        return self.conditional


def run(venue: FakeVenue, *, timeout_s: float = 5.0, is_obsolete: Callable[[], bool] = lambda: False) -> SweepResult:
    return asyncio.run(sweep(venue, venue.clock, timeout_s=timeout_s, is_obsolete=is_obsolete, pause_s=0.0))


def test_nothing_is_confirmed_before_the_venue_showed_nothing_twice() -> None:
    venue = FakeVenue(SimClock(), orders=3, conditional=1)
    assert run(venue)[:4] == (True, 3, 0, "")
    assert venue.rounds == 2


def test_an_order_that_lands_between_two_looks_starts_the_count_again() -> None:
    # Given an insert that is in flight during the first cancel_all and lands after the first look
    venue = FakeVenue(SimClock(), orders=1)

    def land(number: int) -> None:
        venue.orders += number == 2

    venue.on_round = land
    # If everything is cancelled, I expect it to be cancelled too
    assert run(venue)[:4] == (True, 2, 0, "")


def test_an_order_that_outlives_a_cancel_is_cancelled_again() -> None:
    # Given a cancel_all that misses an order three times
    venue = FakeVenue(SimClock())
    real = venue.cancel_all

    async def missing() -> int:
        cancelled = await real()
        venue.orders = 1 if venue.rounds <= 3 else 0
        return cancelled

    venue.cancel_all = missing  # type: ignore[method-assign]
    # If everything is cancelled, I expect two clean looks after the third
    assert run(venue).is_confirmed
    assert venue.rounds == 5


def test_trouble_is_tried_again_and_told() -> None:
    # Given a venue that is lost, then throttles, then works
    venue = FakeVenue(SimClock(), orders=2)

    def stumble(number: int) -> None:
        if number == 1:
            raise ConnectivityError("socket closed")
        if number == 2:
            raise VenueError(4, "throttle exceeded", "private/cancel_all")

    venue.on_round = stumble
    # If everything is cancelled, I expect it done, and the newest trouble in the result
    result = run(venue)
    assert (result.is_confirmed, result.cancelled) == (True, 2)
    assert "throttle" in result.last_error


def test_a_venue_that_never_answers_is_given_up_in_time() -> None:
    # Given a venue that is lost for good
    venue = FakeVenue(SimClock(), orders=2)

    def lose(_round: int) -> None:
        raise ConnectivityError("socket closed")

    venue.on_round = lose
    # If one second is given, I expect an unconfirmed end after it, without claims about what is open
    assert run(venue, timeout_s=1.0)[:4] == (False, 0, -1, "socket closed")
    assert venue.clock.monotonic_ns() >= 1_000 * NS_PER_MS


def test_it_ends_when_somebody_better_is_back() -> None:
    venue = FakeVenue(SimClock(), orders=2)
    assert run(venue, is_obsolete=lambda: True)[:4] == (False, 0, -1, "")
    assert venue.orders == 2
