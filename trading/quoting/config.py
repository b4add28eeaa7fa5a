"""The parameters of a quoter: the [strategy] section of a configuration.

Units stand last in the names. `usd` is the quote currency and `base` the base unit of the instrument (BTC).
Every parameter can be changed while running; the same ranges and relations hold then.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from domain.errors import ConfigError
from domain.records import BOOK_LEVELS
from domain.validation import explain
from trading.quoting.dotted import nested, overlaid
from trading.quoting.presets import PRESETS
from trading.quoting.shaping.config import LEVELS_MAX, ShapingConfig
from trading.signals.config import SignalsConfig

FIT_DEPTHS_MAX = 32
GRID_STEPS_MAX = 32
ORDERS_MAX = 64  # positions of the models that are solved on a grid, in orders of either side
TABLE_MODELS = ("avellaneda_stoikov_exact", "cartea_jaimungal")


def _above_zero(doc: str) -> msgspec.Meta:
    return msgspec.Meta(gt=0, le=1e15, description=doc)


def _from_zero(doc: str) -> msgspec.Meta:
    return msgspec.Meta(ge=0, le=1e15, description=doc)


# Models write A, κ, γ, ξ, σ, q and Δ; see trading/quoting/models.
class QuotingConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How quotes are made.

    Raises:
        msgspec.ValidationError: when decoded from values out of range, of unknown names, or that contradict
            each other; ValueError for contradictions when built directly.
    """

    preset: Annotated[
        Literal["none", "conservative", "aggressive"],
        msgspec.Meta(description="values for many keys at once; every key that is written down wins over them"),
    ] = "none"

    # -- a strategy of one's own
    file: Annotated[
        str,
        msgspec.Meta(
            description="Python file with on_book, on_trade, on_fill, quote, see docs/extending.md; empty = none",
            extra={"reload": False},
        ),
    ] = ""
    user: Annotated[dict[str, float], msgspec.Meta(description="values of that file's parameters, by name")] = {}

    # -- model
    model: Annotated[
        Literal["glft", "avellaneda_stoikov", "avellaneda_stoikov_exact", "cartea_jaimungal"],
        msgspec.Meta(
            description="glft: infinite horizon; the others: horizon_s, the last two solved for each position"
        ),
    ] = "glft"
    risk_aversion_per_usd: Annotated[float, _above_zero("γ of the utility −exp(−γ·wealth), 1/$")] = 0.01
    xi_per_usd: (
        Annotated[float, _from_zero("ξ, aversion to not being filled, 1/$; null = γ (model A), 0 = model B")] | None
    ) = None
    horizon: Annotated[
        Literal["rolling", "session_end"],
        msgspec.Meta(
            description="rolling: always horizon_s to go; session_end: up to the end of the day, at most that"
        ),
    ] = "rolling"
    horizon_s: Annotated[float, _above_zero("τ of the models with a finite horizon, s")] = 60.0
    session_end_utc: Annotated[
        str,
        msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="when the session ends, HH:MM UTC"),
    ] = "00:00"
    drift_usd_per_s: Annotated[
        float, msgspec.Meta(ge=-1e6, le=1e6, description="μ, expected drift of the mid, $/s")
    ] = 0.0
    drift_momentum_usd_per_s: Annotated[
        float, msgspec.Meta(ge=0, le=1e6, description="added to μ at momentum 1 of the signals, $/s; 0 = off")
    ] = 0.0
    drift_half_spreads_max: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="largest shift that μ makes, in half-spreads of the model")
    ] = 1.0
    inventory_penalty_usd_per_base2_s: (
        Annotated[float, _from_zero("φ of cartea_jaimungal, $ per base² and s; null = γσ²/2")] | None
    ) = None
    terminal_penalty_usd_per_base2: Annotated[
        float, _from_zero("α of cartea_jaimungal: what a position left at the horizon costs, $ per base²")
    ] = 0.0
    table_tolerance: Annotated[
        float,
        msgspec.Meta(
            ge=0.001, le=1, description="a model solved on a grid is solved again when an input moved by this part"
        ),
    ] = 0.05

    # -- fair price
    fair_price: Annotated[
        Literal["micro", "mid", "vamp", "mark", "index"],
        msgspec.Meta(
            description="what the model centres on: mid; best prices weighted by the opposite size (micro), the same "
            "over several levels (vamp); micro, pulled to the mark; index + basis"
        ),
    ] = "micro"
    vamp_levels: Annotated[
        int, msgspec.Meta(ge=1, le=BOOK_LEVELS, description="of vamp: levels of each side; 1 is the micro-price")
    ] = 5
    mark_weight: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="of mark: part of the way from the micro-price to the mark price")
    ] = 0.5
    basis_average_s: Annotated[float, _above_zero("of index: time constant of the basis, mid − index, s")] = 60.0
    fair_offset_bps_max: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=1000, description="vamp, mark or index move the fair price off the micro-price by at most"
        ),
    ] = 10.0
    reference_age_ms_max: Annotated[
        int, msgspec.Meta(ge=50, le=600_000, description="an older mark, index or funding rate counts as unknown, ms")
    ] = 5000
    funding_in_fair_price: Annotated[
        bool, msgspec.Meta(description="perpetual: lower the fair price by what a long pays until the interval ends")
    ] = False
    funding_interval_h: Annotated[
        float, msgspec.Meta(gt=0, le=24, description="length of the funding interval, from 00:00 UTC, h")
    ] = 8.0

    own_memory_ms: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=5000, description="a level counts as ours this long after our order left it or was wished, ms"
        ),
    ] = 200

    # -- sizes and ladder
    order_size_base: Annotated[float, _above_zero("size of a side's first level, base units; Δ of the model")] = 0.01
    levels: Annotated[int, msgspec.Meta(ge=1, le=LEVELS_MAX, description="levels of each side")] = 3
    level_spacing_ticks: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="ticks between levels")] = 5
    requote_ticks_min: Annotated[
        int,
        msgspec.Meta(
            ge=1, le=10_000,
            description="a side moves only when it would by so many ticks, ticks; 1 = always. Saves messages",
        ),
    ] = 2  # fmt: skip
    level_size_factor: Annotated[
        float, msgspec.Meta(gt=0, le=10, description="size of a level as a multiple of the level before it")
    ] = 1.0

    # -- volatility of the mid
    sigma_estimator: Annotated[
        Literal["ewma", "two_scale"],
        msgspec.Meta(description="two_scale takes out the bounce that ewma mistakes for volatility"),
    ] = "ewma"
    sigma_slow_steps: Annotated[
        int, msgspec.Meta(ge=2, le=GRID_STEPS_MAX, description="of two_scale: the slow scale, points of the grid")
    ] = 8
    sigma_prior_usd_per_sqrt_s: (
        Annotated[float, _above_zero("σ until enough is measured, $/√s; null = no quotes until then")] | None
    ) = 5.0
    sigma_halflife_s: Annotated[float, _above_zero("time in which a return's weight halves, s")] = 60.0
    sigma_grid_ms: Annotated[
        int, msgspec.Meta(ge=1, le=60_000, description="clock grid on which mids are sampled, ms")
    ] = 250
    sigma_gap_ms_max: Annotated[
        int, msgspec.Meta(ge=10, le=3_600_000, description="a longer gap between books is an outage, no return, ms")
    ] = 10_000
    sigma_samples_min: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000, description="returns needed before the estimate replaces the prior")
    ] = 120
    sigma_min_usd_per_sqrt_s: Annotated[float, _above_zero("floor of σ as used, $/√s")] = 0.1
    sigma_max_usd_per_sqrt_s: Annotated[float, _above_zero("ceiling of σ as used, $/√s")] = 200.0

    # -- arrivals: orders reach depth δ at the rate A·exp(−κδ)
    arrival_rate_prior_per_s: Annotated[float, _above_zero("A, 1/s, until fitted")] = 1.0
    arrival_decay_prior_per_usd: Annotated[float, _above_zero("κ, 1/$, until fitted")] = 0.5
    fit_arrivals: Annotated[bool, msgspec.Meta(description="fit A and κ to public trades")] = False
    fit_interval_ms: Annotated[
        int, msgspec.Meta(ge=10, le=60_000, description="life of one hypothetical quote, ms")
    ] = 1000
    fit_window_s: Annotated[float, _above_zero("time in which an interval's weight falls by e, s")] = 600.0
    fit_every_s: Annotated[float, _above_zero("time between fits, s")] = 10.0
    fit_depths: Annotated[
        int, msgspec.Meta(ge=3, le=FIT_DEPTHS_MAX, description="depths of the grid, near the touch")
    ] = 20
    fit_depth_step_ticks: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="ticks between depths")] = 1
    fit_intervals_min: Annotated[
        float, msgspec.Meta(ge=1, le=1e9, description="weight of intervals, in intervals, before the first fit")
    ] = 120.0
    fit_r2_min: Annotated[float, msgspec.Meta(ge=0, le=1, description="a worse fit is thrown away")] = 0.7
    fit_rate_per_s_min: Annotated[float, _above_zero("least A that a fit may give, 1/s")] = 0.001
    fit_rate_per_s_max: Annotated[float, _above_zero("largest A that a fit may give, 1/s")] = 1000.0
    fit_decay_per_usd_min: Annotated[float, _above_zero("least κ that a fit may give, 1/$")] = 0.001
    fit_decay_per_usd_max: Annotated[float, _above_zero("largest κ that a fit may give, 1/$")] = 100.0

    depth_proxy: Annotated[
        bool, msgspec.Meta(description="κ from the shape of the order book while there is no fit")
    ] = False
    depth_proxy_average_s: Annotated[float, _above_zero("time constant of that κ, s")] = 60.0

    # -- adjustments; more of them in [strategy.shaping]
    inventory_weight: Annotated[
        float, msgspec.Meta(ge=0, le=100, description="multiplies the model's skew; 0 = no skew")
    ] = 1.0
    underlying_inventory_weight: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=1,
            description="what the skew looks at: 0 = the own position, 1 = the net delta of the underlying "
            "over all instruments, between = a mix",
        ),
    ] = 0.0  # fmt: skip
    fee_floor: Annotated[bool, msgspec.Meta(description="keep the half-spread above fee and margin")] = True
    fee_maker_bps: Annotated[
        float, msgspec.Meta(ge=-100, le=100, description="the venue's maker fee, bps of notional; rebates negative")
    ] = 1.0
    fee_margin_bps: Annotated[
        float, msgspec.Meta(ge=0, le=1000, description="profit wanted from a round trip, bps of notional")
    ] = 0.0
    half_spread_min_usd: Annotated[float, _from_zero("floor of the half-spread, $")] = 0.5
    half_spread_max_usd: Annotated[float, _above_zero("ceiling of the half-spread, $")] = 500.0
    position_soft_base: Annotated[
        float, _from_zero("|position| above which the side that adds to it shrinks, base units")
    ] = 0.03
    position_hard_base: Annotated[
        float, _above_zero("|position| that quotes may lead to; the side that adds is off there, base units")
    ] = 0.05

    # -- when not to quote
    book_age_ms_max: Annotated[
        int,
        msgspec.Meta(ge=50, le=600_000, description="longest silence of the feed (any message counts), ms"),
    ] = 750
    wish_refresh_ms: Annotated[
        int, msgspec.Meta(ge=10, le=10_000, description="an unchanged wish is written again after this time, ms")
    ] = 100

    shaping: ShapingConfig = ShapingConfig()
    signals: SignalsConfig = SignalsConfig()

    def __post_init__(self) -> None:
        pairs = (
            ("sigma_min_usd_per_sqrt_s", "sigma_max_usd_per_sqrt_s"),
            ("fit_rate_per_s_min", "fit_rate_per_s_max"),
            ("fit_decay_per_usd_min", "fit_decay_per_usd_max"),
            ("half_spread_min_usd", "half_spread_max_usd"),
            ("position_soft_base", "position_hard_base"),
        )
        for low, high in pairs:
            if not getattr(self, low) <= getattr(self, high):
                raise ValueError(
                    f"{low} = {getattr(self, low)} must not be above {high} = {getattr(self, high)}: "
                    "change one of the two"
                )
        self._check_grid()
        self._check_signals()
        if self.sigma_gap_ms_max < self.sigma_grid_ms:
            raise ValueError(
                f"sigma_gap_ms_max = {self.sigma_gap_ms_max} must not be below sigma_grid_ms = "
                f"{self.sigma_grid_ms}: every return would count as an outage"
            )

    def _check_grid(self) -> None:
        orders = self.position_hard_base / self.order_size_base
        if self.model in TABLE_MODELS and orders > ORDERS_MAX:
            raise ValueError(
                f"model {self.model} is solved for at most {ORDERS_MAX} orders a side, but position_hard_base = "
                f"{self.position_hard_base} is {orders:.0f} times order_size_base = {self.order_size_base}: "
                "lower the one or raise the other"
            )

    def _check_signals(self) -> None:
        wanting = {
            "shaping.regime_filter": self.shaping.regime_filter,
            "shaping.flow_widening_max": self.shaping.flow_widening_max > 0,
            "drift_momentum_usd_per_s": self.drift_momentum_usd_per_s > 0,
        }
        for name, is_wanting in wanting.items():
            if is_wanting and not self.signals.is_enabled:
                raise ValueError(f"{name} needs the signals: set signals.is_enabled = true, or switch it off")

    def with_values(self, changes: dict[str, object]) -> QuotingConfig:
        """Return a copy with `changes` (dotted name to value), checked like a configuration file.

        A preset among them brings all its values, but for those that `changes` has itself.

        Raises:
            ConfigError: for an unknown name, a value out of range or one that contradicts another.
        """
        preset = PRESETS.get(str(changes.get("preset")), {})
        tree = overlaid(msgspec.to_builtins(self), nested({**preset, **changes}))
        try:
            return msgspec.convert(tree, QuotingConfig)
        except msgspec.ValidationError as error:
            raise ConfigError(f"[strategy] {explain(str(error), tree, QuotingConfig)}") from error
