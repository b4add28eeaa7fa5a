"""From the configured limits (base units, USD) to the LIMITS record of one instrument (ticks, lots)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from domain.clock import NS_PER_S
from domain.instrument import Instrument
from domain.order import TradingState
from domain.records import LIMITS
from domain.units import lots_down
from trading.risk.config import RiskConfig
from trading.risk.states import Recovery, Verdict

_INTS = {
    name: LIMITS.word(name)
    for name in (
        "instrument", "written_time_ns", "state", "reason", "is_position_known", "position_lots", "order_lots_max",
        "position_lots_max", "open_orders_max", "order_rate_max",
    )
}  # fmt: skip
_FLOATS = {
    name: LIMITS.word(name)
    for name in ("order_notional_max", "gross_notional_room", "mark_price", "collar_low", "collar_high")
}
# Field -> +1 when a larger value is looser, -1 when it is tighter.
LOOSER = {
    "position_max_base": 1,
    "order_size_max_base": 1,
    "order_notional_max_usd": 1,
    "gross_notional_max_usd": 1,
    "open_orders_max": 1,
    "order_rate_max_per_s": 1,
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
    "margin_use_max": 1,
    "liquidation_distance_min": -1,
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
_BPS = 1e-4
ZERO_IS_OFF = frozenset(
    {"stop_loss_bps", "take_profit_bps", "trailing_stop_bps", "losing_streak_max", "value_at_risk_max_usd"}
)


class Holding(NamedTuple):
    """What risk knows of one instrument when it writes its limits.

    Attributes:
        row: row of the instruments table.
        instrument: None until the venue has told of it; then the limits are all zero.
        position: base units, signed; None when unknown.
        mark_price: quote currency; NaN when unknown.
        last_price: of the last public trade, quote currency; NaN when unknown.
    """

    row: int
    instrument: Instrument | None
    position: Decimal | None
    mark_price: float
    last_price: float = math.nan

    def collar(self, config: RiskConfig) -> tuple[float, float]:
        """Return the lowest and highest price of any order: near the mark, and near the last trade once there is one.

        NaN while the mark is unknown, and low above high when mark and last are far apart: then no order passes.
        """
        width, last_width = config.price_collar_bps * _BPS, config.last_collar_bps * _BPS
        low, high = self.mark_price * (1.0 - width), self.mark_price * (1.0 + width)
        if not math.isfinite(self.last_price) or not math.isfinite(low):
            return low, high
        return max(low, self.last_price * (1.0 - last_width)), min(high, self.last_price * (1.0 + last_width))

    @property
    def notional(self) -> float:
        """|position| × mark in quote currency; NaN when one of them is unknown."""
        if self.position is None or self.instrument is None:
            return math.nan
        # A flat instrument adds nothing, whether its mark is known or not.
        size = abs(float(self.position * self.instrument.contract_multiplier))
        return size * self.mark_price if size else 0.0


def position_lots(holding: Holding) -> int:
    """Return the position in whole lots, a broken lot counted as a whole one; 0 when unknown."""
    if holding.position is None or holding.instrument is None:
        return 0
    return holding.instrument.covering_lots(holding.position)


def recovery_scale(config: RiskConfig, verdict: Verdict) -> float:
    """Return the part of size and exposure limits that is in force: it grows in equal steps while recovering.

    Step k of n allows k/n of `recovery_fraction`.
    """
    if verdict.state is not TradingState.RECOVERING or not config.recovery_steps:
        return 1.0
    return config.recovery_fraction * min(verdict.recovery_step / config.recovery_steps, 1.0)


def recovery_of(config: RiskConfig) -> Recovery:
    """Return how freedom comes back by this configuration."""
    return Recovery(int(config.cooldown_s * NS_PER_S), config.recovery_steps, int(config.recovery_step_s * NS_PER_S))


def fill_limits(
    ints: memoryview[int],
    floats: memoryview[float],
    *,
    config: RiskConfig,
    holding: Holding,
    verdict: Verdict,
    gross_room: float,
    now_ns: int,
) -> None:
    """Write the limits now in force into a record's words. What is unknown closes the gate.

    Args:
        gross_room: what is left of the gross notional over all instruments and of the margin, quote currency.
    """
    scale = recovery_scale(config, verdict)
    instrument = holding.instrument
    base_per_lot = float(instrument.lot_size * instrument.contract_multiplier) if instrument else math.inf
    collar_low, collar_high = holding.collar(config)
    values: dict[str, int] = {
        "instrument": holding.row,
        "written_time_ns": now_ns,
        "state": int(verdict.state),
        "reason": int(verdict.reason),
        "is_position_known": int(holding.position is not None and instrument is not None),
        "position_lots": position_lots(holding),
        "order_lots_max": lots_down(config.order_size_max_base * scale, base_per_lot) if instrument else 0,
        "position_lots_max": lots_down(config.position_max_base * scale, base_per_lot) if instrument else 0,
        "open_orders_max": config.open_orders_max,
        "order_rate_max": config.order_rate_max_per_s,
    }
    for name, value in values.items():
        ints[_INTS[name]] = value
    # What recovering takes away is a part of the whole limit, not of what happens to be left of it.
    reserved = config.gross_notional_max_usd * (1.0 - scale)
    floats[_FLOATS["order_notional_max"]] = config.order_notional_max_usd
    floats[_FLOATS["gross_notional_room"]] = gross_room - reserved
    floats[_FLOATS["mark_price"]] = holding.mark_price
    floats[_FLOATS["collar_low"]] = collar_low
    floats[_FLOATS["collar_high"]] = collar_high


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
    if name not in LOOSER:
        raise ValueError(f"risk has no limit `{name}` that can be set while running; known: {', '.join(LOOSER)}")
    try:
        changed = msgspec.convert({**msgspec.to_builtins(config), name: text}, RiskConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"risk.{name} = {text}: {str(error).partition(' - at ')[0]}") from None
    old, new = float(getattr(config, name)), float(getattr(changed, name))
    return LimitChange(name, new, changed, LOOSER[name] * (_strength(name, new) - _strength(name, old)) > 0)


def _strength(name: str, value: float) -> float:
    """Return a value as it compares: a rule that is off is the loosest."""
    return _OFF if name in ZERO_IS_OFF and value == 0 else value


def with_limits(config: RiskConfig, values: Mapping[str, float]) -> RiskConfig:
    """Return the configuration with the limits that were set while an earlier process of this run lived."""
    typed = {name: type(getattr(config, name))(value) for name, value in values.items() if name in LOOSER}
    return msgspec.convert({**msgspec.to_builtins(config), **typed}, RiskConfig)
