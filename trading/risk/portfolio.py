"""The risk of all holdings together: √(x'Σx) with signed notionals, value at risk and expected shortfall from it.

x are signed notionals in quote currency, Σ = diag(σ)·ρ·diag(σ) with σ a fraction per √s. Returns are taken as
normal over the horizon, which understates the tails of crypto: a limit on these numbers is a guide beside the
hard limits on notional and loss, not instead of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()


class PortfolioRisk(NamedTuple):
    """All in quote currency, over the horizon."""

    deviation: float
    value_at_risk: float
    expected_shortfall: float


def combined_deviation(
    notionals: Sequence[float], sigmas: Sequence[float], correlations: Sequence[Sequence[float]]
) -> float:
    """Return √(x'Σx), quote currency per √s; NaN when a number that matters is not finite.

    An instrument that is flat matters not, whatever is known of it. Correlations that contradict each other can
    make the sum negative: then 0.
    """
    held = [i for i, notional in enumerate(notionals) if notional != 0.0]
    risks = {i: notionals[i] * sigmas[i] for i in held}
    variance = math.fsum(risks[i] * risks[j] * correlations[i][j] for i in held for j in held)
    return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan


def portfolio_risk(deviation_per_sqrt_s: float, horizon_s: float, confidence: float) -> PortfolioRisk:
    """Return value at risk (the `confidence` quantile of the loss) and expected shortfall (the mean beyond it).

    VaR = z·s and ES = s·φ(z)/(1 - confidence), with s the deviation over the horizon.
    """
    deviation = deviation_per_sqrt_s * math.sqrt(horizon_s)
    z = _NORMAL.inv_cdf(confidence)
    return PortfolioRisk(deviation, z * deviation, _NORMAL.pdf(z) / (1.0 - confidence) * deviation)
