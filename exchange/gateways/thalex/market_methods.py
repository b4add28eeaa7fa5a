"""Public reference and market data by request."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from exchange.core.instrument import Instrument, InstrumentType
from exchange.gateways.thalex import market_payloads, wire
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.session import Method, Methods, Session

API_VERSION = "2.59.0"
BOOK_LEVELS_MAX = 5
TYPES_OF_FILTER: dict[str, tuple[InstrumentType, ...]] = {
    "futures": (InstrumentType.PERPETUAL, InstrumentType.FUTURE),
    "options": (InstrumentType.OPTION,),
    "future_rolls": (InstrumentType.COMBINATION,),
}


class NoParams(Struct):
    pass


class InstrumentsParams(Struct):
    expiry_date: str | None = None
    underlying: str | None = None
    instrument_type: str | None = None
    time_low: float | None = None
    time_high: float | None = None


class InstrumentParams(Struct):
    instrument_name: str


class IndexParams(Struct):
    underlying: str


def system_info(session: Session, params: NoParams) -> bytes:
    return wire.encode({"environment": "testnet", "api_version": API_VERSION, "banners": []})


def instruments(session: Session, params: InstrumentsParams, *, with_expired: bool = False) -> bytes:
    """Answer the active instruments that pass the filters."""
    kind = params.instrument_type
    if kind is not None and kind not in TYPES_OF_FILTER:
        known = ", ".join(TYPES_OF_FILTER)
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: instrument_type {kind!r}, not of {known}")

    def passes(instrument: Instrument) -> bool:
        if params.underlying is not None and instrument.underlying != params.underlying:
            return False
        if params.expiry_date is not None and instrument.expiry_date != params.expiry_date:
            return False
        return kind is None or instrument.type in TYPES_OF_FILTER[kind]

    engine = session.context.engine
    active = [market.instrument for market in engine.markets.values()]
    found = [market_payloads.instrument_object(i) for i in active if passes(i)]
    if with_expired:
        expired = engine.settlement.expired.values()
        found += [market_payloads.expired_object(each) for each in expired if passes(each.instrument)]
    return wire.encode(found)


def all_instruments(session: Session, params: InstrumentsParams) -> bytes:
    """Answer active and expired instruments."""
    return instruments(session, params, with_expired=True)


def instrument(session: Session, params: InstrumentParams) -> bytes:
    engine = session.context.engine
    expired = engine.settlement.expired.get(params.instrument_name)
    if expired is not None:
        return wire.encode(market_payloads.expired_object(expired))
    return wire.encode(market_payloads.instrument_object(engine.market(params.instrument_name).instrument))


def ticker(session: Session, params: InstrumentParams) -> bytes:
    engine = session.context.engine
    return wire.encode(market_payloads.ticker(engine, engine.market(params.instrument_name)))


def book(session: Session, params: InstrumentParams) -> bytes:
    engine = session.context.engine
    market = engine.market(params.instrument_name)
    return wire.encode(market_payloads.top_of_book(market, BOOK_LEVELS_MAX, engine.scheduler.realtime_ns()))


def index(session: Session, params: IndexParams) -> bytes:
    engine = session.context.engine
    if params.underlying not in engine.index_prices:
        raise RequestError(ErrorCode.UNKNOWN_UNDERLYING, f"unknown underlying {params.underlying!r}")
    return wire.encode(market_payloads.index_object(engine, params.underlying))


METHODS: Methods = {
    "public/system_info": Method(system_info, msgspec.json.Decoder(NoParams)),
    "public/instruments": Method(instruments, msgspec.json.Decoder(InstrumentsParams)),
    "public/all_instruments": Method(all_instruments, msgspec.json.Decoder(InstrumentsParams)),
    "public/instrument": Method(instrument, msgspec.json.Decoder(InstrumentParams)),
    "public/ticker": Method(ticker, msgspec.json.Decoder(InstrumentParams)),
    "public/book": Method(book, msgspec.json.Decoder(InstrumentParams)),
    "public/index": Method(index, msgspec.json.Decoder(IndexParams)),
}
