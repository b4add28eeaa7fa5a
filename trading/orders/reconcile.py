"""From the orders that live to the quotes that are wanted, with the fewest messages.

A pure function of integers. A resting order near enough to a wanted price stays; others are amended (the
order stays alive on the way: no dark time); what is too much is cancelled, what is missing inserted. An order
with a message in flight is left alone until the venue has answered, and holds its place meanwhile; only a side
that is switched off cancels it at once.

The steps come in the order in which they must be sent: cancels, moves away from the other side, then moves
towards it and inserts, best price first. A step that could meet an order of our own on the other side is held
back: an order counts at every price at which it may still rest, so a retreating order makes room only once the
venue has confirmed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

PERMILLE = 1000


class Hold(IntEnum):
    """What may be done to a live order now."""

    FREE = 0  # nothing in flight
    BUSY = 1  # an insert or amend is unanswered
    LEAVING = 2  # a cancel is unanswered
    UNKNOWN = 3  # being asked about: it keeps its place; `is_wanted` says whether it is to be cancelled meanwhile


class LiveOrder(NamedTuple):
    """A live order as reconciling sees it.

    Attributes:
        price_ticks: where it rests, or is on its way to; of a post-only order that the venue moved back, where it
            was wanted, so that it is not sent there again at once.
        size_lots: total size, in the same sense.
        aggressive_price_ticks: price nearest to the other side at which it may rest.
    """

    client_order_id: int
    price_ticks: int
    size_lots: int
    filled_lots: int
    aggressive_price_ticks: int
    hold: Hold


class StepKind(IntEnum):
    CANCEL = 1
    AMEND = 2
    INSERT = 3


class Step(NamedTuple):
    """One message to send.

    Attributes:
        client_order_id: the order to cancel or amend; 0 for an insert.
        is_buy: side of the order.
        price_ticks: new price; 0 for a cancel.
        size_lots: new total size, filled part included; 0 for a cancel.
        open_lots: what it leaves open: size_lots without the filled part.
    """

    kind: StepKind
    client_order_id: int
    is_buy: bool
    price_ticks: int
    size_lots: int
    open_lots: int


class Plan(NamedTuple):
    """Steps in sending order; `held_back` counts moves that wait for an order of our own to get out of the way."""

    steps: list[Step]
    held_back: int


Level = tuple[int, int]  # price in ticks, size in lots
Tolerances = tuple[int, int]  # ‰ that may be missing of an order without fills, and of one with fills

# Bound once: Python 3.11 takes ten times as long to find a member in its enum class as a name in its module.
_FREE, _BUSY, _LEAVING = Hold.FREE, Hold.BUSY, Hold.LEAVING
_CANCEL, _AMEND, _INSERT = StepKind.CANCEL, StepKind.AMEND, StepKind.INSERT


def reconcile(
    bids: Sequence[Level],
    asks: Sequence[Level],
    live_bids: Sequence[LiveOrder],
    live_asks: Sequence[LiveOrder],
    *,
    amend_threshold_ticks: int,
    size_tolerance_permille: int,
    fill_threshold_permille: int,
) -> Plan:
    """Return the messages that bring the live orders to the wanted ladders.

    Args:
        bids, asks: wanted levels, best first; an empty side is off.
        amend_threshold_ticks: an order nearer than this to a wanted price stays where it is. A move always goes
            to the wanted price itself, so the next one needs the whole threshold again.
        size_tolerance_permille: an open size that falls short by no more than this stays; a larger one is cut.
        fill_threshold_permille: the same for an order that falls short because of its fills.
    """
    tolerances = (size_tolerance_permille, fill_threshold_permille)
    buys = _side_steps(bids, live_bids, True, amend_threshold_ticks, tolerances)
    sells = _side_steps(asks, live_asks, False, amend_threshold_ticks, tolerances)
    steps = buys.cancels + sells.cancels + buys.retreats + sells.retreats
    advances, held_back = _without_self_cross(buys.advances, sells.advances, live_bids, live_asks)
    return Plan(steps + advances, held_back)


def is_wanted(ladder: Sequence[Level], terms: Sequence[Level], filled_lots: int, amend_threshold_ticks: int) -> bool:
    """Return whether the ladder wants an order on whichever of `terms` it may rest.

    Args:
        ladder: wanted levels of its side.
        terms: price in ticks and total size, of the order as it was confirmed and as an amend in doubt would leave it.
    """
    return all(
        any(abs(price - level[0]) < amend_threshold_ticks and lots - filled_lots <= level[1] for level in ladder)
        for price, lots in terms
    )


def excess(wanted: Sequence[Level], live: Sequence[LiveOrder], is_buy: bool, amend_threshold_ticks: int) -> set[int]:
    """Return the client order ids of a side's free orders that make more rest somewhere than is wanted up to there.

    Counted from the other side outwards: a bid that should go down is one, and one that should shrink; a bid that
    should go up is not. What has a message in flight is left out, as its answer brings us back here.
    """
    sign = -1 if is_buy else 1
    free = sorted(
        (order for order in live if order.hold is _FREE), key=lambda order: sign * order.aggressive_price_ticks
    )
    staying_lots = 0
    found = set()
    for order in free:
        open_lots = order.size_lots - order.filled_lots
        at_ticks = order.aggressive_price_ticks
        near = [lots for price, lots in wanted if sign * (price - at_ticks) < amend_threshold_ticks]
        if staying_lots + open_lots > sum(near):
            found.add(order.client_order_id)
        else:
            staying_lots += open_lots
    return found


class _SideSteps(NamedTuple):
    cancels: list[Step]
    retreats: list[Step]
    advances: list[Step]


def _side_steps(
    wanted: Sequence[Level], live: Sequence[LiveOrder], is_buy: bool, threshold_ticks: int, tolerances: Tolerances
) -> _SideSteps:
    steps = _SideSteps([], [], [])
    if not wanted:
        steps.cancels.extend(_cancel(order, is_buy) for order in live if order.hold <= _BUSY)
        return steps
    sign = -1 if is_buy else 1  # sign * price grows away from the other side
    if len(wanted) == 1 == len(live) and live[0].hold is _FREE:
        # What follows would do the same; this is the common case, and the way from a tick to its order.
        _bring(steps, live[0], wanted[0], sign, threshold_ticks, tolerances)
        return steps
    staying = [order for order in live if order.hold is not _LEAVING]
    if len(staying) > 1:
        staying.sort(key=lambda order: sign * order.price_ticks)
    kept, loose, missing = match_levels(wanted, staying, sign, threshold_ticks)
    for order, level in kept:
        _resize(steps, order, level, is_buy, tolerances)
    free = [order for order in loose if order.hold is _FREE]
    for order in loose:
        if order.hold is not _FREE and missing:
            # It will be moved once it is answered: it holds the nearest place, so that nothing is sent twice.
            missing.remove(min(missing, key=lambda level: abs(level[0] - order.price_ticks)))
    for order, level in zip(free, missing, strict=False):
        is_retreat = sign * level[0] > sign * order.aggressive_price_ticks
        (steps.retreats if is_retreat else steps.advances).append(_amend(order, level[0], level[1], is_buy))
    steps.cancels.extend(_cancel(order, is_buy) for order in free[len(missing) :])
    steps.advances.extend(_insert(level, is_buy) for level in missing[len(free) :])
    return steps


def _bring(
    steps: _SideSteps, order: LiveOrder, level: Level, sign: int, threshold_ticks: int, tolerances: Tolerances
) -> None:
    """Bring the one free order of a side to its one level."""
    away_ticks = sign * (level[0] - order.price_ticks)
    if -threshold_ticks < away_ticks < threshold_ticks:
        _resize(steps, order, level, sign < 0, tolerances)
    else:
        is_retreat = sign * level[0] > sign * order.aggressive_price_ticks
        (steps.retreats if is_retreat else steps.advances).append(_amend(order, level[0], level[1], sign < 0))


def match_levels(
    wanted: Sequence[Level], live: Sequence[LiveOrder], sign: int, threshold_ticks: int
) -> tuple[list[tuple[LiveOrder, Level]], list[LiveOrder], list[Level]]:
    """Pair as many orders as possible with a wanted price nearer than the threshold; both are best first."""
    kept: list[tuple[LiveOrder, Level]] = []
    loose: list[LiveOrder] = []
    missing: list[Level] = []
    i = j = 0
    while i < len(wanted) and j < len(live):
        away_ticks = sign * (live[j].price_ticks - wanted[i][0])
        if -threshold_ticks < away_ticks < threshold_ticks:
            kept.append((live[j], wanted[i]))
            i += 1
            j += 1
        elif away_ticks < 0:
            loose.append(live[j])
            j += 1
        else:
            missing.append(wanted[i])
            i += 1
    loose.extend(live[j:])
    missing.extend(wanted[i:])
    return kept, loose, missing


def falls_short(order: LiveOrder, wanted_lots: int, tolerances: Tolerances) -> bool:
    """Return whether an order has less open than may stay as it is."""
    missing_lots = wanted_lots - order.size_lots + order.filled_lots
    return missing_lots * PERMILLE > wanted_lots * tolerances[order.filled_lots > 0]


def _resize(steps: _SideSteps, order: LiveOrder, level: Level, is_buy: bool, tolerances: Tolerances) -> None:
    """Change the size of an order that stays, when it is too far off."""
    if order.hold is not _FREE:
        return
    price_ticks, wanted_lots = level
    open_lots = order.size_lots - order.filled_lots
    if open_lots > wanted_lots:
        # Never tolerated: the wish may have shrunk for a limit. At the same price it keeps its place in the queue.
        steps.retreats.append(_amend(order, order.aggressive_price_ticks, wanted_lots, is_buy))
    elif falls_short(order, wanted_lots, tolerances):
        # A larger one loses it anyway, so it may as well go to the wanted price.
        steps.advances.append(_amend(order, price_ticks, wanted_lots, is_buy))


def _without_self_cross(
    buys: list[Step], sells: list[Step], live_bids: Sequence[LiveOrder], live_asks: Sequence[LiveOrder]
) -> tuple[list[Step], int]:
    """Return the advancing steps that cannot meet an order of ours, best first, and how many had to wait."""
    if not (buys or sells):
        return [], 0
    lowest_ask = min((order.aggressive_price_ticks for order in live_asks), default=None)
    highest_bid = max((order.aggressive_price_ticks for order in live_bids), default=None)
    if len(buys) > 1:
        buys.sort(key=lambda step: -step.price_ticks)
    if len(sells) > 1:
        sells.sort(key=lambda step: step.price_ticks)
    passed: list[Step] = []
    held_back = 0
    for rank in range(max(len(buys), len(sells))):
        for step in (*buys[rank : rank + 1], *sells[rank : rank + 1]):
            price_ticks = step.price_ticks
            if step.is_buy:
                if lowest_ask is not None and price_ticks >= lowest_ask:
                    held_back += 1
                    continue
                highest_bid = price_ticks if highest_bid is None else max(highest_bid, price_ticks)
            else:
                if highest_bid is not None and price_ticks <= highest_bid:
                    held_back += 1
                    continue
                lowest_ask = price_ticks if lowest_ask is None else min(lowest_ask, price_ticks)
            passed.append(step)
    return passed, held_back


def _cancel(order: LiveOrder, is_buy: bool) -> Step:
    return Step(_CANCEL, order.client_order_id, is_buy, 0, 0, 0)


def _amend(order: LiveOrder, price_ticks: int, open_lots: int, is_buy: bool) -> Step:
    return Step(_AMEND, order.client_order_id, is_buy, price_ticks, order.filled_lots + open_lots, open_lots)


def _insert(level: Level, is_buy: bool) -> Step:
    return Step(_INSERT, 0, is_buy, level[0], level[1], level[1])
