"""Where a resting order stands in the queue of its level, when only the level's total size is recorded.

Trades at the level come off the front. A decrease of the level beyond what was traded is a cancel that may
have been in front of us or behind; it is split by the power function of the two parts::

    share behind = behind^n / (behind^n + ahead^n)         n = POWER

so that the longer part of the queue cancels more. The idea is the probability queue model of hftbacktest's
documentation (after R. Rigtorp and others), written anew. Pure functions of numbers, in lots.
"""

from __future__ import annotations

POWER = 3.0


def ahead_after_trade(ahead: float, traded: float) -> float:
    """Return what stands ahead once `traded` lots have been taken off the front of the level."""
    return max(0.0, ahead - traded)


def lots_filled_by_trade(ahead: float, remaining: float, traded: float) -> float:
    """Return how much of an order a trade at its level fills: what is left of it behind the queue ahead."""
    return min(remaining, max(0.0, traded - ahead))


def ahead_after_depth(ahead: float, previous: float, current: float, traded: float, power: float = POWER) -> float:
    """Return what stands ahead once the level's recorded size went from `previous` to `current`.

    `traded` is what was traded at the level since `previous` was recorded, already taken off `ahead`. Sizes
    are without our own orders. Growth joins behind us; the estimate never exceeds the level itself.
    """
    cancelled = previous - traded - current
    if cancelled <= 0.0:
        return min(ahead, current)
    before = max(0.0, previous - traded)
    behind = max(0.0, before - ahead)
    cancelled_ahead = cancelled * (1.0 - _share_behind(ahead, behind, power))
    # What the part behind can't have lost was in front after all.
    cancelled_ahead = max(cancelled_ahead, cancelled - behind)
    return min(max(0.0, ahead - cancelled_ahead), current)


def _share_behind(ahead: float, behind: float, power: float) -> float:
    ahead_weight, behind_weight = ahead**power, behind**power
    total = ahead_weight + behind_weight
    return behind_weight / total if total > 0.0 else 1.0
