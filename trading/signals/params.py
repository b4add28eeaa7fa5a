"""From configuration to the parameter record of the signals: units are converted here, once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from domain.clock import NS_PER_MS, NS_PER_S
from trading.signals.config import FLOW_BUCKETS, SignalsConfig


def write_signal_params(
    params: npt.NDArray[np.void], config: SignalsConfig, tick_size: float, lot_size: float, lot_base: float
) -> None:
    """Fill a SIGNAL_PARAMS record, shape (1,), for an instrument with these steps ($, size units, base units)."""
    values: dict[str, float] = {
        "tick_size": tick_size,
        "candle_volume": config.candle_volume_base * lot_size / lot_base,
        "candle_age_ns_max": round(config.candle_age_s_max * NS_PER_S),
        "delta_fast_weight": ema_weight(config.delta_fast_candles),
        "delta_slow_weight": ema_weight(config.delta_slow_candles),
        "flow_bucket_ns": max(round(config.flow_window_s * NS_PER_S / FLOW_BUCKETS), 1),
        "bar_ns": max(round(config.bar_s * NS_PER_S), 1),
        "trend_fast_weight": ema_weight(config.trend_fast_bars),
        "trend_slow_weight": ema_weight(config.trend_slow_bars),
        "gap_ns_max": config.gap_ms_max * NS_PER_MS,
    }
    for name in params.dtype.names or ():
        params[name][0] = values.pop(name) if name in values else getattr(config, name)
    assert not values, f"values without a parameter: {', '.join(values)}"


def ema_weight(n: int) -> float:
    """Return the weight α = 2/(n + 1) of the newest value in an EMA over `n`."""
    return 2.0 / (n + 1)
