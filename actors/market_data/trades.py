"""Public trades as records, each once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from structlog.stdlib import BoundLogger

from actors.market_data.outputs import (
    EXCHANGE_TIME,
    INSTRUMENT_ROW,
    RECEIVE_REALTIME,
    RECEIVE_TIME,
    MarketOutputs,
)
from domain.records import TRADE
from venues.thalex.market_wire import PublicTrade
from venues.thalex.trade_tape import Key, News, TradeTape

_PRICE = TRADE.word("price")
_SIZE = TRADE.word("size")
_AGGRESSOR = TRADE.word("aggressor_side")
_AGGRESSORS = {"buy": 1, "sell": -1}
_SIDES = {number: side for side, number in _AGGRESSORS.items()}


class TradeRows:
    """Publishes the trades of every instrument, each once.

    What happened while we were not connected is fetched with the next subscription: it is published then, before the
    first book, with the venue's own time and ours. A gap that the venue cannot fill is counted and logged.
    """

    def __init__(self, names: Sequence[str], outputs: MarketOutputs, log: BoundLogger) -> None:
        self._names = list(names)
        self._out = outputs
        self._log = log
        self._tapes = [TradeTape() for _ in names]

    def load(self, published: npt.NDArray[np.void]) -> None:
        """Take over TRADE records that a process before this one has published, oldest first."""
        for row, tape in enumerate(self._tapes):
            own = published[published["instrument"] == row]
            fields = (own["exchange_time_ns"], own["price"], own["size"], own["aggressor_side"])
            tape.resume((time_ns, price, size, _SIDES[side]) for time_ns, price, size, side in zip(
                *(field.tolist() for field in fields), strict=True
            ))  # fmt: skip

    def take(
        self, row: int, trades: list[PublicTrade], is_snapshot: bool, receive_ns: int, receive_realtime_ns: int
    ) -> None:
        """Publish what is new in a message, and wake strategy once."""
        if is_snapshot:
            news = self._tapes[row].take_snapshot(trades)
            self._tell(row, news)
            new = news.trades
        else:
            new = self._tapes[row].take(trades)
        if new:
            self._publish(row, new, receive_ns, receive_realtime_ns)
            self._out.counters.add("trades", len(new))
            self._out.wake_strategy[row]()

    def _tell(self, row: int, news: News) -> None:
        """Say what an outage cost: nothing is said of one that cost nothing."""
        if news.trades:
            self._out.counters.add("trades_recovered", len(news.trades))
            self._log.info("missed trades fetched", instrument=self._names[row], trades=len(news.trades))
        if news.is_gap:
            self._out.counters.add("trade_gaps")
            self._log.warning("trades may be missing: the venue lists none that we know", instrument=self._names[row])

    def _publish(self, row: int, trades: list[Key], receive_ns: int, receive_realtime_ns: int) -> None:
        ring = self._out.trades
        ints, floats = ring.ints, ring.floats
        ints[INSTRUMENT_ROW] = row
        ints[RECEIVE_TIME] = receive_ns
        ints[RECEIVE_REALTIME] = receive_realtime_ns
        for time_ns, price, size, aggressor in trades:
            ints[EXCHANGE_TIME] = time_ns
            floats[_PRICE] = price
            floats[_SIZE] = size
            ints[_AGGRESSOR] = _AGGRESSORS[aggressor]
            ring.publish()
