"""Every record that lives in shared memory, declared once.

A record is a row of 8-byte words. Word 0 is `sequence` and belongs to the ring or table that holds the
record; the rest is the payload. From this schema come the NumPy dtypes, the C header and the layout page.
Integers are int64, floats float64 (IEEE 754), text is UTF-8 padded with zero bytes.

Times: `*_time_ns` is monotonic unless its name says `realtime` or `exchange` (Unix nanoseconds).
Prices are in quote currency as the venue sends them, sizes in base units; `*_ticks` and `*_lots` are integers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

WORD_BYTES = 8
LINE_BYTES = 64
BOOK_LEVELS = 10
QUOTE_LEVELS_MAX = 10
TEXT_BYTES = 40
HISTOGRAM_BUCKETS = 640
COUNTERS_MAX = 56
LAYOUT_VERSION = 1

Kind = Literal["i8", "f8", "text"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `count` values of `kind`; `doc` gives meaning and unit."""

    name: str
    kind: Kind
    doc: str
    count: int = 1

    @property
    def words(self) -> int:
        return (TEXT_BYTES // WORD_BYTES) * self.count if self.kind == "text" else self.count


class RecordType:
    """A named list of fields with computed offsets; `dtype` has the same layout for NumPy.

    Attributes:
        name: lower-case name, unique.
        type_id: number that is never reused (0-99 market data, 100-199 quotes and orders, 200-299 account
            and risk, 300-399 control).
        dtype: structured dtype, `itemsize` a multiple of 64 bytes, explicit offsets.
    """

    def __init__(self, name: str, type_id: int, doc: str, fields: list[Field]) -> None:
        self.name = name
        self.type_id = type_id
        self.doc = doc
        self.fields = [Field("sequence", "i8", "owned by the ring or table; see the layout page"), *fields]
        self._first_word: dict[str, int] = {}
        words = 0
        for field in self.fields:
            assert field.name not in self._first_word, f"{name}.{field.name} is declared twice"
            self._first_word[field.name] = words
            words += field.words
        self.size_bytes = -(-words * WORD_BYTES // LINE_BYTES) * LINE_BYTES
        self.dtype = np.dtype(
            {
                "names": [field.name for field in self.fields],
                "formats": [_numpy_format(field) for field in self.fields],
                "offsets": [self._first_word[field.name] * WORD_BYTES for field in self.fields],
                "itemsize": self.size_bytes,
            }
        )

    def word(self, field_name: str) -> int:
        """Return the index of the field's first 8-byte word, for memoryview access."""
        return self._first_word[field_name]

    def offset(self, field_name: str) -> int:
        """Return the field's byte offset."""
        return self._first_word[field_name] * WORD_BYTES

    def schema_text(self) -> str:
        """Return one line that changes whenever the layout changes."""
        fields = ",".join(f"{f.name}:{f.kind}:{f.count}@{self.offset(f.name)}" for f in self.fields)
        return f"{self.name}#{self.type_id}[{self.size_bytes}]({fields})"

    def layout_hash(self) -> int:
        """Return a 63-bit hash of layout version and fields; stored in every segment header."""
        digest = hashlib.sha256(f"{LAYOUT_VERSION}|{self.schema_text()}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1

    def __repr__(self) -> str:
        return f"RecordType({self.name}, {self.size_bytes} bytes)"


def _numpy_format(field: Field) -> object:
    if field.kind == "text":
        return f"S{TEXT_BYTES}" if field.count == 1 else (f"S{TEXT_BYTES}", (field.count,))
    code = "<i8" if field.kind == "i8" else "<f8"
    return code if field.count == 1 else (code, (field.count,))


def _ints(*pairs: tuple[str, str]) -> list[Field]:
    return [Field(name, "i8", doc) for name, doc in pairs]


def _floats(*pairs: tuple[str, str]) -> list[Field]:
    return [Field(name, "f8", doc) for name, doc in pairs]


_STAMPS = _ints(
    ("instrument", "row of the instruments table"),
    ("exchange_time_ns", "venue's stamp, Unix ns; 0 when it sent none"),
    ("receive_time_ns", "monotonic, when the frame's callback began in market_data"),
    ("receive_realtime_ns", "wall clock, Unix ns, at the same moment"),
)

# ---- 0-99: market data -------------------------------------------------------------------------------

INSTRUMENT = RecordType(
    "instrument",
    1,
    "What market_data learned of an instrument; row number = `instrument` in every other record.",
    [
        Field("name", "text", "venue's name"),
        Field("underlying", "text", "venue's index name"),
        *_floats(
            ("tick_size", "price step, quote currency"),
            ("lot_size", "size step, base units"),
            ("contract_multiplier", "base units for one unit of size"),
        ),
        *_ints(
            ("order_lots_min", "smallest order, lots"),
            ("kind", "1 perpetual, 2 future, 3 option, 4 roll, 5 spot"),
            ("expiry_ns", "Unix ns; 0 = none"),
            ("is_ready", "1 while the venue lists it with the tick and lot size that the session began with"),
            ("off_reason", "why it is not ready: 0, else an OffReason (11 changed, 12 removed)"),
        ),
    ],
)

BOOK = RecordType(
    "book",
    2,
    "The best levels of one order book, ours included, best first; unused levels are 0.",
    [
        *_STAMPS,
        *_ints(
            ("bid_count", "filled levels of the bid side"),
            ("ask_count", "filled levels of the ask side"),
            ("is_valid", "1 = usable; 0 = crossed, resyncing or disconnected: do not quote on it"),
            ("update_count", "updates applied since the last snapshot"),
        ),
        Field("bid_price", "f8", "quote currency", BOOK_LEVELS),
        Field("bid_size", "f8", "base units", BOOK_LEVELS),
        Field("ask_price", "f8", "quote currency", BOOK_LEVELS),
        Field("ask_size", "f8", "base units", BOOK_LEVELS),
    ],
)

TICKER = RecordType(
    "ticker",
    3,
    "The venue's ticker; a value that it did not send is NaN.",
    [
        *_STAMPS,
        *_floats(
            ("mark_price", "quote currency"),
            ("index_price", "quote currency"),
            ("last_price", "quote currency"),
            ("best_bid_price", "quote currency"),
            ("best_bid_size", "base units"),
            ("best_ask_price", "quote currency"),
            ("best_ask_size", "base units"),
            ("funding_rate", "fraction for 8 hours; positive: longs pay"),
            ("collar_low", "lowest ask that the venue accepts"),
            ("collar_high", "highest bid that the venue accepts"),
            ("open_interest", "base units"),
            ("forward_price", "quote currency, of the instrument's expiry; of a perpetual as the venue sends it"),
            ("funding_mark", "quote currency for one base unit long, funding since the last settlement"),
            ("mark_volatility", "of an option, fraction a year"),
            ("delta", "base units of the underlying for one base unit"),
        ),
    ],
)

TRADE = RecordType(
    "trade",
    4,
    "One public trade.",
    [
        *_STAMPS,
        *_floats(("price", "quote currency"), ("size", "base units")),
        *_ints(("aggressor_side", "+1 the buyer crossed, -1 the seller")),
    ],
)

SHARED_MARKET_DATA = RecordType(
    "shared_market_data",
    5,
    "The least that a simple reader wants, one row an instrument, written by strategy.",
    [
        *_ints(
            ("timestamp_ns", "wall clock, Unix ns, of the book behind it"),
            ("status", "1 = live, 0 = stale or not yet known"),
        ),
        *_floats(
            ("mid", "quote currency"),
            ("bid", "best bid, quote currency"),
            ("ask", "best ask, quote currency"),
            ("bid_size", "base units"),
            ("ask_size", "base units"),
            ("volatility", "σ of the mid, quote currency per √s"),
        ),
    ],
)

FEED = RecordType(
    "feed",
    6,
    "Signs of life of the market-data connection, written by market_data.",
    [
        *_ints(
            ("is_connected", "1 while subscribed"),
            ("alive_time_ns", "monotonic, last frame of any kind (pong, index, data)"),
            ("connections", "connections made since the start of the session"),
            ("resyncs", "books thrown away and asked for again"),
        ),
    ],
)

INDEX = RecordType(
    "index",
    7,
    "A price that no order book has: an index, or the forward of one expiry; what the venue did not send is NaN.",
    [
        Field("name", "text", "venue's name of the index; of a forward INDEX.YYYY-MM-DD"),
        *_ints(
            ("kind", "1 index, 2 forward"),
            ("exchange_time_ns", "venue's stamp, Unix ns; 0 when it sent none"),
            ("receive_time_ns", "monotonic, when the frame's callback began in market_data"),
            ("receive_realtime_ns", "wall clock, Unix ns, at the same moment"),
        ),
        *_floats(
            ("price", "quote currency"),
            ("index_price", "of a forward: the index at that moment, quote currency"),
            ("index_delta", "of a forward: how far it moves with the index, 0 to 1 (falls before expiry)"),
            ("previous_settlement_price", "of an index, quote currency"),
            ("expected_expiration_price", "of an index, while today's expiry is averaged, quote currency"),
            ("expiration_progress", "of an index: part of that average which is done, 0 to 1"),
        ),
    ],
)

CANDLE = RecordType(
    "candle",
    8,
    "A closed volume candle of public trades, and the signals of strategy at its close; see docs/signals.md.",
    [
        *_ints(
            ("instrument", "row of the instruments table"),
            ("candle", "closed so far, this one included"),
            ("is_fresh", "1 = the first since the start or a gap"),
            ("is_warm", "1 = enough candles have closed for the signals"),
            ("close_time_ns", "monotonic, of the trade or the book that closed it"),
            ("close_realtime_ns", "wall clock, Unix ns, at the same moment"),
        ),
        *_floats(
            ("open", "quote currency, of the first trade"),
            ("high", "quote currency"),
            ("low", "quote currency"),
            ("close", "quote currency, of the last trade"),
            ("bought", "base units, by aggressive buyers"),
            ("sold", "base units, by aggressive sellers"),
            ("mid", "quote currency, without our own size, at the close; NaN when there was none"),
            ("momentum", "-1 to 1"),
            ("reversal", "-1 to 1, signed by its direction"),
            ("exhaustion", "-1 to 1, signed by its direction"),
            ("flow_imbalance", "-1 to 1, (bought - sold)/(bought + sold) of the flow window"),
            ("trend", "-1 to 1"),
            ("mean_reversion", "-1 to 1"),
            ("user_signal", "-1 to 1, of the user's own function; 0 without one"),
            ("volatility", "0 to 1"),
            ("adx", "0 to 100; 0 until warm"),
            ("trade_intensity_per_s", "public trades per second of the flow window"),
        ),
    ],
)

# ---- 100-199: quotes and orders ----------------------------------------------------------------------

_LADDER = [
    *_ints(("bid_count", "levels of the bid side"), ("ask_count", "levels of the ask side")),
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
        *_ints(
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
        *_LADDER,
    ],
)

EXPLANATION = RecordType(
    "explanation",
    101,
    "How a wish came about: every term of the quote, each clamp, which limit binds.",
    [
        *_ints(
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
        *_floats(
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
        *_ints(
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
        *_ints(
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
        *_ints(
            ("instrument", "what is traded: row of the instruments table"),
            ("updated_time_ns", "monotonic"),
            ("state", "a HedgeState: 1 idle, 2 under way, 3 in the pause after one"),
            ("hedges", "begun by this start of the strategy"),
        ),
        *_floats(
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
        *_ints(
            ("instrument", "row of the instruments table"),
            ("wish_id", "the wish computed from it"),
            ("explanation_position", "position of its explanation in the explanations ring"),
            ("computed_realtime_ns", "wall clock, Unix ns"),
            ("words_used", "of `words`"),
        ),
        Field("words", "i8", "roles of a quoter before the quote, see trading/quoting/inputs.py", QUOTE_INPUT_WORDS),
    ],
)

# ---- 200-299: account and risk -----------------------------------------------------------------------

ACCOUNT = RecordType(
    "account",
    200,
    "Our holdings and working orders in one instrument, as the venue confirmed them to execution.",
    [
        *_ints(
            ("instrument", "row of the instruments table"),
            ("updated_time_ns", "monotonic"),
            ("is_known", "1 once recovered from the venue; 0 = treat as exposed"),
            ("position_lots", "signed holdings"),
            ("pending_buy_lots", "sent, not yet confirmed or refused"),
            ("pending_sell_lots", "sent, not yet confirmed or refused"),
            ("fill_count", "distinct fills of this session"),
        ),
        *_LADDER,
        *_ints(
            ("session_time_ns", "monotonic, when the first wish for this instrument was seen"),
            ("bid_quoted_ns", "time with a bid open at the venue"),
            ("ask_quoted_ns", "time with an ask open at the venue"),
            ("bid_allowed_ns", "time in which no limit, pause or filter took the bid away"),
            ("ask_allowed_ns", "time in which no limit, pause or filter took the ask away"),
            ("accounted_time_ns", "monotonic, up to which the four times above are counted"),
        ),
    ],
)

# Money as the ledger has it: decimals in full, so that sums agree to the last digit.
_EXACT_PNL = [
    Field("realised_exact", "text", "decimal, quote currency, before fees"),
    Field("unrealised_exact", "text", "decimal, quote currency"),
    Field("fees_exact", "text", "decimal, quote currency, paid is positive"),
    Field("funding_exact", "text", "decimal, quote currency, received is positive"),
    Field("total_exact", "text", "decimal, quote currency: realised + unrealised - fees + funding"),
]

LIMITS = RecordType(
    "limits",
    201,
    "The limits now in force for one instrument; only risk writes it; older than 500 ms it closes the gate.",
    [
        *_ints(
            ("instrument", "row of the instruments table"),
            ("written_time_ns", "monotonic"),
            ("state", "a TradingState"),
            ("reason", "a RiskReason: why the state is not active"),
            ("is_position_known", "1 when the venue has told risk the position"),
            ("position_lots", "signed, as risk knows it from the venue"),
            ("order_lots_max", "largest single order"),
            ("position_lots_max", "largest |position| incl. working orders"),
            ("open_orders_max", "in this instrument"),
            ("order_rate_max", "inserts and amends in any one second, all instruments"),
            ("levels_max", "levels of each side that may be quoted"),
            ("duplicate_window_ns", "the same order again is refused for so long, and until the first is answered"),
            ("room_reason", "a RiskReason: which limit makes gross_notional_room what it is"),
        ),
        *_floats(
            ("order_notional_max", "quote currency"),
            ("gross_notional_room", "quote currency that new exposure may still add over all instruments"),
            ("net_long_room", "quote currency that buying may still add to the signed notional of all instruments"),
            ("net_short_room", "quote currency that selling may still take from it"),
            ("mark_price", "quote currency; NaN when unknown"),
            ("collar_low", "lowest price of any order"),
            ("collar_high", "highest price of any order"),
        ),
    ],
)

RISK = RecordType(
    "risk",
    202,
    "What risk knows of the whole account; `*_exact` sum up the rows of `pnl` with the same written_time_ns, and are "
    "empty while one of them is not known.",
    [
        *_ints(
            ("written_time_ns", "monotonic"),
            ("state", "a TradingState"),
            ("reason", "a RiskReason"),
            ("is_kill_latched", "1 until an operator resumes"),
            ("is_connected", "1 while risk's own venue connection lives"),
            ("open_orders", "ours, as the venue shows them"),
        ),
        *_floats(
            ("equity", "quote currency, profit and loss since the session began"),
            ("equity_peak", "highest equity of the session"),
            ("realised_pnl", "quote currency, before fees"),
            ("unrealised_pnl", "quote currency"),
            ("fees", "quote currency, paid is positive"),
            ("funding", "quote currency, received is positive"),
            ("gross_notional", "quote currency"),
            ("net_notional", "quote currency"),
            ("value_at_risk", "quote currency, by [risk]; NaN while σ of something held is unknown"),
            ("expected_shortfall", "quote currency, by [risk]; NaN likewise"),
        ),
        *_EXACT_PNL,
    ],
)

COMOVEMENT = RecordType(
    "comovement",
    203,
    "How the mids of two instruments move together; measured by risk, one row a pair a < b.",
    [
        *_ints(
            ("instrument_a", "row of the instruments table"),
            ("instrument_b", "row of the instruments table, larger"),
            ("updated_time_ns", "monotonic, of the newest return"),
            ("samples", "returns taken in"),
            ("is_warm", "1 = enough of them to be used"),
        ),
        *_floats(
            ("variance_a", "of log returns, 1/s"),
            ("variance_b", "of log returns, 1/s"),
            ("covariance", "of log returns, 1/s"),
            ("correlation", "-1 to 1; NaN while one has not moved"),
            ("beta_a_on_b", "return of a for one of b; NaN while b has not moved"),
            ("beta_b_on_a", "return of b for one of a; NaN while a has not moved"),
            ("weight", "sum of the weights of the returns, for a risk that is restarted"),
        ),
    ],
)

PNL = RecordType(
    "pnl",
    204,
    "Profit and loss of the run in one instrument, by risk's own ledger: the venue's trades, fees and funding.",
    [
        *_ints(
            ("instrument", "row of the instruments table"),
            ("written_time_ns", "monotonic; the same in all rows and in `risk` that belong together"),
            ("is_known", "0 = something is held and its mark is missing"),
        ),
        *_floats(
            ("realised", "quote currency, for display"),
            ("unrealised", "quote currency, for display"),
            ("fees", "quote currency, for display"),
            ("funding", "quote currency, for display"),
            ("total", "quote currency, for display"),
        ),
        *_EXACT_PNL,
    ],
)

# ---- 300-399: control --------------------------------------------------------------------------------

DIRECTORY = RecordType(
    "directory",
    300,
    "One row for each segment of a session: the single thing that a stranger has to find.",
    [
        Field("segment", "text", "short name, e.g. `books`"),
        Field("record", "text", "record type"),
        Field("writer", "text", "actor that writes it"),
        *_ints(("kind", "1 ring, 2 table"), ("capacity", "slots or rows"), ("layout_hash", "of the record type")),
    ],
)

HEARTBEAT = RecordType(
    "heartbeat",
    301,
    "Sign of life of one actor, written from its work loop.",
    [
        *_ints(
            ("pid", "process id"),
            ("epoch", "1 for the first start, one more for every restart"),
            ("phase", "0 none, 1 starting, 2 live, 3 stopping, 4 starting and compiling kernels"),
            ("beat_time_ns", "monotonic"),
            ("started_time_ns", "monotonic"),
            ("loops", "duty cycles so far"),
            ("core", "core that it is pinned to; -1 = shared"),
        ),
    ],
)

COUNTERS = RecordType(
    "counters",
    302,
    "Event counts of one actor; the names stand in runtime/topology.py.",
    [Field("value", "i8", "counts, only growing", COUNTERS_MAX)],
)

HISTOGRAM = RecordType(
    "histogram",
    303,
    "Latency of one stage: log-linear buckets, 16 to the octave; see shm/histogram.py.",
    [
        Field("stage", "text", "name of the stage"),
        *_ints(("count", "samples"), ("sum_ns", "ns"), ("max_ns", "ns")),
        Field("bucket", "i8", "samples for each bucket", HISTOGRAM_BUCKETS),
    ],
)

RECORDER = RecordType(
    "recorder",
    304,
    "What the recorder is at; one row.",
    [
        *_ints(
            ("updated_time_ns", "monotonic"),
            ("is_writing", "1 = what comes is written; 0 = the disk does not take it"),
            ("trouble_since_realtime_ns", "wall clock, Unix ns, since when the disk does not; 0 = it does"),
            ("rows", "written to recordings since the start of this process"),
            ("lost", "records of rings overwritten before they were read, since the start of this process"),
            ("behind", "records published and not read yet, over all rings"),
        ),
        Field("trouble", "text", "what the disk says; empty = nothing"),
    ],
)

RECORD_TYPES: tuple[RecordType, ...] = (
    INSTRUMENT, BOOK, TICKER, TRADE, SHARED_MARKET_DATA, FEED, INDEX, CANDLE, WISH, EXPLANATION, ORDER_EVENT, HEDGE,
    STRATEGY_STATE, QUOTE_INPUTS, ACCOUNT, LIMITS,
    RISK, PNL, COMOVEMENT, DIRECTORY, HEARTBEAT, COUNTERS, HISTOGRAM, RECORDER,
)  # fmt: skip
RECORDS_BY_NAME: dict[str, RecordType] = {record.name: record for record in RECORD_TYPES}
assert len({record.type_id for record in RECORD_TYPES}) == len(RECORD_TYPES)
