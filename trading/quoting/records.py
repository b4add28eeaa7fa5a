"""What a quoter's kernels work on: one dtype for each role, all of 8-byte words at explicit offsets.

A quoter owns one QUOTER record, which holds all roles side by side, so that a call hands over a single array
(0.3 µs from Python; an array for each role 1.9)::

    params | signal_params | state | signals | moment | book | ticker | account | limits | ladder | wish | explanation

`params` and `signal_params` come from the configuration and the instrument; `state` and `signals` are all that
kernels remember from call to call, and are kept over a restart; `moment` is what the caller knows of the present;
`book`, `ticker`, `account`, `limits`, `wish` and `explanation` have the layout of the shared records of the same
name, so that they are copied without a look inside.
"""

from __future__ import annotations

import numpy as np

from domain.records import ACCOUNT, BOOK, EXPLANATION, LIMITS, QUOTE_LEVELS_MAX, TICKER, WISH
from trading.quoting.config import FIT_DEPTHS_MAX
from trading.signals.records import SIGNAL_PARAMS, SIGNALS
from trading.words import WORD_BYTES, Words, floats, ints, role

OWN_LEVELS_MAX = 16  # of a side: working now, just cancelled, and just wished for

GLFT = 1
AVELLANEDA_STOIKOV = 2


PARAMS = role(
    [
        *ints(
            "model",
            "fair_is_micro",
            "order_lots",
            "order_lots_min",
            "levels",
            "level_spacing_ticks",
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
        ),
        *floats(
            "tick_size",  # $
            "lot_size",  # size units, as the book shows them
            "lot_base",  # base units for one lot
            "risk_aversion",  # γ, 1/$
            "xi",  # ξ, 1/$
            "horizon_s",  # τ
            "order_size",  # Δ, base units
            "level_size_factor",
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
        ),
        *floats(
            "best_bid_size",
            "best_ask_size",
            "mid",
            "micro",
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
        ),
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
    "moment": MOMENT,
    "book": BOOK.dtype,
    "ticker": TICKER.dtype,
    "account": ACCOUNT.dtype,
    "limits": LIMITS.dtype,
    "ladder": LADDER,
    "wish": WISH.dtype,
    "explanation": EXPLANATION.dtype,
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
KEPT = _span("state", "signals")  # what the state's hash covers and a restart keeps
KEPT_FIRST_WORD = KEPT.start
KEPT_WORDS = KEPT.stop - KEPT.start
KEPT_LAYOUT = repr([ROLES["state"].descr, ROLES["signals"].descr])  # another text = other meanings of the words
