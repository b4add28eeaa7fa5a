"""The public streams but the book: tickers, the tape, the index, instruments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from exchange.core.engine import Engine
from exchange.core.events import InstrumentAdded, InstrumentRemoved, PublicTrade
from exchange.core.instrument import Instrument
from exchange.core.market import Market
from exchange.core.scheduler import Scheduler
from exchange.gateways.thalex import market_payloads, wire
from exchange.gateways.thalex.channel import Channel, PacedChannel

TAPE_SNAPSHOT_TRADES_MAX = 50

Build = Callable[[], dict[str, Any]]


class TickerChannel(PacedChannel):
    """`ticker` or `lwt`: the newest state, sent when the top of the book, the last trade or the mark moved."""

    def __init__(self, name: str, scheduler: Scheduler, delay_ns: int, market: Market, build: Build) -> None:
        super().__init__(name, scheduler, delay_ns)
        self.instrument_name = market.instrument.name
        self._market = market
        self._build = build
        self._shown = self._state()

    def first_message(self) -> bytes:
        self._shown = self._state()
        return wire.notification(self.name, wire.encode(self._build()))

    def refresh(self) -> None:
        """Look whether anything that a ticker shows has moved."""
        if self._state() != self._shown:
            self.changed()

    def build(self) -> bytes | None:
        self._shown = self._state()
        return wire.encode(self._build())

    def _state(self) -> tuple[object, ...]:
        book, statistics = self._market.book, self._market.statistics
        bid, ask = book.bids.best_level(), book.asks.best_level()
        return (
            bid and (bid.price_ticks, bid.total_lots),
            ask and (ask.price_ticks, ask.total_lots),
            statistics.last_ticks,
            self._market.mark.mark_price,
            self._market.mark.mark_time_ns,
        )


class Tape:
    """The last trades of one instrument, kept for snapshots whether anybody listens or not."""

    def __init__(self) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=TAPE_SNAPSHOT_TRADES_MAX)


class TapeChannel(Channel):
    """`recent_trades.<instrument>.single` or `recent_trades.<underlying>.all`."""

    def __init__(self, name: str, tapes: dict[str, Tape]) -> None:
        super().__init__(name)
        self.instrument_names = tuple(tapes)
        self._tapes = tuple(tapes.values())

    def first_message(self) -> bytes:
        trades = sorted((trade for tape in self._tapes for trade in tape.trades), key=lambda trade: trade.time_ns)
        return wire.notification(self.name, self._encode(trades), snapshot=True)

    def on_trades(self, trades: list[PublicTrade]) -> None:
        self.publish(self._encode(trades))

    @staticmethod
    def _encode(trades: list[PublicTrade]) -> bytes:
        return wire.encode([market_payloads.recent_trade(trade) for trade in trades])


class IndexChannel(Channel):
    """`price_index.<underlying>`, about once a second."""

    def __init__(self, name: str, engine: Engine, underlying: str) -> None:
        super().__init__(name)
        self._engine = engine
        self._underlying = underlying

    def first_message(self) -> bytes | None:
        if self._underlying not in self._engine.index_prices:
            return None
        return wire.notification(self.name, self._payload())

    def on_second(self) -> None:
        if self._underlying in self._engine.index_prices:
            self.publish(self._payload())

    def _payload(self) -> bytes:
        return wire.encode(market_payloads.index_object(self._engine, self._underlying))


class BannersChannel(Channel):
    """`banners`: a list with nothing in it."""

    def first_message(self) -> bytes:
        return wire.notification(self.name, b"[]")


class InstrumentsChannel(Channel):
    """`instruments`, or those that a filter selects: all of them as added, then what comes and goes."""

    def __init__(self, name: str, engine: Engine, selects: Callable[[Instrument], bool]) -> None:
        super().__init__(name)
        self._engine = engine
        self._selects = selects

    def first_message(self) -> bytes:
        instruments = [market.instrument for market in self._engine.markets.values()]
        added = [{"added": market_payloads.instrument_object(i)} for i in instruments if self._selects(i)]
        return wire.notification(self.name, wire.encode(added), snapshot=True)

    def on_changes(self, changes: list[InstrumentAdded | InstrumentRemoved]) -> None:
        """Tell what a transaction has added and removed, in one message."""
        told = [
            {
                "added" if isinstance(change, InstrumentAdded) else "removed": market_payloads.instrument_object(
                    change.instrument
                )
            }
            for change in changes
            if self._selects(change.instrument)
        ]
        if told:
            self.publish(wire.encode(told))
