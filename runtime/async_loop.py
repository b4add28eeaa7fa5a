"""The loop of an actor with a connection to a venue: uvloop, and the work between its callbacks."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from messages.commands import Profile, Reply, Stop
from runtime.actor import Actor, ActorContext
from runtime.commands import Request
from runtime.early_look import EarlyLook
from runtime.host import Host, handle
from shm.doorbell import Doorbell

STOP_TIMEOUT_S = 60.0


class AsyncLoop:
    """Calls `do_work` after every ring and at least every `poll_interval_s`; a failed task ends the actor."""

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
        future = context.get("future")
        if future is not None and not isinstance(future, asyncio.Task):
            # An answer that came as its timeout did: whoever waited for it knows, and has gone on.
            self._host.ctx.log.warning("an answer that nobody waits for any more", reason=repr(error))
            return
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
                reply = handle(self._host.ctx, self._actor, request)
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


async def _answer_later(ctx: ActorContext, request: Request, pending: Awaitable[Reply]) -> None:
    try:
        request.answer(await pending)
    except Exception as error:
        ctx.log.exception("command failed", command=type(request.command).__name__)
        request.answer(Reply(ok=False, text=f"{type(error).__name__}: {error}"))
