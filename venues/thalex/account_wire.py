"""Thalex account messages as reports in our words. Money, prices and sizes are exact decimals of the text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from domain.clock import NS_PER_S
from domain.errors import ProtocolError
from domain.order import LiquiditySide, Side, VenueOrderStatus
from domain.reports import FillReport, MarginReport, OrderReport, PositionReport, SettlementReport, TradeReport
from venues.thalex.wire import readable

_T = TypeVar("_T")
_ZERO = Decimal(0)
_SECONDS_MAX = 9 * 10**9  # the year 2255
_NUMBER_MAX = 10**12  # of prices, sizes and money; in ticks and lots they must fit 64 bits
_LEGS_MAX = 1000
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_CORRECTIONS = frozenset({"amend", "delete"})  # of trades, by trade_type
_LIQUIDITY = {"maker": LiquiditySide.MAKER, "taker": LiquiditySide.TAKER}
_STATUSES = {
    "open": VenueOrderStatus.OPEN,
    "partially_filled": VenueOrderStatus.PARTIALLY_FILLED,
    "cancelled": VenueOrderStatus.CANCELLED,
    "cancelled_partially_filled": VenueOrderStatus.CANCELLED_PARTIALLY_FILLED,
    "filled": VenueOrderStatus.FILLED,
}


class _Fill(msgspec.Struct, gc=False):
    trade_id: str
    price: Decimal
    amount: Decimal
    maker_taker: str
    leg_index: float | None = None
    time: Decimal | None = None


class _OrderStatus(msgspec.Struct, gc=False):
    order_id: str
    direction: str
    amount: Decimal
    status: str
    instrument_name: str = ""  # absent for combos
    price: Decimal | None = None
    filled_amount: Decimal = _ZERO
    client_order_id: int | None = None
    label: str | None = None
    fills: list[_Fill] | None = None
    change_reason: str | None = None
    delete_reason: str | None = None
    create_time: Decimal | None = None
    close_time: Decimal | None = None


class _Trade(msgspec.Struct, gc=False):
    trade_id: str
    instrument_name: str
    direction: str
    price: Decimal
    amount: Decimal
    time: Decimal
    position_after: Decimal
    fee: Decimal | None = None
    liquidation_fee: Decimal | None = None
    position_pnl: Decimal | None = None
    perpetual_funding_pnl: Decimal | None = None
    order_id: str | None = None  # absent for trades that no order made, e.g. transfers
    label: str | None = None
    maker_taker: str | None = None
    leg_index: float | None = None
    trade_type: str | None = None


class _TradePage(msgspec.Struct, gc=False):
    trades: list[_Trade]
    bookmark: str | None = None


class _DailyMark(msgspec.Struct, gc=False):
    time: Decimal
    instrument_name: str
    position: Decimal
    mark_price: Decimal | None = None
    realized_position_pnl: Decimal | None = None
    realized_funding_pnl: Decimal | None = None  # of perpetuals


class _DailyMarkPage(msgspec.Struct, gc=False):
    daily_marks: list[_DailyMark]
    bookmark: str | None = None


class _PortfolioEntry(msgspec.Struct, gc=False):
    instrument_name: str
    position: Decimal
    average_price: Decimal | None = None
    mark_price: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    realised_pnl: Decimal | None = None
    unrealised_perpetual_funding: Decimal | None = None


class _Summary(msgspec.Struct, gc=False):
    margin: Decimal
    required_margin: Decimal


class Login(msgspec.Struct, gc=False):
    """The answer of public/login."""

    account_number: str = ""


class Armed(msgspec.Struct, gc=False):
    """The answer of private/set_cancel_on_disconnect."""

    message_rate: int | None = None


_decode_order = readable(msgspec.json.Decoder(_OrderStatus).decode)
_decode_orders = readable(msgspec.json.Decoder(list[_OrderStatus]).decode)
_decode_trade = readable(msgspec.json.Decoder(_Trade).decode)
_decode_trades = readable(msgspec.json.Decoder(list[_Trade]).decode)
_decode_trade_page = readable(msgspec.json.Decoder(_TradePage).decode)
_decode_daily_mark_page = readable(msgspec.json.Decoder(_DailyMarkPage).decode)
_decode_position = readable(msgspec.json.Decoder(_PortfolioEntry).decode)
_decode_portfolio = readable(msgspec.json.Decoder(list[_PortfolioEntry]).decode)
_decode_summary = readable(msgspec.json.Decoder(_Summary).decode)
decode_login = readable(msgspec.json.Decoder(Login | None).decode)
decode_armed = readable(msgspec.json.Decoder(Armed | None).decode)
decode_channels = readable(msgspec.json.Decoder(list[str]).decode)
decode_count = readable(msgspec.json.Decoder(int | None).decode)


def decode_void(payload: Any) -> None:
    """Accept any answer of a method that returns nothing of use."""


def decode_order(payload: Any) -> OrderReport:
    """Return the answer of insert, amend or cancel."""
    return _order_report(_decode_order(payload))


def decode_orders(payload: Any) -> list[OrderReport]:
    """Return a list of orders; ProtocolError when any of them is unreadable (see order_lists.py)."""
    return [_order_report(order) for order in _decode_orders(payload)]


def decode_trade(payload: Any) -> TradeReport:
    """Return one line of a trade history."""
    return _trade_report(_decode_trade(payload))


def decode_trades(payload: Any) -> list[TradeReport]:
    """Return a message of account.trade_history; ProtocolError when any line is unreadable (see money_lists.py)."""
    return [_trade_report(trade) for trade in _decode_trades(payload)]


def decode_trade_page(payload: Any) -> tuple[list[TradeReport], str]:
    """Return one page of private/trade_history and the bookmark of the next; empty = last page.

    Raises:
        ProtocolError: any line is unreadable (see money_lists.py).
    """
    page = _decode_trade_page(payload)
    return [_trade_report(trade) for trade in page.trades], (page.bookmark or "") if page.trades else ""


def decode_daily_mark_page(payload: Any) -> tuple[list[SettlementReport], str]:
    """Return one page of private/daily_mark_history and the bookmark of the next; empty = last page."""
    page = _decode_daily_mark_page(payload)
    reports = [
        SettlementReport(
            instrument_name=mark.instrument_name,
            position=_finite(mark.position, "position"),
            mark_price=_money(mark.mark_price, "mark_price"),
            position_pnl=_money(mark.realized_position_pnl, "realized_position_pnl"),
            funding_pnl=_money(mark.realized_funding_pnl, "realized_funding_pnl"),
            time_ns=_time_ns(mark.time),
        )
        for mark in page.daily_marks
    ]
    return reports, (page.bookmark or "") if reports else ""


def decode_position(payload: Any) -> PositionReport:
    """Return one line of a portfolio."""
    return _position_report(_decode_position(payload))


def decode_positions(payload: Any) -> list[PositionReport]:
    """Return a message of account.portfolio or the answer of private/portfolio; ProtocolError when any line is
    unreadable (see money_lists.py)."""
    return [_position_report(entry) for entry in _decode_portfolio(payload)]


def decode_margin(payload: Any) -> MarginReport:
    """Return the answer of private/account_summary."""
    summary = _decode_summary(payload)
    return MarginReport(_finite(summary.margin, "margin"), _finite(summary.required_margin, "required_margin"))


def _time_ns(seconds: Decimal | None) -> int:
    if seconds is None:
        return 0
    if not 0 <= _finite(seconds, "time") < _SECONDS_MAX:
        raise ProtocolError(f"time {seconds} is not in Unix seconds")
    return int(seconds * NS_PER_S)


def _finite(value: Decimal, what: str) -> Decimal:
    """Return `value`; a decimal may have been read from a text such as "NaN", or be larger than anything there is."""
    if not value.is_finite():
        raise ProtocolError(f"{what} {value} is not a finite number")
    if abs(value) > _NUMBER_MAX:
        raise ProtocolError(f"{what} {value} is beyond {_NUMBER_MAX}")
    return value


def _leg(index: float | None) -> int:
    if index is None:
        return 0
    if not 0 <= index <= _LEGS_MAX:
        raise ProtocolError(f"leg_index {index} is not in 0..{_LEGS_MAX}")
    return int(index)


def _money(value: Decimal | None, what: str) -> Decimal:
    return _ZERO if value is None else _finite(value, what)


def _known(table: dict[str, _T], word: str, what: str) -> _T:
    try:
        return table[word]
    except KeyError:
        raise ProtocolError(f"{what} {word!r} is not one of {', '.join(table)}") from None


def _order_report(order: _OrderStatus) -> OrderReport:
    return OrderReport(
        venue_order_id=order.order_id,
        client_order_id=order.client_order_id,
        instrument_name=order.instrument_name,
        side=_known(_SIDES, order.direction, "direction"),
        price=None if order.price is None else _finite(order.price, "price"),
        size=_finite(order.amount, "amount"),
        filled_size=_finite(order.filled_amount, "filled_amount"),
        status=_known(_STATUSES, order.status, "order status"),
        fills=tuple(_fill_report(fill, order.order_id) for fill in order.fills or ()),
        change_reason=order.change_reason or "",
        delete_reason=order.delete_reason or "",
        label=order.label or "",
        create_time_ns=_time_ns(order.create_time),
        close_time_ns=_time_ns(order.close_time),
    )


def _fill_report(fill: _Fill, order_id: str) -> FillReport:
    return FillReport(
        trade_id=fill.trade_id,
        venue_order_id=order_id,
        leg_index=_leg(fill.leg_index),
        price=_finite(fill.price, "price"),
        size=_finite(fill.amount, "amount"),
        liquidity_side=_known(_LIQUIDITY, fill.maker_taker, "maker_taker"),
        time_ns=_time_ns(fill.time),
    )


def _position_report(entry: _PortfolioEntry) -> PositionReport:
    return PositionReport(
        instrument_name=entry.instrument_name,
        position=_finite(entry.position, "position"),
        average_price=_money(entry.average_price, "average_price"),
        mark_price=_money(entry.mark_price, "mark_price"),
        unrealised_pnl=_money(entry.unrealised_pnl, "unrealised_pnl"),
        realised_pnl=_money(entry.realised_pnl, "realised_pnl"),
        unrealised_funding=_money(entry.unrealised_perpetual_funding, "unrealised_perpetual_funding"),
        is_marked=entry.mark_price is not None,
    )


def _trade_report(trade: _Trade) -> TradeReport:
    return TradeReport(
        trade_id=trade.trade_id,
        venue_order_id=trade.order_id or "",
        leg_index=_leg(trade.leg_index),
        instrument_name=trade.instrument_name,
        side=_known(_SIDES, trade.direction, "direction"),
        price=_finite(trade.price, "price"),
        size=_finite(trade.amount, "amount"),
        fee=_money(trade.fee, "fee") + _money(trade.liquidation_fee, "liquidation_fee"),
        position_after=_finite(trade.position_after, "position_after"),
        realised_pnl=_money(trade.position_pnl, "position_pnl"),
        funding_pnl=_money(trade.perpetual_funding_pnl, "perpetual_funding_pnl"),
        liquidity_side=_known(_LIQUIDITY, trade.maker_taker or "taker", "maker_taker"),
        label=trade.label or "",
        time_ns=_time_ns(trade.time),
        is_correction=trade.trade_type in _CORRECTIONS,
    )
