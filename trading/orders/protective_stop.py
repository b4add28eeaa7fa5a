"""Which stop should stand at the venue for a position, and what to do about those that stand.

A stop is reduce-only and has no more than the size of the position, so it can close the position and never turn it. It
belongs to the account, not to a session: it outlives us, and is found again by its label. At most one stands for an
instrument: a change cancels the old one, and the new one is created once the venue no longer shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from domain.order import Side

BPS = 10_000
STRAY_RATIO_MAX = 0.1  # part of its distance by which a fixed stop may be off where it would be placed now
STRAY_TICKS_MIN = 1  # that it may be off in any case: prices are rounded


class Stop(NamedTuple):
    """A stop to create.

    Attributes:
        stop_ticks: a sell triggers at or below, a buy at or above.
        callback_rate: distance that a trailing stop keeps to the best price seen, as a fraction; None = it stands.
    """

    side: Side
    size_lots: int
    stop_ticks: int
    callback_rate: Decimal | None


class StandingStop(NamedTuple):
    """A stop of ours that the venue shows as open."""

    order_id: str
    side: Side
    size_lots: int
    stop_ticks: int
    callback_rate: Decimal | None


class StopRule(NamedTuple):
    """What the configuration asks for.

    Attributes:
        is_trailing: it follows the market; otherwise it stands off the average entry price, and is replaced when that
            has moved by more than a tenth of the distance.
        resize_lots: a stop whose size is further off the position than this is replaced.
    """

    is_trailing: bool
    distance_bps: float
    resize_lots: int

    @property
    def callback_rate(self) -> Decimal | None:
        return Decimal(repr(self.distance_bps)) / BPS if self.is_trailing else None


class StopPlan(NamedTuple):
    """What to do: cancels first; `create` waits until nothing has to be cancelled any more."""

    cancel: list[str]
    create: Stop | None


def plan_stop(
    rule: StopRule | None,
    position_lots: int,
    entry_ticks: float,
    mark_ticks: float,
    standing: Sequence[StandingStop],
    lots_min: int,
    former: StandingStop | None = None,
) -> StopPlan:
    """Return what brings the stops of one instrument to its position.

    Args:
        rule: None = there is to be no stop.
        position_lots: signed holdings.
        entry_ticks: average entry price; 0 = not known, then the mark takes its place.
        mark_ticks: mark price; 0 = not known.
        lots_min: smallest order.
        former: the stop that was cancelled to be replaced: a trailing one takes nothing back of what it had gained.
    """
    if rule is None or abs(position_lots) < lots_min:
        return StopPlan([stop.order_id for stop in standing], None)
    side = Side.SELL if position_lots > 0 else Side.BUY
    kept = next((stop for stop in standing if _serves(stop, rule, side, abs(position_lots), entry_ticks)), None)
    surplus = [stop.order_id for stop in standing if stop is not kept]
    anchor_ticks = mark_ticks if rule.is_trailing or not entry_ticks else entry_ticks
    if kept is not None or not anchor_ticks:
        return StopPlan(surplus if kept is not None else [], None)
    stop_ticks = _stop_ticks(rule, side, anchor_ticks)
    if former is not None and rule.is_trailing and former.side is side:
        stop_ticks = side * min(side * stop_ticks, side * former.stop_ticks)
    return StopPlan(surplus, Stop(side, abs(position_lots), stop_ticks, rule.callback_rate))


def _stop_ticks(rule: StopRule, side: Side, anchor_ticks: float) -> int:
    return round(anchor_ticks * (1 + side * rule.distance_bps / BPS))


def _serves(stop: StandingStop, rule: StopRule, side: Side, size_lots: int, entry_ticks: float) -> bool:
    """Return whether a stop may stay; without an entry price any price will do, for it must not follow the mark."""
    is_same_kind = stop.side is side and stop.callback_rate == rule.callback_rate
    if not is_same_kind or abs(stop.size_lots - size_lots) > rule.resize_lots:
        return False
    if rule.is_trailing or not entry_ticks:
        return True
    distance_ticks = entry_ticks * rule.distance_bps / BPS
    off_ticks = abs(stop.stop_ticks - _stop_ticks(rule, side, entry_ticks))
    return off_ticks <= max(distance_ticks * STRAY_RATIO_MAX, STRAY_TICKS_MIN)
