"""The loop of an actor without a network: it sleeps until its doorbell or a command comes, or spins."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable
from typing import Any

from messages.commands import Profile, Reply, Stop
from runtime.actor import Actor, ActorContext
from runtime.host import COMMAND_POLL_NS, Host, handle


class BlockingLoop:
    """Calls `do_work` after every ring and at least every `poll_interval_s`."""

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
                reply = handle(self._host.ctx, self._actor, request)
                assert isinstance(reply, Reply), "a blocking actor answers at once"
                request.answer(reply)
