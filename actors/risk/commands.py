"""What an operator, or a loss, asks of risk: halt, kill, resume, reduce, flatten, set a limit, tell the status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors.risk.decisions import DecisionLog
from actors.risk.tables import RiskTables
from actors.risk.telling import StateTelling
from actors.risk.venue import VenueView
from domain.errors import ConnectivityError
from domain.order import TradingState
from messages.commands import Command, Flatten, Halt, Kill, Reduce, Reply, Resume, SetParameter, Status, TakeConfig
from runtime.actor import ActorContext, Handler
from runtime.config import read_config
from trading.ledger_line import Pnl
from trading.risk.latch import clear_kill_mark
from trading.risk.limit_changes import LOOSER, changed_limit, looser_limits, with_limits
from trading.risk.limits import recovery_of
from trading.risk.monitor import RiskMonitor
from trading.risk.states import Cause

HALT_ANSWER_S = 3.0
STOP_SWEEP_S = 5.0
LOSS_CAUSES = frozenset({Cause.LOSS_FROM_PEAK, Cause.LOSS_OF_DAY})


class RiskCommands:
    """Carries commands out; what execution must do it is asked for, and done without it when it does not answer.

    Args:
        limits_set: limits set while running, by name; grows.
        apply: puts what just changed in force.

    Attributes:
        flattenings: commands of ours under way that let execution trade although the account is halted.
    """

    def __init__(
        self,
        ctx: ActorContext,
        monitor: RiskMonitor,
        tables: RiskTables,
        venue: VenueView,
        decisions: DecisionLog,
        telling: StateTelling,
        limits_set: dict[str, float],
        apply: Callable[[], None],
    ) -> None:
        self._ctx = ctx
        self._monitor = monitor
        self._tables = tables
        self._venue = venue
        self._decisions = decisions
        self._telling = telling
        self._limits_set = limits_set
        self._apply = apply
        self.flattenings = 0

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        return {
            Halt: self._on_halt,
            Kill: self._on_kill,
            Resume: self._on_resume,
            Reduce: self._on_reduce,
            Flatten: self._on_flatten,
            SetParameter: self._on_set_parameter,
            TakeConfig: self._on_take_config,
            Status: self._on_status,
        }

    async def _on_halt(self, command: Halt) -> Reply:
        self._tell(Cause.OPERATOR_HALT, command.reason or "by the operator")
        self._apply()
        return await self._halt_execution(command)

    async def _on_kill(self, _command: Kill) -> Reply:
        self._tell(Cause.KILLED, "the operator killed the session's orders")
        self._apply()
        reply = await self._halt_execution(Halt("kill"))
        if self._ctx.config.execution.protection.kind != "off":  # one may have been placed while the kill swept
            await self._venue.guard.sweep("a kill takes protective stops too", STOP_SWEEP_S, takes_stops=True)
        return reply

    async def _halt_execution(self, command: Halt) -> Reply:
        """Have execution cancel (and flatten); where it does not answer, cancel ourselves."""
        if self._tables.is_execution_silent(self._monitor.config):
            reply = Reply(ok=False, text="execution is silent")
        else:
            reply = await self._ask_execution(command, is_flattening=command.flatten)
        if reply.ok:
            return Reply(ok=True, text=f"halted: {command.reason}; execution: {reply.text}", data=reply.data)
        result = await self._venue.guard.sweep("execution did not confirm a halt", STOP_SWEEP_S)
        done = "risk cancelled everything" if result.is_confirmed else f"{result.open_orders} orders may be open"
        flat = "; positions were not flattened" if command.flatten else ""
        return Reply(ok=result.is_confirmed and not flat, text=f"halted: {command.reason}; {reply.text}; {done}{flat}")

    async def halt_unasked(self, command: Halt) -> None:
        """Halt because of a loss: nobody waits for the answer."""
        reply = await self._halt_execution(command)
        (self._ctx.log.warning if reply.ok else self._ctx.log.error)("halted", text=reply.text)

    def _on_resume(self, _command: Resume) -> Reply:
        now_ns = self._ctx.clock.monotonic_ns()
        ended = self._monitor.states.resume(now_ns)
        clear_kill_mark(self._ctx.state_dir)
        self._decisions.write("resume", ", ".join(cause.value for cause in ended))
        if not LOSS_CAUSES.isdisjoint(ended):
            self._monitor.drawdown.restart_from_here()
        self._apply()
        verdict = self._monitor.verdict(now_ns)
        what = ", ".join(cause.value for cause in ended) or "nothing was latched"
        still = "" if verdict.state is TradingState.ACTIVE else f" ({verdict.text})"
        return Reply(ok=True, text=f"resumed: {what}; state {verdict.state.name.lower()}{still}")

    def _on_reduce(self, _command: Reduce) -> Reply:
        self._tell(Cause.OPERATOR_REDUCE, "by the operator")
        self._apply()
        return Reply(ok=True, text="only orders that reduce a position pass; `resume` ends it")

    async def _on_flatten(self, command: Flatten) -> Reply:
        return await self._ask_execution(command, is_flattening=True)

    def _on_set_parameter(self, command: SetParameter) -> Reply:
        """Set a limit; ValueError for a limit that does not exist or a value out of range."""
        change = changed_limit(self._monitor.config, command.name.removeprefix("risk."), command.value)
        was = getattr(self._monitor.config, change.name)
        if change.is_looser and not command.force:
            return Reply(
                ok=False, text=f"risk.{change.name}: {was} → {command.value} is looser: repeat it with --force"
            )
        self._monitor.config = change.config
        self._monitor.states.recovery = recovery_of(change.config)
        self._limits_set[change.name] = change.value
        self._apply()
        self._ctx.log.warning("limit set", name=change.name, value=change.value, is_looser=change.is_looser)
        text = "looser" if change.is_looser else "tighter or equal"
        self._decisions.write("limit_set", text, name=change.name, old=was, new=change.value)
        data = {"risk": {"old": was, "new": change.value}}
        return Reply(ok=True, text=f"risk.{change.name}: {was} → {getattr(change.config, change.name)}", data=data)

    def _on_take_config(self, command: TakeConfig) -> Reply:
        """Take over the limits that the configuration says otherwise now; those set meanwhile on other keys stay."""
        config = read_config(Path(command.file))
        changed = [name for name in LOOSER if getattr(config.risk, name) != getattr(self._ctx.config.risk, name)]
        limits_set = {name: value for name, value in self._limits_set.items() if name not in changed}
        was, now = self._monitor.config, with_limits(config.risk, limits_set)
        looser = looser_limits(was, now)
        if looser and not command.force:
            return Reply(ok=False, text=f"looser, which needs --force: {'; '.join(looser)}")
        if command.is_trial:
            return Reply(ok=True, text="limits can be taken over")
        self._ctx.config, self._monitor.config = config, now
        self._limits_set.clear()
        self._limits_set.update(limits_set)
        self._monitor.states.recovery = recovery_of(now)
        self._apply()
        for name in changed:
            self._decisions.write("limit_set", "by a reload", name=name, old=getattr(was, name), new=getattr(now, name))
        return Reply(ok=True, text=f"{len(changed)} limits taken over")

    def _on_status(self, _command: Status) -> Reply:
        verdict = self._monitor.verdict(self._ctx.clock.monotonic_ns())
        drawdown = self._monitor.drawdown
        return Reply(
            ok=True,
            text=f"{verdict.state.name.lower()} {verdict.text}".strip(),
            data={
                "state": verdict.state.name.lower(),
                "reason": verdict.reason.name.lower(),
                "latched": [one.cause.value for one in self._monitor.states.latched],
                "equity": drawdown.equity,
                "equity_peak": drawdown.peak,
                "day_start_equity": drawdown.day_start_equity,
                "open_orders": self._venue.guard.our_orders,
                "instruments_off": self._telling.instruments_off,
                "pnl": {name: _plain(pnl) for name, pnl in self._venue.pnl_by_instrument().items()},
            },
        )

    async def _ask_execution(self, command: Command, *, is_flattening: bool) -> Reply:
        flatten_s = self._ctx.config.execution.flatten_s_max
        self.flattenings += is_flattening
        try:
            return await self._ctx.send("execution", command, HALT_ANSWER_S + (flatten_s if is_flattening else 0.0))
        except ConnectivityError as error:
            return Reply(ok=False, text=str(error))
        finally:
            self.flattenings -= is_flattening

    def _tell(self, cause: Cause, text: str) -> None:
        clock = self._ctx.clock
        self._monitor.states.tell(cause, True, text, now_ns=clock.monotonic_ns(), realtime_ns=clock.realtime_ns())


def _plain(pnl: Pnl | None) -> dict[str, str] | None:
    return None if pnl is None else {name: str(amount) for name, amount in pnl._asdict().items()}
