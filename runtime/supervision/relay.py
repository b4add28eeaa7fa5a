"""Operator's commands, passed on to the actors that carry them out, without making the supervisor wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import zmq

from domain.errors import ConnectivityError, UserError
from messages import commands
from messages.commands import AnyCommand, Command, Reply
from runtime.commands import Request, send_command

RELAY_TIMEOUT_S = 5.0
FLATTEN_TIMEOUT_S = 60.0
PAUSE_TIMEOUT_S = 2.0


class Leg(NamedTuple):
    """One actor's part in a command. `is_optional`: the others do theirs although this one fails."""

    actor: str
    command: Command
    timeout_s: float = RELAY_TIMEOUT_S
    is_optional: bool = False


def legs_of(command: AnyCommand) -> list[Leg]:
    """Return who has to do what, in order; empty when the supervisor does it itself."""
    match command:
        case commands.Pause():
            return [Leg("strategy", command)]
        case commands.Resume():
            return [Leg("risk", command), Leg("strategy", command)]
        case commands.Halt(flatten=True):
            return [Leg("risk", command, FLATTEN_TIMEOUT_S)]
        case commands.Reduce() | commands.Halt() | commands.Kill():
            return [Leg("risk", command)]
        case commands.Flatten():
            # Quoting would build the position up again: it is paused first. A strategy that is dead does not quote,
            # and must not keep the operator from getting out.
            pause = Leg("strategy", commands.Pause(), PAUSE_TIMEOUT_S, is_optional=True)
            return [pause, Leg("execution", command, FLATTEN_TIMEOUT_S)]
        case commands.CancelAll():
            return [Leg("execution", command)]
        case commands.Profile():
            return [Leg(command.actor, command, command.seconds + RELAY_TIMEOUT_S)]
        case commands.SetParameter():
            return [_parameter_leg(command)]
        case _:
            return []


def _parameter_leg(command: commands.SetParameter) -> Leg:
    section, _, name = command.name.partition(".")
    if section == "risk":
        return Leg("risk", commands.SetParameter(name=name, value=command.value, force=command.force))
    if section == "strategy":
        return Leg("strategy", commands.SetParameter(name=name, value=command.value, force=command.force))
    return Leg("strategy", command)


class Relay:
    """Sends legs from a few threads; `poll` gives the answers back on the supervisor's own thread."""

    def __init__(self, session: str, on_done: Callable[[AnyCommand, Reply], None]) -> None:
        self._session = session
        self._on_done = on_done
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="relay")
        # A stop never queues behind operators' flattens and profiles, which take up to a minute.
        self._own = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor")
        self._closing = threading.Event()
        self._pending: list[tuple[Request, Future[Reply]]] = []

    def pass_on(self, request: Request, legs: Sequence[Leg]) -> None:
        """Have `legs` done one after the other; the first that fails ends it, unless it is optional."""
        self._pending.append((request, self._pool.submit(self._run, legs)))

    def call(self, leg: Leg) -> Future[Reply]:
        """Have one leg done for the supervisor itself."""
        return self._own.submit(self._run, [leg])

    def poll(self) -> None:
        """Answer what is done."""
        for request, future in [pair for pair in self._pending if pair[1].done()]:
            self._pending.remove((request, future))
            reply = future.result()
            request.answer(reply)
            self._on_done(request.command, reply)

    def close(self) -> None:
        self._closing.set()
        for pool in (self._pool, self._own):
            pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, legs: Sequence[Leg]) -> Reply:
        replies = []
        for leg in legs:
            try:
                reply = send_command(self._session, leg.actor, leg.command, leg.timeout_s, given_up=self._closing)
                replies.append(f"{leg.actor}: {reply.text}")
            except (ConnectivityError, UserError, zmq.ZMQError, msgspec.DecodeError) as error:
                reply = Reply(ok=False, text=str(error))
                replies.append(reply.text)
            if not reply.ok and not leg.is_optional:
                return Reply(ok=False, text=replies[-1], data=reply.data)
        return Reply(ok=True, text="; ".join(replies), data=reply.data)
