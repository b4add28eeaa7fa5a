"""Tickers as records; what one lacks comes from the channels that follow indices."""

from __future__ import annotations

from actors.market_data.outputs import (
    EXCHANGE_TIME,
    INSTRUMENT_ROW,
    RECEIVE_REALTIME,
    RECEIVE_TIME,
    MarketOutputs,
)
from domain.records import TICKER
from venues.thalex.market_wire import IndexPayload, TickerPayload, number, stamp_ns

_WORDS = {field.name: TICKER.word(field.name) for field in TICKER.fields if field.kind == "f8"}


class TickerRows:
    """Publishes one ticker a row."""

    def __init__(self, count: int, outputs: MarketOutputs) -> None:
        self._out = outputs
        self._underlyings = [""] * count
        self._index_prices: dict[str, float] = {}

    def set_underlying(self, row: int, underlying: str) -> None:
        """Say whose index belongs to a row."""
        self._underlyings[row] = underlying

    def take_index(self, index: IndexPayload) -> None:
        """Keep an index for tickers that lack it."""
        self._index_prices[index.index_name] = index.price

    def publish(self, row: int, ticker: TickerPayload, receive_ns: int, receive_realtime_ns: int) -> None:
        """Publish a ticker; an index that it lacks comes from the index channel."""
        ring, table = self._out.tickers, self._out.ticker_table
        ints = ring.ints
        ints[INSTRUMENT_ROW] = row
        ints[EXCHANGE_TIME] = stamp_ns(ticker.mark_timestamp or 0.0)
        ints[RECEIVE_TIME] = receive_ns
        ints[RECEIVE_REALTIME] = receive_realtime_ns
        index_price = ticker.index
        if index_price is None:
            index_price = self._index_prices.get(self._underlyings[row])
        self._fill(ticker, index_price)
        table.ints[1:] = ints[1:]
        table.publish(row)
        ring.publish()
        self._out.counters.add("tickers")

    def _fill(self, ticker: TickerPayload, index_price: float | None) -> None:
        floats, words = self._out.tickers.floats, _WORDS
        floats[words["mark_price"]] = number(ticker.mark_price)
        floats[words["index_price"]] = number(index_price)
        floats[words["last_price"]] = number(ticker.last_price)
        floats[words["best_bid_price"]] = number(ticker.best_bid_price)
        floats[words["best_bid_size"]] = number(ticker.best_bid_amount)
        floats[words["best_ask_price"]] = number(ticker.best_ask_price)
        floats[words["best_ask_size"]] = number(ticker.best_ask_amount)
        floats[words["funding_rate"]] = number(ticker.funding_rate)
        floats[words["collar_low"]] = number(ticker.collar_low)
        floats[words["collar_high"]] = number(ticker.collar_high)
        floats[words["open_interest"]] = number(ticker.open_interest)
