"""Streams over many instruments or one underlying: light tickers by kind, statistics, index parts, forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.core.accounts import ZERO
from exchange.core.derived_marks import OptionMark
from exchange.core.engine import Engine
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.market import Market
from exchange.core.units import plain
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.channel import Channel, PacedChannel
from exchange.gateways.thalex.payloads import seconds

Selects = Callable[[Instrument], bool]
SOURCES = (("alpha", -1), ("beta", 0), ("gamma", 1))  # invented sources, a dollar apart, whose average is the index


class LightTickersChannel(PacedChannel):
    """`lwt_options`, `lwt_futures` or `lwt_future_rolls`: those that changed, all of them at first."""

    def __init__(self, name: str, engine: Engine, delay_ns: int, selects: Selects) -> None:
        super().__init__(name, engine.scheduler, delay_ns)
        self._engine = engine
        self._selects = selects
        self._shown: dict[str, list[Any]] = {}

    def first_message(self) -> bytes:
        self._shown = {market.instrument.name: _row(market) for market in self._markets()}
        return wire.notification(self.name, wire.encode({"tickers": self._shown}))

    def refresh(self) -> None:
        """Look for news once a second."""
        self.changed()

    def build(self) -> bytes | None:
        rows = {market.instrument.name: _row(market) for market in self._markets()}
        news = {name: row for name, row in rows.items() if self._shown.get(name) != row}
        self._shown = rows
        return wire.encode({"tickers": news}) if news else None

    def _markets(self) -> list[Market]:
        return [market for market in self._engine.markets.values() if self._selects(market.instrument)]


class SecondlyChannel(Channel):
    """A state that is told whole, at first and then each second."""

    def __init__(self, name: str, build: Callable[[], Any]) -> None:
        super().__init__(name)
        self._build = build

    def first_message(self) -> bytes:
        return wire.notification(self.name, wire.encode(self._build()))

    def on_second(self) -> None:
        self.publish(wire.encode(self._build()))


def underlying_statistics(engine: Engine, underlying: str) -> dict[str, Any]:
    """Return volumes of 24 hours and the open interest of this exchange's accounts."""
    markets = [market for market in engine.markets.values() if market.instrument.underlying == underlying]
    volume, value = {"option": ZERO, "delta_one": ZERO}, {"option": ZERO, "delta_one": ZERO}
    totals = dict.fromkeys(("call", "put", "option", "future", "delta_one"), ZERO)
    expirations: dict[int, dict[str, Any]] = {}
    for market in markets:
        instrument = market.instrument
        kind = "option" if instrument.type is InstrumentType.OPTION else "delta_one"
        volume[kind] += instrument.grid.amount(market.statistics.volume_lots)
        value[kind] += market.statistics.value
        lots = sum(abs(account.position_lots(instrument)) for account in engine.accounts.values())
        amount = instrument.grid.amount(lots)
        for word in _interest_words(instrument):
            totals[word] += amount
        if instrument.expiry_time is not None and instrument.type is not InstrumentType.COMBINATION:
            line = expirations.setdefault(instrument.expiry_time, _expiration(instrument))
            for word in _interest_words(instrument):
                if word in line:
                    line[word] += amount
    shown = [{k: plain(v) if k in totals else v for k, v in line.items()} for line in expirations.values()]
    return {
        "trade_volume_24h": plain(volume["option"] + volume["delta_one"]),
        "option_volume_24h": plain(volume["option"]),
        "delta_one_volume_24h": plain(volume["delta_one"]),
        "trade_value_24h": plain(value["option"] + value["delta_one"]),
        "option_value_24h": plain(value["option"]),
        "delta_one_value_24h": plain(value["delta_one"]),
        "open_interest": {"expirations": shown, "totals": {word: plain(total) for word, total in totals.items()}},
    }


def index_components(engine: Engine, underlying: str) -> dict[str, Any]:
    index = engine.index_prices.get(underlying, ZERO)
    return {"index_price": plain(index), "components": {name: plain(index + offset) for name, offset in SOURCES}}


def base_price(engine: Engine, future: Market) -> dict[str, Any]:
    mark = future.mark
    return {
        "base_name": future.instrument.name,
        "price": plain(mark.mark_price),
        "index": plain(mark.index_price),
        "index_delta": 1,
    }


def _expiration(instrument: Instrument) -> dict[str, Any]:
    line: dict[str, Any] = {"expiration_timestamp": instrument.expiry_time, "expiry_date": instrument.expiry_date}
    return {**line, "call": ZERO, "put": ZERO, "option": ZERO, "future": ZERO}


def _interest_words(instrument: Instrument) -> tuple[str, ...]:
    if instrument.type is InstrumentType.OPTION:
        return ("option", "call" if instrument.is_call else "put")
    if instrument.type is InstrumentType.FUTURE:
        return ("future", "delta_one")
    return ("delta_one",) if instrument.type is InstrumentType.PERPETUAL else ()


def _row(market: Market) -> list[Any]:
    """Return the tuple of one light ticker; options and perpetuals have more than the others."""
    instrument, mark, grid = market.instrument, market.mark, market.instrument.grid
    top = []
    for side in (market.book.bids, market.book.asks):
        level = side.best_level()
        top.append([grid.price_number(level.price_ticks), grid.amount_number(level.total_lots)] if level else [])
    last_ticks = market.statistics.last_ticks
    last = None if last_ticks is None else grid.price_number(last_ticks)
    head = [seconds(mark.mark_time_ns), plain(mark.mark_price), plain(mark.index_price)]
    if isinstance(mark, OptionMark):
        return [*head, plain(mark.forward), round(mark.vol, 6), *top, last]
    if instrument.type is InstrumentType.PERPETUAL:
        return [*head, *top, last, plain(mark.funding_mark), plain(mark.funding_rate)]
    return [*head, *top, last]
