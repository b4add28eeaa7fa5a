"""What the signals take in: every usable book and every public trade of the instrument.

A trade costs a few additions; signals of candles are worked out when one closes, those of bars likewise, and the
sums of the flow when its window slides or a candle closes.
"""

from __future__ import annotations

import math

from domain.jit import Record, kernel
from trading.signals.bars import add_to_bars, forget_bar
from trading.signals.candle_signals import forget_candle_signals, update_candle_signals
from trading.signals.candles import add_to_candle, close_old_candle
from trading.signals.flow import add_to_flow, forget_flow, slide_flow, update_flow_signals
from trading.signals.use import update_use


@kernel
def signals_on_book(signal_params: Record, signals: Record, time_ns: int, mid: float) -> None:
    """Take the mid ($), without our own orders, of a new usable book."""
    if not _is_enabled(signal_params, signals) or not (0.0 < mid < math.inf):
        return
    _skip_gap(signal_params, signals, time_ns)
    is_bar_closed = add_to_bars(signal_params, signals, time_ns, mid)
    signals["mid"] = mid
    if signals["mid_after"] == 0.0:
        signals["mid_after"] = mid
    is_flow_changed = slide_flow(signal_params, signals, time_ns)
    is_candle_closed = close_old_candle(signal_params, signals, time_ns)
    if is_candle_closed:
        update_candle_signals(signal_params, signals)
    if is_flow_changed or is_candle_closed:
        update_flow_signals(signal_params, signals, time_ns)
    if is_bar_closed or is_flow_changed or is_candle_closed:
        update_use(signal_params, signals)


@kernel
def signals_on_trade(
    signal_params: Record, signals: Record, time_ns: int, price: float, size: float, aggressor_side: int
) -> None:
    """Take a public trade; `size` as the venue shows it, `aggressor_side` +1 the buyer crossed, -1 the seller."""
    if not _is_enabled(signal_params, signals) or not (0.0 < price < math.inf and 0.0 < size < math.inf):
        return
    _skip_gap(signal_params, signals, time_ns)
    slide_flow(signal_params, signals, time_ns)
    add_to_flow(signals, size, aggressor_side)
    if add_to_candle(signal_params, signals, time_ns, price, size, aggressor_side):
        update_candle_signals(signal_params, signals)
    update_flow_signals(signal_params, signals, time_ns)
    update_use(signal_params, signals)


@kernel
def take_user_signal(signal_params: Record, signals: Record, value: float) -> None:
    """Take what the user's function said of the candle that has just closed; no number counts as 0."""
    if signals["is_warm"] != 1 or not (-math.inf < value < math.inf):
        signals["user_signal"] = 0.0
    else:
        signals["user_signal"] = min(max(value, -1.0), 1.0)
    update_use(signal_params, signals)


@kernel
def forget_signals(signal_params: Record, signals: Record) -> None:
    """Drop what a time unseen has torn apart: open candle, bars, flow, and the signals that look back over it."""
    forget_candle_signals(signals)
    forget_bar(signals)
    forget_flow(signals)
    update_use(signal_params, signals)


@kernel
def _is_enabled(signal_params: Record, signals: Record) -> bool:
    """Return whether signals are wanted; when they no longer are, bring them to rest."""
    if signal_params["is_enabled"] == 1:
        return True
    if signals["last_time_ns"] != 0:
        signals["last_time_ns"] = 0
        forget_signals(signal_params, signals)
    return False


@kernel
def _skip_gap(signal_params: Record, signals: Record, time_ns: int) -> None:
    """After a silence that is too long for a quiet market, drop what it has torn apart."""
    last_ns = signals["last_time_ns"]
    if last_ns != 0 and time_ns - last_ns > signal_params["gap_ns_max"]:
        forget_signals(signal_params, signals)
    signals["last_time_ns"] = max(last_ns, time_ns)  # books and trades come by different rings
