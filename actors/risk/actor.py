"""Watches the account over its own connection, writes the limits in force, and cancels when nobody else can.

Ten times a second: marks, signs of life and execution's accounts from shared memory, positions and trades from
the venue → causes → limits and risk rows. It never places an order.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Awaitable

import msgspec

from actors.risk.alarms import Alarms
from actors.risk.books import BooksKeeper
from actors.risk.commands import LOSS_CAUSES, RiskCommands
from actors.risk.comovement import ComovementPublisher
from actors.risk.decisions import DecisionLog
from actors.risk.exits import LossExit, PositionCloser
from actors.risk.memory import MemoryKeeper
from actors.risk.money import PnlTable
from actors.risk.orphan import outlive_supervisor
from actors.risk.tables import RiskTables
from actors.risk.telling import StateTelling
from actors.risk.venue import RiskGateway, VenueView
from messages.commands import Command, Halt, Kill, Reduce, Reply, Resume, SetParameter, TakeConfig
from runtime.actor import Actor, ActorContext, Handler
from trading.ledger_line import Pnl
from trading.orders.config import order_label, stop_label
from trading.risk.account import total_pnl
from trading.risk.latch import RiskMemory, take_kill_mark
from trading.risk.limit_changes import with_limits
from trading.risk.limits import recovery_of
from trading.risk.monitor import RiskMonitor, SignsOfLife
from trading.risk.states import Cause, RiskStates
from trading.risk.waiting import take_up, waiting_of
from venues.config import venue_url
from venues.gateway import OrderListener
from venues.thalex.order_gateway import ThalexOrderGateway

END_SWEEP_S = 1.0  # the supervisor waits for 2 s
TO_BE_SAVED = (Halt, Kill, Reduce, Resume, SetParameter, TakeConfig)  # what they change outlives this process


class RiskActor(Actor):
    """The process that may say no."""

    poll_interval_s = 0.02

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        self._keeper = MemoryKeeper(ctx)
        memory = self._keeper.loaded
        self._limits_set = dict(memory.limits)
        config = with_limits(ctx.config.risk, self._limits_set)
        mark = take_kill_mark(ctx.state_dir)
        latched = [*memory.latched, *([mark] if mark else [])]
        states = RiskStates(recovery_of(config), latched)
        now_ns, realtime_ns = ctx.clock.monotonic_ns(), ctx.clock.realtime_ns()
        is_same_boot = bool(memory.boot) and memory.boot == self._keeper.boot
        take_up(
            states, memory.waiting, ctx.instrument_names, is_same_boot=is_same_boot, now_ns=now_ns,
            realtime_ns=realtime_ns,
        )  # fmt: skip
        self.monitor = RiskMonitor(config, ctx.instrument_names, states, memory.drawdown(), memory.trails)
        self.tables = RiskTables(ctx)
        self._pnl_table = PnlTable(ctx)
        self.venue = VenueView(
            ctx,
            self.monitor,
            memory,
            self.open_gateway,
            self.tables.read_marks,
            self.tables.venue_ahead_ns,
            BooksKeeper(ctx, self._keeper.account),
        )
        self._comovement = ComovementPublisher(ctx)
        self._pnl_lines: dict[str, Pnl | None] = {}
        self._decisions = DecisionLog(ctx)
        self._telling = StateTelling(ctx, self._decisions)
        self._closer = PositionCloser(ctx, self._decisions)
        self._loss_exit = LossExit(is_wanted=config.flatten_on_halt and self._loss() is not None)
        self._alarms = Alarms(ctx, self._decisions)
        self.commands = RiskCommands(
            ctx, self.monitor, self.tables, self.venue, self._decisions, self._telling, self._limits_set, self._apply
        )
        self._evaluate_due_ns = 0
        self._is_orphan = False
        self._histogram = ctx.histogram("evaluate")
        for kept in memory.waiting:
            ctx.log.warning("goes on from before the start", cause=kept.cause.value, text=kept.text)
        for one in latched:
            ctx.log.warning("still halted; `cli.py resume` ends it", cause=one.cause.value, text=one.text)

    def open_gateway(self, listener: OrderListener) -> RiskGateway:
        """Return the connection of our own; it shows the orders of the whole account."""
        ctx = self.ctx
        label = order_label(ctx.config.execution, ctx.session)
        return ThalexOrderGateway(
            ctx.config.venue,
            venue_url(ctx.config.venue, os.environ),
            ctx.credentials,
            ctx.state_dir,
            listener,
            ctx.clock,
            ctx.log,
            ctx.spawn,
            orders_channel="account.orders",
            own_labels=frozenset({label, stop_label(label)}),
            own_instruments=frozenset(ctx.instrument_names),
            gives_up=ctx.epoch == 1,
        )

    # ---- life ----------------------------------------------------------------------------------------

    def on_start(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._on_orphaned)
        self.venue.gateway.start()
        self.evaluate(self.ctx.clock.monotonic_ns())
        self.ctx.set_live()

    def do_work(self, now_ns: int) -> int:
        self.venue.gateway.keep_alive(now_ns)
        if now_ns < self._evaluate_due_ns:
            return 0
        self._evaluate_due_ns = now_ns + self.monitor.interval_ns
        self.evaluate(now_ns)
        self.venue.guard.do_work(
            now_ns,
            is_execution_silent=lambda: self.tables.is_execution_silent(self.monitor.config),
            is_halted=self.monitor.states.is_account_halted(now_ns) and not self.tables.execution().is_stopping,
            flattened=self._flattened(),
        )
        self.venue.do_work(now_ns)
        self._comovement.do_work(now_ns)
        self._keeper.save_when_changed(self._memory(), now_ns)
        return 1

    def _flattened(self) -> list[str]:
        """Return the instruments whose position is being closed on our word."""
        names = self.ctx.instrument_names
        return list(names) if self.commands.flattenings else [names[row] for row in self._closer.under_way]

    async def stop(self) -> None:
        """Close the gate, remember, leave no order behind: who takes too long is killed before it is done."""
        self._end_session("risk stops")
        self._keeper.save(self._memory())
        venue = self.venue
        if venue.gateway.is_ready and await venue.guard.look() != 0 and venue.gateway.is_ready:  # unseen may stand
            await venue.guard.sweep("the session ends", END_SWEEP_S)
        await venue.gateway.close()
        self._keeper.save(self._memory())

    # ---- evaluation ----------------------------------------------------------------------------------

    def evaluate(self, now_ns: int) -> None:
        """Judge what is seen now and write the limits; also called at once when something changes them."""
        monitor, tables = self.monitor, self.tables
        tables.read_instruments(monitor)
        tables.read_marks(monitor)
        tables.read_market(monitor)
        self._comovement.tell(monitor.account)
        tables.read_orders_sent(monitor)
        realtime_ns = self.ctx.clock.realtime_ns()
        self._look_for_kill_mark(now_ns)
        if self.venue.is_started:
            self._pnl_lines = self.venue.pnl_by_instrument()
            pnl = total_pnl(self._pnl_lines.values())
            monitor.drawdown.update(float(pnl.total) if pnl is not None else math.nan, realtime_ns)
        had_lost = self._loss() is not None
        monitor.evaluate(
            is_started=self.venue.is_started,
            life=SignsOfLife(tables.feed_time_ns(), tables.execution().beat_time_ns, self.venue.alive_time_ns),
            execution=tables.execution_views(),
            now_ns=now_ns,
            realtime_ns=realtime_ns,
        )
        self._publish(now_ns)
        self._act(had_lost, now_ns)
        self._histogram.record(self.ctx.clock.monotonic_ns() - now_ns)
        self.ctx.counters.add("evaluations")

    def _act(self, had_lost: bool, now_ns: int) -> None:
        """Have done what the judgement asks for beyond closing the gate."""
        monitor, loss = self.monitor, self._loss()
        text = monitor.verdict(now_ns).text
        if loss is not None and not had_lost:
            self._loss_exit.is_wanted = monitor.config.flatten_on_halt
            self.ctx.spawn(self.commands.halt_unasked(Halt(text, flatten=monitor.config.flatten_on_halt)), "halt")
        elif not self.commands.flattenings:
            unfinished = self._loss_exit.wanted(monitor.account, loss, text)
            self._closer.do_work({**unfinished, **monitor.positions.exits}, now_ns)
        trades, self.venue.new_trades = self.venue.new_trades, []
        self._alarms.on_trades(trades, now_ns)
        self._alarms.look(monitor.account, self.tables.mids, now_ns)

    def _loss(self) -> Cause | None:
        """Return the loss for which the account is halted; None = there is none."""
        return next((cause for cause in LOSS_CAUSES if self.monitor.states.is_held(cause)), None)

    def _publish(self, now_ns: int) -> None:
        self.tables.publish_limits(self.monitor, now_ns)
        self.tables.publish_risk(
            self.monitor,
            total_pnl(self._pnl_lines.values()) if self._pnl_lines else None,
            is_connected=self.venue.gateway.is_ready,
            open_orders=self.venue.guard.our_orders,
            now_ns=now_ns,
        )
        self._pnl_table.publish(self._pnl_lines, now_ns)
        self._telling.look(self.monitor, now_ns)

    def _look_for_kill_mark(self, now_ns: int) -> None:
        mark = take_kill_mark(self.ctx.state_dir)
        if mark is not None:
            self._tell(mark.cause, mark.text, now_ns)

    def _tell(self, cause: Cause, text: str, now_ns: int) -> None:
        self.monitor.states.tell(cause, True, text, now_ns=now_ns, realtime_ns=self.ctx.clock.realtime_ns())

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        handlers = self.commands.handlers
        return {**handlers, **{command: self._saving(handlers[command]) for command in TO_BE_SAVED}}

    def _saving(self, handler: Handler) -> Handler:
        """Return a handler whose reply says so when what it changed did not come to the disk."""
        return lambda command: self._when_saved(handler(command))

    async def _when_saved(self, given: Reply | Awaitable[Reply]) -> Reply:
        reply = given if isinstance(given, Reply) else await given
        fault = await self._keeper.unsaved()
        return msgspec.structs.replace(reply, text=f"{reply.text}; not saved: {fault}") if fault else reply

    # ---- the end of a session ------------------------------------------------------------------------

    def _end_session(self, why: str) -> None:
        self._tell(Cause.SESSION_ENDS, why, self.ctx.clock.monotonic_ns())
        self.evaluate(self.ctx.clock.monotonic_ns())

    def _on_orphaned(self) -> None:
        if self._is_orphan:  # the kernel tells it once for each thread of the supervisor
            return
        self._is_orphan = True
        self.ctx.log.error("the supervisor is gone; risk stays until the venue shows no order of ours")
        self._end_session("the supervisor is gone")
        self.ctx.spawn(outlive_supervisor(self.ctx, self.tables, self.venue), "orphan")

    # ---- memory --------------------------------------------------------------------------------------

    def _apply(self) -> None:
        """Put what just changed in force: limits now, memory as soon as the disk has it."""
        now_ns = self.ctx.clock.monotonic_ns()
        self.evaluate(now_ns)
        self._keeper.save_when_changed(self._memory(), now_ns, is_urgent=True)

    def _memory(self) -> RiskMemory:
        """Return what must survive this process."""
        monitor, drawdown, clock = self.monitor, self.monitor.drawdown, self.ctx.clock
        return RiskMemory(
            run=self.ctx.run_dir.name,
            day=drawdown.day,
            day_start_equity=drawdown.day_start_equity,
            equity=drawdown.known_equity,
            account=self._keeper.account,
            equity_peak=drawdown.peak,
            openings=self.venue.openings,
            since_ns=self.venue.since_ns,
            limits=dict(self._limits_set),
            latched=monitor.states.latched,
            waiting=waiting_of(monitor.states, self.ctx.instrument_names, clock.monotonic_ns(), clock.realtime_ns()),
            boot=self._keeper.boot,
            trails=monitor.positions.trails if monitor.config.trailing_stop_bps else {},
            forgiven={**self._keeper.loaded.forgiven, **monitor.forgiven},
        )
