"""The two roles of the signals in a QUOTER record: their parameters, and their memory with the outputs."""

from __future__ import annotations

from trading.signals.config import CANDLES_KEPT, FLOW_BUCKETS
from trading.words import Words, floats, ints, role

# Of every parameter the field has the name of the configuration; converted are volumes, times and EMA weights.
SIGNAL_PARAMS = role(
    [
        *ints(
            "is_enabled",
            "use_momentum",
            "use_reversal",
            "use_volatility",
            "use_exhaustion",
            "use_flow_imbalance",
            "use_trend",
            "use_mean_reversion",
            "use_user",
            "candle_age_ns_max",
            "candles_min",
            "window_candles",
            "flow_bucket_ns",
            "bar_ns",
            "adx_bars",
            "trend_slow_bars",
            "gap_ns_max",
        ),
        *floats(
            "tick_size",  # $
            "candle_volume",  # size units, as trades show them
            "delta_fast_weight",  # α = 2/(n + 1) of an EMA
            "delta_slow_weight",
            "momentum_gain",
            "momentum_sensitivity",
            "reversal_gain",
            "reversal_delta_gain",
            "reversal_sensitivity",
            "volatility_range_gain",
            "volatility_sensitivity",
            "exhaustion_delta_min",
            "exhaustion_delta_gain",
            "trend_fast_weight",
            "trend_slow_weight",
            "trend_full_atr",
            "reversion_full_atr",
            "adx_trending",
            "reservation_price_sensitivity",
            "shift_half_spreads_max",
            "gamma_added_max",
            "sigma_added_max",
            "decay_cut_max",
            "size_cut_max",
        ),
    ]
)

# What the candle log and its report name; the outputs of SIGNALS that say something about the price to come.
DIRECTED = ("momentum", "reversal", "exhaustion", "flow_imbalance", "trend", "mean_reversion", "user_signal")
UNDIRECTED = ("volatility", "adx", "trade_intensity_per_s")

# Every field counts for the state's hash and is kept over a restart of strategy.
SIGNALS = role(
    [
        *ints(
            "is_warm",  # 1 = the signals of candles may be used
            "candles",  # closed so far
            "fresh_candles",  # of those, since the start or the last gap: no signal looks across a gap
            "last_time_ns",  # of the newest book or trade; 0 = none
            # the open candle; its start is 0 when no trade has opened it
            "open_candle_time_ns",
            "open_candle_trades",
            # flow by buckets of time
            "flow_time_ns",  # start of the newest bucket; 0 = none
            "flow_start_ns",  # since when flow is known
            "flow_bucket",  # index of the newest bucket
            # bars of mids
            "bar_time_ns",  # start of the open bar; 0 = none
            "bars",  # closed since the start or the last gap
        ),
        *floats(
            # outputs of candles
            "momentum",  # -1 to 1
            "reversal",  # 0 to 1
            "reversal_direction",  # -1, 0 or 1
            "volatility",  # 0 to 1
            "exhaustion",  # 0 to 1
            "exhaustion_direction",  # -1, 0 or 1
            "user_signal",  # -1 to 1, of the user's function; 0 without one
            # outputs of flow
            "flow_imbalance",  # -1 (all selling) to 1
            "trade_intensity_per_s",
            # outputs of bars
            "trend",  # -1 to 1
            "mean_reversion",  # -1 to 1
            "adx",  # 0 to 100; 0 until warm
            "atr",  # $; 0 until warm
            # what quoting takes over, all 0 when nothing is to change
            "shift_half_spreads",  # reservation price += this · half-spread
            "gamma_added",  # γ ·= 1 + this
            "sigma_added",  # σ ·= 1 + this
            "decay_cut",  # κ ·= 1 - this
            "bid_size_cut",  # sizes of bids ·= 1 - this
            "ask_size_cut",
            # memory
            "mid",  # $, newest
            "mid_after",  # first one after the newest candle has closed; 0 = none yet
            "mid_after_previous",  # the same of the candle before it, as it was when the newest closed
            "open_candle_open",  # $
            "open_candle_high",
            "open_candle_low",
            "open_candle_close",
            "open_candle_bought",  # size units, by aggressive buyers
            "open_candle_sold",
            "flow_bought_sum",  # of the window, size units
            "flow_sold_sum",
            "flow_trades_sum",
            "delta_fast",  # EMAs of δ
            "delta_slow",
            "bar_open",  # $
            "bar_high",
            "bar_low",
            "last_bar_high",
            "last_bar_low",
            "last_bar_close",
            "range_sum",  # Wilder's sums: true range, +DM, -DM, $
            "up_sum",
            "down_sum",
            "dx_sum",  # of the first DX values, until ADX starts
            "close_fast",  # EMAs of closes, $
            "close_slow",
        ),
        # closed candles: the i-th since the start stands at i mod CANDLES_KEPT
        Words("candle_time_ns", "i8", CANDLES_KEPT),  # of its last trade or, when age closed it, of that moment
        Words("candle_open", "f8", CANDLES_KEPT),
        Words("candle_high", "f8", CANDLES_KEPT),
        Words("candle_low", "f8", CANDLES_KEPT),
        Words("candle_close", "f8", CANDLES_KEPT),
        Words("candle_bought", "f8", CANDLES_KEPT),
        Words("candle_sold", "f8", CANDLES_KEPT),
        Words("flow_bought", "f8", FLOW_BUCKETS),
        Words("flow_sold", "f8", FLOW_BUCKETS),
        Words("flow_trades", "f8", FLOW_BUCKETS),
    ]
)
