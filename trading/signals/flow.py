"""Order flow of the last seconds: imbalance of aggressive buying and selling, and trades per second.

Time is cut into buckets; the window is the newest bucket and the ones before it. So it slides by a bucket at a time,
and a trade costs three additions however many the window holds. The sums are taken anew with every slide: running ones
would gather rounding errors.
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
    _sum_flow(signals)
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
    _sum_flow(signals)
    return True


@kernel
def _sum_flow(signals: Record) -> None:
    bought = 0.0
    sold = 0.0
    trades = 0.0
    for i in range(FLOW_BUCKETS):
        bought += signals["flow_bought"][i]
        sold += signals["flow_sold"][i]
        trades += signals["flow_trades"][i]
    signals["flow_bought_sum"] = bought
    signals["flow_sold_sum"] = sold
    signals["flow_trades_sum"] = trades


@kernel
def add_to_flow(signals: Record, size: float, side: int) -> None:
    """Count a trade into the newest bucket."""
    bucket = int(signals["flow_bucket"])
    signals["flow_trades"][bucket] += 1.0
    signals["flow_trades_sum"] += 1.0
    if side > 0:
        signals["flow_bought"][bucket] += size
        signals["flow_bought_sum"] += size
    else:
        signals["flow_sold"][bucket] += size
        signals["flow_sold_sum"] += size


@kernel
def update_flow_signals(signal_params: Record, signals: Record, time_ns: int) -> None:
    """Work out imbalance and rate of the window as it stands.

    The rate counts the time for which flow is known, at most the window, and at least a bucket of it.
    """
    bucket_ns = signal_params["flow_bucket_ns"]
    window_ns = (FLOW_BUCKETS - 1) * bucket_ns + (time_ns - signals["flow_time_ns"])
    known_ns = min(max(time_ns - signals["flow_start_ns"], bucket_ns), max(window_ns, bucket_ns))
    signals["flow_imbalance"] = imbalance(signals["flow_bought_sum"], signals["flow_sold_sum"])
    signals["trade_intensity_per_s"] = signals["flow_trades_sum"] / (known_ns / NS_PER_S)
