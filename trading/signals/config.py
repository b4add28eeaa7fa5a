"""The parameters of the signals: [strategy.signals].

Three families: what is measured (candles, flow, bars), how a measurement becomes a signal, and how far all signals
together may move a quote. docs/signals.md has the formulas and what the signals were worth on recordings.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

CANDLES_KEPT = 200
FLOW_BUCKETS = 32


def _switch(doc: str) -> msgspec.Meta:
    return msgspec.Meta(description=f"let {doc}")


def _candles(doc: str, least: int = 2) -> msgspec.Meta:
    return msgspec.Meta(ge=least, le=CANDLES_KEPT, description=f"{doc}, candles")


def _gain(doc: str) -> msgspec.Meta:
    return msgspec.Meta(gt=0, le=1e6, description=doc)


def _part(doc: str) -> msgspec.Meta:
    return msgspec.Meta(ge=0, le=1, description=doc)


class SignalsConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is read from public trades and mids, and how far it may move a quote."""

    is_enabled: Annotated[
        bool, msgspec.Meta(description="master switch: build candles, bars and signals, log them, and use them")
    ] = False

    # -- which signals act; all are measured and logged. On are those that spoke on both recordings (docs/signals.md)
    use_momentum: Annotated[bool, _switch("momentum shift the reservation price")] = True
    use_reversal: Annotated[bool, _switch("reversal shift the reservation price and raise γ")] = False
    use_volatility: Annotated[bool, _switch("volatility raise σ and γ, lower κ and the sizes")] = False
    use_exhaustion: Annotated[bool, _switch("exhaustion shift the reservation price")] = False
    use_flow_imbalance: Annotated[bool, _switch("flow imbalance shift the reservation price")] = True
    use_trend: Annotated[bool, _switch("trend shift the reservation price")] = False
    use_mean_reversion: Annotated[bool, _switch("mean reversion shift the reservation price")] = False
    use_user: Annotated[bool, _switch("the signal of `user` shift the reservation price")] = True

    # -- a signal of one's own
    user: Annotated[
        str,
        msgspec.Meta(
            description="Python file with the function signal(q), see docs/extending.md; empty = none",
            extra={"reload": False},
        ),
    ] = ""
    parameters: Annotated[dict[str, float], msgspec.Meta(description="values of that file's parameters, by name")] = {}

    # -- candles by volume
    candle_volume_base: Annotated[
        float,
        msgspec.Meta(gt=0, le=1e9, description="a candle closes with the trade that brings it to this, base units"),
    ] = 0.1
    candle_age_s_max: Annotated[
        float, msgspec.Meta(gt=0, le=86_400, description="a candle also closes at this age, s")
    ] = 180.0
    candles_min: Annotated[int, _candles("no signal of candles before so many have closed", 1)] = 5
    window_candles: Annotated[int, _candles("ΔP, Δδ, ranges and spreads of values are taken over the last")] = 5
    delta_fast_candles: Annotated[int, _candles("fast EMA of δ", 1)] = 8
    delta_slow_candles: Annotated[int, _candles("slow EMA of δ")] = 55

    # -- from candles to signals
    momentum_gain: Annotated[float, _gain("momentum per ΔP (a fraction) at flow 1: 100 = full at 1 %")] = 100.0
    momentum_sensitivity: Annotated[float, _gain("multiplies momentum before it is held within ±1")] = 1.5
    reversal_gain: Annotated[float, _gain("reversal per |ΔP| (a fraction): 50 = full at 2 %")] = 50.0
    reversal_delta_gain: Annotated[float, _gain("reversal per |EMA difference of δ|: 10 = full at 0.1")] = 10.0
    reversal_sensitivity: Annotated[float, _gain("multiplies reversal before it is held below 1")] = 1.2
    volatility_range_gain: Annotated[
        float, _gain("volatility per mean high/low − 1, before the three are averaged")
    ] = 50.0
    volatility_sensitivity: Annotated[float, _gain("multiplies volatility before it is held below 1")] = 1.3
    exhaustion_delta_min: Annotated[
        float, msgspec.Meta(ge=0, le=2, description="a smaller fall of δ against the price is no exhaustion")
    ] = 0.1
    exhaustion_delta_gain: Annotated[float, _gain("exhaustion per |Δδ|: 5 = full at 0.2")] = 5.0

    # -- flow
    flow_window_s: Annotated[
        float, msgspec.Meta(gt=0, le=86_400, description="trades of this last time make the imbalance and the rate, s")
    ] = 5.0

    # -- bars of mids by time
    bar_s: Annotated[float, msgspec.Meta(ge=0.1, le=86_400, description="length of a bar, s")] = 10.0
    adx_bars: Annotated[int, msgspec.Meta(ge=2, le=200, description="Wilder's n of ADX and ATR, bars")] = 14
    trend_fast_bars: Annotated[int, msgspec.Meta(ge=1, le=200, description="fast EMA of closes, bars")] = 8
    trend_slow_bars: Annotated[int, msgspec.Meta(ge=2, le=1000, description="slow EMA of closes, bars")] = 21
    trend_full_atr: Annotated[
        float, msgspec.Meta(gt=0, le=1000, description="EMA difference that makes a full trend, in ATR")
    ] = 1.0
    reversion_full_atr: Annotated[
        float, msgspec.Meta(gt=0, le=1000, description="distance from the slow EMA that makes a full reversion, in ATR")
    ] = 2.0
    adx_trending: Annotated[
        float, msgspec.Meta(gt=0, le=100, description="ADX at which trend counts in full and reversion not at all")
    ] = 25.0

    gap_ms_max: Annotated[
        int,
        msgspec.Meta(
            ge=100, le=3_600_000,
            description="after a longer silence of books and trades the open candle, bar and flow are dropped, ms",
        ),
    ] = 10_000  # fmt: skip

    # -- how far the signals may move a quote
    reservation_price_sensitivity: Annotated[
        float, _gain("multiplies the sum of directions before it is held within ±1")
    ] = 1.5
    shift_half_spreads_max: Annotated[float, _part("largest shift of the reservation price, in half-spreads")] = 0.3
    gamma_added_max: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="γ grows by at most this part, at volatility plus reversal of 1")
    ] = 0.5
    sigma_added_max: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="σ grows by at most this part, at volatility 1")
    ] = 0.2
    decay_cut_max: Annotated[
        float, msgspec.Meta(ge=0, le=0.9, description="κ falls by at most this part, at volatility 1")
    ] = 0.2
    size_cut_max: Annotated[
        float,
        msgspec.Meta(ge=0, le=0.3, description="sizes fall by at most this part; the side against the direction first"),
    ] = 0.3

    def __post_init__(self) -> None:
        if self.delta_fast_candles >= self.delta_slow_candles:
            raise ValueError(
                f"delta_fast_candles = {self.delta_fast_candles} must be below delta_slow_candles = "
                f"{self.delta_slow_candles}: change one of the two"
            )
        if self.trend_fast_bars >= self.trend_slow_bars:
            raise ValueError(
                f"trend_fast_bars = {self.trend_fast_bars} must be below trend_slow_bars = {self.trend_slow_bars}: "
                "change one of the two"
            )
