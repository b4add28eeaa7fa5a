"""The two roles of the signals in a QUOTER record: their parameters, and their memory with the outputs."""

from __future__ import annotations

from trading.words import floats, ints, role

SIGNAL_PARAMS = role(ints("is_enabled"))

# Every field counts for the state's hash and is kept over a restart of strategy.
SIGNALS = role(
    [
        *ints("is_warm"),  # 1 = the outputs may be used
        *floats(
            "momentum",  # -1 to 1
            "reversal",  # 0 to 1
            "reversal_direction",  # -1, 0 or 1
            "volatility",  # 0 to 1
            "exhaustion",  # 0 to 1
            "exhaustion_direction",  # -1, 0 or 1
            "flow_imbalance",  # -1 (all selling) to 1
            "trend",  # -1 to 1
            "mean_reversion",  # -1 to 1
            "adx",  # 0 to 100
            "trade_intensity_per_s",
        ),
    ]
)
