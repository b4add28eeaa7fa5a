"""Risk's own eye and hand on the account's orders: it sees them without execution, and cancels them without it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from actors.sweep import SweepGateway, SweepResult, sweep
from domain.clock import NS_PER_S, Clock
from domain.errors import ConnectivityError, VenueError
from domain.order import Side
from domain.reports import OrderReport
from runtime.actor import ActorContext
from trading.risk.account_view import Working

HALT_GRACE_NS = 1 * NS_PER_S  # execution pulls its quotes by itself; what stands after this is swept
LOOK_PAUSE_NS = NS_PER_S // 2
SWEEP_TIMEOUT_S = 10.0


class GuardedGateway(SweepGateway, Protocol):
    """A sweep's gateway that may be without a connection."""

    @property
    def is_ready(self) -> bool: ...

    @property
    def unreadable_orders(self) -> int:
        """Orders that are not ours and stand at the venue, for all that can be read."""
        ...


class OrderGuard:
    """Tracks the open orders of the account and sweeps them when nobody else does.

    Args:
        label: marks the orders that are ours.
    """

    def __init__(self, ctx: ActorContext, gateway: GuardedGateway, label: str) -> None:
        self._ctx = ctx
        self._clock: Clock = ctx.clock
        self._gateway = gateway
        self._label = label
        self._open: dict[str, OrderReport] = {}
        self._is_known = False
        self._seen_ns: dict[str, int] = {}
        self._is_busy = False
        self._halted_since_ns = 0
        self._flattened_since_ns: dict[str, int] = {}  # instruments; what is first seen there later flattens
        self._look_due_ns = 0

    # ---- what is open --------------------------------------------------------------------------------

    def on_orders(self, reports: Iterable[OrderReport]) -> None:
        """Take over new states of the account's orders; the first report of a connection is of all that is open."""
        self._is_known = True
        for report in reports:
            if report.status.is_closed:
                self._open.pop(report.venue_order_id, None)
                self._seen_ns.pop(report.venue_order_id, None)
            else:
                self._open[report.venue_order_id] = report
                self._seen_ns.setdefault(report.venue_order_id, self._clock.monotonic_ns())

    def forget(self) -> None:
        """A new connection begins with a snapshot of what is open; until then nothing is known."""
        self._is_known = False
        self._open.clear()
        self._seen_ns.clear()

    @property
    def our_orders(self) -> int:
        """Open orders of this session, as the venue showed them."""
        return sum(order.label == self._label for order in self._open.values())

    @property
    def working(self) -> dict[str, Working] | None:
        """Remaining size of the account's open orders, ours and others', by instrument; None when not known, as while
        an order of others cannot be read."""
        is_known = self._is_known and not self._gateway.unreadable_orders
        return self._sizes(self._open.values()) if is_known else None

    @property
    def working_of_others(self) -> dict[str, Working]:
        """The same of the orders that are not of this session, as far as they are known."""
        return self._sizes(order for order in self._open.values() if order.label != self._label)

    @staticmethod
    def _sizes(orders: Iterable[OrderReport]) -> dict[str, Working]:
        found: dict[str, Working] = {}
        for order in orders:
            bought, sold = found.get(order.instrument_name, Working())
            if order.side is Side.BUY:
                bought += order.remaining_size
            else:
                sold += order.remaining_size
            found[order.instrument_name] = Working(bought, sold)
        return found

    async def look(self) -> int | None:
        """Ask the venue for its open orders; return how many are ours, None when it does not say."""
        try:
            orders = await self._gateway.open_orders()
        except (ConnectivityError, VenueError) as error:
            self._ctx.log.warning("cannot see the open orders", reason=str(error))
            return None
        self._open.clear()  # not the times: an order that still stands has stood since it was first seen
        self.on_orders(orders)
        self._seen_ns = {order_id: self._seen_ns[order_id] for order_id in self._open}
        return self.our_orders

    # ---- when to act ---------------------------------------------------------------------------------

    def do_work(
        self,
        now_ns: int,
        *,
        is_execution_silent: Callable[[], bool],
        is_halted: bool,
        flattened: Collection[str] = (),
    ) -> None:
        """Sweep when orders of ours stand while execution is silent, or long after a halt.

        Args:
            is_execution_silent: asked again during the sweep, which ends when execution is back.
            is_halted: the account is halted, and the session does not end.
            flattened: instruments whose position somebody has execution close, before a halt or after it.
        """
        if not is_halted:
            self._halted_since_ns = 0
            self._flattened_since_ns = {name: self._flattened_since_ns.get(name, now_ns) for name in flattened}
        else:
            self._halted_since_ns = self._halted_since_ns or now_ns
            for name in flattened:  # again and again, when it fails: it is one until the halt ends
                self._flattened_since_ns.setdefault(name, now_ns)
        if self._is_busy or not self._gateway.is_ready:
            return
        if is_execution_silent():
            if self.our_orders or now_ns >= self._look_due_ns:
                self._look_due_ns = now_ns + LOOK_PAUSE_NS
                self._start("execution is silent", lambda: not is_execution_silent())
        elif self._halted_since_ns and self._stands_after_halt(now_ns):
            self._start("orders stand after a halt", lambda: not self._halted_since_ns)

    def _stands_after_halt(self, now_ns: int) -> bool:
        """Whether an order outlived the halt, or one that flattens the time that it has for that."""
        flatten_ns = int(self._ctx.config.execution.flatten_s_max * NS_PER_S)
        for order_id, order in self._open.items():
            seen_ns = self._seen_ns[order_id]
            flattened_since_ns = self._flattened_since_ns.get(order.instrument_name)
            flattens = flattened_since_ns is not None and seen_ns > flattened_since_ns
            stands_since_ns = max(self._halted_since_ns, seen_ns + flatten_ns * flattens)
            if order.label == self._label and now_ns > stands_since_ns + HALT_GRACE_NS:
                return True
        return False

    def _start(self, why: str, is_obsolete: Callable[[], bool]) -> None:
        self._is_busy = True
        self._ctx.spawn(self._look_and_sweep(why, is_obsolete), "sweep")

    async def _look_and_sweep(self, why: str, is_obsolete: Callable[[], bool]) -> None:
        try:
            if await self.look() != 0:  # what cannot be seen may stand
                await self.sweep(why, SWEEP_TIMEOUT_S, is_obsolete)
        finally:
            self._is_busy = False

    async def sweep(
        self, why: str, timeout_s: float, is_obsolete: Callable[[], bool] = lambda: False, *, takes_stops: bool = False
    ) -> SweepResult:
        """Cancel everything of the account until the venue shows nothing twice; protective stops only on request."""
        self._ctx.log.warning("cancelling everything", why=why, open_orders=self.our_orders)
        self._ctx.counters.add("cancel_alls")
        result = await sweep(
            self._gateway,
            self._clock,
            timeout_s=timeout_s,
            is_obsolete=is_obsolete,
            spares_conditional=self._ctx.config.execution.protection.kind != "off" and not takes_stops,
        )
        log = self._ctx.log.info if result.is_confirmed else self._ctx.log.error
        log("cancelled everything" if result.is_confirmed else "sweep ended unconfirmed", **result._asdict())
        return result
