"""Bars of mids by real time: true range, directional movement and ADX as Wilder smooths them, and an EMA pair.

J. W. Wilder, New Concepts in Technical Trading Systems (1978): the first value of a smoothed sum is the plain sum of
n values, each later one S − S/n + x; the first ADX is the mean of n DX values, each later one (ADX·(n−1) + DX)/n.
So ATR and DX exist from bar n + 1 on, ADX from bar 2n.

DX is a ratio of sums that both fade in a market that stands still, so one old move would read as a perfect trend
for hours. Ours is 0 while the smoothed movement of n bars is below one tick; elsewhere it is Wilder's.
"""

from __future__ import annotations

from domain.jit import Record, kernel


@kernel
def forget_bar(signals: Record) -> None:
    """Drop the open bar, and start the smoothing anew: what lies between is no movement of a bar."""
    signals["bar_time_ns"] = 0
    signals["bars"] = 0
    signals["trend"] = 0.0
    signals["mean_reversion"] = 0.0
    signals["adx"] = 0.0
    signals["atr"] = 0.0


@kernel
def add_to_bars(signal_params: Record, signals: Record, time_ns: int, mid: float) -> bool:
    """Take a mid into the open bar, after closing those that ended before it; return whether one closed.

    A bar in which no book came holds the mid before it: the market was quiet, and that is a bar too.
    """
    started_ns = signals["bar_time_ns"]
    if started_ns == 0:
        signals["bar_time_ns"] = time_ns
        _open_bar(signals, mid)
        return False
    bars = (time_ns - started_ns) // signal_params["bar_ns"]
    for _ in range(bars):  # bounded by the gap rule
        _close_bar(signal_params, signals, signals["mid"])
        _open_bar(signals, signals["mid"])
    if bars > 0:
        signals["bar_time_ns"] += bars * signal_params["bar_ns"]
    signals["bar_high"] = max(signals["bar_high"], mid)
    signals["bar_low"] = min(signals["bar_low"], mid)
    return bool(bars > 0)


@kernel
def _open_bar(signals: Record, mid: float) -> None:
    signals["bar_open"] = mid
    signals["bar_high"] = mid
    signals["bar_low"] = mid


@kernel
def _close_bar(signal_params: Record, signals: Record, close: float) -> None:
    take_bar(signal_params, signals, signals["bar_high"], signals["bar_low"], close)


@kernel
def take_bar(signal_params: Record, signals: Record, high: float, low: float, close: float) -> None:
    """Take a closed bar ($) into ADX, ATR and the EMA pair, and work their signals out."""
    signals["bars"] += 1
    if signals["bars"] == 1:
        signals["close_fast"] = close
        signals["close_slow"] = close
        signals["range_sum"] = 0.0
        signals["up_sum"] = 0.0
        signals["down_sum"] = 0.0
        signals["dx_sum"] = 0.0
    else:
        signals["close_fast"] += signal_params["trend_fast_weight"] * (close - signals["close_fast"])
        signals["close_slow"] += signal_params["trend_slow_weight"] * (close - signals["close_slow"])
        _smooth_movement(signal_params, signals, high, low)
    signals["last_bar_high"] = high
    signals["last_bar_low"] = low
    signals["last_bar_close"] = close
    _update_bar_signals(signal_params, signals, close)


@kernel
def _smooth_movement(signal_params: Record, signals: Record, high: float, low: float) -> None:
    """Take true range and directional movement from the bar before to this one."""
    n = int(signal_params["adx_bars"])
    before = signals["last_bar_close"]
    true_range = max(high - low, abs(high - before), abs(low - before))
    up = high - signals["last_bar_high"]
    down = signals["last_bar_low"] - low
    keep = 1.0 if signals["bars"] <= n + 1 else 1.0 - 1.0 / n
    signals["range_sum"] = signals["range_sum"] * keep + true_range
    signals["up_sum"] = signals["up_sum"] * keep + (up if up > down and up > 0.0 else 0.0)
    signals["down_sum"] = signals["down_sum"] * keep + (down if down > up and down > 0.0 else 0.0)
    if signals["bars"] <= n:
        return
    signals["atr"] = signals["range_sum"] / n
    movement = signals["up_sum"] + signals["down_sum"]
    dx = 0.0
    if movement >= signal_params["tick_size"]:
        dx = 100.0 * abs(signals["up_sum"] - signals["down_sum"]) / movement
    if signals["bars"] < 2 * n:
        signals["dx_sum"] += dx
    elif signals["bars"] == 2 * n:
        signals["adx"] = (signals["dx_sum"] + dx) / n
    else:
        signals["adx"] += (dx - signals["adx"]) / n


@kernel
def _update_bar_signals(signal_params: Record, signals: Record, close: float) -> None:
    """Set trend and mean reversion in [-1, 1]: the one counts as ADX rises, the other as it falls."""
    if signals["bars"] < max(2 * int(signal_params["adx_bars"]), int(signal_params["trend_slow_bars"])):
        return
    if not signals["atr"] > 0.0:
        signals["trend"] = 0.0
        signals["mean_reversion"] = 0.0
        return
    trending = min(signals["adx"] / signal_params["adx_trending"], 1.0)
    spread = (signals["close_fast"] - signals["close_slow"]) / (signal_params["trend_full_atr"] * signals["atr"])
    away = (close - signals["close_slow"]) / (signal_params["reversion_full_atr"] * signals["atr"])
    signals["trend"] = min(max(spread, -1.0), 1.0) * trending
    signals["mean_reversion"] = -min(max(away, -1.0), 1.0) * (1.0 - trending)
