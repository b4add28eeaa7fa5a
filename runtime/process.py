"""The life of an actor's process: environment, orphan signal, core, loop, heartbeat, commands, exit code.

Two loops for two kinds of actor. `blocking` polls a doorbell and the command socket and calls `do_work`;
`async` runs on uvloop, for actors with a socket to a venue. In both the heartbeat comes from the work loop, so
that a hung actor falls silent.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import gc
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import msgspec
import uvloop

from domain.clock import NS_PER_MS, Clock
from domain.codes import ActorPhase
from domain.errors import ExitCode, UserError
from messages.commands import Profile, Reply, Stop, Vitals
from runtime.actor import Actor, ActorContext
from runtime.affinity import SHARED
from runtime.clock import system_clock
from runtime.command_journal import COMMANDS_FOLDER, CommandJournal
from runtime.commands import CommandServer, Request
from runtime.config import Config, read_config
from runtime.early_look import EarlyLook
from runtime.environment import ActorEnvironment
from runtime.heartbeats import HeartbeatWriter
from runtime.logs import Logger, log_lines_lost, open_log, say_to_stderr
from runtime.priority import take_priority
from runtime.profiling import ActorProfiler
from runtime.secrecy import keep_private
from runtime.standby import park
from runtime.supervision.deaths import stacks_path
from runtime.supervision.launch import opened
from runtime.topology import LOG_LINES_LOST, RECORDER, STRATEGY, kind_of, spec_of
from runtime.vitals import read_vitals
from shm.doorbell import Doorbell

HEARTBEAT_NS = 50 * NS_PER_MS
COMMAND_POLL_NS = 20 * NS_PER_MS
STOP_TIMEOUT_S = 60.0
_PR_SET_PDEATHSIG = 1


def run_actor(
    kind: str,
    build: Callable[[ActorContext], Actor],
    *,
    loop: Literal["blocking", "async"],
    prepare: Callable[[Config], None] | None = None,
) -> None:
    """Run an actor in this process until it is told to end, then exit with its code. Does not return.

    Args:
        prepare: what a standby does before it is called, beside what importing the actor has done.
    """
    if kind == STRATEGY:
        os.environ.setdefault("RINGMAKER_JIT", "1")
    told = ActorEnvironment.read(os.environ)
    keep_private(holds_keys=spec_of(told.actor).needs_keys)
    if told.standby_fd >= 0:
        _die_with(told.supervisor_pid, signal.SIGKILL)
        if prepare is not None:
            prepare(read_config(told.config_file))
        gc.collect()
        told = msgspec.structs.replace(told, epoch=park(told.standby_fd))
    _die_with(told.supervisor_pid, spec_of(told.actor).orphan_signal)
    stacks = opened(stacks_path(told.artifacts_dir, told.actor))  # for as long as the process lives
    faulthandler.enable(stacks)
    faulthandler.register(signal.SIGUSR2, stacks)
    config = read_config(told.config_file)
    log = open_log(told.actor, told.artifacts_dir / "logs" / f"{told.actor}.log", config.runtime.log_level)
    sys.exit(_run(told, config, log, build, loop))


def _run(
    told: ActorEnvironment,
    config: Config,
    log: Logger,
    build: Callable[[ActorContext], Actor],
    loop: Literal["blocking", "async"],
) -> int:
    clock = system_clock(os.environ)
    try:
        ctx = ActorContext(told, config, clock, log)
        if config.runtime.nice and kind_of(ctx.name) != RECORDER:
            take_priority(config.runtime.nice, log)
        heartbeat = HeartbeatWriter(
            ctx.table_writer(f"heartbeats.{ctx.name}"), epoch=told.epoch, core=told.core, now_ns=clock.monotonic_ns()
        )
        host = Host(ctx, heartbeat)
        log.info("started", epoch=told.epoch, core=told.core, pid=os.getpid())
        runner = AsyncLoop(host, build) if loop == "async" else BlockingLoop(host, build)
        runner.run()
        log.info("ended")
        return ExitCode.CLEAN
    except UserError as error:
        log.error("cannot go on", reason=str(error), exit_code=int(error.exit_code))
        say_to_stderr(f"{told.actor}: {error}")
        return error.exit_code
    except Exception as error:
        log.exception("crashed")
        say_to_stderr(f"{told.actor}: crashed: {type(error).__name__}: {error}")
        return ExitCode.CRASH


def _die_with(supervisor_pid: int, orphan_signal: signal.Signals) -> None:
    """Have the kernel send `orphan_signal` when the supervisor dies, also when it already has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != supervisor_pid:
        os._exit(ExitCode.CRASH)  # nothing has been sent yet: there is nothing to cancel


class Host:
    """What both loops share: heartbeat, commands, profiler."""

    def __init__(self, ctx: ActorContext, heartbeat: HeartbeatWriter) -> None:
        self.ctx = ctx
        self.clock: Clock = ctx.clock
        journal = CommandJournal(ctx.run_dir / COMMANDS_FOLDER / f"{ctx.name}.jsonl", ctx.clock)
        self.commands = CommandServer(ctx.session, ctx.name, journal)
        self.profiler = ActorProfiler(ctx.name, ctx.run_dir / "profiles")
        self.heartbeat = heartbeat
        self._beat_due_ns = 0
        self._lines_lost = 0

    def set_live(self) -> None:
        self.heartbeat.set_phase(ActorPhase.LIVE, self.clock.monotonic_ns())
        gc.collect()
        gc.freeze()

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

    def _count_lost_lines(self) -> None:
        if (lost := log_lines_lost()) > self._lines_lost:
            self.ctx.counters.add(LOG_LINES_LOST, lost - self._lines_lost)
            self._lines_lost = lost

    def early_look(self, actor: Actor) -> EarlyLook | None:
        """Return what looks for the news of a ring; None where no ring comes before its news."""
        return EarlyLook(actor, self.clock.monotonic_ns) if self.ctx.config.runtime.early_wake else None

    @property
    def may_spin(self) -> bool:
        wait = self.ctx.config.runtime.wait
        return wait == "spin" or (wait == "auto" and self.ctx.core != SHARED)


class BlockingLoop:
    """Waits for the doorbell, or spins; for actors without a network."""

    def __init__(self, host: Host, build: Callable[[ActorContext], Actor]) -> None:
        self._host = host
        self._is_stopping = False
        host.ctx.attach_loop(set_live=host.set_live, set_compiling=host.set_compiling, spawn=None)
        self._actor = build(host.ctx)

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._actor.on_start()
            if self._host.may_spin:
                self._spin()
            else:
                self._block()
        finally:
            self._host.set_stopping()
            self._actor.on_close()
            self._host.commands.close()

    def _on_signal(self, _number: int, _frame: Any) -> None:
        self._is_stopping = True

    def _block(self) -> None:
        host, actor = self._host, self._actor
        monotonic_ns = host.clock.monotonic_ns
        doorbell = host.ctx.own_doorbell
        poller = select.epoll()
        poller.register(host.commands.fd, select.EPOLLIN)
        if doorbell is not None:
            poller.register(doorbell.fd, select.EPOLLIN)
        early_look = host.early_look(actor)
        commands_due_ns = 0
        while not self._is_stopping:
            events = poller.poll(actor.poll_interval_s)
            now_ns = monotonic_ns()
            if doorbell is not None and events and (rings := doorbell.clear()) and early_look is not None:
                now_ns = early_look.await_news(rings, now_ns)
            actor.do_work(now_ns)
            host.beat(now_ns)
            if now_ns >= commands_due_ns:
                commands_due_ns = now_ns + COMMAND_POLL_NS
                self._serve_commands(now_ns)

    def _spin(self) -> None:
        host, actor = self._host, self._actor
        monotonic_ns = host.clock.monotonic_ns
        commands_due_ns = 0
        while not self._is_stopping:
            now_ns = monotonic_ns()
            actor.do_work(now_ns)
            host.beat(now_ns)
            if now_ns >= commands_due_ns:
                commands_due_ns = now_ns + COMMAND_POLL_NS
                self._serve_commands(now_ns)

    def _serve_commands(self, now_ns: int) -> None:
        for request in self._host.commands.drain():
            if isinstance(request.command, Profile):
                self._host.profiler.start(request, now_ns)
            elif isinstance(request.command, Stop):
                self._is_stopping = True
                request.answer(Reply(ok=True, text=f"{self._host.ctx.name} ends"))
            else:
                reply = _handle(self._host.ctx, self._actor, request)
                assert isinstance(reply, Reply), "a blocking actor answers at once"
                request.answer(reply)


class AsyncLoop:
    """Runs an actor on uvloop; for actors with a connection to a venue."""

    def __init__(self, host: Host, build: Callable[[ActorContext], Actor]) -> None:
        self._host = host
        self._build = build
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] | None = None

    def run(self) -> None:
        uvloop.run(self._main())

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        host = self._host
        host.ctx.attach_loop(set_live=host.set_live, set_compiling=host.set_compiling, spawn=self._spawn)
        actor = self._build(host.ctx)
        self._actor = actor
        loop.add_signal_handler(signal.SIGTERM, self._begin_stop)
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        loop.set_exception_handler(self._on_loop_error)
        try:
            actor.on_start()
            doorbell = host.ctx.own_doorbell
            if doorbell is not None:
                look = None if host.may_spin else host.early_look(actor)
                loop.add_reader(doorbell.fd, self._on_doorbell, doorbell, look)
            loop.add_reader(host.commands.fd, self._serve_commands)
            self._tick()
            if host.may_spin and doorbell is not None:
                loop.call_soon(self._spin)
            await self._ended
        finally:
            host.set_stopping()
            await self._cancel_tasks()
            actor.on_close()
            host.commands.close()

    def _tick(self) -> None:
        """The timer's duty cycle: work, heartbeat, and commands whose edge was missed."""
        self._work()
        self._serve_commands()
        asyncio.get_running_loop().call_later(self._actor.poll_interval_s, self._guarded, self._tick)

    def _spin(self) -> None:
        self._guarded(self._work)
        asyncio.get_running_loop().call_soon(self._spin)

    def _on_doorbell(self, doorbell: Doorbell, look: EarlyLook | None) -> None:
        rings = doorbell.clear()
        if rings and look is not None:
            look.await_news(rings, self._host.clock.monotonic_ns())
        self._guarded(self._work)

    def _work(self) -> None:
        now_ns = self._host.clock.monotonic_ns()
        self._actor.do_work(now_ns)
        self._host.beat(now_ns)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._fail(error if error is not None else RuntimeError(str(context.get("message"))))

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _begin_stop(self) -> None:
        self._spawn(self._stop(), "stop")

    async def _stop(self) -> None:
        self._host.set_stopping()
        await asyncio.wait_for(self._actor.stop(), STOP_TIMEOUT_S)
        assert self._ended is not None
        if not self._ended.done():
            self._ended.set_result(None)

    def _serve_commands(self) -> None:
        for request in self._host.commands.drain():
            if isinstance(request.command, Profile):
                self._host.profiler.start(request, self._host.clock.monotonic_ns())
            elif isinstance(request.command, Stop):
                self._spawn(self._answer_stop(request), "stop")
            else:
                reply = _handle(self._host.ctx, self._actor, request)
                if isinstance(reply, Reply):
                    request.answer(reply)
                else:
                    self._spawn(_answer_later(self._host.ctx, request, reply), type(request.command).__name__)

    async def _answer_stop(self, request: Request) -> None:
        """Let the actor's own handler do the work and report; then end the loop."""
        self._host.set_stopping()
        handler = self._actor.handlers.get(Stop)
        if handler is None:
            await self._actor.stop()
            request.answer(Reply(ok=True, text=f"{self._host.ctx.name} ends"))
        else:
            reply = handler(request.command)
            request.answer(reply if isinstance(reply, Reply) else await reply)
        assert self._ended is not None
        if not self._ended.done():
            self._ended.set_result(None)

    async def _cancel_tasks(self) -> None:
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _handle(ctx: ActorContext, actor: Actor, request: Request) -> Reply | Awaitable[Reply]:
    """Return the handler's answer; a command that cannot be done is an answer, not a crash."""
    command = request.command
    if isinstance(command, Vitals):
        return Reply(ok=True, data=read_vitals())
    handler = actor.handlers.get(type(command))
    if handler is None:
        return Reply(ok=False, text=f"{ctx.name} does not know {type(command).__name__}")
    ctx.log.info("command", command=type(command).__name__, content=str(command))
    try:
        return handler(command)
    except (ValueError, UserError) as error:
        return Reply(ok=False, text=str(error), is_usage=True)
    except OSError as error:
        return Reply(ok=False, text=str(error))


async def _answer_later(ctx: ActorContext, request: Request, pending: Awaitable[Reply]) -> None:
    try:
        request.answer(await pending)
    except Exception as error:
        ctx.log.exception("command failed", command=type(request.command).__name__)
        request.answer(Reply(ok=False, text=f"{type(error).__name__}: {error}"))
