"""The fair price behind the background flow: diffusion around a wandering anchor, jumps, regimes."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


class FairPrice:
    """The current fair price; `advance` moves it through market time."""

    def __init__(self, parameters: FairPriceParameters, rng: np.random.Generator) -> None:
        self._parameters = parameters
        self._rng = rng
        self.usd = parameters.start_usd
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
        root = math.sqrt(duration_s)
        sigma = p.sigma_usd_per_sqrt_s * (p.busy_sigma_ratio if self._busy else 1.0)
        noise, anchor_noise = rng.standard_normal(2)
        pull = -math.expm1(-p.reversion_per_s * duration_s)
        self._anchor_usd += p.anchor_sigma_usd_per_sqrt_s * root * anchor_noise
        self.usd += pull * (self._anchor_usd - self.usd) + sigma * root * noise
        if rng.random() < p.jumps_per_s * duration_s:
            self.jump(p.jump_sigma_usd * rng.standard_normal())
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
