"""Black-76 with a zero rate: the value and delta of a European option on a forward."""

from __future__ import annotations

import math

SECONDS_PER_YEAR = 365 * 86_400


def value(forward: float, strike: float, vol: float, years: float, *, is_call: bool) -> float:
    """Return the option's price in the currency of `forward`; intrinsic value at or after expiry."""
    sign = 1.0 if is_call else -1.0
    if years <= 0 or vol <= 0:
        return max(0.0, sign * (forward - strike))
    d1, d2 = _d(forward, strike, vol, years)
    return sign * (forward * _cdf(sign * d1) - strike * _cdf(sign * d2))


def delta(forward: float, strike: float, vol: float, years: float, *, is_call: bool) -> float:
    """Return the change of the price with the forward: 0 to 1 for calls, -1 to 0 for puts."""
    sign = 1.0 if is_call else -1.0
    if years <= 0 or vol <= 0:
        return sign if sign * (forward - strike) > 0 else 0.0
    return sign * _cdf(sign * _d(forward, strike, vol, years)[0])


def _d(forward: float, strike: float, vol: float, years: float) -> tuple[float, float]:
    spread = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / spread + spread / 2
    return d1, d1 - spread


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
