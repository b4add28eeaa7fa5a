"""From the configured limits (base units, USD) to the LIMITS record of one instrument (ticks, lots)."""

from __future__ import annotations

import math

from domain.clock import NS_PER_MS, NS_PER_S
from domain.order import TradingState
from domain.records import LIMITS, QUOTE_LEVELS_MAX
from domain.units import lots_down
from trading.risk.config import RiskConfig
from trading.risk.holding import Holding, position_lots
from trading.risk.rooms import Rooms
from trading.risk.states import Recovery, Verdict

_INTS = {
    name: LIMITS.word(name)
    for name in (
        "instrument", "written_time_ns", "state", "reason", "is_position_known", "position_lots", "order_lots_max",
        "position_lots_max", "open_orders_max", "order_rate_max", "levels_max", "duplicate_window_ns", "room_reason",
    )
}  # fmt: skip
_FLOATS = {
    name: LIMITS.word(name)
    for name in (
        "order_notional_max", "gross_notional_room", "net_long_room", "net_short_room", "mark_price", "collar_low",
        "collar_high",
    )
}  # fmt: skip


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
    rooms: Rooms,
    levels: int,
    now_ns: int,
) -> None:
    """Write the limits now in force into a record's words. What is unknown closes the gate.

    Args:
        rooms: what may be added to the exposure of the whole account.
        levels: of each side, as the instrument's strategy is configured.
    """
    scale = recovery_scale(config, verdict)
    rooms = rooms.scaled(config, scale)
    gross_room, room_reason = rooms.tightest
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
        "levels_max": max(round(levels * scale), 1) if scale < 1.0 else QUOTE_LEVELS_MAX,
        "duplicate_window_ns": round(config.duplicate_window_ms * NS_PER_MS),
        "room_reason": int(room_reason),
    }
    for name, value in values.items():
        ints[_INTS[name]] = value
    floats[_FLOATS["order_notional_max"]] = config.order_notional_max_usd
    floats[_FLOATS["gross_notional_room"]] = gross_room
    floats[_FLOATS["net_long_room"]] = rooms.net_long
    floats[_FLOATS["net_short_room"]] = rooms.net_short
    floats[_FLOATS["mark_price"]] = holding.mark_price
    floats[_FLOATS["collar_low"]] = collar_low
    floats[_FLOATS["collar_high"]] = collar_high
