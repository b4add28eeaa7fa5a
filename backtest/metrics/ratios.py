"""Profit against risk, from equity once a second: Sharpe, Sortino, drawdown."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

INTERVALS_S = (86_400, 3_600, 60, 10, 1)
CHANGES_MIN = 30
YEAR_S = 365 * 86_400  # markets without a closing hour

Equity = npt.NDArray[np.float64]


class Drawdown(NamedTuple):
    """The deepest fall from a peak, and the longest time spent below one."""

    usd: float
    below_peak_s: int


def return_interval_s(seconds: int) -> int | None:
    """Return the longest interval of which a run holds at least 30; None of a run shorter than that many seconds."""
    return next((interval for interval in INTERVALS_S if seconds // interval >= CHANGES_MIN), None)


def changes(equity: Equity, interval_s: int) -> Equity:
    """Return how equity, told once a second, changed over each full interval."""
    found: Equity = np.diff(equity[::interval_s])
    return found


def sharpe(equity: Equity, interval_s: int) -> float | None:
    """Return mean over standard deviation of the changes, for a year; None where they do not vary."""
    found = changes(equity, interval_s)
    return _ratio(float(np.mean(found)), float(np.std(found, ddof=1)), found, interval_s)


def sortino(equity: Equity, interval_s: int) -> float | None:
    """Return mean over root mean square of the losses, for a year; None without a loss."""
    found = changes(equity, interval_s)
    downside = math.sqrt(float(np.mean(np.minimum(found, 0.0) ** 2)))
    return _ratio(float(np.mean(found)), downside, found, interval_s)


def _ratio(mean: float, risk: float, found: Equity, interval_s: int) -> float | None:
    # Differences of equity carry rounding: a spread at that level is none.
    if risk <= 1e-12 * max(1.0, float(np.abs(found).max())):
        return None
    return mean / risk * math.sqrt(YEAR_S / interval_s)


def drawdown(equity: Equity) -> Drawdown:
    """Return the deepest fall, and the longest time in seconds, below the highest equity so far; it begins at 0."""
    if len(equity) == 0:
        return Drawdown(0.0, 0)
    begun = np.concatenate([[0.0], equity])
    peak = np.maximum.accumulate(begun)
    at_peak = np.append(np.flatnonzero(begun >= peak), len(begun))
    return Drawdown(float((peak - begun).max()), int(np.diff(at_peak).max()) - 1)
