"""Equity, its peak and the first equity of the day: figures of the run, in quote currency."""

from __future__ import annotations

import math

from domain.clock import NS_PER_S

_DAY_NS = 86_400 * NS_PER_S


class Drawdown:
    """Follows the equity, which starts at zero with the run.

    A value that is not finite is kept as the present one, so that callers see it, and changes nothing else.

    Attributes:
        equity: newest value.
        known_equity: newest value that was finite; before the first what an earlier process of the run knew.
        peak: highest value so far.
        day: number of the UTC day since 1970 of the newest value; -1 before the first.
        day_start_equity: first value of that day, less what earlier runs of the day made.
    """

    def __init__(
        self, *, peak: float = 0.0, day: int = -1, day_start_equity: float = 0.0, known_equity: float = 0.0
    ) -> None:
        self.equity = 0.0
        self.known_equity = known_equity
        self.peak = peak
        self.day = day
        self.day_start_equity = day_start_equity

    @property
    def from_peak(self) -> float:
        """How far the equity is below its peak, 0 or more; NaN when the equity is."""
        return self.peak - self.equity

    @property
    def of_day(self) -> float:
        """What was lost since the day began; negative after gains, NaN when the equity is."""
        return self.day_start_equity - self.equity

    def update(self, equity: float, realtime_ns: int) -> None:
        self.equity = equity
        if not math.isfinite(equity):
            return
        self.known_equity = equity
        self.peak = max(self.peak, equity)
        day = realtime_ns // _DAY_NS
        if day > self.day:  # a wall clock stepped back does not begin a day twice
            self.day = day
            self.day_start_equity = equity

    def restart_from_here(self) -> None:
        """Measure losses from the present equity: an operator has looked and resumed."""
        if math.isfinite(self.equity):
            self.peak = self.day_start_equity = self.equity
