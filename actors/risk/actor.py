"""Watches the account over its own connection, writes the limits in force, and cancels when nobody else can.

Ten times a second: marks, signs of life and execution's accounts from shared memory, positions and trades from
the venue → causes → limits and risk rows. It never places an order.
"""

from __future__ import annotations

import asyncio
import os
import signal

from actors.risk.alarms import Alarms
from actors.risk.comovement import ComovementPublisher
from actors.risk.decisions import DecisionLog
from actors.risk.exits import PositionCloser
from actors.risk.memory import MemoryKeeper
from actors.risk.tables import RiskTables
from actors.risk.telling import StateTelling
from actors.risk.venue import RiskGateway, VenueView
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import ConnectivityError
from domain.order import TradingState
from messages.commands import Command, Flatten, Halt, Kill, Reduce, Reply, Resume, SetParameter, Status
from runtime.actor import Actor, ActorContext, Handler
from trading.ledger import Pnl
from trading.risk.account import NO_PNL
from trading.risk.drawdown import Drawdown
from trading.risk.latch import RiskMemory, clear_kill_mark, take_kill_mark
from trading.risk.limit_changes import changed_limit, with_limits
from trading.risk.limits import recovery_of
from trading.risk.monitor import RiskMonitor, SignsOfLife
from trading.risk.states import Cause, RiskStates
from venues.config import venue_url
from venues.gateway import OrderListener
from venues.thalex.order_gateway import ThalexOrderGateway

HALT_ANSWER_S = 3.0
STOP_SWEEP_S = 5.0
ORPHAN_S = 10.0
LOSS_CAUSES = frozenset({Cause.LOSS_FROM_PEAK, Cause.LOSS_OF_DAY})


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
        self.monitor = RiskMonitor(
            config,
            ctx.instrument_names,
            RiskStates(recovery_of(config), latched),
            Drawdown(peak=memory.equity_peak, day=memory.day, day_start_equity=memory.day_start_equity),
        )
        self.tables = RiskTables(ctx)
        self.venue = VenueView(ctx, self.monitor, memory.openings, self.open_gateway, self.tables.read_marks)
        self._comovement = ComovementPublisher(ctx)
        self._pnl: Pnl = NO_PNL
        self._flattenings = 0
        self._decisions = DecisionLog(ctx)
        self._telling = StateTelling(ctx, self._decisions)
        self._closer = PositionCloser(ctx, self._decisions)
        self._alarms = Alarms(ctx, self._decisions)
        self._evaluate_due_ns = 0
        self._histogram = ctx.histogram("evaluate")
        for one in latched:
            ctx.log.warning("still halted; `cli.py resume` ends it", cause=one.cause.value, text=one.text)

    def open_gateway(self, listener: OrderListener) -> RiskGateway:
        """Return the connection of our own; it shows the orders of the whole account."""
        ctx = self.ctx
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
            is_execution_silent=self._is_execution_silent,
            is_halted=self.monitor.states.is_account_halted(now_ns)
            and not self._flattenings
            and not self._closer.under_way
            and not self.tables.execution().is_stopping,
        )
        self.venue.do_work(now_ns)
        self._comovement.do_work(now_ns)
        self._keeper.save_when_changed(self._memory(), now_ns)
        return 1

    async def stop(self) -> None:
        """Close the gate, leave no order behind, remember."""
        self._end_session("risk stops")
        if self.venue.gateway.is_ready and await self.venue.guard.look() > 0:
            await self.venue.guard.sweep("the session ends", STOP_SWEEP_S)
        await self.venue.gateway.close()
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
            pnl = self.venue.pnl()
            self._pnl = pnl if pnl is not None else self._pnl
            monitor.drawdown.update(float(pnl.total) if pnl is not None else float("nan"), realtime_ns)
        had_lost = self._has_lost()
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
        monitor = self.monitor
        if self._has_lost() and not had_lost:
            halt = Halt(monitor.verdict(now_ns).text, flatten=monitor.config.flatten_on_halt)
            self.ctx.spawn(self._halt_unasked(halt), "halt")
        self._closer.do_work(monitor.positions.exits, now_ns)
        trades, self.venue.new_trades = self.venue.new_trades, []
        self._alarms.on_trades(trades, now_ns)
        self._alarms.look(monitor.account, self.tables.mids, now_ns)

    def _has_lost(self) -> bool:
        return any(self.monitor.states.is_held(cause) for cause in LOSS_CAUSES)

    def _publish(self, now_ns: int) -> None:
        self.tables.publish_limits(self.monitor, now_ns)
        self.tables.publish_risk(
            self.monitor,
            self._pnl,
            is_connected=self.venue.gateway.is_ready,
            open_orders=self.venue.guard.our_orders,
            now_ns=now_ns,
        )
        self._telling.look(self.monitor, now_ns)

    def _look_for_kill_mark(self, now_ns: int) -> None:
        mark = take_kill_mark(self.ctx.state_dir)
        if mark is not None:
            self._tell(mark.cause, mark.text, now_ns)

    def _is_execution_silent(self) -> bool:
        silent_ns = self.ctx.clock.monotonic_ns() - self.tables.execution().beat_time_ns
        return silent_ns > self.monitor.config.execution_silent_ms * NS_PER_MS

    def _tell(self, cause: Cause, text: str, now_ns: int) -> None:
        self.monitor.states.tell(cause, True, text, now_ns=now_ns, realtime_ns=self.ctx.clock.realtime_ns())

    # ---- commands ------------------------------------------------------------------------------------

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return {
            Halt: self._on_halt,
            Kill: self._on_kill,
            Resume: self._on_resume,
            Reduce: self._on_reduce,
            Flatten: self._on_flatten,
            SetParameter: self._on_set_parameter,
            Status: self._on_status,
        }

    async def _on_halt(self, command: Halt) -> Reply:
        self._tell(Cause.OPERATOR_HALT, command.reason or "by the operator", self.ctx.clock.monotonic_ns())
        self._apply()
        return await self._halt_execution(command)

    async def _on_kill(self, _command: Kill) -> Reply:
        self._tell(Cause.KILLED, "the operator killed the session's orders", self.ctx.clock.monotonic_ns())
        self._apply()
        reply = await self._halt_execution(Halt("kill"))
        if self.ctx.config.execution.protection.kind != "off":  # one may have been placed while the kill swept
            await self.venue.guard.sweep("a kill takes protective stops too", STOP_SWEEP_S, takes_stops=True)
        return reply

    async def _halt_execution(self, command: Halt) -> Reply:
        """Have execution cancel (and flatten); where it does not answer, cancel ourselves."""
        if self._is_execution_silent():
            reply = Reply(ok=False, text="execution is silent")
        else:
            reply = await self._ask_execution(command, is_flattening=command.flatten)
        if reply.ok:
            return Reply(ok=True, text=f"halted: {command.reason}; execution: {reply.text}", data=reply.data)
        result = await self.venue.guard.sweep("execution did not confirm a halt", STOP_SWEEP_S)
        done = "risk cancelled everything" if result.is_confirmed else f"{result.open_orders} orders may be open"
        flat = "; positions were not flattened" if command.flatten else ""
        return Reply(ok=result.is_confirmed and not flat, text=f"halted: {command.reason}; {reply.text}; {done}{flat}")

    async def _halt_unasked(self, command: Halt) -> None:
        reply = await self._halt_execution(command)
        (self.ctx.log.warning if reply.ok else self.ctx.log.error)("halted", text=reply.text)

    def _on_resume(self, _command: Resume) -> Reply:
        now_ns = self.ctx.clock.monotonic_ns()
        ended = self.monitor.states.resume(now_ns)
        clear_kill_mark(self.ctx.state_dir)
        self._decisions.write("resume", ", ".join(cause.value for cause in ended))
        if not LOSS_CAUSES.isdisjoint(ended):
            self.monitor.drawdown.restart_from_here()
        self._apply()
        verdict = self.monitor.verdict(now_ns)
        what = ", ".join(cause.value for cause in ended) or "nothing was latched"
        still = "" if verdict.state is TradingState.ACTIVE else f" ({verdict.text})"
        return Reply(ok=True, text=f"resumed: {what}; state {verdict.state.name.lower()}{still}")

    def _on_reduce(self, _command: Reduce) -> Reply:
        self._tell(Cause.OPERATOR_REDUCE, "by the operator", self.ctx.clock.monotonic_ns())
        self._apply()
        return Reply(ok=True, text="only orders that reduce a position pass; `resume` ends it")

    async def _on_flatten(self, command: Flatten) -> Reply:
        return await self._ask_execution(command, is_flattening=True)

    def _on_set_parameter(self, command: SetParameter) -> Reply:
        """Set a limit; ValueError for a limit that does not exist or a value out of range."""
        change = changed_limit(self.monitor.config, command.name.removeprefix("risk."), command.value)
        was = getattr(self.monitor.config, change.name)
        if change.is_looser and not command.force:
            return Reply(
                ok=False, text=f"risk.{change.name}: {was} → {command.value} is looser: repeat it with --force"
            )
        self.monitor.config = change.config
        self.monitor.states.recovery = recovery_of(change.config)
        self._limits_set[change.name] = change.value
        self._apply()
        self.ctx.log.warning("limit set", name=change.name, value=change.value, is_looser=change.is_looser)
        text = "looser" if change.is_looser else "tighter or equal"
        self._decisions.write("limit_set", text, name=change.name, old=was, new=change.value)
        return Reply(ok=True, text=f"risk.{change.name} = {command.value}")

    def _on_status(self, _command: Status) -> Reply:
        verdict = self.monitor.verdict(self.ctx.clock.monotonic_ns())
        drawdown = self.monitor.drawdown
        return Reply(
            ok=True,
            text=f"{verdict.state.name.lower()} {verdict.text}".strip(),
            data={
                "state": verdict.state.name.lower(),
                "reason": verdict.reason.name.lower(),
                "latched": [one.cause.value for one in self.monitor.states.latched],
                "equity": drawdown.equity,
                "equity_peak": drawdown.peak,
                "day_start_equity": drawdown.day_start_equity,
                "open_orders": self.venue.guard.our_orders,
                "instruments_off": self._telling.instruments_off,
                "pnl": {name: _plain(pnl) for name, pnl in self.venue.pnl_by_instrument().items()},
            },
        )

    async def _ask_execution(self, command: Command, *, is_flattening: bool) -> Reply:
        execution = self.ctx.config.execution
        flatten_s = execution.flatten_timeout_s + execution.flatten_passive_s
        self._flattenings += is_flattening
        try:
            return await self.ctx.send("execution", command, HALT_ANSWER_S + (flatten_s if is_flattening else 0.0))
        except ConnectivityError as error:
            return Reply(ok=False, text=str(error))
        finally:
            self._flattenings -= is_flattening

    def _apply(self) -> None:
        """Put what just changed in force: limits now, memory as soon as the disk has it."""
        now_ns = self.ctx.clock.monotonic_ns()
        self.evaluate(now_ns)
        self._keeper.save_when_changed(self._memory(), now_ns, is_urgent=True)

    # ---- the end of a session ------------------------------------------------------------------------

    def _end_session(self, why: str) -> None:
        self._tell(Cause.SESSION_ENDS, why, self.ctx.clock.monotonic_ns())
        self.evaluate(self.ctx.clock.monotonic_ns())

    def _on_orphaned(self) -> None:
        self.ctx.log.error("the supervisor is gone; risk stays until the venue shows no order of ours")
        self._end_session("the supervisor is gone")
        self.ctx.spawn(self._outlive_supervisor(), "orphan")

    async def _outlive_supervisor(self) -> None:
        """Cancel until nothing is open and execution is gone, at most ORPHAN_S; then end like on SIGTERM."""
        deadline_ns = self.ctx.clock.monotonic_ns() + int(ORPHAN_S * NS_PER_S)
        is_clear = False
        while not is_clear and (left_ns := deadline_ns - self.ctx.clock.monotonic_ns()) > 0:
            result = await self.venue.guard.sweep("the supervisor is gone", left_ns / NS_PER_S)
            is_clear = result.is_confirmed and not _is_alive(self.tables.execution_pid())
        os.kill(os.getpid(), signal.SIGTERM)

    def _memory(self) -> RiskMemory:
        """Return what must survive this process."""
        drawdown = self.monitor.drawdown
        return RiskMemory(
            run=self.ctx.run_dir.name,
            day=drawdown.day,
            day_start_equity=drawdown.day_start_equity,
            equity=drawdown.known_equity,
            account=self._keeper.account,
            equity_peak=drawdown.peak,
            openings=self.venue.openings,
            limits=dict(self._limits_set),
            latched=self.monitor.states.latched,
        )


def _plain(pnl: Pnl | None) -> dict[str, str] | None:
    return None if pnl is None else {name: str(amount) for name, amount in pnl._asdict().items()}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pid > 0
