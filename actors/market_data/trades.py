"""Public trades as records."""

from __future__ import annotations

from actors.market_data.outputs import (
    EXCHANGE_TIME,
    INSTRUMENT_ROW,
    RECEIVE_REALTIME,
    RECEIVE_TIME,
    MarketOutputs,
)
from domain.records import TRADE
from venues.thalex.market_wire import PublicTrade, stamp_ns

_PRICE = TRADE.word("price")
_SIZE = TRADE.word("size")
_AGGRESSOR = TRADE.word("aggressor_side")
_AGGRESSORS = {"buy": 1, "sell": -1}


def publish_trades(
    outputs: MarketOutputs, row: int, trades: list[PublicTrade], receive_ns: int, receive_realtime_ns: int
) -> None:
    """Publish each trade and wake strategy once."""
    ring = outputs.trades
    ints, floats = ring.ints, ring.floats
    for trade in trades:
        ints[INSTRUMENT_ROW] = row
        ints[EXCHANGE_TIME] = stamp_ns(trade.time)
        ints[RECEIVE_TIME] = receive_ns
        ints[RECEIVE_REALTIME] = receive_realtime_ns
        floats[_PRICE] = trade.price
        floats[_SIZE] = trade.size
        ints[_AGGRESSOR] = _AGGRESSORS[trade.aggressor]
        ring.publish()
    if trades:
        outputs.counters.add("trades", len(trades))
        outputs.wake_strategy[row]()
