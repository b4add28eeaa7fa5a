"""Is a signal worth anything? Hit rate, mean move and rank correlation with what the mid did afterwards.

Horizons of several candles overlap, so neighbouring observations repeat each other. Every interval counts that in: the
variance of a mean is Newey and West's (1987) with as many lags as the horizon has candles less one, and the number of
observations behind a hit rate or a correlation is cut by the same factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from trading.signals.candle_log import HORIZONS, CandleLine
from trading.signals.records import DIRECTED, UNDIRECTED

Floats = npt.NDArray[np.float64]

Z_95 = 1.959963984540054
OBSERVATIONS_MIN = 10  # fewer say nothing
_BPS = 1e4


class Estimate(NamedTuple):
    """A figure with its 95 % interval; NaN where there is too little to say."""

    value: float
    low: float
    high: float


_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal was worth one horizon later.

    Attributes:
        n: candles on which the signal was not 0 and the mid afterwards is known.
        hit_rate: of those in which the mid moved at all, the part in which it went the signal's way.
        move_bps: mean move of the mid in the signal's direction, bps. Compare it with half a spread and a fee.
        correlation: rank correlation of the signal with the move; of an undirected signal with the size of the move.
    """

    instrument: str
    signal: str
    horizon_candles: int
    n: int
    hit_rate: Estimate
    move_bps: Estimate
    correlation: Estimate

    @property
    def verdict(self) -> str:
        """`for`, `against` or `none`: does the interval of the mean move, or of the correlation, leave 0 out."""
        judged = self.move_bps if self.signal in DIRECTED else self.correlation
        if judged.low > 0.0:
            return "for"
        return "against" if judged.high < 0.0 else "none"


def evaluate(lines: Sequence[CandleLine]) -> list[Row]:
    """Return a row for each instrument, signal and horizon; signals that were never anything but 0 are left out."""
    rows = []
    for instrument in dict.fromkeys(line.instrument for line in lines):
        own = [line for line in lines if line.instrument == instrument and line.is_warm]
        mids = np.array([line.mid_0 for line in own], dtype=np.float64)
        for signal in (*DIRECTED, *UNDIRECTED):
            values = np.array([getattr(line, signal) for line in own])
            for horizon in HORIZONS:
                later = np.array([getattr(line, f"mid_{horizon}") for line in own], dtype=np.float64)
                row = _row(instrument, signal, horizon, values, (later / mids - 1.0) * _BPS)
                if row is not None:
                    rows.append(row)
    return rows


def _row(instrument: str, signal: str, horizon: int, values: Floats, moves_bps: Floats) -> Row | None:
    known = np.isfinite(values) & np.isfinite(moves_bps)
    values, moves_bps = values[known], moves_bps[known]
    speaks = values != 0.0
    if not speaks.any():
        return None
    is_directed = signal in DIRECTED
    hits, along = _UNKNOWN, _UNKNOWN
    if is_directed:
        directions, moves = np.sign(values[speaks]), moves_bps[speaks]
        along = mean_with_interval(directions * moves, horizon - 1)
        hits = rate_with_interval((directions * moves > 0.0)[moves != 0.0], horizon - 1)
    return Row(
        instrument=instrument,
        signal=signal,
        horizon_candles=horizon,
        n=int(speaks.sum()),
        hit_rate=hits,
        move_bps=along,
        correlation=rank_correlation(values, moves_bps if is_directed else np.abs(moves_bps), horizon),
    )


def mean_with_interval(values: Floats, lags: int) -> Estimate:
    """Return the mean with its interval; `lags` neighbours on either side may be correlated."""
    if len(values) < OBSERVATIONS_MIN:
        return _UNKNOWN
    mean = float(values.mean())
    half = Z_95 * math.sqrt(long_run_variance(values, lags) / len(values))
    return Estimate(mean, mean - half, mean + half)


def rate_with_interval(hits: npt.NDArray[np.bool_], lags: int) -> Estimate:
    """Return the part of True with Wilson's interval for the number of independent observations."""
    if len(hits) < OBSERVATIONS_MIN:
        return _UNKNOWN
    rate = float(hits.mean())
    single = float(hits.astype(np.float64).var())
    inflation = max(long_run_variance(hits.astype(np.float64), lags) / single, 1.0) if single > 0.0 else 1.0 + lags
    n = len(hits) / inflation
    centre = (rate + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n * n))
    return Estimate(rate, centre - half, centre + half)


def rank_correlation(values: Floats, moves: Floats, horizon: int) -> Estimate:
    """Return Spearman's correlation with Fisher's interval for every `horizon`-th observation."""
    n = len(values) / horizon
    if n < OBSERVATIONS_MIN:
        return _UNKNOWN
    a, b = ranks(values), ranks(moves)
    if a.std() == 0.0 or b.std() == 0.0:
        return _UNKNOWN
    value = float(np.clip(np.corrcoef(a, b)[0, 1], -1.0, 1.0))
    bounded = min(max(value, -0.999999), 0.999999)
    half = Z_95 / math.sqrt(n - 3.0)
    return Estimate(value, math.tanh(math.atanh(bounded) - half), math.tanh(math.atanh(bounded) + half))


def ranks(values: Floats) -> Floats:
    """Return the rank of each value, equal ones sharing the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Floats = (ends - (counts - 1) / 2.0)[places]
    return shared


def long_run_variance(values: Floats, lags: int) -> float:
    """Return Newey and West's variance of the values: their own, and with falling weights those of neighbours."""
    n = len(values)
    off = values - values.mean()
    variance = float(off @ off) / n
    for lag in range(1, min(lags, n - 1) + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(off[lag:] @ off[:-lag]) / n
    return max(variance, 0.0)
