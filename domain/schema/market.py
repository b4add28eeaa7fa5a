"""Market data, numbers 0 to 99: what market_data makes of the venue's feed."""

from __future__ import annotations

from domain.schema.fields import Field, RecordType, floats, ints

BOOK_LEVELS = 10

_STAMPS = ints(
    ("instrument", "row of the instruments table"),
    ("exchange_time_ns", "venue's stamp, Unix ns; 0 when it sent none"),
    ("receive_time_ns", "monotonic, when the frame's callback began in market_data"),
    ("receive_realtime_ns", "wall clock, Unix ns, at the same moment"),
)

INSTRUMENT = RecordType(
    "instrument",
    1,
    "What market_data learned of an instrument; row number = `instrument` in every other record.",
    [
        Field("name", "text", "venue's name"),
        Field("underlying", "text", "venue's index name"),
        *floats(
            ("tick_size", "price step, quote currency"),
            ("lot_size", "size step, base units"),
            ("contract_multiplier", "base units for one unit of size"),
        ),
        *ints(
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
        *ints(
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
        *floats(
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
        *floats(("price", "quote currency"), ("size", "base units")),
        *ints(("aggressor_side", "+1 the buyer crossed, -1 the seller")),
    ],
)

SHARED_MARKET_DATA = RecordType(
    "shared_market_data",
    5,
    "The least that a simple reader wants, one row an instrument, written by strategy.",
    [
        *ints(
            ("timestamp_ns", "wall clock, Unix ns, of the book behind it"),
            ("status", "1 = live, 0 = stale or not yet known"),
        ),
        *floats(
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
        *ints(
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
        *ints(
            ("kind", "1 index, 2 forward"),
            ("exchange_time_ns", "venue's stamp, Unix ns; 0 when it sent none"),
            ("receive_time_ns", "monotonic, when the frame's callback began in market_data"),
            ("receive_realtime_ns", "wall clock, Unix ns, at the same moment"),
        ),
        *floats(
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
        *ints(
            ("instrument", "row of the instruments table"),
            ("candle", "closed so far, this one included"),
            ("is_fresh", "1 = the first since the start or a gap"),
            ("is_warm", "1 = enough candles have closed for the signals"),
            ("close_time_ns", "monotonic, of the trade or the book that closed it"),
            ("close_realtime_ns", "wall clock, Unix ns, at the same moment"),
        ),
        *floats(
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
