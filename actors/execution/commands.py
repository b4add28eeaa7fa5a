"""Execution's command handlers: each answers with what the venue confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from actors.execution.core import ExecutionCore
from domain.clock import NS_PER_S
from messages.commands import CancelAll, Command, Flatten, Halt, Hedge, Reduce, Reply, Status, Stop, TakeConfig
from runtime.actor import ActorContext, Handler
from runtime.config import read_config
from venues.gateway import OrderGateway

CORE_POLL_S = 0.01
CONFIRMED = "0 open orders, confirmed by the venue"
NOT_STARTED = "execution has not reached the venue yet: nothing was sent"


class Commands:
    """The handlers.

    Args:
        core_of: the core; None before the venue has told its instruments.
        work_soon: asks for a duty cycle.
    """

    def __init__(
        self,
        ctx: ActorContext,
        gateway_of: Callable[[], OrderGateway],
        core_of: Callable[[], ExecutionCore | None],
        work_soon: Callable[[], None],
    ) -> None:
        self._ctx = ctx
        self._gateway_of = gateway_of
        self._core_of = core_of
        self._work_soon = work_soon

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return {
            Stop: self._on_stop,
            Halt: self._on_halt,
            CancelAll: self._on_cancel_all,
            Flatten: self._on_flatten,
            Reduce: self._on_reduce,
            Hedge: self._on_hedge,
            Status: self._on_status,
            TakeConfig: self._on_take_config,
        }

    def _on_take_config(self, command: TakeConfig) -> Reply:
        """Handle orders by another configuration from now on."""
        config = read_config(Path(command.file))
        core = self._core_of()
        if not command.is_trial:
            self._ctx.config = config
            if core is not None:
                core.use_config(config.execution)
        return Reply(ok=True, text="order handling taken over")

    async def _on_stop(self, command: Stop) -> Reply:
        """Cancel, confirm, flatten if asked; the answer carries the report of the session."""
        core = await self._core_within(self._ctx.config.execution.stop_timeout_s)
        if core is None:
            await self._gateway_of().close()
            if self._ctx.epoch == 1:
                return Reply(ok=True, text=NOT_STARTED, data={"open_orders_at_exit": 0})
            return Reply(ok=False, text="execution was restarting and has not reached the venue")
        report = await core.operations.stop(flatten=command.flatten)
        open_orders = report["open_orders_at_exit"]
        await self._gateway_of().close()
        return Reply(ok=open_orders == 0, text=outcome(open_orders), data=report)

    async def _core_within(self, timeout_s: float) -> ExecutionCore | None:
        """Return the core, waiting for the venue's first answer if need be."""
        deadline_ns = self._ctx.clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while self._core_of() is None and self._ctx.clock.monotonic_ns() < deadline_ns:
            await asyncio.sleep(CORE_POLL_S)
        return self._core_of()

    async def _on_halt(self, command: Halt) -> Reply:
        """Cancel everything and stay out until risk's limits allow quoting again; flatten if asked."""
        core = self._core_of()
        if core is None:
            return Reply(ok=True, text=NOT_STARTED)
        self._ctx.log.warning("halted", reason=command.reason, flatten=command.flatten)
        open_orders = await core.operations.halt()
        if command.flatten and open_orders == 0:
            left = await core.operations.flatten()
            return Reply(ok=not left, text=_flat(left))
        return Reply(ok=open_orders == 0, text=outcome(open_orders))

    async def _on_cancel_all(self, command: CancelAll) -> Reply:
        """Cancel every order of ours and confirm; quotes come back with the next wish."""
        core = self._core_of()
        if core is None:
            return Reply(ok=True, text=NOT_STARTED)
        open_orders = await core.operations.cancel_all()
        return Reply(ok=open_orders == 0, text=outcome(open_orders))

    async def _on_flatten(self, command: Flatten) -> Reply:
        """Cancel, then bring every position, or that of one instrument, to zero, bounded in time."""
        core = self._core_of()
        if core is None:
            return Reply(ok=False, text=NOT_STARTED)
        if not command.instrument:
            left = await core.operations.flatten()
        else:
            desk = next((desk for desk in core.desks.values() if desk.name == command.instrument), None)
            if desk is None:
                names = ", ".join(self._ctx.instrument_names)
                return Reply(ok=False, text=f"no instrument {command.instrument}; there are: {names}")
            left = await core.operations.flatten_instrument(desk)
        return Reply(ok=not left, text=_flat(left), data={"position": left})

    async def _on_hedge(self, command: Hedge) -> Reply:
        """Trade a net delta back to its target; asked again under the same id, tell what was done."""
        core = self._core_of()
        if core is None:
            return Reply(ok=False, text=NOT_STARTED)
        return await core.hedging.hedge(command)

    def _on_reduce(self, _command: Reduce) -> Reply:
        """Look at the limits at once: risk has written there that only one side may quote."""
        core = self._core_of()
        if core is not None:
            for desk in core.desks.values():
                desk.is_dirty = True
            self._work_soon()
        return Reply(ok=True, text="quotes follow risk's limits")

    def _on_status(self, _command: Status) -> Reply:
        core = self._core_of()
        if core is None:
            return Reply(ok=True, text="connecting to the venue")
        blocked = {desk.name: desk.blocked_by for desk in core.desks.values() if desk.blocked_by}
        live = len(core.books.manager.all_live())
        text = f"{live} orders live" + "".join(f"; {name}: {why}" for name, why in blocked.items())
        text += "".join(f"; {trouble}" for trouble in core.troubles(self._ctx.clock.monotonic_ns()))
        return Reply(ok=True, text=text, data=core.operations.report(live, core.truth.is_consistent))


def outcome(open_orders: int | None) -> str:
    """Return what the venue shows in words; None = it could not be asked."""
    if open_orders == 0:
        return CONFIRMED
    if open_orders is None:
        return "the venue did not confirm that nothing is open"
    return f"{open_orders} orders of ours are still open at the venue"


def _flat(left: Mapping[str, str]) -> str:
    if not left:
        return "flat"
    return "not flat: " + ", ".join(f"{name} {position}" for name, position in left.items())
