"""What both loops of an actor share: the heartbeat, the commands and their answers, the profiler."""

from __future__ import annotations

from collections.abc import Awaitable

from domain.clock import NS_PER_MS, Clock
from domain.codes import ActorPhase
from domain.errors import UserError
from messages.commands import Reply, Vitals
from runtime.actor import Actor, ActorContext
from runtime.affinity import SHARED
from runtime.command_journal import COMMANDS_FOLDER, QUESTIONS, CommandJournal
from runtime.commands import CommandServer, Request
from runtime.early_look import EarlyLook
from runtime.garbage import GarbageCollector
from runtime.heartbeats import HeartbeatWriter
from runtime.logs import log_lines_lost
from runtime.priority import lock_memory, take_realtime
from runtime.profiling import ActorProfiler
from runtime.topology import LOG_LINES_LOST, RECORDER, kind_of
from runtime.vitals import read_vitals

HEARTBEAT_NS = 50 * NS_PER_MS
COMMAND_POLL_NS = 20 * NS_PER_MS


class Host:
    """What an actor's loop calls. The heartbeat is its work loop's, so that a hung actor falls silent."""

    def __init__(self, ctx: ActorContext, heartbeat: HeartbeatWriter) -> None:
        self.ctx = ctx
        self.clock: Clock = ctx.clock
        journal = CommandJournal(ctx.run_dir / COMMANDS_FOLDER / f"{ctx.name}.jsonl", ctx.clock)
        self.commands = CommandServer(ctx.session, ctx.name, journal)
        self.profiler = ActorProfiler(ctx.name, ctx.run_dir / "profiles")
        self.heartbeat = heartbeat
        self._garbage = GarbageCollector()
        self._beat_due_ns = 0
        self._lines_lost = 0

    def set_live(self) -> None:
        now_ns = self.clock.monotonic_ns()
        self.heartbeat.set_phase(ActorPhase.LIVE, now_ns)
        self._garbage.set_live(now_ns)
        runtime = self.ctx.config.runtime
        if kind_of(self.ctx.name) != RECORDER:  # now, for a start computes for seconds
            take_realtime(runtime.realtime_priority, self.ctx.log)
            if runtime.lock_memory:
                lock_memory(self.ctx.log)

    def set_compiling(self) -> None:
        self.heartbeat.set_phase(ActorPhase.COMPILING, self.clock.monotonic_ns())

    def set_stopping(self) -> None:
        self.heartbeat.set_phase(ActorPhase.STOPPING, self.clock.monotonic_ns())

    def beat(self, now_ns: int) -> None:
        if now_ns >= self._beat_due_ns:
            self._beat_due_ns = now_ns + HEARTBEAT_NS
            self.heartbeat.beat(now_ns)
            self._count_lost_lines()
            self.profiler.poll(now_ns)
            self._garbage.poll(now_ns)

    def _count_lost_lines(self) -> None:
        if (lost := log_lines_lost()) > self._lines_lost:
            self.ctx.counters.add(LOG_LINES_LOST, lost - self._lines_lost)
            self._lines_lost = lost

    def early_look(self, actor: Actor) -> EarlyLook | None:
        """Return what looks for the news of a ring; None where no ring comes before its news."""
        return EarlyLook(actor, self.clock.monotonic_ns) if self.ctx.config.runtime.early_wake else None

    @property
    def may_spin(self) -> bool:
        runtime = self.ctx.config.runtime
        if runtime.realtime_priority:  # it would keep its core from the kernel's own threads
            return False
        return runtime.wait == "spin" or (runtime.wait == "auto" and self.ctx.core != SHARED)


def handle(ctx: ActorContext, actor: Actor, request: Request) -> Reply | Awaitable[Reply]:
    """Return the handler's answer; a command that cannot be done is an answer, not a crash."""
    command = request.command
    if isinstance(command, Vitals):
        return Reply(ok=True, data=read_vitals())
    handler = actor.handlers.get(type(command))
    if handler is None:
        return Reply(ok=False, text=f"{ctx.name} does not know {type(command).__name__}")
    if not isinstance(command, QUESTIONS):
        ctx.log.info("command", command=type(command).__name__, content=str(command))
    try:
        return handler(command)
    except (ValueError, UserError) as error:
        return Reply(ok=False, text=str(error), is_usage=True)
    except OSError as error:
        return Reply(ok=False, text=str(error))
