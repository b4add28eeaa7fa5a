"""Controls for tests, only with --admin: move market and clock, stop the flow, begin faults, count."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

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


METHODS: Methods = {
    "admin/fault": Method(begin_fault, msgspec.json.Decoder(Fault), needs_admin=True),
    "admin/clear_faults": Method(clear_faults, msgspec.json.Decoder(NoParams), needs_admin=True),
    "admin/jump": Method(jump, msgspec.json.Decoder(JumpParams), needs_admin=True),
    "admin/move_clock": Method(move_clock, msgspec.json.Decoder(ClockParams), needs_admin=True),
    "admin/stop_flow": Method(stop_flow, msgspec.json.Decoder(NoParams), needs_admin=True),
    "admin/start_flow": Method(start_flow, msgspec.json.Decoder(NoParams), needs_admin=True),
    "admin/disconnect_all": Method(disconnect_all, msgspec.json.Decoder(NoParams), needs_admin=True),
    "admin/stats": Method(stats, msgspec.json.Decoder(NoParams), needs_admin=True),
}
