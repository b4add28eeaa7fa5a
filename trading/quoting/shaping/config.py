"""The parameters of the shaping steps: [strategy.shaping]. Every extra is off unless it is switched on."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LEVELS_MAX = 10
PATH_SLOTS = 32  # mids kept over the window of the displacement guard
MOVES_MAX = 64  # mids kept for the momentum of the asymmetric widening
FILLS_MAX = 32


def _switch(doc: str) -> msgspec.Meta:
    return msgspec.Meta(description=f"switch: {doc}")


def _factor(doc: str, least: float = 1.0, most: float = 10.0) -> msgspec.Meta:
    return msgspec.Meta(ge=least, le=most, description=doc)


def _seconds(doc: str, most: float = 86_400.0) -> msgspec.Meta:
    return msgspec.Meta(gt=0, le=most, description=doc)


def _bps(doc: str) -> msgspec.Meta:
    return msgspec.Meta(gt=0, le=10_000, description=doc)


class ShapingConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What happens to the model's quote before it is rounded, in this order.

    Raises:
        msgspec.ValidationError: when decoded from values out of range, of unknown names, or that contradict
            each other; ValueError for contradictions when built directly.
    """

    # -- tick filter: before everything else
    tick_filter: Annotated[bool, _switch("refuse a mid that jumped, until it has held")] = False
    tick_filter_move_bps_max: Annotated[float, _bps("largest distance of a mid from its average, bps")] = 200.0
    tick_filter_average_s: Annotated[float, _seconds("time constant of that average, s")] = 10.0
    tick_filter_ticks: Annotated[
        int,
        msgspec.Meta(ge=1, le=10_000, description="so many refused books that agree with each other end the refusal"),
    ] = 10

    # -- γ from γ0, each time anew
    dynamic_gamma: Annotated[bool, _switch("multiply γ by σ over its base, within bounds")] = False
    gamma_sigma_base_usd_per_sqrt_s: (
        Annotated[float, msgspec.Meta(gt=0, le=1e15, description="σ at which γ is γ0, $/√s; null = slow average of σ")]
        | None
    ) = None
    gamma_factor_min: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="least factor that σ makes of γ")
    ] = 0.5  # fmt: skip
    gamma_factor_max: Annotated[float, _factor("largest factor that σ makes of γ", most=100.0)] = 3.0
    market_stress: Annotated[bool, _switch("multiply γ by the market's stress, 1 or more")] = False
    market_stress_max: Annotated[float, _factor("largest stress", most=100.0)] = 3.0
    stress_fast_s: Annotated[float, _seconds("time constant of spread and depth of now, s")] = 5.0
    stress_slow_s: Annotated[float, _seconds("time constant of spread, depth and σ of always, s")] = 600.0

    # -- flow and impact
    flow_widening_max: Annotated[
        float,
        msgspec.Meta(ge=0, le=5, description="half-spread · (1 + this · |flow imbalance of the signals|); 0 = off"),
    ] = 0.0
    market_impact: Annotated[bool, _switch("let quotes pay for the move that a fill of ours brings")] = False
    impact_usd_per_base: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=1e9,
            description="move of the mid against us for each base unit filled, $; the prior where it is measured",
        ),
    ] = 10.0  # fmt: skip
    measure_impact: Annotated[bool, _switch("measure that move from public trades and mids")] = False
    impact_error_usd_per_base: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=1e9,
            description="standard error of impact_usd_per_base, $: the measured one outweighs it when its own is less",
        ),
    ] = 10.0  # fmt: skip
    impact_interval_ms: Annotated[
        int,
        msgspec.Meta(ge=10, le=600_000, description="what moves the mid by the end of the next interval is impact, ms"),
    ] = 1000
    impact_halflife_s: Annotated[float, _seconds("time in which an interval's weight halves, s")] = 600.0
    impact_samples_min: Annotated[
        int,
        msgspec.Meta(ge=10, le=1_000_000, description="intervals with trades before the measured impact counts"),
    ] = 60
    impact_usd_per_base_min: Annotated[
        float, msgspec.Meta(ge=0, le=1e9, description="least impact that a measurement may give, $ per base unit")
    ] = 0.0
    impact_usd_per_base_max: Annotated[
        float, msgspec.Meta(ge=0, le=1e9, description="largest impact that a measurement may give, $ per base unit")
    ] = 1000.0

    # -- inventory
    inventory_cost: Annotated[bool, _switch("shift against a position the more the longer it is held")] = False
    inventory_cost_per_base_sqrt_s: Annotated[
        float,
        msgspec.Meta(ge=0, le=1e6, description="shift = this · |q| · time held · σ, 1/(base·√s)"),
    ] = 0.01
    inventory_cost_half_spreads_max: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="largest such shift, in half-spreads")
    ] = 1.0

    # -- widening when the market moves
    displacement_guard: Annotated[bool, _switch("widen both sides after a move")] = False
    displacement_window_s: Annotated[float, _seconds("the move is that of the mid over this time, s", 3600.0)] = 30.0
    displacement_move_bps_min: Annotated[float, _bps("moves up to this widen nothing, bps")] = 10.0
    displacement_widening_per_bps: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="half-spread · (1 + this · bps above): 0.2 doubles it at 5 bps")
    ] = 0.2
    displacement_factor_max: Annotated[float, _factor("largest such factor")] = 3.0
    asymmetric_widening: Annotated[bool, _switch("widen the side against the short-term move")] = False
    asymmetry_ticks: Annotated[
        int, msgspec.Meta(ge=1, le=MOVES_MAX - 1, description="the move is that of so many changes of the mid")
    ] = 20
    asymmetry_move_bps_min: Annotated[float, _bps("smaller moves widen nothing, bps")] = 8.0
    asymmetry_factor: Annotated[float, _factor("half-spread of that side · this")] = 1.2

    # -- after fills
    fill_imbalance: Annotated[bool, _switch("widen the side that is hit again and again")] = False
    fill_imbalance_window: Annotated[
        int, msgspec.Meta(ge=2, le=FILLS_MAX, description="the last so many fills count")
    ] = 10
    fill_imbalance_fills_min: Annotated[
        int, msgspec.Meta(ge=1, le=FILLS_MAX, description="fewer fills widen nothing")
    ] = 5
    fill_imbalance_share_min: Annotated[
        float, msgspec.Meta(gt=0.5, le=1, description="share of one side from which on it is widened")
    ] = 0.7
    fill_imbalance_age_s_max: Annotated[float, _seconds("older fills do not count, s")] = 600.0
    fill_imbalance_factor: Annotated[float, _factor("half-spread of that side · this")] = 1.3
    post_fill_pause: Annotated[bool, _switch("take a side away for a while after its fill")] = False
    post_fill_pause_s: Annotated[float, _seconds("that while, s", 3600.0)] = 3.0

    # -- when to stay away
    regime_filter: Annotated[bool, _switch("take both sides away in a trend; needs the signals")] = False
    regime_adx_max: Annotated[float, msgspec.Meta(ge=0, le=100, description="ADX above which a trend counts")] = 37.5
    regime_trend_min: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="|trend| from which on the market is trending")
    ] = 0.2

    # -- ladder
    ladder_spacing: Annotated[
        Literal["linear", "fibonacci"],
        msgspec.Meta(description="levels at 0, 1, 2, 3, 4 … or 0, 1, 2, 3, 5, 8, 13, 21 times level_spacing_ticks"),
    ] = "linear"
    ladder_size_multipliers: Annotated[
        tuple[Annotated[float, msgspec.Meta(gt=0, le=100)], ...],
        msgspec.Meta(
            max_length=LEVELS_MAX,
            description="sizes of the levels in first orders, one each; empty = level_size_factor makes them",
        ),
    ] = ()

    def __post_init__(self) -> None:
        if self.impact_usd_per_base_min > self.impact_usd_per_base_max:
            raise ValueError(
                f"impact_usd_per_base_min = {self.impact_usd_per_base_min} must not be above impact_usd_per_base_max = "
                f"{self.impact_usd_per_base_max}: change one of the two"
            )
        if self.stress_fast_s >= self.stress_slow_s:
            raise ValueError(
                f"stress_fast_s = {self.stress_fast_s} must be below stress_slow_s = {self.stress_slow_s}: "
                "change one of the two"
            )
        if self.fill_imbalance_fills_min > self.fill_imbalance_window:
            raise ValueError(
                f"fill_imbalance_fills_min = {self.fill_imbalance_fills_min} must not be above fill_imbalance_window = "
                f"{self.fill_imbalance_window}: change one of the two"
            )
