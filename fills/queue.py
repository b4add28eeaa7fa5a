"""Where a resting order stands in the queue of its level, when only the level's total size is recorded.

Trades at the level come off the front. A decrease of the level beyond what was traded is a cancel that may
have been in front of us or behind; a model says which share was behind, from the lots ahead f and behind b:

    RISK_AVERSE  1: all cancels are behind us, only trades bring us forward
    POWER1       b^n / (b^n + f^n)
    POWER2       b^n / (b + f)^n
    POWER3       1 − (f / (f + b))^n
    LOG1         ln(1 + b) / (ln(1 + b) + ln(1 + f))
    LOG2         ln(1 + b) / ln(1 + b + f)
    FIFO         nothing to share out: the recording tells order by order which one went (backtest/engine/market.py)

so that the longer part of the queue cancels more. The models are those of hftbacktest's documentation (after
R. Rigtorp and others), written anew. Pure functions of numbers, in lots; interpreted or compiled (domain/jit.py).
"""

from __future__ import annotations

import math
from enum import IntEnum

from domain.jit import kernel

POWER = 3.0


class QueueModel(IntEnum):
    """Who cancels, when a level shrinks without a trade."""

    RISK_AVERSE = 0
    POWER1 = 1
    POWER2 = 2
    POWER3 = 3
    LOG1 = 4
    LOG2 = 5
    FIFO = 6


# Plain integers: numba freezes them as constants.
_RISK_AVERSE = int(QueueModel.RISK_AVERSE)
_POWER1 = int(QueueModel.POWER1)
_POWER2 = int(QueueModel.POWER2)
_POWER3 = int(QueueModel.POWER3)
_LOG1 = int(QueueModel.LOG1)
_FIFO = int(QueueModel.FIFO)


@kernel
def ahead_after_trade(ahead: float, traded: float) -> float:
    """Return what stands ahead once `traded` lots have been taken off the front of the level."""
    return max(0.0, ahead - traded)


@kernel
def lots_filled_by_trade(ahead: float, remaining: float, traded: float) -> float:
    """Return how much of an order a trade at its level fills: what is left of it behind the queue ahead."""
    return min(remaining, max(0.0, traded - ahead))


@kernel
def share_behind(ahead: float, behind: float, model: int, power: float) -> float:
    """Return the share of a cancelled amount that stood behind us; 1 when nothing stands on either side."""
    if model in (_RISK_AVERSE, _FIFO) or ahead + behind <= 0.0:
        return 1.0
    if model == _POWER1:
        behind_weight = behind**power
        return float(behind_weight / (behind_weight + ahead**power))
    if model == _POWER2:
        return float(behind**power / (behind + ahead) ** power)
    if model == _POWER3:
        return float(1.0 - (ahead / (ahead + behind)) ** power)
    if model == _LOG1:
        behind_weight = math.log1p(behind)
        return behind_weight / (behind_weight + math.log1p(ahead))
    return math.log1p(behind) / math.log1p(behind + ahead)


@kernel
def ahead_after_depth(
    ahead: float, previous: float, current: float, traded: float, power: float = POWER, model: int = _POWER1
) -> float:
    """Return what stands ahead once the level's recorded size went from `previous` to `current`.

    `traded` is what was traded at the level since `previous` was recorded, already taken off `ahead`. Sizes
    are without our own orders. Growth joins behind us; the estimate never exceeds the level itself.
    """
    cancelled = previous - traded - current
    if cancelled <= 0.0:
        return min(ahead, current)
    before = max(0.0, previous - traded)
    behind = max(0.0, before - ahead)
    cancelled_ahead = cancelled * (1.0 - share_behind(ahead, behind, model, power))
    # What the part behind can't have lost was in front after all.
    cancelled_ahead = max(cancelled_ahead, cancelled - behind)
    return min(max(0.0, ahead - cancelled_ahead), current)
