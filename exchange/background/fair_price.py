"""The fair price behind the background flow: diffusion around a wandering anchor, jumps, regimes.

One underlying leads, the others follow: a share of their noise and of their jumps is the leader's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class FairPriceParameters:
    """USD and seconds of market time.

    The price is pulled to an anchor that itself wanders, so that a minute sees both sides trade and an hour
    still goes somewhere. In the busy regime volatility and activity are multiplied.
    """

    start_usd: float = 100_000.0
    sigma_usd_per_sqrt_s: float = 3.0
    anchor_sigma_usd_per_sqrt_s: float = 1.0
    reversion_per_s: float = 0.05
    jumps_per_s: float = 1 / 90
    jump_sigma_usd: float = 8.0
    calm_s_mean: float = 30.0
    busy_s_mean: float = 8.0
    busy_sigma_ratio: float = 2.0
    busy_activity_ratio: float = 2.0

    def scaled(self, price_ratio: float, volatility_ratio: float) -> FairPriceParameters:
        """Return those of an underlying at `price_ratio` of this price, so much more volatile for its price."""
        ratio = price_ratio * volatility_ratio
        return replace(
            self,
            start_usd=self.start_usd * price_ratio,
            sigma_usd_per_sqrt_s=self.sigma_usd_per_sqrt_s * ratio,
            anchor_sigma_usd_per_sqrt_s=self.anchor_sigma_usd_per_sqrt_s * ratio,
            jump_sigma_usd=self.jump_sigma_usd * ratio,
        )


class FairPrice:
    """The current fair price; `advance` moves it through market time.

    `noise` and `anchor_noise` are the standard normal draws of the last move, `jump_noise` that of its jump or 0:
    what a follower takes its share of.
    """

    def __init__(self, parameters: FairPriceParameters, rng: np.random.Generator) -> None:
        self._parameters = parameters
        self._rng = rng
        self.usd = parameters.start_usd
        self.noise = self.anchor_noise = self.jump_noise = 0.0
        self._anchor_usd = parameters.start_usd
        self._busy = False
        self._regime_left_s = rng.exponential(parameters.calm_s_mean)

    @property
    def activity_ratio(self) -> float:
        """How much busier than calm the market is now."""
        return self._parameters.busy_activity_ratio if self._busy else 1.0

    def advance(self, duration_s: float) -> None:
        p, rng = self._parameters, self._rng
        self._switch_regime(duration_s)
        noise, anchor_noise = rng.standard_normal(2)
        jump_noise = rng.standard_normal() if rng.random() < p.jumps_per_s * duration_s else 0.0
        self._move(duration_s, noise, anchor_noise, jump_noise)

    def _move(self, duration_s: float, noise: float, anchor_noise: float, jump_noise: float) -> None:
        p = self._parameters
        self.noise, self.anchor_noise, self.jump_noise = noise, anchor_noise, jump_noise
        root = math.sqrt(duration_s)
        sigma = p.sigma_usd_per_sqrt_s * (p.busy_sigma_ratio if self._busy else 1.0)
        pull = -math.expm1(-p.reversion_per_s * duration_s)
        self._anchor_usd += p.anchor_sigma_usd_per_sqrt_s * root * anchor_noise
        self.usd += pull * (self._anchor_usd - self.usd) + sigma * root * noise
        if jump_noise:
            self.jump(p.jump_sigma_usd * jump_noise)
        self.usd = max(self.usd, p.start_usd * 0.01)

    def jump(self, change_usd: float) -> None:
        """Move price and anchor at once, for good."""
        self.usd += change_usd
        self._anchor_usd += change_usd

    def _switch_regime(self, duration_s: float) -> None:
        self._regime_left_s -= duration_s
        if self._regime_left_s <= 0:
            self._busy = not self._busy
            p = self._parameters
            self._regime_left_s = self._rng.exponential(p.busy_s_mean if self._busy else p.calm_s_mean)


class FollowingPrice(FairPrice):
    """A fair price whose moves are correlated with those of a leader, which has been advanced before."""

    def __init__(
        self, parameters: FairPriceParameters, rng: np.random.Generator, leader: FairPrice, correlation: float
    ) -> None:
        super().__init__(parameters, rng)
        self._leader = leader
        self._correlation = correlation

    def advance(self, duration_s: float) -> None:
        leader, shared = self._leader, self._correlation
        self._switch_regime(duration_s)
        own = math.sqrt(1.0 - shared * shared)
        noise, anchor_noise = self._rng.standard_normal(2)
        self._move(
            duration_s,
            shared * leader.noise + own * noise,
            shared * leader.anchor_noise + own * anchor_noise,
            shared * leader.jump_noise,
        )
