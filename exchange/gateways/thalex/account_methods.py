"""The account by request: portfolio, summary, histories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from exchange.core.accounts import Account
from exchange.core.combinations import make_combination
from exchange.core.engine import Engine
from exchange.core.instrument import Leg
from exchange.core.margin import Extra
from exchange.core.order_checks import check_amount
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import account_payloads, payloads, wire
from exchange.gateways.thalex.account_channels import belongs_in_history
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import LegParams


class HistoryParams(Struct):
    """Times in seconds, both ends included. `bookmark` is what the page before answered."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    time_low: int | float | None = None
    time_high: int | float | None = None
    bookmark: str | None = None
    sort: Literal["ascending", "descending"] = "descending"
    instrument_names: str | list[str] | None = None
    bot_ids: str | list[str] | None = None


class Row(NamedTuple):
    """One line of a history; `sequence` grows with time and serves as the bookmark."""

    sequence: int
    time_ns: int
    instrument_name: str
    item: Any
    bot_id: str | None = None


def portfolio(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    return wire.encode(account_payloads.portfolio(session.context.engine, session.account))


def account_summary(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    return wire.encode(account_payloads.account_summary(session.context.engine, session.account))


def trade_history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    trades = session.account.trades
    rows = (Row(t.sequence, t.time_ns, t.instrument.name, t, t.order.bot_id) for t in trades)
    page, bookmark = page_of(rows, params)
    return wire.encode({"trades": [payloads.trade_object(trade) for trade in page], "bookmark": bookmark})


def order_history(session: Session, params: HistoryParams) -> bytes:
    assert session.account is not None
    account = session.account
    first = account.closed_orders_total - len(account.closed_orders) + 1
    rows = (
        Row(sequence, update.close_time_ns, update.order.instrument.name, update, update.order.bot_id)
        for sequence, update in enumerate(account.closed_orders, first)
        if belongs_in_history(update)
    )
    page, bookmark = page_of(rows, params)
    return wire.encode({"orders": [payloads.order_history(update) for update in page], "bookmark": bookmark})


def page_of(rows: Iterable[Row], params: HistoryParams) -> tuple[list[Any], str | None]:
    """Return one page of items, and the bookmark for the next or None when this is the last."""
    ascending = params.sort == "ascending"
    names, bots = _listed(params.instrument_names), _listed(params.bot_ids)
    after = _bookmark(params.bookmark)
    wanted = (row for row in rows if names is None or row.instrument_name in names)
    wanted = (row for row in wanted if bots is None or row.bot_id in bots)
    selected = [row for row in wanted if _selected(row, params, after, ascending)]
    if not ascending:
        selected.reverse()
    page = selected[: params.limit]
    bookmark = str(page[-1].sequence) if len(selected) > len(page) else None
    return [row.item for row in page], bookmark


def _listed(names: str | list[str] | None) -> set[str] | None:
    """Return what is asked for, as a list or with commas between; None when all of it."""
    return set(names.split(",") if isinstance(names, str) else names) if names else None


def _selected(row: Row, params: HistoryParams, after: int | None, ascending: bool) -> bool:
    if after is not None and (row.sequence <= after if ascending else row.sequence >= after):
        return False
    time_s = row.time_ns / NS_PER_S
    if params.time_low is not None and time_s < params.time_low:
        return False
    return params.time_high is None or time_s <= params.time_high


def _bookmark(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: bookmark {text[:40]!r} is not one of ours")
    return int(text)


class OrderMarginParams(Struct):
    price: int | float
    amount: int | float
    instrument_name: str | None = None
    legs: list[LegParams] | None = None


def account_breakdown(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    return wire.encode(account_payloads.account_breakdown(session.context.engine, session.account))


def required_margin_breakdown(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    return wire.encode(account_payloads.margin_breakdown(session.context.engine, session.account))


def required_margin_for_order(session: Session, params: OrderMarginParams) -> bytes:
    """Answer the margin now, with the order inserted as a buy, and as a sell."""
    assert session.account is not None
    if (params.instrument_name is None) == (params.legs is None):
        detail = "expected exactly one of instrument_name and legs"
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {detail}")
    engine, account = session.context.engine, session.account
    if params.legs is not None:
        return _required_margin_for_combination(engine, account, params.legs, params.amount)
    assert params.instrument_name is not None
    instrument = engine.market(params.instrument_name).instrument
    lots = check_amount(instrument, wire_decimal(params.amount), minimum_lots=1)
    extras = {"current": None, "with_buy": Side.BUY, "with_sell": Side.SELL}

    def margin(side: Side | None) -> dict[str, Any]:
        extra = Extra(instrument, side, lots) if side else None
        return account_payloads.margin_with_order(engine, account, extra, instrument.underlying)

    return wire.encode({name: margin(side) for name, side in extras.items()})


def _required_margin_for_combination(
    engine: Engine, account: Account, legs: list[LegParams], amount: int | float
) -> bytes:
    combination = make_combination(engine, [Leg(leg.instrument_name, leg.quantity) for leg in legs])
    lots = check_amount(combination.instrument, wire_decimal(amount), minimum_lots=1)

    def margin(sign: int) -> dict[str, Any]:
        added = {leg.market.instrument.name: sign * lots * leg.signed_lots for leg in combination.legs}
        return account_payloads.margin_after(engine, account, added, combination.instrument.underlying)

    return wire.encode({name: margin(sign) for name, sign in (("current", 0), ("with_buy", 1), ("with_sell", -1))})


METHODS: Methods = {
    "private/account_breakdown": Method(
        account_breakdown, msgspec.json.Decoder(NoParams), needs_login=True, is_logged=True
    ),
    "private/required_margin_breakdown": Method(
        required_margin_breakdown, msgspec.json.Decoder(NoParams), needs_login=True
    ),
    "private/required_margin_for_order": Method(
        required_margin_for_order, msgspec.json.Decoder(OrderMarginParams), needs_login=True
    ),
    "private/portfolio": Method(portfolio, msgspec.json.Decoder(NoParams), needs_login=True, is_logged=True),
    "private/account_summary": Method(
        account_summary, msgspec.json.Decoder(NoParams), needs_login=True, is_logged=True
    ),
    "private/trade_history": Method(trade_history, msgspec.json.Decoder(HistoryParams), needs_login=True),
    "private/order_history": Method(order_history, msgspec.json.Decoder(HistoryParams), needs_login=True),
}
