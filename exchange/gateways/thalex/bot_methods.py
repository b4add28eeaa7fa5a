"""Bots by request: start, stop, list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from exchange.core.bots import terms as core
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import bot_payloads, wire
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.session import Method, Methods, Session
from exchange.gateways.thalex.trading_methods import check_label

Number = int | float


class Common(Struct, tag_field="strategy", kw_only=True):
    instrument_name: str
    max_slippage: Number | None = None
    label: str | None = None


class Ending(Common, kw_only=True):
    end_time: Number


class Signal(Ending, tag="sgsl", kw_only=True):
    signal: Literal["last", "index", "mark"]
    entry_price: Number
    target_position: Number
    exit_price: Number
    exit_position: Number


class Quoter(Ending, tag="ocq", kw_only=True):
    signal: Literal["index", "mark"]
    bid_offset: Number
    ask_offset: Number
    quote_size: Number
    min_position: Number
    max_position: Number
    exit_offset: Number | None = None
    target_position: Number | None = None


class Ladder(Ending, kw_only=True):
    step_size: Number
    base_position: Number | None = None
    target_mean_price: Number | None = None
    upside_exit_price: Number | None = None
    downside_exit_price: Number | None = None


class Levels(Ladder, tag="levels", kw_only=True):
    bids: list[Number]
    asks: list[Number]


class Grid(Ladder, tag="grid", kw_only=True):
    grid: list[Number]


class Hedger(Common, tag="dhedge", kw_only=True):
    end_time: Number | None = None
    period: Number
    position: str | None = None
    target_delta: Number = 0
    threshold: Number = 0
    tolerance: Number | None = None


class Follower(Common, tag="dfollow", kw_only=True):
    end_time: Number | None = None
    target_instrument: str
    target_amount: Number
    period: Number
    threshold: Number = 0
    tolerance: Number | None = None


CreateParams = Signal | Quoter | Levels | Grid | Hedger | Follower


class BotIdParams(Struct):
    bot_id: str


def create(session: Session, params: CreateParams) -> bytes:
    assert session.account is not None
    check_label(params.label)
    engine = session.context.engine
    instrument = engine.market(params.instrument_name).instrument
    position = instrument.grid.amount(session.account.position_lots(instrument))
    bot = engine.bots.create(session.account, _terms(params, position))
    return wire.encode(bot_payloads.bot_object(bot))


def cancel(session: Session, params: BotIdParams) -> bytes:
    assert session.account is not None
    session.context.engine.bots.cancel(session.account, params.bot_id)
    return wire.encode(None)


def cancel_all(session: Session, params: NoParams) -> bytes:
    assert session.account is not None
    session.context.engine.bots.cancel_all(session.account)
    return wire.encode(None)


def bots(session: Session, params: NoParams) -> bytes:
    """Answer all bots, stopped ones too."""
    assert session.account is not None
    return wire.encode([bot_payloads.bot_object(bot) for bot in session.context.engine.bots.of(session.account)])


def _terms(params: CreateParams, position: Decimal) -> core.BotTerms:
    """Return the core's terms, with the defaults that depend on the position and the levels."""
    fields: dict[str, Any] = {name: _exact(value) for name, value in msgspec.structs.asdict(params).items()}
    if isinstance(params, Ladder):
        if fields["base_position"] is None:
            fields["base_position"] = position
        if fields["target_mean_price"] is None:
            fields["target_mean_price"] = _mean_price(params)
    match params:
        case Signal():
            return core.SignalTerms(**fields)
        case Quoter():
            return core.QuoterTerms(**fields)
        case Levels():
            return core.LevelsTerms(**fields)
        case Grid():
            return core.GridTerms(**fields)
        case Hedger():
            return core.HedgerTerms(**fields)
        case Follower():
            return core.FollowerTerms(**fields)


def _mean_price(params: Ladder) -> Decimal:
    """Return the middle of the grid, or of best bid and best ask."""
    ends: list[Number] = []
    if isinstance(params, Grid):
        ends = [*sorted(params.grid)[:1], *sorted(params.grid)[-1:]]
    elif isinstance(params, Levels):
        ends = [*sorted(params.bids)[-1:], *sorted(params.asks)[:1]]
    return sum((_number(end) for end in ends), Decimal(0)) / max(1, len(ends))


def _exact(value: object) -> Any:
    """Return numbers as decimals, alone or in lists, and everything else as it is."""
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    return _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number(value: Number) -> Decimal:
    number = wire_decimal(value)
    if number is None:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {value} is no usable number")
    return number


METHODS: Methods = {
    "private/create_bot": Method(create, msgspec.json.Decoder(CreateParams), needs_login=True, bucket="order"),
    "private/cancel_bot": Method(cancel, msgspec.json.Decoder(BotIdParams), needs_login=True, bucket="cancel"),
    "private/cancel_all_bots": Method(cancel_all, msgspec.json.Decoder(NoParams), needs_login=True, bucket="cancel"),
    "private/bots": Method(bots, msgspec.json.Decoder(NoParams), needs_login=True),
}
