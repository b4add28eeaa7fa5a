"""Limits that are set while the session runs: which there are, and which way each is looser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from trading.risk.config import RiskConfig

# Field -> +1 when a larger value is looser, -1 when it is tighter.
LOOSER = {
    "position_max_base": 1,
    "order_size_max_base": 1,
    "order_notional_max_usd": 1,
    "gross_notional_max_usd": 1,
    "open_orders_max": 1,
    "order_rate_max_per_s": 1,
    "duplicate_window_ms": -1,
    "price_collar_bps": 1,
    "last_collar_bps": 1,
    "loss_from_peak_max_usd": 1,
    "loss_of_day_max_usd": 1,
    "net_notional_max_usd": 1,
    "stop_loss_bps": 1,
    "take_profit_bps": 1,
    "trailing_stop_bps": 1,
    "losing_streak_max": 1,
    "value_at_risk_max_usd": 1,
    "expected_shortfall_max_usd": 1,
    "margin_use_max": 1,
    "liquidation_distance_min": -1,
    "liquidation_move_min": -1,
    "market_data_stale_ms": 1,
    "mark_stale_ms": 1,
    "flatten_on_halt": -1,
    "cooldown_s": -1,
    "recovery_steps": -1,
    "recovery_step_s": -1,
    "recovery_fraction": 1,
    "execution_silent_ms": 1,
    "venue_silent_ms": 1,
    "position_difference_s": 1,
}  # the limits that may be set while running
_OFF = 1e300
ZERO_IS_OFF = frozenset(
    {
        "stop_loss_bps", "take_profit_bps", "trailing_stop_bps", "losing_streak_max", "value_at_risk_max_usd",
        "expected_shortfall_max_usd",
    }
)  # fmt: skip


class LimitChange(NamedTuple):
    """A limit that shall be set while running, checked."""

    name: str
    value: float
    config: RiskConfig
    is_looser: bool


def changed_limit(config: RiskConfig, name: str, text: str) -> LimitChange:
    """Return the configuration with one limit set to the value in `text`.

    Raises:
        ValueError: if there is no such limit, or the value is out of range or contradicts another limit.
    """
    changed = changed_limits(config, {name: text})
    old, new = float(getattr(config, name)), float(getattr(changed, name))
    return LimitChange(name, new, changed, LOOSER[name] * (_strength(name, new) - _strength(name, old)) > 0)


def changed_limits(config: RiskConfig, values: Mapping[str, str]) -> RiskConfig:
    """Return the configuration with several limits set at once; ValueError as of `changed_limit`."""
    if unknown := [name for name in values if name not in LOOSER]:
        raise ValueError(f"risk has no limit `{unknown[0]}` that can be set while running; known: {', '.join(LOOSER)}")
    try:
        return msgspec.convert({**msgspec.to_builtins(config), **values}, RiskConfig, strict=False)
    except msgspec.ValidationError as error:
        told = ", ".join(f"risk.{name} = {text}" for name, text in values.items())
        raise ValueError(f"{told}: {str(error).partition(' - at ')[0]}") from None


def looser_limits(old: RiskConfig, new: RiskConfig) -> list[str]:
    """Return one line for each limit that `new` loosens."""
    return [
        f"risk.{name}: {getattr(old, name)} → {getattr(new, name)}"
        for name in LOOSER
        if LOOSER[name] * (_strength(name, float(getattr(new, name))) - _strength(name, float(getattr(old, name)))) > 0
    ]


def _strength(name: str, value: float) -> float:
    """Return a value as it compares: a rule that is off is the loosest."""
    return _OFF if name in ZERO_IS_OFF and value == 0 else value


def with_limits(config: RiskConfig, values: Mapping[str, float]) -> RiskConfig:
    """Return the configuration with the limits that were set while an earlier process of this run lived."""
    typed = {name: type(getattr(config, name))(value) for name, value in values.items() if name in LOOSER}
    return msgspec.convert({**msgspec.to_builtins(config), **typed}, RiskConfig)
