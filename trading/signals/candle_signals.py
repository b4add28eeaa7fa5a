"""What closed candles foretell: momentum, reversal, volatility, exhaustion. Worked out when a candle closes.

Over the last n candles (`window_candles`) ΔP is the relative change of price from the first one's open to the last
one's close, flow the imbalance of all they traded, and Δδ the change of δ from the first to the last.
"""

from __future__ import annotations

import math

from domain.jit import Record, kernel
from trading.signals.candles import candle_delta, candle_index, candles_kept, drop_open_candle, imbalance


@kernel
def update_candle_signals(signal_params: Record, signals: Record) -> None:
    """Work out all signals of candles; call once after each close."""
    _update_delta_averages(signal_params, signals)
    if signals["fresh_candles"] < signal_params["candles_min"]:
        return
    signals["is_warm"] = 1
    n = min(int(signal_params["window_candles"]), candles_kept(signals))
    change = price_change(signals, n)
    signals["momentum"] = momentum(signal_params, change, flow(signals, n))
    _set_reversal(signal_params, signals, change)
    signals["volatility"] = volatility(signal_params, signals, n)
    _set_exhaustion(signal_params, signals, change, n)


@kernel
def forget_candle_signals(signals: Record) -> None:
    """Set every signal of candles to rest, until enough candles have closed again."""
    drop_open_candle(signals)
    signals["fresh_candles"] = 0
    signals["is_warm"] = 0
    signals["momentum"] = 0.0
    signals["reversal"] = 0.0
    signals["reversal_direction"] = 0.0
    signals["volatility"] = 0.0
    signals["exhaustion"] = 0.0
    signals["exhaustion_direction"] = 0.0
    signals["user_signal"] = 0.0


@kernel
def _update_delta_averages(signal_params: Record, signals: Record) -> None:
    delta = candle_delta(signals, 0)
    if signals["candles"] == 1:
        signals["delta_fast"] = delta
        signals["delta_slow"] = delta
        return
    signals["delta_fast"] += signal_params["delta_fast_weight"] * (delta - signals["delta_fast"])
    signals["delta_slow"] += signal_params["delta_slow_weight"] * (delta - signals["delta_slow"])


@kernel
def price_change(signals: Record, n: int) -> float:
    """Return ΔP over the last `n` candles, a fraction."""
    first = signals["candle_open"][candle_index(signals, n - 1)]
    last = signals["candle_close"][candle_index(signals, 0)]
    return float(last / first - 1.0)


@kernel
def flow(signals: Record, n: int) -> float:
    """Return (bought − sold)/(bought + sold) of the last `n` candles together."""
    bought = 0.0
    sold = 0.0
    for age in range(n):
        i = candle_index(signals, age)
        bought += signals["candle_bought"][i]
        sold += signals["candle_sold"][i]
    return imbalance(bought, sold)


@kernel
def momentum(signal_params: Record, change: float, flow: float) -> float:
    """Return momentum in [-1, 1]: its sign is the flow's, and it is 0 where price and flow disagree."""
    if change * flow <= 0.0:
        return 0.0
    raw = signal_params["momentum_gain"] * change * abs(flow)  # the same sign as the flow
    return float(min(max(signal_params["momentum_sensitivity"] * raw, -1.0), 1.0))


@kernel
def _set_reversal(signal_params: Record, signals: Record, change: float) -> None:
    """Set reversal in [0, 1] and its direction: the flow has turned against the price."""
    turn = signals["delta_fast"] - signals["delta_slow"]
    if change * turn >= 0.0:
        signals["reversal"] = 0.0
        signals["reversal_direction"] = 0.0
        return
    by_price = min(1.0, abs(change) * signal_params["reversal_gain"])
    by_flow = min(1.0, abs(turn) * signal_params["reversal_delta_gain"])
    signals["reversal"] = min(1.0, signal_params["reversal_sensitivity"] * by_price * by_flow)
    signals["reversal_direction"] = 1.0 if turn > 0.0 else -1.0


@kernel
def volatility(signal_params: Record, signals: Record, n: int) -> float:
    """Return volatility in [0, 1]: ranges, unevenness of volumes and of δ, averaged."""
    ranges = 0.0
    volumes = 0.0
    deltas = 0.0
    for age in range(n):
        i = candle_index(signals, age)
        ranges += signals["candle_high"][i] / signals["candle_low"][i] - 1.0
        volumes += signals["candle_bought"][i] + signals["candle_sold"][i]
        deltas += candle_delta(signals, age)
    volume_mean = volumes / n
    delta_mean = deltas / n
    volume_squares = 0.0
    delta_squares = 0.0
    for age in range(n):
        i = candle_index(signals, age)
        volume_off = signals["candle_bought"][i] + signals["candle_sold"][i] - volume_mean
        delta_off = candle_delta(signals, age) - delta_mean
        volume_squares += volume_off * volume_off
        delta_squares += delta_off * delta_off
    volume_cv = math.sqrt(volume_squares / n) / volume_mean
    delta_std = math.sqrt(delta_squares / n)
    raw = (ranges / n * signal_params["volatility_range_gain"] + volume_cv + delta_std) / 3.0
    return float(min(1.0, signal_params["volatility_sensitivity"] * raw))


@kernel
def _set_exhaustion(signal_params: Record, signals: Record, change: float, n: int) -> None:
    """Set exhaustion in [0, 1] and its direction: the price goes on while the flow behind it dries up."""
    fall = candle_delta(signals, 0) - candle_delta(signals, n - 1)
    if change * fall >= 0.0 or abs(fall) <= signal_params["exhaustion_delta_min"]:
        signals["exhaustion"] = 0.0
        signals["exhaustion_direction"] = 0.0
        return
    signals["exhaustion"] = min(1.0, abs(fall) * signal_params["exhaustion_delta_gain"])
    signals["exhaustion_direction"] = 1.0 if fall > 0.0 else -1.0
