"""Operator's commands, passed on to the actors that carry them out, without making the supervisor wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import zmq

from domain.errors import ConnectivityError, UserError
from messages import commands
from messages.commands import AnyCommand, Command, Reply
from runtime.commands import Request, send_command
from runtime.topology import STRATEGY, Topology
from trading.orders.config import ExecutionConfig

RELAY_TIMEOUT_S = 5.0
FLATTEN_MARGIN_S = 30.0  # throttle, a venue that answers late, what risk does where execution is silent
PAUSE_TIMEOUT_S = 2.0
PROFILE_MARGIN_S = 40.0  # a page is rendered by a process that gives way (runtime/profiling.py says how long it may)
PROFILES_MAX = 4
THREADS_MAX = 4
URGENT_THREADS_MAX = 32
URGENT = (commands.Halt, commands.Kill, commands.Reduce, commands.Pause, commands.Flatten, commands.CancelAll)


class Leg(NamedTuple):
    """One actor's part in a command.

    Attributes:
        is_independent: those that follow do theirs although this one fails; the command has failed even so.
        is_optional: the same, and the command has not failed.
    """

    actor: str
    command: Command
    timeout_s: float = RELAY_TIMEOUT_S
    is_independent: bool = False
    is_optional: bool = False


def flatten_wait_s(execution: ExecutionConfig) -> float:
    """Return how long a flattening is waited for: orders are cancelled before it, and once more where it ends."""
    return execution.flatten_s_max + 2 * execution.stop_timeout_s + FLATTEN_MARGIN_S


def legs_of(command: AnyCommand, topology: Topology, execution: ExecutionConfig) -> list[Leg]:
    """Return who has to do what, in order; empty when the supervisor does it itself.

    Args:
        execution: what execution goes by now; it says how long a flattening takes.

    Raises:
        UserError: if the command names an actor, a strategy or an instrument that this session has not.
    """
    match command:
        case commands.Pause():
            return _to_strategies(command, _strategies_meant(command.strategy, topology))
        case commands.Resume(strategy=""):
            return [Leg("risk", command), *_to_strategies(command, topology.strategies)]
        case commands.Resume():
            return _to_strategies(command, _strategies_meant(command.strategy, topology))
        case commands.Halt(flatten=True):
            return [Leg("risk", command, flatten_wait_s(execution))]
        case commands.Reduce() | commands.Halt() | commands.Kill():
            return [Leg("risk", command)]
        case commands.Flatten(instrument=name) if name:
            if name not in topology.instruments:
                raise UserError(f"no instrument {name}; there are: {', '.join(topology.instruments)}")
            return [Leg("execution", command, flatten_wait_s(execution))]
        case commands.Flatten():
            # Quoting would build the position up again: it is paused first. A strategy that is dead does not quote,
            # and must not keep the operator from getting out.
            pauses = [Leg(actor, commands.Pause(), PAUSE_TIMEOUT_S, is_optional=True) for actor in topology.strategies]
            return [*pauses, Leg("execution", command, flatten_wait_s(execution))]
        case commands.CancelAll():
            return [Leg("execution", command)]
        case commands.Profile():
            if command.actor not in topology.actor_names:
                raise UserError(f"no actor named {command.actor}; there are: {', '.join(topology.actor_names)}")
            if refusal := command.why_not():  # one that hangs is waited for so long
                raise UserError(refusal)
            return [Leg(command.actor, command, command.seconds + PROFILE_MARGIN_S)]
        case commands.Hedge():
            raise UserError("a hedge is decided by strategy, and asked of execution without the supervisor")
        case commands.TakeConfig():
            raise UserError("a configuration is checked by the supervisor before actors take it: ask for a reload")
        case commands.SetParameter():
            return _parameter_legs(command, topology)
        case _:
            return []


def _to_strategies(command: Command, actors: Iterable[str]) -> list[Leg]:
    """Return one leg for each strategy: a dead one does not keep the others from theirs."""
    return [Leg(actor, command, is_independent=True) for actor in actors]


def _strategies_meant(name: str, topology: Topology) -> tuple[str, ...]:
    """Return the strategy processes meant by a name of the configuration, or of an actor; empty means all."""
    if not name:
        return tuple(topology.strategies)
    actor = name if name in topology.strategies else f"{STRATEGY}.{name}"
    if actor not in topology.strategies:
        raise UserError(f"no strategy named {name}; there are: {', '.join(topology.strategies)}")
    return (actor,)


def _parameter_legs(command: commands.SetParameter, topology: Topology) -> list[Leg]:
    """Return who has the parameter: risk, one strategy, the strategy of an instrument, or every strategy."""
    section, _, name = command.name.partition(".")
    if section == "risk":
        return [Leg("risk", msgspec.structs.replace(command, name=name))]
    if section == "strategies":
        strategy, _, name = name.partition(".")
        return _to_strategies(msgspec.structs.replace(command, name=name), _strategies_meant(strategy, topology))
    if section == STRATEGY:
        return _to_strategies(msgspec.structs.replace(command, name=name), topology.strategies)
    for instrument in topology.instruments:
        if command.name.startswith(f"{instrument}."):
            actor = topology.strategy_of(instrument)
            if actor is None:
                raise UserError(f"{command.name}: no strategy quotes {instrument}; it is only followed")
            return [Leg(actor, command)]
    return _to_strategies(command, topology.strategies)


class Relay:
    """Sends legs from a few threads; `poll` gives the answers back on the supervisor's own thread."""

    def __init__(
        self, session: str, on_done: Callable[[AnyCommand, Reply], None], why_silent: Callable[[str], str]
    ) -> None:
        """Take what hears of each answer, and what knows why an actor gives none; any thread asks that."""
        self._session = session
        self._why_silent = why_silent
        self._on_done = on_done
        self._pool = ThreadPoolExecutor(max_workers=THREADS_MAX, thread_name_prefix="relay")
        # Nothing queues behind profiles, and a stop not even behind operators' flattens: both take minutes.
        self._profiles = ThreadPoolExecutor(max_workers=PROFILES_MAX, thread_name_prefix="profile")
        self._urgent = ThreadPoolExecutor(max_workers=URGENT_THREADS_MAX, thread_name_prefix="urgent")
        self._own = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor")
        self._closing = threading.Event()
        self._pending: list[tuple[Request, Future[Reply]]] = []

    def pass_on(self, request: Request, legs: Sequence[Leg]) -> None:
        """Have `legs` done one after the other; the first that fails ends it, unless the others go on without it.

        A profile beyond those that may be taken at once is refused: what it would wait for takes minutes.
        """
        is_profile = isinstance(request.command, commands.Profile)
        if is_profile and self._profiles_taken() >= PROFILES_MAX:
            reply = Reply(ok=False, text=f"{PROFILES_MAX} profiles are being taken: ask again when one of them is done")
            request.answer(reply)
            self._on_done(request.command, reply)
            return
        others = self._urgent if isinstance(request.command, URGENT) else self._pool
        pool = self._profiles if is_profile else others
        self._pending.append((request, pool.submit(self._run, legs)))

    def call(self, leg: Leg) -> Future[Reply]:
        """Have one leg done for the supervisor itself."""
        return self._own.submit(self._run, [leg])

    def call_all(self, legs: Sequence[Leg]) -> Future[Reply]:
        """Have legs done one after the other for the supervisor itself, like those of an operator's command."""
        return self._urgent.submit(self._run, legs)

    def poll(self) -> None:
        """Answer what is done."""
        for request, future in [pair for pair in self._pending if pair[1].done()]:
            self._pending.remove((request, future))
            reply = future.result()
            request.answer(reply)
            self._on_done(request.command, reply)

    def close(self) -> None:
        self._closing.set()
        for pool in (self._pool, self._profiles, self._urgent, self._own):
            pool.shutdown(wait=True, cancel_futures=True)

    def _profiles_taken(self) -> int:
        return sum(isinstance(one.command, commands.Profile) and not done.done() for one, done in self._pending)

    def _run(self, legs: Sequence[Leg]) -> Reply:
        replies: list[str] = []
        data: dict[str, Any] = {}
        is_done, is_usage = True, False
        for leg in legs:
            try:
                reply = send_command(self._session, leg.actor, leg.command, leg.timeout_s, given_up=self._closing)
                replies.append(f"{leg.actor}: {reply.text}")
            except ConnectivityError as error:
                why = self._why_silent(leg.actor)
                reply = Reply(ok=False, text=f"{error}: {why}" if why else str(error))
                replies.append(reply.text)
            except (UserError, zmq.ZMQError, msgspec.DecodeError) as error:
                reply = Reply(ok=False, text=str(error))
                replies.append(reply.text)
            data |= reply.data
            if reply.ok or leg.is_optional:
                continue
            is_done, is_usage = False, is_usage or reply.is_usage
            if not leg.is_independent:
                return Reply(ok=False, text=replies[-1], data=reply.data, is_usage=is_usage)
        return Reply(ok=is_done, text="; ".join(replies), data=data, is_usage=is_usage)
