"""How far the signals may move a quote: six bounded numbers that quoting multiplies or adds in, all 0 at rest.

They are worked out from the configured bounds each time, never from the values before, so nothing compounds.
"""

from __future__ import annotations

from domain.jit import Record, kernel


@kernel
def update_use(signal_params: Record, signals: Record) -> None:
    """Set `shift_half_spreads`, `gamma_added`, `sigma_added`, `decay_cut` and the size cuts."""
    direction = directed_sum(signal_params, signals)
    volatility = signals["volatility"] if signal_params["use_volatility"] == 1 else 0.0
    reversal = signals["reversal"] if signal_params["use_reversal"] == 1 else 0.0
    signals["shift_half_spreads"] = signal_params["shift_half_spreads_max"] * direction
    signals["gamma_added"] = signal_params["gamma_added_max"] * min(volatility + reversal, 1.0)
    signals["sigma_added"] = signal_params["sigma_added_max"] * volatility
    signals["decay_cut"] = signal_params["decay_cut_max"] * volatility
    size_cut_max = signal_params["size_cut_max"]
    signals["bid_size_cut"] = size_cut_max * min(volatility + max(-direction, 0.0), 1.0)
    signals["ask_size_cut"] = size_cut_max * min(volatility + max(direction, 0.0), 1.0)


@kernel
def directed_sum(signal_params: Record, signals: Record) -> float:
    """Return where the signals in use expect the price to go, in [-1, 1]."""
    total = 0.0
    if signal_params["use_momentum"] == 1:
        total += signals["momentum"]
    if signal_params["use_reversal"] == 1:
        total += signals["reversal"] * signals["reversal_direction"]
    if signal_params["use_exhaustion"] == 1:
        total += signals["exhaustion"] * signals["exhaustion_direction"]
    if signal_params["use_flow_imbalance"] == 1:
        total += signals["flow_imbalance"]
    if signal_params["use_trend"] == 1:
        total += signals["trend"]
    if signal_params["use_mean_reversion"] == 1:
        total += signals["mean_reversion"]
    if signal_params["use_user"] == 1:
        total += signals["user_signal"]
    return float(min(max(signal_params["reservation_price_sensitivity"] * total, -1.0), 1.0))
