"""When to hedge, and how much: a decision on numbers, and the pauses between two of them.

    idle ── beyond the band ──> under way ── answered ──> cooling ── cooldown over ──> idle

One hedge at a time. A hedge without an answer stays under way: it is asked about again under the same id, so that
a lost answer never doubles it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from domain.clock import NS_PER_S
from domain.codes import HedgeState
from trading.hedging.config import HedgeConfig

COOLDOWN_NS_MAX = 60 * NS_PER_S


class Leg(NamedTuple):
    """One instrument whose position counts.

    Attributes:
        position_base: signed.
        weight: base units of the hedge instrument that move as much as one base unit of this one.
    """

    instrument: str
    position_base: float
    weight: float


def net_delta(legs: Sequence[Leg]) -> float:
    """Return what the legs are worth together, in base units of the hedge instrument."""
    return math.fsum(leg.position_base * leg.weight for leg in legs)


def beta_weight(beta: float, price: float, hedge_price: float) -> float:
    """Return the weight of an instrument whose returns move by `beta` for those of the hedge instrument.

    NaN when a price is not positive or anything is not finite: there is no hedge then.
    """
    if not (price > 0 and hedge_price > 0 and math.isfinite(beta)):
        return math.nan
    return beta * price / hedge_price


def wanted_base(net_base: float, config: HedgeConfig) -> float:
    """Return the signed size that leads to the target, 0.0 inside the band or when the net is not finite."""
    away_base = net_base - config.target_base
    if not abs(away_base) > config.band_base:  # NaN too
        return 0.0
    if math.isinf(away_base):
        return 0.0
    return -math.copysign(min(abs(away_base), config.order_size_max_base), away_base)


class HedgePolicy:
    """The pauses of one underlying's hedge.

    Attributes:
        command_id: of the hedge under way; empty when there is none.
        hedges: begun by this process.
    """

    def __init__(self, config: HedgeConfig, owner: str) -> None:
        """Begin idle. `owner` makes command ids unique over restarts: a name with the process's epoch."""
        self.config = config
        self.state = HedgeState.IDLE
        self.command_id = ""
        self.hedges = 0
        self._owner = owner
        self._failures = 0
        self._idle_at_ns = 0

    def shown_state(self, now_ns: int) -> HedgeState:
        """Return the state as it is now: a pause may have ended since the last decision."""
        is_over = self.state is HedgeState.COOLING and now_ns >= self._idle_at_ns
        return HedgeState.IDLE if is_over else self.state

    def decide(self, net_base: float, now_ns: int) -> bool:
        """Return whether to begin a hedge now; then one is under way and `command_id` names it."""
        self.state = self.shown_state(now_ns)
        if self.state is not HedgeState.IDLE or not wanted_base(net_base, self.config):
            return False
        self.hedges += 1
        self.command_id = f"{self._owner}/{self.hedges}"
        self.state = HedgeState.UNDER_WAY
        return True

    def end(self, done_base: float, now_ns: int) -> int:
        """Take the answer: `done_base` was traded. Return how long the pause is, in ns."""
        assert self.state is HedgeState.UNDER_WAY, f"no hedge is under way: {self.state}"
        self._failures = 0 if done_base else self._failures + 1
        pause_ns = round(self.config.cooldown_s * NS_PER_S)
        if self._failures > 1:
            pause_ns = max(pause_ns, min(pause_ns << min(self._failures - 1, 20), COOLDOWN_NS_MAX))
        self.state = HedgeState.COOLING
        self.command_id = ""
        self._idle_at_ns = now_ns + pause_ns
        return pause_ns
