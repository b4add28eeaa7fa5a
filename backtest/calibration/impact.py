"""Batch fit of market impact, from the intervals of observe.py; the formula is that of trading/quoting/impact.py.

Confidence: the larger of White's standard error (HC1) and that between the windows of time, as in fit.py.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.calibration.fit import WINDOWS_MIN, Estimate, student_t
from backtest.calibration.observe import Observation

INTERVALS_MIN = 30  # with trades; fewer are no fit
_Floats = npt.NDArray[np.float64]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """Change of the mid for each base unit that takers bought more than sold, $.

    Attributes:
        permanent: what is left at the end of the next interval: what a quoter counts with.
        now: within the interval itself; the difference to `permanent` is the temporary part.
        r2: share of the mid's variance over an interval that flow explains.
        intervals: those with trades in them or in the one before.
    """

    permanent: Estimate
    now: Estimate
    r2: float
    intervals: int


def impact_of(seen: Observation) -> Impact | None:
    """Return the fit; None where too few intervals have trades, or flow is always the same."""
    rows = seen.impact_intervals
    flows = np.stack([rows["flow"], rows["flow_before"]], axis=1)
    is_informative = flows.any(axis=1)
    count = int(is_informative.sum())
    if count < INTERVALS_MIN:
        return None
    flows, moves, windows = flows[is_informative], rows["move"][is_informative], rows["window"][is_informative]
    squares = flows.T @ flows
    if np.linalg.cond(squares) > 1e6:
        return None
    inverse = np.linalg.inv(squares)
    now, later = inverse @ (flows.T @ moves)
    scores = flows * (moves - flows @ np.array([now, later]))[:, None]
    total = float((rows["move"] ** 2).sum())
    unexplained = total - float((moves**2).sum()) + float(((moves - flows @ np.array([now, later])) ** 2).sum())
    return Impact(
        permanent=_estimate(float(now + later), inverse @ np.ones(2), scores, windows),
        now=_estimate(float(now), inverse @ np.array([1.0, 0.0]), scores, windows),
        r2=1.0 - unexplained / total if total > 0.0 else math.nan,
        intervals=count,
    )


def _estimate(value: float, weights: _Floats, scores: _Floats, windows: npt.NDArray[np.int64]) -> Estimate:
    """Return the estimate whose error is that of Σ weights·score."""
    parts = scores @ weights
    count = len(parts)
    error = math.sqrt(float((parts**2).sum()) * count / (count - 2))
    quantile = student_t(10**6)
    _, places = np.unique(windows, return_inverse=True)
    by_window = np.bincount(places, weights=parts)
    if len(by_window) >= WINDOWS_MIN:
        between = math.sqrt(float((by_window**2).sum()) * len(by_window) / (len(by_window) - 1))
        if between > error:
            error, quantile = between, student_t(len(by_window) - 1)
    return Estimate(value, error, value - quantile * error, value + quantile * error)
