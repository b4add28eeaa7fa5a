"""How the mids of several instruments move together: variances, covariance, correlation and β of log returns.

All mids are looked at in the same moments, on a common clock grid: returns of different lengths or at different
times would hide what moves together. Two books that follow one price each move a moment apart, and over a second much
of it looks unrelated (Epps 1979, JASA 74); so a return spans `return_ms`, several points of the grid, and returns
overlap: each look adds one. A return is divided by the root of its time, so that a late look does no harm. Weights
halve every `halflife_s`. An outage is not one return: nothing is learned across a gap, nor for an instrument without
a live book at either end. Means are taken as zero, as is right for seconds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from domain.clock import NS_PER_MS, NS_PER_S


class ComovementConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[comovement]: how correlation and β between the instruments of the session are measured."""

    grid_ms: Annotated[int, Meta(ge=100, le=600_000, description="clock grid on which all mids are looked at, ms")] = (
        1000
    )
    return_ms: Annotated[
        int,
        Meta(ge=100, le=3_600_000, description="time that a return spans, a multiple of the grid: returns overlap, ms"),
    ] = 5000
    halflife_s: Annotated[float, Meta(gt=0, le=1e7, description="time in which a return's weight halves, s")] = 600.0
    gap_ms_max: Annotated[
        int, Meta(ge=100, le=3_600_000, description="a longer time between two looks is an outage, no return, ms")
    ] = 5000
    samples_min: Annotated[int, Meta(ge=2, le=1_000_000, description="returns of a pair before its β is used")] = 120

    def __post_init__(self) -> None:
        if self.gap_ms_max <= self.grid_ms:
            raise ValueError(f"gap_ms_max ({self.gap_ms_max}) must be larger than grid_ms ({self.grid_ms})")
        if self.return_ms % self.grid_ms:
            raise ValueError(f"return_ms ({self.return_ms}) must be a multiple of grid_ms ({self.grid_ms})")


def pair_rows(count: int) -> Iterator[tuple[int, int]]:
    """Yield every pair (a, b), a < b, of `count` instruments in the order of the rows that they have."""
    for a in range(count):
        for b in range(a + 1, count):
            yield a, b


def pair_row(a: int, b: int, count: int) -> int:
    """Return the row of the pair a < b."""
    assert 0 <= a < b < count, f"no pair: {a}, {b} of {count}"
    return a * (2 * count - a - 1) // 2 + b - a - 1


class Pair:
    """Exponentially weighted moments of the returns of two instruments.

    Attributes:
        samples: returns taken in.
        weight: sum of their weights now.
        variance_a, variance_b, covariance: of log returns, 1/s; 0.0 before the first.
    """

    __slots__ = ("covariance", "samples", "variance_a", "variance_b", "weight")

    def __init__(self) -> None:
        self.samples = 0
        self.weight = 0.0
        self.variance_a = self.variance_b = self.covariance = 0.0

    def take(self, a: float, b: float, decay: float) -> None:
        """Take a return of each, over the same time, divided by its root; `decay` is what earlier weights shrink by."""
        self.samples += 1
        self.weight = self.weight * decay + 1.0
        share = 1.0 / self.weight
        self.variance_a += share * (a * a - self.variance_a)
        self.variance_b += share * (b * b - self.variance_b)
        self.covariance += share * (a * b - self.covariance)

    @property
    def correlation(self) -> float:
        """In [-1, 1]; NaN while one of the two has not moved."""
        product = self.variance_a * self.variance_b
        return max(-1.0, min(1.0, self.covariance / math.sqrt(product))) if product > 0.0 else math.nan

    @property
    def beta_a_on_b(self) -> float:
        """Return of a for one of b; NaN while b has not moved."""
        return self.covariance / self.variance_b if self.variance_b > 0.0 else math.nan

    @property
    def beta_b_on_a(self) -> float:
        """Return of b for one of a; NaN while a has not moved."""
        return self.covariance / self.variance_a if self.variance_a > 0.0 else math.nan


class Comovements:
    """Every pair of the session's instruments.

    Attributes:
        pairs: in the order of `pair_rows`.
    """

    def __init__(self, count: int, config: ComovementConfig) -> None:
        self.pairs = [Pair() for _ in pair_rows(count)]
        self._rows = list(pair_rows(count))
        self._grid_ns = config.grid_ms * NS_PER_MS
        self._gap_ns_max = config.gap_ms_max * NS_PER_MS
        self._halflife_s = config.halflife_s
        self._looks: deque[tuple[int, list[float]]] = deque(maxlen=config.return_ms // config.grid_ms + 1)
        self._due_ns = 0

    def is_due(self, now_ns: int) -> bool:
        """Return whether a point of the grid has passed since the last look."""
        return now_ns >= self._due_ns

    def look(self, mids: Sequence[float], now_ns: int) -> list[int]:
        """Take the mids of this moment, NaN where there is no live book; return the rows of pairs that learned."""
        self._due_ns = now_ns - now_ns % self._grid_ns + self._grid_ns
        looks = self._looks
        last_ns = looks[-1][0] if looks else now_ns
        if now_ns - last_ns > self._gap_ns_max or now_ns < last_ns:
            looks.clear()
        looks.append((now_ns, list(mids)))
        if len(looks) < (looks.maxlen or 0):
            return []
        decay = 0.5 ** ((now_ns - last_ns) / NS_PER_S / self._halflife_s)
        began_ns, before = looks[0]
        root_s = math.sqrt((now_ns - began_ns) / NS_PER_S)
        returns = [_log_return(old, new) / root_s for old, new in zip(before, mids, strict=True)]
        learned = []
        for row, (a, b) in enumerate(self._rows):
            if math.isfinite(returns[a]) and math.isfinite(returns[b]):
                self.pairs[row].take(returns[a], returns[b], decay)
                learned.append(row)
        return learned


def _log_return(old: float, new: float) -> float:
    return math.log(new / old) if old > 0.0 and new > 0.0 else math.nan
