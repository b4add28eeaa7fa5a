"""What a quoter's kernels work on: one dtype for each role, all of 8-byte words at explicit offsets.

A quoter owns one QUOTER record, which holds all roles side by side, so that a call hands over a single array
(0.3 µs from Python; an array for each role 1.9)::

    params | signal_params | state | signals | table | moment | book | ticker | account | limits | ladder | wish |
    explanation | market

`params` and `signal_params` come from the configuration and the instrument; `state`, `signals` and `table` are all
that kernels remember from call to call, and are kept over a restart; `moment` is what the caller knows of the
present; `book`, `ticker`, `account`, `limits`, `wish`, `explanation` and `market` have the layout of the shared records
of the same name, so that they are copied without a look inside.
"""

from __future__ import annotations

import numpy as np

from domain.records import ACCOUNT, BOOK, EXPLANATION, LIMITS, QUOTE_LEVELS_MAX, SHARED_MARKET_DATA, TICKER, WISH
from trading.quoting.config import FIT_DEPTHS_MAX, GRID_STEPS_MAX, ORDERS_MAX
from trading.quoting.shaping.config import FILLS_MAX, MOVES_MAX, PATH_SLOTS
from trading.signals.records import SIGNAL_PARAMS, SIGNALS
from trading.words import WORD_BYTES, Words, floats, ints, role

OWN_LEVELS_MAX = 20  # of a side: working now, just cancelled, and just wished for

NODES_MAX = 2 * ORDERS_MAX + 1

GLFT = 1
AVELLANEDA_STOIKOV = 2
AVELLANEDA_STOIKOV_EXACT = 3
CARTEA_JAIMUNGAL = 4

IMPACT_SUMS = 9  # sums that impact.py keeps; that module compiles kernels, and this one is imported before it may

XI_IS_GAMMA = -1.0  # in place of ξ
PENALTY_OF_GAMMA = -1.0  # in place of φ: γσ²/2

FAIR_MID = 1
FAIR_MICRO = 2
FAIR_MARK = 3
FAIR_INDEX = 4
FAIR_VAMP = 5


PARAMS = role(
    [
        *ints(
            "model",
            "fair_kind",
            "vamp_levels",
            "order_lots",
            "order_lots_min",
            "levels",
            "requote_ticks_min",
            "sigma_grid_ns",
            "sigma_gap_ns_max",
            "sigma_samples_min",
            "fit_arrivals",
            "fit_interval_ns",
            "fit_every_ns",
            "fit_depths",
            "fit_depth_step_ticks",
            "fee_floor",
            "position_soft_lots",
            "position_hard_lots",
            "book_age_ns_max",
            "limits_age_ns_max",
            "own_memory_ns",
            "wish_refresh_ns",
            # models
            "has_session_end",
            "session_end_ns",  # since midnight UTC
            "grid_orders",  # Q of the models solved on a grid
            "reference_age_ns_max",
            "funding_in_fair_price",
            "funding_interval_ns",
            "sigma_is_two_scale",
            "sigma_slow_steps",
            "depth_proxy",
            # shaping: switches have the names of the configuration
            "tick_filter",
            "tick_filter_ticks",
            "dynamic_gamma",
            "market_stress",
            "market_impact",
            "measure_impact",
            "impact_interval_ns",
            "impact_samples_min",
            "inventory_cost",
            "displacement_guard",
            "displacement_slot_ns",
            "asymmetric_widening",
            "asymmetry_ticks",
            "fill_imbalance",
            "fill_imbalance_window",
            "fill_imbalance_fills_min",
            "fill_imbalance_age_ns_max",
            "post_fill_pause",
            "post_fill_pause_ns",
            "regime_filter",
        ),
        Words("level_offset_ticks", "i8", QUOTE_LEVELS_MAX),  # from the first level
        Words("level_size", "f8", QUOTE_LEVELS_MAX),  # in first orders
        *floats(
            "tick_size",  # $
            "lot_size",  # size units, as the book shows them
            "lot_base",  # base units for one lot
            "risk_aversion",  # γ, 1/$
            "xi",  # ξ, 1/$; below 0 = γ
            "horizon_s",  # τ
            "order_size",  # Δ, base units
            "sigma_prior",  # $/√s; 0 = none
            "sigma_halflife_s",
            "sigma_min",
            "sigma_max",
            "arrival_rate_prior",  # A, 1/s
            "arrival_decay_prior",  # κ, 1/$
            "fit_window_s",
            "fit_intervals_min",
            "fit_r2_min",
            "fit_rate_min",
            "fit_rate_max",
            "fit_decay_min",
            "fit_decay_max",
            "inventory_weight",
            "underlying_inventory_weight",
            "fee_maker",  # fraction of notional
            "fee_margin",  # fraction of notional, for a round trip
            "half_spread_min",  # $
            "half_spread_max",
            "drift",  # μ, $/s
            "drift_momentum",  # $/s at momentum 1
            "drift_half_spreads_max",
            "running_penalty",  # φ, $ per base² and s; below 0 = γσ²/2
            "terminal_penalty",  # α, $ per base²
            "table_tolerance",
            "mark_weight",
            "basis_average_s",
            "fair_offset_max",  # part of the price
            "depth_proxy_average_s",
            "tick_filter_move_max",  # part of the price
            "tick_filter_average_s",
            "gamma_sigma_base",  # $/√s; 0 = the slow average
            "gamma_factor_min",
            "gamma_factor_max",
            "market_stress_max",
            "stress_fast_s",
            "stress_slow_s",
            "flow_widening_max",
            "impact",  # $ per base unit, as configured
            "impact_prior_error",  # its standard error
            "impact_halflife_s",
            "impact_min",  # $ per base unit
            "impact_max",
            "inventory_cost_per_base_sqrt_s",
            "inventory_cost_half_spreads_max",
            "displacement_move_min",  # part of the price
            "displacement_widening",  # per part of the price above
            "displacement_factor_max",
            "asymmetry_move_min",  # part of the price
            "asymmetry_factor",
            "fill_imbalance_share_min",
            "fill_imbalance_factor",
            "regime_adx_max",
            "regime_trend_min",
        ),
    ]
)

# Every field counts for the state's hash and is kept over a restart of the strategy.
STATE = role(
    [
        *ints(
            "is_book_usable",  # both sides hold something that is not ours
            "book_time_ns",  # receive time of the newest book
            "best_bid_ticks",  # touch without our own size
            "best_ask_ticks",
            "sigma_anchor_time_ns",  # last point of the grid; 0 = none
            "sigma_samples",
            "fit_start_time_ns",  # start of the hypothetical quote's life; 0 = none
            "fit_next_time_ns",
            "fits",  # good ones so far
            "arrivals_bounded",  # 1 = the last good fit was held by its bounds
            "trades",  # public trades seen
            "fills",
            "fill_time_ns",
            "fill_side",  # of the last fill
            "quote_bid_ticks",  # our first bid wanted last; 0 = it was off
            "quote_ask_ticks",
            "average_time_ns",  # of the newest book in the averages; 0 = the clock starts anew
            "sigma_points",  # of the grid since it began, for the slow scale
            "tick_refused",  # books refused in a row; 0 = the newest was taken
            "path_slot",  # index of the newest mid in `path_mid`
            "path_slots",  # filled ones
            "path_time_ns",  # when that slot began
            "moves",  # changes of the mid so far
            "ring_fills",  # fills taken into the ring so far
            "bid_fill_time_ns",  # of the last fill of a bid; 0 = none
            "ask_fill_time_ns",
            "basis_is_known",
            "held_since_ns",  # when the position got its sign
            "held_sign",
            "impact_start_time_ns",  # start of the open interval; 0 = none
            "impact_intervals",  # closed since the grid began
            "impact_samples",  # of all, those with trades in them or in the one before
            "impact_is_known",
        ),
        *floats(
            "best_bid_size",
            "best_ask_size",
            "mid",
            "micro",
            "vamp",  # $; only where it is the fair price
            "sigma_anchor_mid",
            "sigma_last_mid",
            "sigma_variance",  # EWMA of ΔS²/Δt, $²/s
            "fit_mid",  # mid at posting time
            "fit_reach_bid",  # farthest trade below it, $
            "fit_reach_ask",  # farthest trade above it, $
            "fit_intervals",  # weighted count of sides × intervals
            "fit_r2",  # of the last fit tried
            "arrival_rate",  # A of the last good fit
            "arrival_decay",  # κ of the last good fit
            "bought",  # base units
            "sold",
            "sigma_slow_variance",  # EWMA of ΔS²/Δt over the slow scale, $²/s
            "depth_decay",  # κ of the depth proxy, 1/$; 0 = none yet
            "basis",  # average of mid − index, $
            "tick_average",  # of mids that were taken, $; 0 = none yet
            "tick_candidate",  # of mids refused in a row, $
            "path_last_mid",
            "spread_fast",  # averages of the touch's spread, $
            "spread_slow",
            "depth_fast",  # averages of the size on all levels, without ours, size units
            "depth_slow",
            "sigma_slow",  # average of σ, $/√s
            "impact_start_mid",
            "impact_last_mid",
            "impact_flow",  # bought − sold by takers in the open interval, size units
            "impact_flow_before",  # the same of the interval before it, base units
            "impact_now",  # $ per base unit, within an interval
            "impact_later",  # what the next one adds
            "impact_error",  # standard error of their sum
            "impact_r2",
        ),
        Words("impact_sums", "f8", IMPACT_SUMS),  # weighted; see impact.py
        Words("sigma_grid_mid", "f8", GRID_STEPS_MAX + 1),  # the mid at the last points of the grid
        Words("path_mid", "f8", PATH_SLOTS),
        Words("move_mid", "f8", MOVES_MAX),
        Words("ring_fill_side", "i8", FILLS_MAX),
        Words("ring_fill_time_ns", "i8", FILLS_MAX),
        Words("fit_reached", "f8", FIT_DEPTHS_MAX),  # weighted count of quotes reached, by depth
        # levels that are or just were ours, each until a time; see touch.py
        Words("own_bid_ticks", "i8", OWN_LEVELS_MAX),
        Words("own_bid_lots", "i8", OWN_LEVELS_MAX),
        Words("own_bid_until_ns", "i8", OWN_LEVELS_MAX),
        Words("own_ask_ticks", "i8", OWN_LEVELS_MAX),
        Words("own_ask_lots", "i8", OWN_LEVELS_MAX),
        Words("own_ask_until_ns", "i8", OWN_LEVELS_MAX),
    ]
)

# The inputs that a solved grid stands for; the first five must fit exactly, the others within the tolerance.
TABLE_INPUTS = (
    "model", "orders", "order_size", "terminal_penalty", "xi_is_gamma",
    "sigma", "rate", "decay", "gamma", "xi", "running_penalty", "horizon_s", "drift",
)  # fmt: skip

TABLE = role(
    [
        *ints(
            "nodes",  # 2Q + 1; 0 = nothing is solved
            "solves",
            "is_wanted",  # 1 = the model in use is solved on a grid, and `wanted` holds its inputs
        ),
        Words("wanted", "f8", len(TABLE_INPUTS)),
        Words("solved", "f8", len(TABLE_INPUTS)),
        Words("bid_depth", "f8", NODES_MAX),  # $ from the fair price, by position
        Words("ask_depth", "f8", NODES_MAX),
    ]
)

MOMENT = role(
    [
        *ints(
            "now_ns",
            "realtime_ns",
            "instrument",
            "strategy_epoch",
            "book_position",
            "trade_position",
            "params_hash",
            "is_paused",
            "is_stopping",
            "instrument_off",  # an OffReason: the venue removed or changed the instrument; 0 = it did not
            "is_connected",  # the feed is subscribed
            "alive_time_ns",  # last sign of life of the feed, monotonic
            "write_now",  # 1 = write the wish even when it has not changed
            "is_net_delta_known",  # 1 = the venue has confirmed every position that counts for it
            "is_touch_known",  # 1 = a replay: the state has the touch of the newest book, which shows none of ours
        ),
        *floats("net_delta"),  # of the underlying over all instruments, base units
    ]
)

LADDER = role(
    [
        *ints("bid_count", "ask_count", "bid_off_reason", "ask_off_reason", "clamp_flags"),
        Words("bid_price_ticks", "i8", QUOTE_LEVELS_MAX),
        Words("bid_size_lots", "i8", QUOTE_LEVELS_MAX),
        Words("ask_price_ticks", "i8", QUOTE_LEVELS_MAX),
        Words("ask_size_lots", "i8", QUOTE_LEVELS_MAX),
    ]
)

ROLES: dict[str, np.dtype[np.void]] = {
    "params": PARAMS,
    "signal_params": SIGNAL_PARAMS,
    "state": STATE,
    "signals": SIGNALS,
    "table": TABLE,
    "moment": MOMENT,
    "book": BOOK.dtype,
    "ticker": TICKER.dtype,
    "account": ACCOUNT.dtype,
    "limits": LIMITS.dtype,
    "ladder": LADDER,
    "wish": WISH.dtype,
    "explanation": EXPLANATION.dtype,
    "market": SHARED_MARKET_DATA.dtype,
}


def _merged() -> np.dtype[np.void]:
    offsets = []
    size = 0
    for dtype in ROLES.values():
        offsets.append(size)
        size += dtype.itemsize
    layout = {"names": list(ROLES), "formats": list(ROLES.values()), "offsets": offsets, "itemsize": size}
    return np.dtype(layout)  # type: ignore[call-overload, no-any-return]


QUOTER = _merged()


def words_of(role: str) -> slice:
    """Return where the words of `role` stand in a QUOTER record."""
    dtype, offset = QUOTER.fields[role][:2]  # type: ignore[index]
    return slice(offset // WORD_BYTES, (offset + dtype.itemsize) // WORD_BYTES)


def word_of(role: str, field: str) -> int:
    """Return the index of the first word of a role's field in a QUOTER record."""
    return int(words_of(role).start) + int(ROLES[role].fields[field][1]) // WORD_BYTES  # type: ignore[index]


def _span(first: str, last: str) -> slice:
    """Return the words of neighbouring roles."""
    return slice(words_of(first).start, words_of(last).stop)


CONFIGURED = _span("params", "signal_params")  # what the parameters' hash covers
KEPT = _span("state", "table")  # what the state's hash covers and a restart keeps
KEPT_FIRST_WORD = KEPT.start
KEPT_WORDS = KEPT.stop - KEPT.start
KEPT_LAYOUT = repr(
    [ROLES[name].descr for name in ("state", "signals", "table")]
)  # another text = other meanings of the words
