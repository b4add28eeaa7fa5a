"""Batch fits with confidence intervals, from the counts of observe.py.

σ: realised variance of the mids on the grid, σ² = Σr²/(n·Δt); bounce-robust with the first autocovariance,
Σr² + 2·Σr·r₋₁ (Zhou 1996).

A, κ: a quote at depth δ is reached within its life T with the probability 1 − exp(−A·T·exp(−κδ)), so the farthest trade
of a life has a Gumbel distribution. Its counts by depth are fitted by maximum likelihood, which weighs depths
rightly though they depend on each other (a quote reached at δ was reached at every smaller depth).

Confidence: the larger of two standard errors, that of the model (independent returns and lives), and that between the
windows of time, which holds where activity clusters. 95 %, Student's t with windows − 1 degrees for the latter.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from backtest.calibration.observe import CELLS, Observation

CONFIDENCE = 0.95
WINDOWS_MIN = 4  # fewer tell nothing of what lies between them
_STEPS_MAX = 100
_Floats = npt.NDArray[np.float64]


class Estimate(msgspec.Struct, frozen=True):
    """A number with its standard error and 95 % confidence interval."""

    value: float
    standard_error: float
    low: float
    high: float


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Fit of A·exp(−κδ).

    Attributes:
        rate: A, 1/s, at the mid.
        decay: κ, 1/$.
        r2: of the straight line through ln λ̂ over δ, weighted by counts: what a live quoter judges its fit by.
        quotes: lives of hypothetical quotes, both sides.
        reached: of these, reached at the first depth.
        depth_usd: deepest depth of the fit, $.
    """

    rate: Estimate
    decay: Estimate
    r2: float
    quotes: int
    reached: int
    depth_usd: float


class Line(NamedTuple):
    rate: float
    decay: float
    r2: float


NO_ESTIMATE = Estimate(math.nan, math.nan, math.nan, math.nan)


def student_t(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t; better than 0.5 % from 3 degrees on (Cornish and Fisher)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(degrees) ** power for power, term in enumerate(terms, 1))


def sigma_of(seen: Observation, grid_s: float, *, robust: bool = False) -> Estimate:
    """Return σ in $/√s; `robust` takes out the bounce between two prices.

    NaN where there is no return.
    """
    windows = seen.windows[seen.windows["returns"] > 0]
    returns = windows["returns"].astype(np.float64)
    total = float(returns.sum())
    if total < 2:
        return NO_ESTIMATE
    sums = windows["sum_r2"] + (2.0 * windows["sum_rr"] if robust else 0.0)
    variance = float(sums.sum()) / total / grid_s
    if variance <= 0.0:
        return NO_ESTIMATE
    mean_r2 = float(windows["sum_r2"].sum()) / total
    mean_r4 = float(windows["sum_r4"].sum()) / total
    error_model = math.sqrt(max(mean_r4 - mean_r2**2, 0.0) / total) / grid_s
    if robust:  # Σr·r₋₁ adds a variance of 4·(mean r²)² for each return
        error_model = math.sqrt(error_model**2 + 4.0 * mean_r2**2 / total / grid_s**2)
    errors, quantile = [error_model], student_t(10**6)
    if len(windows) >= WINDOWS_MIN:
        deviations = sums / grid_s - variance * returns
        count = len(windows)
        between = math.sqrt(float((deviations**2).sum()) * count / (count - 1)) / total
        if between > error_model:
            errors, quantile = [between], student_t(count - 1)
    sigma = math.sqrt(variance)
    error = errors[0] / (2.0 * sigma)
    low = math.sqrt(max(variance - quantile * errors[0], 0.0))
    return Estimate(sigma, error, low, math.sqrt(variance + quantile * errors[0]))


def counts_of(seen: Observation, side: str = "both") -> npt.NDArray[np.int64]:
    """Return counts by window and cell, shape (windows, depths + 1), of `bid`, `ask` or both sides."""
    reached = seen.windows["reached"].reshape(-1, 2, CELLS)[:, :, : seen.depths + 1]
    picked = {"bid": reached[:, 0], "ask": reached[:, 1], "both": reached.sum(axis=1)}[side]
    counts: npt.NDArray[np.int64] = picked.astype(np.int64)
    return counts


def weighted_line(counts: _Floats, interval_s: float, step: float) -> Line:
    """Return the straight line through ln λ̂ over δ, weighted by counts: the live fit, over all data at once."""
    total = counts.sum()
    at_least = np.cumsum(counts[::-1])[::-1][1:]
    depths = step * np.arange(1, len(counts))
    usable = (at_least >= 1.0) & (at_least < total)
    if np.count_nonzero(usable) < 3:
        return Line(math.nan, math.nan, math.nan)
    x, w = depths[usable], at_least[usable]
    y = np.log(-np.log1p(-w / total) / interval_s)
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    sxx = float((w * (x - mean_x) ** 2).sum())
    sxy = float((w * (x - mean_x) * (y - mean_y)).sum())
    syy = float((w * (y - mean_y) ** 2).sum())
    slope = sxy / sxx
    return Line(math.exp(mean_y - slope * mean_x), -slope, sxy * slope / syy if syy > 0 else math.nan)


def arrivals_of(seen: Observation, interval_s: float, side: str = "both") -> Arrivals | None:
    """Return the fit of A and κ; None where fewer than three depths were reached or no maximum is found."""
    by_window = counts_of(seen, side).astype(np.float64)
    by_window = by_window[by_window.sum(axis=1) > 0]
    counts = by_window.sum(axis=0)
    line = weighted_line(counts, interval_s, seen.step)
    if not (line.decay > 0.0):
        return None
    depths: _Floats = seen.step * np.arange(1.0, len(counts))
    theta = _maximum(counts, depths, np.array([math.log(line.rate * interval_s), line.decay]))
    if theta is None:
        return None
    errors, quantile = _errors(by_window, depths, theta)
    half_widths = [quantile * error for error in errors]
    rate, decay = math.exp(theta[0]) / interval_s, float(theta[1])
    return Arrivals(
        # ln A is nearer to normal than A: the interval is symmetric there
        rate=Estimate(rate, rate * errors[0], rate * math.exp(-half_widths[0]), rate * math.exp(half_widths[0])),
        decay=Estimate(decay, errors[1], decay - half_widths[1], decay + half_widths[1]),
        r2=line.r2,
        quotes=int(counts.sum()),
        reached=int(counts[1:].sum()),
        depth_usd=float(depths[-1]),
    )


def _cells(depths: _Floats, theta: _Floats) -> tuple[_Floats, _Floats]:
    """Return the probability of every cell and its derivatives by (ln A·T, κ), shapes (cells,) and (cells, 2)."""
    hits = np.exp(theta[0] - theta[1] * depths)
    below = np.exp(-hits)  # not reached at the depth
    slopes = np.stack([-hits * below, hits * depths * below], axis=1)
    probabilities = np.diff(np.concatenate([[0.0], below, [1.0]]))
    gradients = np.diff(np.concatenate([np.zeros((1, 2)), slopes, np.zeros((1, 2))]), axis=0)
    return np.maximum(probabilities, 1e-300), gradients


def _maximum(counts: _Floats, depths: _Floats, start: _Floats) -> _Floats | None:
    """Return the parameters of largest likelihood by Fisher's scoring, None when it does not settle."""
    theta = start
    total = counts.sum()
    likelihood = _likelihood(counts, depths, theta)
    for _ in range(_STEPS_MAX):
        probabilities, gradients = _cells(depths, theta)
        score = (counts / probabilities) @ gradients
        information = total * (gradients.T / probabilities) @ gradients
        if not np.all(np.isfinite(information)) or np.linalg.cond(information) > 1e14:
            return None
        move = np.linalg.solve(information, score)
        while True:
            tried = theta + move
            value = _likelihood(counts, depths, tried)
            if value >= likelihood or np.abs(move).max() < 1e-12:
                break
            move = move / 2.0
        theta, likelihood = tried, value
        if np.abs(move).max() < 1e-9:
            return theta if theta[1] > 0.0 else None
    return None


def _likelihood(counts: _Floats, depths: _Floats, theta: _Floats) -> float:
    if not np.all(np.isfinite(theta)) or abs(theta[0]) > 100.0:
        return -math.inf
    return float((counts * np.log(_cells(depths, theta)[0])).sum())


def _errors(by_window: _Floats, depths: _Floats, theta: _Floats) -> tuple[tuple[float, float], float]:
    """Return the standard errors of (ln A, κ) and the quantile that goes with them."""
    probabilities, gradients = _cells(depths, theta)
    total = by_window.sum()
    inverse = np.linalg.inv(total * (gradients.T / probabilities) @ gradients)
    model = np.sqrt(np.diag(inverse))
    errors, quantile = model, student_t(10**6)
    count = len(by_window)
    if count >= WINDOWS_MIN:
        scores = (by_window / probabilities) @ gradients
        sandwich = inverse @ (scores.T @ scores * count / (count - 1)) @ inverse
        between = np.sqrt(np.diag(sandwich))
        if np.any(between > model):
            errors, quantile = np.maximum(model, between), student_t(count - 1)
    return (float(errors[0]), float(errors[1])), quantile
