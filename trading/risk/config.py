"""[risk]: the limits that only risk enforces. USD is the account's currency. Defaults are small on purpose."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AlarmConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[risk.alarms]: what is told and stops nothing."""

    markout_s: Annotated[float, Meta(gt=0, le=600, description="time after a fill at which the mid is looked at")] = 5.0
    markout_fills: Annotated[int, Meta(ge=1, le=10_000, description="fills whose mean markout is judged")] = 20
    markout_bps: Annotated[
        float, Meta(ge=0, le=1000, description="mean move of the mid against our fills that is adverse selection")
    ] = 5.0
    fills_per_min: Annotated[int, Meta(ge=1, le=100_000, description="more fills of an instrument are told")] = 120
    mark_deviation_bps: Annotated[
        float, Meta(gt=0, le=10_000, description="distance of mid and mark that is an anomaly of the market")
    ] = 50.0
    pause_s: Annotated[float, Meta(ge=0, le=86_400, description="the same alarm is told again after this time")] = 60.0


class RiskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[risk]: hard limits, checked on every order and ten times a second on the account.

    Limits in base units and open orders hold for each instrument; notional, loss and rate for the account.
    """

    position_max_base: Annotated[
        float, Meta(gt=0, le=1e6, description="largest |position| of an instrument, working orders included")
    ] = 0.1
    order_size_max_base: Annotated[float, Meta(gt=0, le=1e6, description="largest single order")] = 0.05
    order_notional_max_usd: Annotated[float, Meta(gt=0, le=1e9, description="largest single order, price × size")] = (
        10_000.0
    )
    gross_notional_max_usd: Annotated[
        float, Meta(gt=0, le=1e10, description="sum of |position| × mark over all instruments, orders included")
    ] = 25_000.0
    open_orders_max: Annotated[int, Meta(ge=1, le=1000, description="orders out at once in an instrument")] = 32
    # The venue's bucket of 50, refilled with 50 a second, lets 100 pass in the second after a pause: this limit is
    # for a runaway, the throttle of [execution] keeps the venue's rate.
    order_rate_max_per_s: Annotated[
        int, Meta(ge=1, le=10_000, description="inserts and amends in any one second; cancels are not counted")
    ] = 100
    price_collar_bps: Annotated[
        float, Meta(gt=0, le=5000, description="orders further than this from the mark price are denied")
    ] = 200.0
    last_collar_bps: Annotated[
        float, Meta(gt=0, le=5000, description="orders further than this from the last public trade are denied")
    ] = 500.0
    duplicate_window_ms: Annotated[
        float,
        Meta(ge=0, le=1000, description="the same order again is denied for so long, and while unanswered; 0 = off"),
    ] = 5.0
    loss_from_peak_max_usd: Annotated[
        float, Meta(gt=0, le=1e9, description="fall of the equity from its peak of the session that halts for good")
    ] = 250.0
    loss_of_day_max_usd: Annotated[
        float, Meta(gt=0, le=1e9, description="loss since midnight UTC, earlier runs included, that halts for good")
    ] = 500.0
    net_notional_max_usd: Annotated[
        float, Meta(gt=0, le=1e10, description="|sum of position × mark| over all instruments, orders included")
    ] = 25_000.0
    stop_loss_bps: Annotated[
        float, Meta(ge=0, le=10_000, description="loss of a position that closes it, of its entry notional; 0 = off")
    ] = 200.0
    take_profit_bps: Annotated[
        float, Meta(ge=0, le=10_000, description="gain net of costs that closes a position; 0 = off")
    ] = 0.0
    trailing_stop_bps: Annotated[
        float, Meta(ge=0, le=10_000, description="fall from a position's best gain that closes it; 0 = off")
    ] = 0.0
    exit_fee_bps: Annotated[
        float, Meta(ge=-100, le=100, description="fee of closing a position, counted before it is paid")
    ] = 5.0
    losing_streak_max: Annotated[
        int, Meta(ge=0, le=1000, description="round trips (flat to flat) lost in a row that halt; 0 = off")
    ] = 0
    value_at_risk_max_usd: Annotated[
        float,
        Meta(ge=0, le=1e9, description="value at risk above which only reducing orders pass; 0 = off"),
    ] = 0.0
    expected_shortfall_max_usd: Annotated[
        float,
        Meta(ge=0, le=1e9, description="mean loss beyond value at risk above which only reducing passes; 0 = off"),
    ] = 0.0
    value_at_risk_horizon_s: Annotated[float, Meta(gt=0, le=864_000, description="horizon of both")] = 3600.0
    value_at_risk_confidence: Annotated[float, Meta(gt=0.5, lt=1, description="their confidence")] = 0.99
    margin_use_max: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="part of the margin that may be needed: beyond it orders are denied, positions only reduce",
        ),
    ] = 0.8
    margin_rate: Annotated[
        float, Meta(gt=0, le=1, description="margin that exposure is taken to need at least, of its notional")
    ] = 0.2
    maintenance_fraction: Annotated[
        float, Meta(gt=0, le=1, description="maintenance margin as a part of the required margin, as the venue has it")
    ] = 0.7
    liquidation_distance_min: Annotated[
        float,
        Meta(ge=0, lt=1, description="part of the way from liquidation to entry below which only reducing passes"),
    ] = 0.2
    liquidation_move_min: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="adverse move of all that is held that maintenance margin must survive",
        ),
    ] = 0.05
    market_data_stale_ms: Annotated[
        int, Meta(ge=100, le=60_000, description="silence of the whole feed after which quotes are pulled")
    ] = 2000
    mark_stale_ms: Annotated[
        int, Meta(ge=1000, le=600_000, description="an older mark price is none: nothing passes without it")
    ] = 30_000
    flatten_on_halt: Annotated[bool, Meta(description="true: a halt for loss also brings every position to zero")] = (
        False
    )
    cooldown_s: Annotated[
        float, Meta(ge=0, le=86_400, description="time for which the cause of a halt that ends by itself must be gone")
    ] = 300.0
    recovery_steps: Annotated[
        int, Meta(ge=0, le=100, description="steps in which limits grow back after a halt; 0 = at once")
    ] = 3
    recovery_step_s: Annotated[float, Meta(ge=0, le=86_400, description="length of a step")] = 60.0
    recovery_fraction: Annotated[
        float,
        Meta(gt=0, le=1, description="part of limits and levels that the last step allows; the steps before it less"),
    ] = 0.8
    interval_ms: Annotated[
        int,
        Meta(ge=10, le=250, description="time between two evaluations when flat (500 ms without close the gate)"),
    ] = 100
    execution_silent_ms: Annotated[
        int, Meta(ge=100, le=10_000, description="silence of execution after which risk cancels its orders")
    ] = 450
    venue_silent_ms: Annotated[
        int, Meta(ge=500, le=60_000, description="silence of risk's own venue connection that halts")
    ] = 3000
    position_difference_s: Annotated[
        float, Meta(gt=0, le=600, description="risk and execution may differ on a position this long, then reduce")
    ] = 5.0

    interval_min_ms: Annotated[
        int, Meta(ge=5, le=250, description="time between two evaluations when gross notional is at its limit")
    ] = 25
    alarms: AlarmConfig = AlarmConfig()

    def __post_init__(self) -> None:
        if self.order_size_max_base > self.position_max_base:
            raise ValueError(
                f"order_size_max_base ({self.order_size_max_base}) must not exceed position_max_base "
                f"({self.position_max_base})"
            )
        if self.order_notional_max_usd > self.gross_notional_max_usd:
            raise ValueError(
                f"order_notional_max_usd ({self.order_notional_max_usd}) must not exceed gross_notional_max_usd "
                f"({self.gross_notional_max_usd})"
            )
        if self.interval_min_ms > self.interval_ms:
            raise ValueError(
                f"interval_min_ms ({self.interval_min_ms}) must not exceed interval_ms ({self.interval_ms})"
            )
