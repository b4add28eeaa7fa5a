"""Quotes and orders, numbers 100 to 199: the wish, why it is so, and what became of our orders."""

from __future__ import annotations

from domain.schema.fields import Field, RecordType, floats, ints

QUOTE_LEVELS_MAX = 10

LADDER = [  # what rests, or shall, on both sides
    *ints(("bid_count", "levels of the bid side"), ("ask_count", "levels of the ask side")),
    Field("bid_price_ticks", "i8", "best first", QUOTE_LEVELS_MAX),
    Field("bid_size_lots", "i8", "unsigned", QUOTE_LEVELS_MAX),
    Field("ask_price_ticks", "i8", "best first", QUOTE_LEVELS_MAX),
    Field("ask_size_lots", "i8", "unsigned", QUOTE_LEVELS_MAX),
]

WISH = RecordType(
    "wish",
    100,
    "The quotes that strategy wants resting now; execution brings the venue to the newest one.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("wish_id", "grows by one with every wish of an instrument"),
            ("strategy_epoch", "writer epoch of the strategy that wrote it"),
            ("book_position", "position in the books ring that it was computed from"),
            (
                "source_time_ns",
                "receive_time_ns of the book that caused it: the start of tick_to_order; 0 = no book did",
            ),
            ("computed_time_ns", "monotonic, when it was written"),
            ("explanation_position", "position of its explanation in the explanations ring"),
            ("position_lots", "signed, that it was made for: fills since then have used up a part of it"),
            ("bid_off_reason", "0 = quoted, else an OffReason"),
            ("ask_off_reason", "0 = quoted, else an OffReason"),
        ),
        *LADDER,
    ],
)

EXPLANATION = RecordType(
    "explanation",
    101,
    "How a wish came about: every term of the quote, each clamp, which limit binds.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("wish_id", "the wish explained"),
            ("computed_time_ns", "monotonic"),
            ("computed_realtime_ns", "wall clock, Unix ns"),
            ("book_position", "position in the books ring"),
            ("trade_position", "public trades seen so far (positions of the trades ring)"),
            ("params_hash", "hash of the parameter record"),
            ("state_hash", "hash of the state record after this quote"),
            ("clamp_flags", "bits of ClampFlag"),
            ("bid_off_reason", "0 = quoted, else an OffReason"),
            ("ask_off_reason", "0 = quoted, else an OffReason"),
            ("sigma_is_measured", "1 = estimated, 0 = prior"),
            ("arrivals_are_measured", "1 = A and κ were fitted to trades, 2 = κ to the book, 0 = priors"),
            ("impact_is_measured", "1 = estimated from public trades, 0 = as configured"),
            ("position_lots", "signed holdings"),
            ("best_bid_ticks", "touch without our own size"),
            ("best_ask_ticks", "touch without our own size"),
            ("quote_bid_ticks", "our best bid after rounding; 0 when off"),
            ("quote_ask_ticks", "our best ask after rounding; 0 when off"),
        ),
        *floats(
            ("mid_price", "without our own size, quote currency"),
            ("micro_price", "without our own size, quote currency"),
            ("fair_price", "the price that the model centres on"),
            ("reservation_price", "fair price shifted by inventory"),
            ("position", "signed, base units"),
            ("net_delta", "of the underlying over all instruments, base units; NaN when not known"),
            ("inventory", "what the skew looks at, base units: position, net delta, or a mix"),
            ("sigma", "quote currency per √s, as used"),
            ("arrival_rate", "A, 1/s, as used"),
            ("arrival_decay", "κ, 1/quote currency, as used"),
            ("risk_aversion", "γ, 1/quote currency, as used"),
            ("half_spread_model", "quote currency, the model's own"),
            ("half_spread_fee_floor", "quote currency, least that covers fees and margin"),
            ("half_spread", "quote currency, after every adjustment of both sides"),
            ("skew_per_unit", "quote currency per base unit held"),
            ("skew", "quote currency, the shift that the position makes"),
            ("mark_price", "quote currency, as the venue sends it; NaN = unknown or old"),
            ("index_price", "quote currency; NaN = unknown or old"),
            ("basis", "average of mid - index, quote currency"),
            ("funding", "quote currency that the fair price lost to funding"),
            ("horizon_s", "s to go, of the models that have a horizon"),
            ("drift", "expected drift of the mid, quote currency per s"),
            ("drift_shift", "quote currency"),
            ("gamma_factor", "what volatility over its base made of the configured risk aversion"),
            ("market_stress", "1 = none"),
            ("gamma_signal_factor", "what the signals made of risk aversion"),
            ("sigma_signal_factor", "what the signals made of volatility"),
            ("decay_signal_factor", "what the signals made of the arrival decay"),
            ("impact_per_base", "quote currency that the mid moves for a base unit traded, measured or configured"),
            ("impact_error", "its standard error"),
            ("market_impact", "quote currency added to the half-spread for it; 0 when switched off"),
            ("flow_factor", "of the half-spread, for one-sided flow"),
            ("trade_intensity_per_s", "public trades per second of the signals' flow window; NaN while they are off"),
            ("signal_shift", "quote currency, of the reservation price"),
            ("inventory_cost", "quote currency, shift for the time that the position was held"),
            ("displacement_factor", "of both half-spreads, after a move"),
            ("bid_asymmetry_factor", "of the bid's half-spread, for the short-term move"),
            ("ask_asymmetry_factor", "of the ask's half-spread"),
            ("bid_fill_factor", "of the bid's half-spread, for one-sided fills"),
            ("ask_fill_factor", "of the ask's half-spread"),
            ("bid_size_factor", "what the signals made of the bids' sizes"),
            ("ask_size_factor", "what the signals made of the asks' sizes"),
            ("bid_price", "quote currency, before it is rounded and kept off the book"),
            ("ask_price", "quote currency, before it is rounded and kept off the book"),
        ),
    ],
)

ORDER_EVENT = RecordType(
    "order_event",
    102,
    "What happened to one of our orders, written by execution: answers, fills, cancels.",
    [
        *ints(
            ("kind", "an OrderEventKind"),
            ("instrument", "row of the instruments table"),
            ("client_order_id", "ours"),
            ("side", "+1 buy, -1 sell"),
            ("price_ticks", "limit price; of a fill its own price"),
            ("size_lots", "total size of the order; of a fill its own size"),
            ("remaining_lots", "still working after this event"),
            ("position_lots", "signed holdings after this event"),
            ("leg_index", "of a fill; 0 for single instruments"),
            ("liquidity_side", "of a fill: 1 maker, 2 taker"),
            ("venue_code", "error code of a rejection"),
            ("exchange_time_ns", "venue's stamp, Unix ns; 0 when none"),
            ("local_time_ns", "monotonic"),
            ("local_realtime_ns", "wall clock, Unix ns"),
            ("wish_id", "the wish that led to it; 0 when none did"),
        ),
        Field("venue_order_id", "text", "theirs"),
        Field("trade_id", "text", "of a fill"),
        Field("reason", "text", "of a cancel: the venue's word for it; empty when it gave none"),
    ],
)

STRATEGY_STATE_WORDS = 3072
STRATEGY_STATE = RecordType(
    "strategy_state",
    103,
    "A copy of a quoter's state, for a strategy that is restarted. Two rows an instrument, written in turn.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("generation", "grows by one with every copy: of two good ones the larger is newer"),
            ("strategy_epoch", "start of the strategy that saved it"),
            ("is_resumed", "1 when that start itself began from a copy"),
            ("started_time_ns", "monotonic, when that start began"),
            ("saved_time_ns", "monotonic"),
            ("layout_hash", "of the state's fields; a copy of another layout is not taken"),
            ("checksum", "hash of `words`"),
        ),
        Field("words", "i8", "the state, see trading/quoting/records.py", STRATEGY_STATE_WORDS),
    ],
)

HEDGE = RecordType(
    "hedge",
    104,
    "The hedge of one underlying, a row for each section [hedge.UNDERLYING]; written by the strategy that decides it.",
    [
        Field("underlying", "text", "as the configuration names it"),
        *ints(
            ("instrument", "what is traded: row of the instruments table"),
            ("updated_time_ns", "monotonic"),
            ("state", "a HedgeState: 1 idle, 2 under way, 3 in the pause after one"),
            ("hedges", "begun by this start of the strategy"),
        ),
        *floats(
            ("net_delta", "base units of the traded instrument; NaN while not known"),
            ("target", "net delta that a hedge leads to"),
            ("band", "distance from the target at which one begins"),
            ("last_hedged", "signed size that the last one traded"),
        ),
    ],
)

QUOTE_INPUT_WORDS = 3072
QUOTE_INPUTS = RecordType(
    "quote_inputs",
    105,
    "Everything that the quote of one wish was computed from, for computing it again; only where a recorder runs.",
    [
        *ints(
            ("instrument", "row of the instruments table"),
            ("wish_id", "the wish computed from it"),
            ("explanation_position", "position of its explanation in the explanations ring"),
            ("computed_realtime_ns", "wall clock, Unix ns"),
            ("words_used", "of `words`"),
        ),
        Field("words", "i8", "roles of a quoter before the quote, see trading/quoting/inputs.py", QUOTE_INPUT_WORDS),
    ],
)
