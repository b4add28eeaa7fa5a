"""Hedges on command: one order at a time, through the gate, until the net delta is where it should be.

How an order is worked is decided in trading/hedging/working.py. Here a command becomes orders, once: its id is
written down before the first of them, and whoever sends it again gets the answer of the first time.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable

from actors.execution.books import AccountBooks
from actors.execution.desk import Desk
from actors.execution.hedge_runs import BegunHedges, HedgeRun
from actors.execution.journal import Journal, JournalFailsError
from actors.execution.permission import FLATTENING
from actors.execution.ports import Ports
from actors.execution.prices import Prices
from actors.execution.quotes import QuoteSender
from actors.execution.watch import Watch
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError
from domain.order import Side, TimeInForce
from domain.units import lots_down
from messages.commands import Hedge, Reply
from shm.errors import RecordBusyError
from trading.hedging.working import DONE, Finish, Place, Plan, Resting, View, Wait, Withdraw, next_step
from trading.orders.breaker import Breaker
from trading.orders.order import Order
from trading.orders.states import CANCELLABLE_STATES, OrderState
from trading.orders.throttle import Throttle
from trading.risk import gate
from venues.gateway import NewOrder, OrderGateway

POLL_S = 0.01
ANSWERS_KEPT_MAX = 64
INTERRUPTED = "execution was restarted during this hedge: what it had done is in the positions"


class Hedging:
    """Carries out hedges, at most one for each instrument at a time.

    Attributes:
        breaker: pauses hedges that the venue refuses one after the other; quotes have their own.
    """

    def __init__(
        self,
        ports: Ports,
        gateway: OrderGateway,
        books: AccountBooks,
        quotes: QuoteSender,
        watch: Watch,
        prices: Prices,
        journal: Journal,
        label: str,
    ) -> None:
        self._clock = ports.clock
        self._log = ports.log
        self._shared = ports.shared
        self._counts = ports.measures.counts
        self._spawn: Callable[..., None] = ports.spawn
        self._gateway = gateway
        self._books = books
        self._quotes = quotes
        self._watch = watch
        self._prices = prices
        self._journal = journal
        self._label = label
        self.breaker = Breaker()
        self._begun = BegunHedges(ports.run_dir / "hedges.begun")
        self._answers: OrderedDict[str, Reply] = OrderedDict()
        self._runs: dict[str, HedgeRun] = {}  # by instrument

    # ---- the command -----------------------------------------------------------------------------------

    async def hedge(self, command: Hedge) -> Reply:
        """Carry the command out, or find what became of it, and answer once it has ended."""
        known = self._answers.get(command.command_id)
        if known is not None:
            return known
        run = self._runs.get(command.instrument)
        if run is not None and run.command.command_id == command.command_id:
            return await asyncio.shield(run.answer)
        if command.command_id in self._begun:
            return self._keep(command, Reply(ok=False, text=INTERRUPTED, data={"hedged_base": 0.0}))
        refusal = self._refusal(command)
        if refusal:
            return Reply(ok=False, text=refusal, data={"hedged_base": 0.0})
        try:
            self._begun.add(command.command_id)
        except OSError as error:
            text = f"hedges.begun cannot be written ({error.strerror}): a restart would not know of the hedge"
            return Reply(ok=False, text=text, data={"hedged_base": 0.0})
        run = self._runs[command.instrument] = self._begin(command)
        self._spawn(self._work(run), f"hedge {command.command_id}")
        return await asyncio.shield(run.answer)

    def end(self, reason: str) -> None:
        """Have every hedge withdraw its order and send nothing more."""
        for run in self._runs.values():
            run.stopped_by = run.stopped_by or reason

    def troubles(self, now_ns: int) -> list[str]:
        """Return what keeps hedges back, for the status and for the answer to one."""
        if not self.breaker.is_open:
            return []
        if self.breaker.may_insert(now_ns):
            return ["one hedge is tried, whose fate decides: the venue refused too many"]
        return [f"hedges pause {self.breaker.pause_ms} ms: the venue refused too many"]

    def close(self) -> None:
        self._begun.close()

    def _refusal(self, command: Hedge) -> str:
        """Return why the hedge cannot begin; empty = it can."""
        unknown = [name for name in (command.instrument, *command.weights) if name not in self._books.desks]
        if unknown:
            return f"no instrument {unknown[0]} in this session"
        if command.instrument in self._runs:
            return f"hedge {self._runs[command.instrument].command.command_id} is under way in {command.instrument}"
        if not all(map(math.isfinite, (*command.weights.values(), command.target_base, command.size_max_base))):
            return "weights, target and size must be finite numbers"
        return self._blocked_by(self._books.desks[command.instrument])

    def _blocked_by(self, desk: Desk) -> str:
        """Return what forbids to trade this instrument now; empty = nothing."""
        if self._quotes.holds:
            return min(self._quotes.holds)
        if self._watch.suspect:
            return f"{self._watch.suspect} is silent"
        strategy = self._watch.strategies.get(desk.strategy)
        if strategy is not None and strategy.is_suspect:
            return f"{strategy.name} is silent"
        if not self._books.is_known:
            return "the position is not known"
        return FLATTENING if desk.is_flattening else desk.held_by

    def _begin(self, command: Hedge) -> HedgeRun:
        now_ns = self._clock.monotonic_ns()
        passive_until_ns = now_ns + round(command.passive_s * NS_PER_S)
        plan = Plan(
            Side.BUY if command.is_buy else Side.SELL,
            passive_until_ns,
            passive_until_ns + round(command.cross_s * NS_PER_S),
            command.reprice_ms * NS_PER_MS,
        )
        desk = self._books.desks[command.instrument]
        desk.hedging = plan.side
        desk.is_dirty = True
        self._counts.add("hedges")
        self._log.info("hedge begins", command_id=command.command_id, instrument=desk.name, side=plan.side.name.lower())
        return HedgeRun(command, desk, plan)

    # ---- the work --------------------------------------------------------------------------------------

    async def _work(self, run: HedgeRun) -> None:
        """Take one step after the other until nothing is out and nothing more is to be done."""
        try:
            while True:
                step = self._next_step(run)
                if isinstance(step, Finish):
                    break
                if isinstance(step, Place):
                    self._place(run, step)
                elif isinstance(step, Withdraw):
                    self._withdraw(run)
                await asyncio.sleep(POLL_S)
        finally:
            run.desk.hedging = None
            run.desk.is_dirty = True
            del self._runs[run.command.instrument]
        reply = self._keep(run.command, self._reply(run, run.stopped_by or step.reason))
        run.answer.set_result(reply)

    def _next_step(self, run: HedgeRun) -> Wait | Place | Withdraw | Finish:
        run.stopped_by = run.stopped_by or self._blocked_by(run.desk)
        view = self._view(run)
        if not run.stopped_by:
            return next_step(run.plan, view)
        if view.resting is None:
            return Finish(run.stopped_by)
        return Wait() if view.resting.is_busy or not view.resting.is_passive else Withdraw()

    def _view(self, run: HedgeRun) -> View:
        order = run.order_out
        if order is None and run.order is not None:
            run.done_lots += run.order.filled_lots
            run.order = None
        resting = None
        if order is not None:
            is_passive = order.time_in_force is TimeInForce.GOOD_TILL_CANCELLED
            resting = Resting(
                order.price_ticks, order.remaining_lots, is_passive, order.state is not OrderState.WORKING,
                order.sent_time_ns,
            )  # fmt: skip
        desk, side = run.desk, run.plan.side
        return View(
            self._clock.monotonic_ns(),
            self._needed_lots(run),
            desk.instrument.order_lots_min,
            resting,
            self._prices.touch_ticks(desk, side) or 0,
            self._prices.crossing_ticks(desk, side, run.command.collar_bps) or 0,
            run.crossed_time_ns,
        )

    def _needed_lots(self, run: HedgeRun) -> int:
        """Return what leads from the net delta, by our own count of fills, to the target; never more than is left."""
        command, desks = run.command, self._books.desks
        net_base = math.fsum(
            weight * desks[name].position_lots * desks[name].exposure.base_per_lot
            for name, weight in command.weights.items()
        )
        base_per_lot = run.desk.exposure.base_per_lot
        needed_lots = lots_down(run.plan.side * (command.target_base - net_base), base_per_lot)
        return min(needed_lots, lots_down(command.size_max_base, base_per_lot) - run.filled_lots)

    def _place(self, run: HedgeRun, step: Place) -> None:
        """Send an order, if gate and throttle let it pass; or else the next look tries again."""
        desk, throttle = run.desk, self._quotes.throttle
        now_ns = self._clock.monotonic_ns()
        if throttle is None or not self._gateway.is_ready or not self.breaker.may_insert(now_ns):
            return
        if not self._may_place(run, step, throttle, now_ns) or not throttle.take_order(now_ns, is_urgent=True):
            return
        order = Order(
            client_order_id=self._quotes.next_order_id(),
            instrument=desk.row,
            side=run.plan.side,
            price_ticks=step.price_ticks,
            size_lots=step.size_lots,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED if step.is_passive else TimeInForce.IMMEDIATE_OR_CANCEL,
            is_hedge=True,
        )
        price, size = desk.instrument.price(order.price_ticks), desk.instrument.size(order.size_lots)
        try:
            self._journal.order("HEDGE", order.client_order_id, desk.name, order.side, price, size)
        except JournalFailsError:
            return
        run.order = order
        run.orders += 1
        run.crossed_time_ns = run.crossed_time_ns if step.is_passive else now_ns
        self._counts.add("hedge_orders")
        self.breaker.on_sent(now_ns)
        self._send(order, desk, post_only=step.is_passive, now_ns=now_ns)

    def _may_place(self, run: HedgeRun, step: Place, throttle: Throttle, now_ns: int) -> bool:
        """Ask the gate, everything of ours that is out taken into account.

        While a fill is missing or an order's fate unknown, nobody knows what is needed.
        """
        desk, limits = run.desk, self._shared.limits
        if self._books.manager.has_doubt():
            return False
        try:
            limits.load(desk.row)
        except RecordBusyError:
            return False
        desk.view(self._books.manager.live(desk.row))
        self._quotes.ready_gate(desk, throttle, now_ns)
        wanted = gate.Order(run.plan.side, step.price_ticks, step.size_lots)
        desk.exposure.duplicate_age_ns = desk.recent.age_ns(run.plan.side, step.price_ticks, step.size_lots, (), now_ns)
        verdict = gate.check(limits, wanted, desk.exposure, now_ns)
        if isinstance(verdict, gate.Refused):
            run.refused_by = verdict.text
            return False
        return True

    def _send(self, order: Order, desk: Desk, *, post_only: bool, now_ns: int) -> None:
        manager = self._books.manager
        manager.insert_sent(order, now_ns)
        desk.recent.note(order.side, order.price_ticks, order.size_lots, order.client_order_id, now_ns)
        try:
            self._gateway.insert(
                NewOrder(
                    client_order_id=order.client_order_id,
                    instrument_name=desk.name,
                    side=order.side,
                    price=desk.instrument.price(order.price_ticks),
                    size=desk.instrument.size(order.size_lots),
                    time_in_force=order.time_in_force,
                    post_only=post_only,
                    label=self._label,
                    collar=None if post_only else "clamp",  # the collar may have moved since risk last saw it
                    stp=self._quotes.stp,
                )
            )
        except ConnectivityError:
            manager.doubt(order, now_ns)

    def _withdraw(self, run: HedgeRun) -> None:
        order = run.order_out
        if order is None or order.state not in CANCELLABLE_STATES:
            return
        try:
            self._quotes.cancel(order, run.desk, self._clock.monotonic_ns())
        except ConnectivityError:
            return  # the connection is gone: recovery finds out what became of it

    # ---- the answer ------------------------------------------------------------------------------------

    def _reply(self, run: HedgeRun, reason: str) -> Reply:
        desk, side = run.desk, run.plan.side
        hedged_base = side * run.filled_lots * desk.exposure.base_per_lot
        text = f"{reason}: {desk.instrument.size(run.filled_lots)} {'bought' if side is Side.BUY else 'sold'}"
        if run.refused_by and not run.filled_lots:
            text += f"; denied by the gate: {run.refused_by}"
        if not run.filled_lots and reason != DONE:
            text += "".join(f"; {trouble}" for trouble in self.troubles(self._clock.monotonic_ns()))
        data = {"hedged_base": hedged_base, "orders": run.orders, "reason": reason}
        self._log.info("hedge ended", command_id=run.command.command_id, instrument=desk.name, **data)
        return Reply(ok=not run.stopped_by, text=text, data=data)

    def _keep(self, command: Hedge, reply: Reply) -> Reply:
        self._answers[command.command_id] = reply
        if len(self._answers) > ANSWERS_KEPT_MAX:
            self._answers.popitem(last=False)
        return reply
