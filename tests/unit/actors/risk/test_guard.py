"""What risk knows of the account's open orders: whose they are, and whether it knows them all."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from actors.risk.guard import OrderGuard
from domain.clock import NS_PER_S, SimClock
from domain.errors import VenueError
from domain.order import Side, VenueOrderStatus
from domain.reports import OrderReport
from tests.model_venue import INSTRUMENT
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

    gateway: Any = SimpleNamespace(open_orders=answer, is_ready=True, unreadable_orders=0)
    return OrderGuard(a_context(), gateway, OURS)


def a_context() -> Any:
    """Return what risk's process gives a guard; what it spawns is kept and not run."""

    def spawn(coroutine: Coroutine[Any, Any, None], name: str) -> None:
        coroutine.close()
        context.spawned.append(name)

    context: Any = SimpleNamespace(
        config=SimpleNamespace(execution=ExecutionConfig()), clock=SimClock(NS_PER_S, NS_PER_S), spawned=[], spawn=spawn
    )
    return context


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


class Refusing:
    """A venue that refuses to show anything, and takes cancels."""

    is_ready = True

    def __init__(self) -> None:
        self.cancels = 0

    async def cancel_all(self) -> int:
        self.cancels += 1
        return 0

    async def cancel_all_conditional_orders(self) -> None: ...

    async def open_conditional_orders(self) -> int:
        return await self.open_orders()

    async def open_orders(self) -> Any:
        raise VenueError(5, "internal error", "private/open_orders")


def test_what_the_venue_does_not_show_is_cancelled_while_execution_is_silent() -> None:
    # Given a venue that refuses to show the open orders
    context, gateway = a_context(), Refusing()
    context.counters = SimpleNamespace(add=lambda _: None)
    context.log = SimpleNamespace(**dict.fromkeys(("info", "warning", "error"), lambda *_, **__: None))
    context.spawn = lambda coroutine, _: asyncio.run(coroutine)
    guard = OrderGuard(context, gateway, OURS)  # type: ignore[arg-type]
    answers = [True, True, True]  # to whether execution is silent, then it is back
    # If execution is silent, I expect everything to be cancelled
    guard.do_work(NS_PER_S, is_execution_silent=lambda: bool(answers) and answers.pop(), is_halted=False)
    assert gateway.cancels >= 1
    assert asyncio.run(guard.look()) is None


def test_a_halt_that_has_ended_sweeps_no_more() -> None:
    # Given a quote that has outlived a halt, at a venue that does not answer in time
    context, gateway = a_context(), Refusing()
    context.counters = SimpleNamespace(add=lambda _: None)
    context.log = SimpleNamespace(**dict.fromkeys(("info", "warning", "error"), lambda *_, **__: None))
    context.spawn = lambda coroutine, _: context.spawned.append(coroutine)
    guard = OrderGuard(context, gateway, OURS)  # type: ignore[arg-type]
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    looks(guard, context, 2.0, is_halted=True)
    (sweep,) = context.spawned
    # If an operator resumes before the sweep begins, I expect it to cancel nothing of what is quoted from then on
    looks(guard, context, 0.1, is_halted=False)
    asyncio.run(sweep)
    assert gateway.cancels == 0


def test_while_an_order_of_others_cannot_be_read_it_is_not_known_what_works() -> None:
    guard = a_guard(order(1, Side.BUY, "0.1", OURS))
    asyncio.run(guard.look())
    assert guard.working is not None
    guard._gateway.unreadable_orders = 1  # type: ignore[misc]
    assert guard.working is None


FLATTENED = (INSTRUMENT.name,)


def looks(guard: OrderGuard, context: Any, seconds: float, *, is_halted: bool, flattened: Collection[str] = ()) -> None:
    """Have it look ten times a second for so long."""
    for _ in range(round(seconds * 10)):
        guard.do_work(
            context.clock.monotonic_ns(),
            is_execution_silent=lambda: False,
            is_halted=is_halted,
            flattened=flattened,
        )
        context.clock.advance(NS_PER_S // 10)


def test_a_quote_that_stands_after_a_halt_is_swept_although_a_flattening_fails_again_and_again() -> None:
    # Given a quote, and a halt with a flattening that is tried again a second after each failure
    context = a_context()
    guard = OrderGuard(context, SimpleNamespace(is_ready=True), OURS)  # type: ignore[arg-type]
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    looks(guard, context, 0.5, is_halted=True, flattened=FLATTENED)
    assert context.spawned == []
    # I expect it swept a second after the halt, not after the flattening
    looks(guard, context, 0.7, is_halted=True, flattened=FLATTENED)
    assert context.spawned == ["sweep"]


def test_the_order_of_a_flattening_that_a_halt_meets_has_the_time_of_a_flattening() -> None:
    # Given an operator's flattening with an order at the venue, and a halt
    context = a_context()
    guard = OrderGuard(context, SimpleNamespace(is_ready=True), OURS)  # type: ignore[arg-type]
    allowed_s = context.config.execution.flatten_s_max
    looks(guard, context, 0.5, is_halted=False, flattened=FLATTENED)
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    # I expect it left alone for as long as a flattening may take, and swept then
    looks(guard, context, allowed_s, is_halted=True, flattened=FLATTENED)
    assert context.spawned == []
    looks(guard, context, 1.5, is_halted=True)
    assert context.spawned == ["sweep"]


def test_a_flattening_after_a_halt_has_the_time_that_a_reload_has_given_it() -> None:
    # Given a halt, and an order that flattens after it
    context = a_context()
    guard = OrderGuard(context, SimpleNamespace(is_ready=True), OURS)  # type: ignore[arg-type]
    clock = context.clock
    looks(guard, context, 0.1, is_halted=True, flattened=FLATTENED)
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    # If the time of a flattening is set to a minute while the session runs
    context.config = SimpleNamespace(execution=ExecutionConfig(flatten_timeout_s=60.0))
    # I expect the order to be left alone for so long, and to be swept after that
    clock.advance(50 * NS_PER_S)
    looks(guard, context, 0.1, is_halted=True, flattened=FLATTENED)
    assert context.spawned == []
    clock.advance(20 * NS_PER_S)
    looks(guard, context, 0.1, is_halted=True, flattened=FLATTENED)
    assert context.spawned == ["sweep"]


def test_a_quote_beside_an_instrument_that_is_closed_has_no_more_time_than_any() -> None:
    # Given an exit that has closed another instrument for long, while this one is quoted on
    context = a_context()
    guard = OrderGuard(context, SimpleNamespace(is_ready=True), OURS)  # type: ignore[arg-type]
    allowed_s = context.config.execution.flatten_s_max
    looks(guard, context, allowed_s + 5, is_halted=False, flattened=["another"])
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    # If risk halts, I expect it to be left to execution for a second, and swept then
    looks(guard, context, 0.9, is_halted=True, flattened=["another"])
    assert context.spawned == []
    looks(guard, context, 0.4, is_halted=True, flattened=["another"])
    assert context.spawned == ["sweep"]


def test_an_old_order_of_a_flattening_has_a_second_after_the_halt() -> None:
    # Given an order that flattens and has had all its time before a halt
    context = a_context()
    guard = OrderGuard(context, SimpleNamespace(is_ready=True), OURS)  # type: ignore[arg-type]
    looks(guard, context, 0.2, is_halted=False, flattened=FLATTENED)
    guard.on_orders([order(1, Side.BUY, "0.1", OURS)])
    looks(guard, context, context.config.execution.flatten_s_max + 5, is_halted=False, flattened=FLATTENED)
    # I expect execution to have a second for it
    looks(guard, context, 0.9, is_halted=True, flattened=FLATTENED)
    assert context.spawned == []
    looks(guard, context, 0.4, is_halted=True, flattened=FLATTENED)
    assert context.spawned == ["sweep"]
