"""One side of a mass quote: which levels to send, which orders that replaces, which are new.

A mass quote names a whole side; the venue keeps what is there at the same price and size, with its place in the
queue, and replaces the rest. So an order near enough to a wanted level is named as it rests. A side is sent only
when something about it must change, and not while a message about it is unanswered, for the new size comes on top of
whatever the old one may still fill: a mass quote does not count what was filled. A side that is switched off is
cleared at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trading.orders.reconcile import Hold, Level, LiveOrder, Tolerances, falls_short, match_levels

LEVELS_MAX = 10  # a side of one mass quote

_FREE, _BUSY = Hold.FREE, Hold.BUSY


class SideQuote(NamedTuple):
    """What to send of one side.

    Attributes:
        levels: the whole side, best first; empty clears it.
        fresh: those of them that become new orders.
        leaving: client order ids of the orders that it takes away.
    """

    levels: list[Level]
    fresh: list[Level]
    leaving: list[int]


def quote_side(
    wanted: Sequence[Level],
    live: Sequence[LiveOrder],
    *,
    is_buy: bool,
    amend_threshold_ticks: int,
    size_tolerance_permille: int,
    fill_threshold_permille: int,
) -> SideQuote | None:
    """Return what to send of a side, or None when nothing must change or an answer is awaited.

    Args:
        wanted: levels, best first; none = the side is off.
        amend_threshold_ticks, size_tolerance_permille, fill_threshold_permille: as for single orders.
    """
    if not wanted:
        leaving = [order.client_order_id for order in live if order.hold <= _BUSY]
        return SideQuote([], [], leaving) if leaving else None
    if any(order.hold is not _FREE for order in live):
        return None
    sign = -1 if is_buy else 1
    resting = sorted(live, key=lambda order: sign * order.price_ticks)
    kept, _, missing = match_levels(wanted, resting, sign, amend_threshold_ticks)
    tolerances = (size_tolerance_permille, fill_threshold_permille)
    levels = [*missing, *(_named(order, level, tolerances) for order, level in kept)]
    if len({price for price, _ in levels}) < len(levels):
        levels = list(wanted)  # an order that would stay stands where another level is wanted
    levels.sort(key=lambda level: sign * level[0])
    side = against_live(levels[:LEVELS_MAX], live)
    return side if side.fresh or side.leaving else None


def against_live(levels: list[Level], live: Sequence[LiveOrder]) -> SideQuote:
    """Return what naming exactly these levels does to the orders that rest."""
    resting = {_resting(order): order.client_order_id for order in live if order.hold is _FREE}
    fresh = [level for level in levels if resting.pop(level, None) is None]
    return SideQuote(levels, fresh, list(resting.values()))


def _named(order: LiveOrder, level: Level, tolerances: Tolerances) -> Level:
    """Return an order that is near enough as the level that keeps it, or the level that must replace it."""
    price_ticks, wanted_lots = level
    rests_at_ticks, open_lots = _resting(order)
    if open_lots > wanted_lots:
        return (rests_at_ticks, wanted_lots)  # never tolerated: the wish may have shrunk for a limit
    if falls_short(order, wanted_lots, tolerances):
        return (price_ticks, wanted_lots)
    return (rests_at_ticks, open_lots)


def _resting(order: LiveOrder) -> Level:
    # A quote that the venue moved back counts as where it was wanted; it is named where it rests.
    return (order.aggressive_price_ticks, order.size_lots - order.filled_lots)
