"""Volume candles of public trades: a clock that ticks with activity instead of time.

A candle opens with a trade and closes with the trade that brings it to the configured volume, or at its age limit,
whichever is first. A large trade is not split: it closes a candle that is larger than the others.
"""

from __future__ import annotations

from domain.jit import Record, kernel
from trading.signals.config import CANDLES_KEPT


@kernel
def candle_index(signals: Record, age: int) -> int:
    """Return where the closed candle of this age stands in the `candle_*` arrays; age 0 is the newest."""
    return int((signals["candles"] - 1 - age) % CANDLES_KEPT)


@kernel
def candles_kept(signals: Record) -> int:
    """Return how many closed candles can be looked back at without a gap between them."""
    return min(int(signals["fresh_candles"]), CANDLES_KEPT)


@kernel
def candle_delta(signals: Record, age: int) -> float:
    """Return δ = (bought − sold)/(bought + sold) of a closed candle, in [-1, 1]."""
    i = candle_index(signals, age)
    return float(imbalance(signals["candle_bought"][i], signals["candle_sold"][i]))


@kernel
def imbalance(bought: float, sold: float) -> float:
    """Return (bought − sold)/(bought + sold), in [-1, 1]; 0 when nothing was traded."""
    volume = bought + sold
    return (bought - sold) / volume if volume > 0.0 else 0.0


@kernel
def add_to_candle(signal_params: Record, signals: Record, time_ns: int, price: float, size: float, side: int) -> bool:
    """Add a trade to the open candle; return whether it closed it."""
    if signals["open_candle_time_ns"] == 0:
        signals["open_candle_time_ns"] = time_ns
        signals["open_candle_trades"] = 0
        signals["open_candle_open"] = price
        signals["open_candle_high"] = price
        signals["open_candle_low"] = price
        signals["open_candle_bought"] = 0.0
        signals["open_candle_sold"] = 0.0
    signals["open_candle_trades"] += 1
    signals["open_candle_high"] = max(signals["open_candle_high"], price)
    signals["open_candle_low"] = min(signals["open_candle_low"], price)
    signals["open_candle_close"] = price
    if side > 0:
        signals["open_candle_bought"] += size
    else:
        signals["open_candle_sold"] += size
    if signals["open_candle_bought"] + signals["open_candle_sold"] >= signal_params["candle_volume"]:
        _close_candle(signals, time_ns)
        return True
    return close_old_candle(signal_params, signals, time_ns)


@kernel
def close_old_candle(signal_params: Record, signals: Record, time_ns: int) -> bool:
    """Close the open candle if it has reached its age limit; return whether it had."""
    opened_ns = signals["open_candle_time_ns"]
    if opened_ns == 0 or time_ns - opened_ns < signal_params["candle_age_ns_max"]:
        return False
    _close_candle(signals, time_ns)
    return True


@kernel
def drop_open_candle(signals: Record) -> None:
    """Let the next trade open a new candle."""
    signals["open_candle_time_ns"] = 0
    signals["open_candle_trades"] = 0


@kernel
def _close_candle(signals: Record, time_ns: int) -> None:
    i = int(signals["candles"] % CANDLES_KEPT)
    signals["candle_time_ns"][i] = time_ns
    signals["candle_open"][i] = signals["open_candle_open"]
    signals["candle_high"][i] = signals["open_candle_high"]
    signals["candle_low"][i] = signals["open_candle_low"]
    signals["candle_close"][i] = signals["open_candle_close"]
    signals["candle_bought"][i] = signals["open_candle_bought"]
    signals["candle_sold"][i] = signals["open_candle_sold"]
    signals["candles"] += 1
    signals["fresh_candles"] += 1
    signals["mid_after_previous"] = signals["mid_after"]
    signals["mid_after"] = 0.0
    drop_open_candle(signals)
