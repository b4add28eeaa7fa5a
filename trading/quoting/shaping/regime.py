"""Step 9: no quotes in a trend, as bars of mids show it (trading/signals/bars.py)."""

from __future__ import annotations

from domain.jit import Record, kernel


@kernel
def is_trending(params: Record, signals: Record) -> bool:
    """Return whether the market trends too much to quote: ADX above its limit, and a direction."""
    if params["regime_filter"] == 0 or signals["adx"] <= params["regime_adx_max"]:
        return False
    return bool(abs(signals["trend"]) >= params["regime_trend_min"])
