"""Every record that lives in shared memory: the list of them, and where to import one from.

They are declared once, in domain/schema/, by the range of their numbers: market.py, orders.py, account.py, control.py.
A record is a row of 8-byte words (fields.py there). From this schema come the NumPy dtypes, the C header and the
layout page.

Times: `*_time_ns` is monotonic unless its name says `realtime` or `exchange` (Unix nanoseconds).
Prices are in quote currency as the venue sends them, sizes in base units; `*_ticks` and `*_lots` are integers.
"""

from __future__ import annotations

from domain.schema.account import ACCOUNT, COMOVEMENT, LIMITS, PNL, RISK
from domain.schema.control import COUNTERS, COUNTERS_MAX, DIRECTORY, HEARTBEAT, HISTOGRAM, HISTOGRAM_BUCKETS, RECORDER
from domain.schema.fields import LAYOUT_VERSION, LINE_BYTES, TEXT_BYTES, WORD_BYTES, Field, RecordType
from domain.schema.market import BOOK, BOOK_LEVELS, CANDLE, FEED, INDEX, INSTRUMENT, SHARED_MARKET_DATA, TICKER, TRADE
from domain.schema.orders import (
    EXPLANATION,
    HEDGE,
    ORDER_EVENT,
    QUOTE_INPUT_WORDS,
    QUOTE_INPUTS,
    QUOTE_LEVELS_MAX,
    STRATEGY_STATE,
    STRATEGY_STATE_WORDS,
    WISH,
)

RECORD_TYPES: tuple[RecordType, ...] = (
    INSTRUMENT, BOOK, TICKER, TRADE, SHARED_MARKET_DATA, FEED, INDEX, CANDLE, WISH, EXPLANATION, ORDER_EVENT, HEDGE,
    STRATEGY_STATE, QUOTE_INPUTS, ACCOUNT, LIMITS,
    RISK, PNL, COMOVEMENT, DIRECTORY, HEARTBEAT, COUNTERS, HISTOGRAM, RECORDER,
)  # fmt: skip
RECORDS_BY_NAME: dict[str, RecordType] = {record.name: record for record in RECORD_TYPES}
assert len({record.type_id for record in RECORD_TYPES}) == len(RECORD_TYPES)

__all__ = [
    "ACCOUNT",
    "BOOK",
    "BOOK_LEVELS",
    "CANDLE",
    "COMOVEMENT",
    "COUNTERS",
    "COUNTERS_MAX",
    "DIRECTORY",
    "EXPLANATION",
    "FEED",
    "HEARTBEAT",
    "HEDGE",
    "HISTOGRAM",
    "HISTOGRAM_BUCKETS",
    "INDEX",
    "INSTRUMENT",
    "LAYOUT_VERSION",
    "LIMITS",
    "LINE_BYTES",
    "ORDER_EVENT",
    "PNL",
    "QUOTE_INPUTS",
    "QUOTE_INPUT_WORDS",
    "QUOTE_LEVELS_MAX",
    "RECORDER",
    "RECORDS_BY_NAME",
    "RECORD_TYPES",
    "RISK",
    "SHARED_MARKET_DATA",
    "STRATEGY_STATE",
    "STRATEGY_STATE_WORDS",
    "TEXT_BYTES",
    "TICKER",
    "TRADE",
    "WISH",
    "WORD_BYTES",
    "Field",
    "RecordType",
]
