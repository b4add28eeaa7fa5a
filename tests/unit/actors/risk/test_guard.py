"""What risk knows of the account's open orders: whose they are, and whether it knows them all."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from actors.risk.guard import OrderGuard
from domain.clock import NS_PER_S, SimClock
from domain.order import Side, VenueOrderStatus
from domain.reports import OrderReport
from tests.execution_rig import INSTRUMENT
from trading.orders.config import ExecutionConfig
from trading.risk.account_view import Working

OURS, FOREIGN = "rm-test", "by hand"


def order(number: int, side: Side, size: str, label: str) -> OrderReport:
    return OrderReport(
        f"v{number}", number, INSTRUMENT.name, side, Decimal(100), Decimal(size), Decimal(0), VenueOrderStatus.OPEN, (),
        "", "", label, 0, 0,
    )  # fmt: skip


def a_guard(*open_orders: OrderReport) -> OrderGuard:
    """Return a guard that has just connected to a venue with these orders."""

    async def answer() -> list[OrderReport]:
        return list(open_orders)

    context: Any = SimpleNamespace(
        config=SimpleNamespace(execution=ExecutionConfig()), clock=SimClock(NS_PER_S, NS_PER_S)
    )
    gateway: Any = SimpleNamespace(open_orders=answer)
    return OrderGuard(context, gateway, OURS)


def test_orders_of_others_are_told_apart_from_ours() -> None:
    guard = a_guard()
    guard.on_orders([order(1, Side.BUY, "0.1", OURS), order(2, Side.BUY, "0.2", FOREIGN)])
    guard.on_orders([order(3, Side.SELL, "0.4", FOREIGN)])
    assert guard.working == {INSTRUMENT.name: Working(Decimal("0.3"), Decimal("0.4"))}
    assert guard.working_of_others == {INSTRUMENT.name: Working(Decimal("0.2"), Decimal("0.4"))}


def test_after_a_reconnect_the_orders_are_not_known_until_the_venue_has_shown_them() -> None:
    # Given a new connection
    found = order(1, Side.BUY, "0.1", OURS)
    guard = a_guard(found)
    assert guard.working is None
    # If the venue shows what is open, by its snapshot or asked for, I expect it to be known
    guard.on_orders([])
    assert guard.working == {}
    guard.forget()
    assert guard.working is None
    assert asyncio.run(guard.look()) == 1
    assert guard.working == {INSTRUMENT.name: Working(bought=Decimal("0.1"))}
