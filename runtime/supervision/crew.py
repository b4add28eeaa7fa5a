"""All actors of one session: started, looked at, replaced on request."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from domain.clock import Clock
from messages.commands import Reply
from runtime import affinity, paths
from runtime.commands import Request
from runtime.config import Config
from runtime.environment import ActorEnvironment
from runtime.lifecycle import Absences, ChildState
from runtime.logs import Logger
from runtime.restart_policy import GiveUp
from runtime.session import SessionSegments
from runtime.supervision.children import Child
from runtime.supervision.deaths import Trail
from runtime.supervision.launch import Launcher
from runtime.supervision.note import Note
from runtime.supervision.venue_access import VenueAccess
from runtime.topology import ActorSpec, Topology
from shm.doorbell import Doorbell


class Crew:
    """Every actor as a child of this process.

    Attributes:
        children: in the order of the topology.
    """

    def __init__(self, clock: Clock, log: Logger, say: Callable[[str], None]) -> None:
        """Begin with nobody."""
        self.children: list[Child] = []
        self._clock = clock
        self._log = log
        self._say = say
        self._replacing: list[tuple[Request, Child, int]] = []  # whom to answer, who, and which life of it ends
        self._given_up: list[tuple[ActorSpec, GiveUp]] = []
        self._absences = Absences(clock.monotonic_ns(), dead_ms=0)  # until they are started nobody is looked at

    @property
    def is_live(self) -> bool:
        """Whether every actor that the session cannot do without is live."""
        return all(child.state is ChildState.LIVE for child in self.children if not child.spec.is_background)

    @property
    def restarts(self) -> dict[str, int]:
        return {child.spec.name: child.restarts for child in self.children}

    def why_silent(self, name: str) -> str:
        """Return why an actor does not answer, as far as is known here; empty when it should. Any thread may ask."""
        return next((child.why_silent for child in self.children if child.spec.name == name), "")

    def spawn(
        self,
        config: Config,
        run: Path,
        venue: VenueAccess,
        segments: SessionSegments,
        placements: Mapping[str, affinity.Placement],
        session_start_realtime_ns: int,
        stack: ExitStack,
    ) -> None:
        """Start every actor of the configuration, which they read from the run's folder; `stack` ends them."""
        doorbells = {name: Doorbell.create() for name in config.topology.doorbells}
        for doorbell in doorbells.values():
            stack.callback(doorbell.close)
        for spec in config.topology.actors:
            told = ActorEnvironment(
                session=config.session,
                actor=spec.name,
                config_file=run / paths.CONFIG_FILE,
                artifacts_dir=run,
                state_dir=paths.state_directory(config.session),
                epoch=0,
                core=placements[spec.name].core,
                supervisor_pid=os.getpid(),
                session_start_realtime_ns=session_start_realtime_ns,
                doorbell_fds={name: doorbell.fd for name, doorbell in doorbells.items()},
            )
            account_fd = venue.account_fd if spec.needs_keys else None
            nice = 0 if spec.is_background else config.runtime.nice
            launcher = Launcher(spec, placements[spec.name], told, venue.variables, account_fd, nice)
            heartbeat = segments[f"heartbeats.{spec.name}"]
            child = Child(spec, config.supervisor, launcher, Trail(run, spec.name), heartbeat)
            stack.callback(child.finish)
            self.children.append(child)
            self._tell(child, child.spawn(self._clock.monotonic_ns()))
        self._absences = Absences(self._clock.monotonic_ns(), config.supervisor.dead_ms)

    def hear_deaths(self, poller: select.epoll) -> None:
        """Have a poller wake up at once when one of them ends."""
        for child in self.children:
            with suppress(FileExistsError):
                if child.pid_fd >= 0:
                    poller.register(child.pid_fd, select.EPOLLIN)

    def watch(self, now_ns: int) -> list[tuple[ActorSpec, GiveUp]]:
        """Look at each of them, tell what happened, start what is due; return who was given up."""
        away_ns = self._absences.look(now_ns)
        for child in self.children:
            self._tell(child, child.watch(now_ns, away_ns))
        given_up, self._given_up = self._given_up, []
        return given_up

    def _tell(self, child: Child, note: Note | GiveUp | None) -> None:
        """Tell what happened to a child; who was given up is told by `watch`."""
        if isinstance(note, GiveUp):
            self._given_up.append((child.spec, note))
        elif note is not None:
            self._log.info(note.text, actor=child.spec.name, pid=child.pid)
            if note.is_trouble:
                self._say(f"{child.spec.name}: {note.text}")

    def replace(self, request: Request, name: str) -> None:
        """Begin to end one actor, so that its next life takes over."""
        child = next((child for child in self.children if child.spec.name == name), None)
        if child is None:
            there_are = ", ".join(child.spec.name for child in self.children)
            request.answer(Reply(ok=False, text=f"no actor named {name}; there are: {there_are}", is_usage=True))
            return
        self._replacing.append((request, child, child.life))
        child.replace(self._clock.monotonic_ns())

    def answer_replaced(self) -> None:
        """Answer those who asked for the replacement of an actor, once its next life is live or will never be."""
        for waiting in list(self._replacing):
            request, child, life = waiting
            if child.life > life and child.state is ChildState.LIVE:
                request.answer(Reply(ok=True, text=f"{child.spec.name} replaced: life {child.life}, pid {child.pid}"))
            elif child.state is ChildState.ENDED:
                request.answer(Reply(ok=False, text=f"{child.spec.name} was given up"))
            else:
                continue
            self._replacing.remove(waiting)

    def refuse_replacements(self) -> None:
        """Tell those who still wait for a replacement that none comes: the session ends."""
        for request, child, _ in self._replacing:
            request.answer(Reply(ok=False, text=f"the session ends; {child.spec.name} is not replaced"))
        self._replacing.clear()


def place(topology: Topology, *, is_pinned: bool, say: Callable[[str], None]) -> dict[str, affinity.Placement]:
    """Return where each actor runs, and say so: those in the background where they take no core from the others."""
    cores = affinity.available_cores()
    if not is_pinned:
        say("cores: not pinned (pin_cores = false)")
        return anywhere(topology)
    background = [actor.name for actor in topology.actors if actor.is_background]
    placements = affinity.plan([name for name in topology.actor_names if name not in background], cores)
    say(affinity.describe(placements, background))
    return placements | dict.fromkeys(background, affinity.plan_background(cores))


def anywhere(topology: Topology) -> dict[str, affinity.Placement]:
    """Return a placement on every core, shared, for each actor."""
    placement = affinity.Placement(frozenset(affinity.available_cores()), affinity.SHARED)
    return dict.fromkeys(topology.actor_names, placement)
