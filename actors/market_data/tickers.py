"""Tickers as records; what one lacks comes from the channels that follow indices and forward prices."""

from __future__ import annotations

import struct
from math import isnan, nan

from msgspec.structs import astuple

from actors.market_data.outputs import (
    EXCHANGE_TIME,
    INSTRUMENT_ROW,
    RECEIVE_REALTIME,
    RECEIVE_TIME,
    MarketOutputs,
)
from domain.instrument import Instrument
from domain.records import TICKER, WORD_BYTES
from venues.thalex import channels
from venues.thalex.market_wire import TickerPayload, stamp_ns

_NAN = nan
_FIELDS = TickerPayload.__struct_fields__
_TIME = _FIELDS.index("mark_timestamp")
# The payload has the record's values in the record's order, so that one copy writes them all.
_WORDS = {
    "index": "index_price",
    "best_bid_amount": "best_bid_size",
    "best_ask_amount": "best_ask_size",
    "forward": "forward_price",
    "iv": "mark_volatility",
}
_FIRST = TICKER.word(_FIELDS[0])
assert [TICKER.word(_WORDS.get(name, name)) for name in _FIELDS[:_TIME]] == list(range(_FIRST, _FIRST + _TIME))
_INDEX_PRICE = TICKER.word("index_price")
_FORWARD_PRICE = TICKER.word("forward_price")
_PACK = struct.Struct(f"<{_TIME}d").pack_into


class TickerRows:
    """Publishes one ticker a row."""

    def __init__(self, count: int, outputs: MarketOutputs) -> None:
        self._out = outputs
        # Word 0 is each segment's own sequence.
        self._ring_payload, self._table_payload = outputs.tickers.ints[1:], outputs.ticker_table.ints[1:]
        self._underlyings = [""] * count
        self._forwards = [""] * count
        self._prices: dict[str, float] = {}

    def take_instrument(self, row: int, instrument: Instrument) -> None:
        """Learn whose index, and which forward, belongs to a row."""
        self._underlyings[row] = instrument.underlying
        self._forwards[row] = channels.forward_name(instrument) if instrument.expiry_ns else ""

    def take_price(self, name: str, price: float) -> None:
        """Keep an index or a forward for tickers that lack it."""
        self._prices[name] = price

    def publish(self, row: int, ticker: TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish a ticker, with the newest index and forward where it has none."""
        ring, table = self._out.tickers, self._out.ticker_table
        ints = ring.ints
        ints[INSTRUMENT_ROW] = row
        ints[EXCHANGE_TIME] = stamp_ns(ticker.mark_timestamp or 0.0)
        ints[RECEIVE_TIME] = receive_ns
        ints[RECEIVE_REALTIME] = receive_realtime_ns
        floats = ring.floats
        values = astuple(ticker)[:_TIME]
        try:
            _PACK(floats, _FIRST * WORD_BYTES, *values)
        except struct.error:  # a null among them: seldom, so that looking for one first would cost more
            _PACK(floats, _FIRST * WORD_BYTES, *(_NAN if value is None else value for value in values))
        if isnan(floats[_INDEX_PRICE]):
            floats[_INDEX_PRICE] = self._prices.get(self._underlyings[row], _NAN)
        if isnan(floats[_FORWARD_PRICE]):
            floats[_FORWARD_PRICE] = self._prices.get(self._forwards[row], _NAN)
        self._table_payload[:] = self._ring_payload
        table.publish(row)
        ring.publish()
        self._out.counters.add("tickers")
