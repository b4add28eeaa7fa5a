"""How a hedge is worked: at the touch first, then across the book inside a collar. One order at a time.

The next step follows from what is seen now; nothing is remembered between two looks. What is needed is counted
anew before each order from the positions of all legs, so a hedge shrinks when quotes bring the net back meanwhile.
It never turns round: when they bring it past the target, the hedge is done.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.order import Side

CROSS_PAUSE_NS = 200_000_000  # between two orders that cross


class Plan(NamedTuple):
    """One hedge: its side, and its times in monotonic ns."""

    side: Side
    passive_until_ns: int
    ends_ns: int
    reprice_ns: int


class Resting(NamedTuple):
    """The order that is out.

    Attributes:
        remaining_lots: unsigned, still open.
        is_busy: a message of ours is unanswered, or nobody knows what became of it.
    """

    price_ticks: int
    remaining_lots: int
    is_passive: bool
    is_busy: bool
    sent_time_ns: int


class View(NamedTuple):
    """What is known at one moment.

    Attributes:
        needed_lots: size that leads to the target, cut to what this hedge may still trade; 0 or less = none.
        order_lots_min: the venue's smallest order.
        resting: None when nothing of this hedge is out.
        touch_ticks: best price of the side that the hedge would join; 0 when the book is not valid.
        crossing_ticks: the worst price at which it may cross; 0 when there is no mark price.
        crossed_time_ns: when an order last crossed; 0 = never.
    """

    now_ns: int
    needed_lots: int
    order_lots_min: int
    resting: Resting | None
    touch_ticks: int
    crossing_ticks: int
    crossed_time_ns: int


class Wait(NamedTuple):
    """Nothing to do now."""


class Place(NamedTuple):
    """Send an order: post-only and resting when passive, or else for whatever fills at once."""

    price_ticks: int
    size_lots: int
    is_passive: bool


class Withdraw(NamedTuple):
    """Cancel the order that rests."""


class Finish(NamedTuple):
    """Nothing is out and nothing more will be."""

    reason: str


Step = Wait | Place | Withdraw | Finish
DONE, TIME_IS_UP = "done", "time is up"


def next_step(plan: Plan, view: View) -> Step:
    """Return what to do now."""
    if view.resting is not None:
        return _with_order_out(plan, view, view.resting)
    lots = view.needed_lots
    if lots < max(view.order_lots_min, 1):
        return Finish(DONE)
    if view.now_ns >= plan.ends_ns:
        return Finish(TIME_IS_UP)
    if view.now_ns < plan.passive_until_ns:
        return Place(view.touch_ticks, lots, True) if view.touch_ticks else Wait()
    has_just_crossed = view.crossed_time_ns and view.now_ns < view.crossed_time_ns + CROSS_PAUSE_NS
    if not view.crossing_ticks or has_just_crossed:
        return Wait()
    return Place(view.crossing_ticks, lots, False)


def _with_order_out(plan: Plan, view: View, order: Resting) -> Step:
    """A crossing order ends by itself; a resting one stays while it is right."""
    if order.is_busy or not order.is_passive:
        return Wait()
    if view.needed_lots < order.remaining_lots or view.now_ns >= plan.passive_until_ns:
        return Withdraw()
    is_behind = view.touch_ticks != 0 and plan.side * (view.touch_ticks - order.price_ticks) > 0
    if is_behind and view.now_ns >= order.sent_time_ns + plan.reprice_ns:
        return Withdraw()
    return Wait()
