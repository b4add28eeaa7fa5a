"""Controls for tests, only with --admin: move market, funding, margin and clock, stop the flow, begin faults, count."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from exchange.core.instrument import InstrumentType
from exchange.core.order_checks import check_amount, check_price
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S
from exchange.core.units import wire_decimal
from exchange.gateways.thalex import wire
from exchange.gateways.thalex.errors import ErrorCode, RequestError
from exchange.gateways.thalex.faults import Fault
from exchange.gateways.thalex.market_methods import NoParams
from exchange.gateways.thalex.payloads import seconds
from exchange.gateways.thalex.session import Controls, Method, Methods, Session
from exchange.metrics import collect

CLOCK_JUMP_S_MAX = 400 * 86_400


class JumpParams(Struct):
    """`price_change` in USD, of the index and everything on it."""

    price_change: int | float
    underlying: str = "BTCUSD"


def jump(session: Session, params: JumpParams) -> bytes:
    change = wire_decimal(params.price_change)
    if change is None:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: price_change {params.price_change}")
    if not _controls(session).jump(change, params.underlying):
        raise RequestError(ErrorCode.UNKNOWN_UNDERLYING, f"unknown underlying {params.underlying!r}")
    return wire.encode(None)


class TakeParams(Struct):
    """An anonymous taker: so much, as far as `price`."""

    instrument_name: str
    direction: Side
    amount: int | float
    price: int | float


def take(session: Session, params: TakeParams) -> bytes:
    """Let somebody unknown take from one side of a book; answer how much."""
    market = session.context.engine.market(params.instrument_name)
    instrument = market.instrument
    lots = check_amount(instrument, wire_decimal(params.amount), minimum_lots=1)
    taken = market.take_anonymous(params.direction, lots, check_price(instrument, wire_decimal(params.price)))
    return wire.encode(instrument.grid.amount(taken))


class FundingParams(Struct):
    """`rate` for 8 hours, a fraction of the index; without it the premium decides again."""

    instrument_name: str
    rate: Annotated[float, Meta(ge=-1000, le=1000)] | None = None


def set_funding(session: Session, params: FundingParams) -> bytes:
    """Set the funding rate of a perpetual; it accrues each second."""
    mark = session.context.engine.market(params.instrument_name).mark
    if mark.instrument.type is not InstrumentType.PERPETUAL:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"invalid request: {params.instrument_name} is no perpetual")
    mark.forced_rate = None if params.rate is None else Decimal(repr(params.rate))
    return wire.encode(None)


class MarginParams(Struct):
    """`spot_move_ratio`: the widest move of the index that margin must carry."""

    spot_move_ratio: Annotated[float, Meta(gt=0, le=1000)]


def set_margin(session: Session, params: MarginParams) -> bytes:
    """Ask more margin, or less, of everybody from now on."""
    desk = session.context.engine.margin
    desk.parameters = replace(desk.parameters, spot_move_ratio=Decimal(repr(params.spot_move_ratio)))
    return wire.encode(None)


class ClockParams(Struct):
    """How many seconds of market time to jump ahead."""

    seconds: Annotated[float, Meta(gt=0, le=CLOCK_JUMP_S_MAX)]


def move_clock(session: Session, params: ClockParams) -> bytes:
    """Jump ahead; answer the venue's time. Each 08:00 UTC on the way settles the day."""
    engine = session.context.engine
    engine.move_clock(params.seconds)
    return wire.encode({"time": seconds(engine.scheduler.realtime_ns())})


def stop_flow(session: Session, params: NoParams) -> bytes:
    _controls(session).set_running(False)
    return wire.encode(None)


def start_flow(session: Session, params: NoParams) -> bytes:
    _controls(session).set_running(True)
    return wire.encode(None)


def disconnect_all(session: Session, params: NoParams) -> bytes:
    """Cut every other connection; answer how many."""
    others = [other for other in session.context.sessions.values() if other is not session]
    for other in others:
        other.hang_up("disconnected by the operator")
    return wire.encode(len(others))


def stats(session: Session, params: NoParams) -> bytes:
    return wire.encode(collect(session.context))


def begin_fault(session: Session, params: Fault) -> bytes:
    """Begin a fault, now or `at_s` from now; the connection that asks is not cut."""
    faults, scheduler = session.context.faults, session.context.engine.scheduler
    due_ns = scheduler.monotonic_ns() + round(params.at_s * NS_PER_S)
    scheduler.call_at(due_ns, lambda: faults.begin(params, spare=session))
    return wire.encode(None)


def clear_faults(session: Session, params: NoParams) -> bytes:
    session.context.faults.clear()
    return wire.encode(None)


def _controls(session: Session) -> Controls:
    if session.context.controls is None:
        raise RequestError(ErrorCode.INVALID_REQUEST, "invalid request: a replay can't be steered")
    return session.context.controls


def _admin(handler: Any, params: type[Struct], *, is_logged: bool = True) -> Method:
    return Method(handler, msgspec.json.Decoder(params), needs_admin=True, is_logged=is_logged)


METHODS: Methods = {
    "admin/fault": _admin(begin_fault, Fault),
    "admin/clear_faults": _admin(clear_faults, NoParams),
    "admin/jump": _admin(jump, JumpParams),
    "admin/take": _admin(take, TakeParams),
    "admin/set_funding": _admin(set_funding, FundingParams),
    "admin/set_margin": _admin(set_margin, MarginParams),
    "admin/move_clock": _admin(move_clock, ClockParams),
    "admin/stop_flow": _admin(stop_flow, NoParams),
    "admin/start_flow": _admin(start_flow, NoParams),
    "admin/disconnect_all": _admin(disconnect_all, NoParams),
    "admin/stats": _admin(stats, NoParams, is_logged=False),
}
