"""Cancel everything of an account, again and again, until the venue itself shows nothing twice in a row.

The last resort of risk and of the kill one-shot. It needs a gateway and nothing else of a session: no shared
memory, no other process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from domain.clock import NS_PER_S, Clock
from domain.errors import ConnectivityError, VenueError
from domain.reports import OrderReport

CONFIRMATIONS = 2  # a cancel_all may miss an insert in flight; the second look comes after it has landed
PAUSE_S = 0.15


class SweepGateway(Protocol):
    """The part of an order gateway that a sweep uses."""

    async def cancel_all(self) -> int: ...
    async def cancel_all_conditional_orders(self) -> None: ...
    async def open_orders(self) -> list[OrderReport]: ...
    async def open_conditional_orders(self) -> int: ...


class SweepResult(NamedTuple):
    """How a sweep ended.

    Attributes:
        is_confirmed: the venue showed no order twice in a row.
        cancelled: orders that the venue says it cancelled for us.
        open_orders: orders that it showed last, conditional ones included; -1 when it never answered.
        last_error: newest trouble on the way, empty when there was none.
        first_cancel_ns: monotonic, when the first cancel of everything was sent.
    """

    is_confirmed: bool
    cancelled: int
    open_orders: int
    last_error: str
    first_cancel_ns: int = 0


async def sweep(
    gateway: SweepGateway,
    clock: Clock,
    *,
    timeout_s: float,
    is_obsolete: Callable[[], bool] = lambda: False,
    spares_conditional: bool = False,
    pause_s: float = PAUSE_S,
) -> SweepResult:
    """Cancel all orders and conditional orders until none is shown twice, or the time is over.

    Trouble with the venue is not raised but tried again: there is nobody better to hand it to.

    Args:
        spares_conditional: leave conditional orders: they protect a position while nobody else does.
        is_obsolete: asked before each round; True ends the sweep, unconfirmed.
    """
    deadline_ns = clock.monotonic_ns() + int(timeout_s * NS_PER_S)
    confirmations, cancelled, shown, last_error = 0, 0, -1, ""
    first_cancel_ns = clock.monotonic_ns()
    while clock.monotonic_ns() < deadline_ns and not is_obsolete():
        try:
            cancelled += await gateway.cancel_all()
            shown = 0
            if not spares_conditional:
                await gateway.cancel_all_conditional_orders()
                shown = await gateway.open_conditional_orders()
            shown += len(await gateway.open_orders())
        except (ConnectivityError, VenueError) as error:
            confirmations, last_error = 0, str(error)
        else:
            confirmations = confirmations + 1 if shown == 0 else 0
            if confirmations == CONFIRMATIONS:
                return SweepResult(True, cancelled, 0, last_error, first_cancel_ns)
        await asyncio.sleep(pause_s)
    return SweepResult(False, cancelled, shown, last_error, first_cancel_ns)
