"""[hedge.UNDERLYING]: when the net delta of an underlying is brought back, with what, and how."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class HedgeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[hedge.UNDERLYING]: keep the net delta of an underlying (BTCUSD, as the venue names its index) inside a band.

    The net delta is that of every instrument of the underlying and of the hedge instrument, in base units of the
    hedge instrument.
    """

    instrument: Annotated[str, Meta(min_length=1, description="what is traded to hedge; one of [instruments]")]
    band_base: Annotated[
        float, Meta(gt=0, le=1e9, description="a hedge begins when the net delta is further than this from the target")
    ]
    target_base: Annotated[
        float, Meta(ge=-1e9, le=1e9, description="net delta to which a hedge leads, base units; above 0 = long")
    ] = 0.0
    ratio: Annotated[
        Literal["delta", "beta"],
        Meta(
            description="delta: a base unit offsets a base unit; beta: values offset by the measured β, also across "
            "underlyings"
        ),
    ] = "delta"
    passive_s: Annotated[
        float, Meta(ge=0, le=3600, description="rests at the touch, post-only, so long before it crosses; 0 = at once")
    ] = 5.0
    reprice_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="shortest life of a resting hedge that the touch has left behind")
    ] = 250
    cross_s: Annotated[
        float, Meta(gt=0, le=600, description="crosses so long; what is not done then is left to the next hedge")
    ] = 5.0
    collar_bps: Annotated[
        float, Meta(gt=0, le=2000, description="crosses at most this far beyond the mark price, bps of it")
    ] = 20.0
    order_size_max_base: Annotated[float, Meta(gt=0, le=1e9, description="largest single hedge, base units")] = 0.05
    cooldown_s: Annotated[
        float, Meta(ge=0, le=3600, description="pause after a hedge; it doubles while hedges achieve nothing")
    ] = 2.0
