"""Order flow of the last seconds: imbalance of aggressive buying and selling, and trades per second.

Time is cut into buckets; the window is the newest bucket and the ones before it. So it slides by a bucket at a time,
and a trade costs a few additions however many the window holds.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.signals.candles import imbalance
from trading.signals.config import FLOW_BUCKETS

NS_PER_S = 1e9


@kernel
def forget_flow(signals: Record) -> None:
    """Empty the window: trades were not seen."""
    signals["flow_time_ns"] = 0
    signals["flow_start_ns"] = 0
    signals["flow_bought"][:] = 0.0
    signals["flow_sold"][:] = 0.0
    signals["flow_trades"][:] = 0.0
    signals["flow_imbalance"] = 0.0
    signals["trade_intensity_per_s"] = 0.0


@kernel
def slide_flow(signal_params: Record, signals: Record, time_ns: int) -> bool:
    """Move the window to `time_ns`; return whether anything left it."""
    bucket_ns = signal_params["flow_bucket_ns"]
    if signals["flow_time_ns"] == 0:
        signals["flow_time_ns"] = time_ns
        signals["flow_start_ns"] = time_ns
        return False
    steps = (time_ns - signals["flow_time_ns"]) // bucket_ns
    if steps <= 0:
        return False
    bucket = int(signals["flow_bucket"])
    for _ in range(min(steps, FLOW_BUCKETS)):
        bucket = (bucket + 1) % FLOW_BUCKETS
        signals["flow_bought"][bucket] = 0.0
        signals["flow_sold"][bucket] = 0.0
        signals["flow_trades"][bucket] = 0.0
    signals["flow_bucket"] = bucket
    signals["flow_time_ns"] += steps * bucket_ns
    return True


@kernel
def add_to_flow(signals: Record, size: float, side: int) -> None:
    """Count a trade into the newest bucket."""
    bucket = int(signals["flow_bucket"])
    signals["flow_trades"][bucket] += 1.0
    if side > 0:
        signals["flow_bought"][bucket] += size
    else:
        signals["flow_sold"][bucket] += size


@kernel
def update_flow_signals(signal_params: Record, signals: Record, time_ns: int) -> None:
    """Work out imbalance and rate of the window as it stands.

    The rate counts the time for which flow is known, at most the window, and at least a bucket of it.
    """
    bought = 0.0
    sold = 0.0
    trades = 0.0
    for i in range(FLOW_BUCKETS):  # sums anew: a running one would gather rounding errors
        bought += signals["flow_bought"][i]
        sold += signals["flow_sold"][i]
        trades += signals["flow_trades"][i]
    bucket_ns = signal_params["flow_bucket_ns"]
    window_ns = (FLOW_BUCKETS - 1) * bucket_ns + (time_ns - signals["flow_time_ns"])
    known_ns = min(max(time_ns - signals["flow_start_ns"], bucket_ns), max(window_ns, bucket_ns))
    signals["flow_imbalance"] = imbalance(bought, sold)
    signals["trade_intensity_per_s"] = trades / (known_ns / NS_PER_S)
