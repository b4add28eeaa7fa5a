"""Histories by request: settlements, transactions, and the candles of marks and indices."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from exchange.core.candles import RESOLUTIONS_S, Candle, Candles
from exchange.core.instrument import InstrumentType
from exchange.core.units import plain
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.account_methods import HistoryParams, Row, page_of
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.payloads import seconds
from exchange.gateways.thalex.session import Method, Methods, Session

Resolution = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w"]


class MarkHistoryParams(Struct, rename={"from_s": "from", "to_s": "to"}):
    """Seconds since the epoch; `to` is excluded."""

    instrument_name: str
    from_s: int | float
    to_s: int | float
    resolution: Resolution


class IndexHistoryParams(Struct, rename={"from_s": "from", "to_s": "to"}):
    index_name: str
    from_s: int | float
    to_s: int | float
    resolution: Resolution


def daily_mark_history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    rows = (Row(m.sequence, m.time_ns, m.instrument.name, m) for m in session.account.daily_marks)
    page, bookmark = page_of(rows, params)
    marks = []
    for mark in page:
        line = {
            "time": seconds(mark.time_ns),
            "instrument_name": mark.instrument.name,
            "mark_price": plain(mark.mark_price),
            "position": plain(mark.position),
            "realized_position_pnl": plain(mark.position_pnl),
        }
        if mark.funding_pnl is not None:
            line["realized_funding_pnl"] = plain(mark.funding_pnl)
        marks.append(line)
    return wire.encode({"daily_marks": marks, "bookmark": bookmark})


def transaction_history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    lines = session.account.transactions
    rows = (Row(t.sequence, t.time_ns, t.instrument.name if t.instrument else "", t) for t in lines)
    page, bookmark = page_of(rows, params)
    transactions = [
        {
            "time": seconds(line.time_ns),
            "asset": "USDT",
            "amount": plain(line.amount),
            **({"instrument_name": line.instrument.name} if line.instrument else {}),
            "transaction_type": line.kind,
            "description": f"{line.kind} USD {plain(line.amount):f} @ 1",
            "balance_after": plain(line.balance_after),
        }
        for line in page
    ]
    return wire.encode({"transactions": transactions, "bookmark": bookmark})


def mark_price_historical_data(session: Session, params: MarkHistoryParams) -> bytes:
    market = session.context.engine.market(params.instrument_name)
    kind = market.instrument.type
    candles = market.history.read(RESOLUTIONS_S[params.resolution], params.from_s, params.to_s)
    rows = [[*_ohlc(candle), *_extra(candle, kind), candle.top] for candle in candles]
    return wire.encode({"instrument_type": kind.value, "mark": rows, **_no_data(market.history, params.to_s)})


def index_price_historical_data(session: Session, params: IndexHistoryParams) -> bytes:
    history = session.context.engine.index_history.get(params.index_name)
    if history is None:
        raise RequestError(ErrorCode.UNKNOWN_UNDERLYING, f"unknown underlying {params.index_name!r}")
    candles = history.read(RESOLUTIONS_S[params.resolution], params.from_s, params.to_s)
    return wire.encode({"index": [_ohlc(candle) for candle in candles], **_no_data(history, params.to_s)})


def _no_data(history: Candles, to_s: float) -> dict[str, bool]:
    """Return the flag that there is nothing in the interval or before it."""
    return {} if history.begins_before(to_s) else {"no_data": True}


def _ohlc(candle: Candle) -> list[Any]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [candle.start_s, *(plain(price) for price in prices)]


def _extra(candle: Candle, kind: InstrumentType) -> list[Any]:
    """Return the funding of a perpetual, or the volatility of an option four times (its smile does not move)."""
    if kind is InstrumentType.PERPETUAL:
        return [plain(candle.extra)]
    return [plain(candle.extra)] * 4 if kind is InstrumentType.OPTION else []


METHODS: Methods = {
    "private/daily_mark_history": Method(daily_mark_history, msgspec.json.Decoder(HistoryParams), needs_login=True),
    "private/transaction_history": Method(transaction_history, msgspec.json.Decoder(HistoryParams), needs_login=True),
    "public/mark_price_historical_data": Method(mark_price_historical_data, msgspec.json.Decoder(MarkHistoryParams)),
    "public/index_price_historical_data": Method(index_price_historical_data, msgspec.json.Decoder(IndexHistoryParams)),
}
