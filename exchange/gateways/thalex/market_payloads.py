"""Instruments, index, tickers, books and the tape as the protocol's objects.

Fields that are `UNSET` are left out. Prices and amounts are JSON numbers, money is exact decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from exchange.core.derived_marks import OptionMark
from exchange.core.engine import Engine
from exchange.core.events import PublicTrade
from exchange.core.instrument import Instrument, InstrumentType
from exchange.core.market import Market
from exchange.core.marks import PRICE_STEP
from exchange.core.orders import Side
from exchange.core.settlement import Expired
from exchange.core.units import plain
from exchange.gateways.thalex.payloads import Number, seconds


class InstrumentObject(Struct):
    instrument_name: str
    product: str
    tick_size: Decimal
    volume_tick_size: Decimal
    min_order_amount: Number
    underlying: str
    type: str
    option_type: str | UnsetType
    expiry_date: str | UnsetType
    expiration_timestamp: int | UnsetType
    strike_price: Decimal | UnsetType
    base_currency: str
    legs: list[dict[str, Any]] | UnsetType
    create_time: float
    settlement_price: Decimal | UnsetType = UNSET
    settlement_index_price: Decimal | UnsetType = UNSET


def instrument_object(instrument: Instrument) -> InstrumentObject:
    grid = instrument.grid
    return InstrumentObject(
        instrument_name=instrument.name,
        product=instrument.product,
        tick_size=plain(grid.tick_size),
        volume_tick_size=plain(grid.lot_size),
        min_order_amount=grid.amount_number(instrument.order_size_lots_min),
        underlying=instrument.underlying,
        type=instrument.type.value,
        base_currency="USD",
        create_time=instrument.create_time,
        expiry_date=instrument.expiry_date or UNSET,
        expiration_timestamp=instrument.expiry_time or UNSET,
        option_type=("call" if instrument.is_call else "put") if instrument.strike_price else UNSET,
        strike_price=plain(instrument.strike_price) if instrument.strike_price else UNSET,
        legs=[leg._asdict() for leg in instrument.legs] or UNSET,
    )


def expired_object(expired: Expired) -> InstrumentObject:
    """Return an instrument that is no more, with what it was settled at."""
    found = instrument_object(expired.instrument)
    found.settlement_price = plain(expired.settlement_price)
    found.settlement_index_price = plain(expired.index_price)
    return found


def index_object(engine: Engine, underlying: str) -> dict[str, Any]:
    fields = {
        "index_name": underlying,
        "price": plain(engine.index_prices[underlying]),
        "timestamp": seconds(engine.index_time_ns),
        "previous_settlement_price": plain(engine.previous_settlement_prices[underlying]),
    }
    progress = engine.settlement.progress(engine.index_time_ns)
    sample = engine.settlement.prints.get(underlying)
    if progress is not None and sample is not None and sample.average is not None:
        fields["expiration_progress"] = round(progress, 6)
        fields["expiration_print_average"] = plain(sample.average)
        weight = Decimal(str(round(progress, 6)))
        expected = sample.average * weight + engine.index_prices[underlying] * (1 - weight)
        fields["expected_expiration_price"] = plain(expected.quantize(PRICE_STEP))
    return fields


def ticker(engine: Engine, market: Market) -> dict[str, Any]:
    """Return a Ticker; `open_interest` counts the accounts of this exchange, not the anonymous flow."""
    grid, mark, statistics = market.instrument.grid, market.mark, market.statistics
    price, amount = grid.price_number, grid.amount_number
    fields: dict[str, Any] = {"mark_price": plain(mark.mark_price), "mark_timestamp": seconds(mark.mark_time_ns)}
    for name, side in (("bid", market.book.bids), ("ask", market.book.asks)):
        level = side.best_level()
        fields[f"best_{name}_price"] = price(level.price_ticks) if level else None
        fields[f"best_{name}_amount"] = amount(level.total_lots) if level else None

    def price_or_none(ticks: int | None) -> Number | None:
        return None if ticks is None else price(ticks)

    if isinstance(mark, OptionMark):
        fields["last_price"] = price_or_none(statistics.last_ticks)
        fields["iv"] = round(mark.vol, 6)
    position_lots = sum(abs(account.position_lots(market.instrument)) for account in engine.accounts.values())
    fields.update(
        last_price=price_or_none(statistics.last_ticks),
        delta=round(mark.delta, 6),
        volume_24h=amount(statistics.volume_lots),
        value_24h=plain(statistics.value),
        low_price_24h=price_or_none(statistics.low_ticks),
        high_price_24h=price_or_none(statistics.high_ticks),
        change_24h=price_or_none(statistics.change_ticks),
        index=plain(mark.index_price),
        forward=plain(mark.forward),
    )
    is_perpetual = market.instrument.type is InstrumentType.PERPETUAL
    if is_perpetual:
        fields.update(funding_mark=plain(mark.funding_mark), funding_rate=plain(mark.funding_rate))
    fields.update(collar_low=price(mark.collar_low_ticks), collar_high=price(mark.collar_high_ticks))
    if is_perpetual:
        fields["realised_funding_24h"] = plain(mark.funding_day.accrued)
        fields["average_funding_rate_24h"] = plain(mark.funding_day.average_rate)
    fields["open_interest"] = amount(position_lots)
    return fields


def light_ticker(market: Market) -> dict[str, Any]:
    grid = market.instrument.grid
    fields: dict[str, Any] = {}
    for name, side in (("b", market.book.bids), ("a", market.book.asks)):
        level = side.best_level()
        if level:
            lots = grid.amount_number(level.total_lots)
            fields[name] = [grid.price_number(level.price_ticks), lots, lots]
    if market.statistics.last_ticks is not None:
        fields["l"] = grid.price_number(market.statistics.last_ticks)
    fields["m"] = plain(market.mark.mark_price)
    if isinstance(market.mark, OptionMark):
        fields["v"] = round(market.mark.vol, 6)
    return fields


def recent_trade(trade: PublicTrade) -> list[Any]:
    """Return a tape tuple: price, size, taker's side, time, instrument, implied."""
    grid = trade.instrument.grid
    price, amount = grid.price_number(trade.price_ticks), grid.amount_number(trade.lots)
    return [price, amount, trade.aggressor_side.value, seconds(trade.time_ns), trade.instrument.name, False]


def book_trade(trade: PublicTrade) -> list[Any]:
    """Return a trade as the book channel shows it: price, amount, taker's side, time, implied."""
    row = recent_trade(trade)
    return [*row[:4], False]


def top_of_book(market: Market, count: int, now_ns: int) -> dict[str, Any]:
    grid = market.instrument.grid

    def rows(side: Side) -> list[list[Number]]:
        levels = market.book.side(side).top(count)
        return [[grid.price_number(t), grid.amount_number(n), grid.amount_number(n)] for t, n in levels]

    fields: dict[str, Any] = {"bids": rows(Side.BUY), "asks": rows(Side.SELL)}
    if market.statistics.last_ticks is not None:
        fields["last"] = grid.price_number(market.statistics.last_ticks)
    fields["time"] = seconds(now_ns)
    return fields
