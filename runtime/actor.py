"""What an actor is: four methods, a table of command handlers, and the context that gives it everything else.

Three more say whether a ring of the doorbell came before its news; who is never rung early leaves them alone.

The loop, the heartbeat, the waiting and the commands belong to runtime/host.py and its two loops, so that a test can
step `do_work` by hand without processes.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import zmq

from domain.clock import Clock
from messages.commands import Command, Reply
from runtime.commands import CommandCall, CommandClient
from runtime.config import Config
from runtime.environment import ActorEnvironment
from runtime.logs import Logger
from runtime.session import open_session_segment
from runtime.topology import spec_of
from shm.counters import Counters
from shm.doorbell import Doorbell
from shm.histogram import Histogram
from shm.record import TableReader, TableWriter
from shm.ring import RingReader, RingWriter
from venues.credentials import Credentials, read_credentials

Handler = Callable[[Any], "Reply | Awaitable[Reply]"]
Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class ActorContext:
    """Everything that an actor gets from the runtime.

    Attributes:
        name: the actor's own: `strategy.BTC` for one of several strategies.
        topology: the processes and segments of the session.
        epoch: 1 for the first start in this session, one more for every restart.
        run_dir: runs/<id>, where this run leaves its files.
        state_dir: what must survive the session.
        session_start_realtime_ns: when the supervisor started the session, Unix ns.
    """

    def __init__(self, told: ActorEnvironment, config: Config, clock: Clock, log: Logger) -> None:
        self.name = told.actor
        self.session = told.session
        self.config = config
        self.clock = clock
        self.epoch = told.epoch
        self.core = told.core
        self.run_dir: Path = told.artifacts_dir
        self.state_dir: Path = told.state_dir
        self.session_start_realtime_ns = told.session_start_realtime_ns
        self.supervisor_pid = told.supervisor_pid
        self.log = log
        self.topology = config.topology
        self.instrument_names: tuple[str, ...] = self.topology.instruments
        self._spec = spec_of(self.name)
        self.counters = Counters(self._own(f"counters.{self.name}"), self._spec.counters)
        self._doorbell_fds = told.doorbell_fds
        self._set_live: Callable[[], None] = lambda: None
        self._set_compiling: Callable[[], None] = lambda: None
        self._spawn: Spawn | None = None
        self._command_client: CommandClient | None = None
        self._call_context: zmq.Context[zmq.Socket[bytes]] | None = None

    def ring_writer(self, segment: str) -> RingWriter:
        """Return the writer of a ring of ours; the topology names the one writer of each."""
        return RingWriter(self._own(segment))

    def table_writer(self, segment: str) -> TableWriter:
        """Return the writer of a table of ours."""
        return TableWriter(self._own(segment))

    def ring_reader(self, segment: str, start: Literal["newest", "oldest"] | int = "newest") -> RingReader:
        return RingReader(open_session_segment(self.session, segment, writable=False), start)

    def table_reader(self, segment: str) -> TableReader:
        return TableReader(open_session_segment(self.session, segment, writable=False))

    def histogram(self, stage: str) -> Histogram:
        """Return the histogram of one of this actor's stages (runtime/topology.py)."""
        row = self._spec.stages.index(stage)
        return Histogram(self._own(f"latency.{self.name}"), row)

    def doorbell(self, actor: str) -> Doorbell:
        """Return the doorbell of an actor, to ring it."""
        return Doorbell(self._doorbell_fds[actor])

    @property
    def own_doorbell(self) -> Doorbell | None:
        """The doorbell that wakes this actor, if it has one."""
        fd = self._doorbell_fds.get(self.name)
        return None if fd is None else Doorbell(fd)

    @property
    def credentials(self) -> Credentials:
        """The venue's keys; only for actors that need them.

        Raises:
            CredentialsError: if they are missing or unusable.
        """
        assert self._spec.needs_keys, f"{self.name} must not hold keys"
        return read_credentials(self.config.venue, os.environ, is_checked=True)

    def set_live(self) -> None:
        """Say that the start is over: from now on silence is suspect."""
        self._set_live()

    def set_compiling(self) -> None:
        """Say that the start takes longer for once, because kernels are compiled."""
        self._set_compiling()

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task beside the loop; its failure is the actor's failure. Only in actors with an event loop."""
        assert self._spawn is not None, f"{self.name} has no event loop"
        self._spawn(coroutine, name)

    def call(self, process: str, command: Command) -> CommandCall:
        """Send a command without waiting, from an actor without an event loop; poll what is returned."""
        if self._call_context is None:
            self._call_context = zmq.Context(io_threads=1)
        return CommandCall(self._call_context, self.session, process, command)

    async def send(self, process: str, command: Command, timeout_s: float = 1.0) -> Reply:
        """Send a command to another process of the session; ConnectivityError when it does not answer."""
        if self._command_client is None:
            self._command_client = CommandClient(self.session)
        return await self._command_client.send(process, command, timeout_s)

    def attach_loop(
        self, *, set_live: Callable[[], None], set_compiling: Callable[[], None], spawn: Spawn | None
    ) -> None:
        """Connect the context with the loop that runs the actor; called by the runtime once."""
        self._set_live = set_live
        self._set_compiling = set_compiling
        self._spawn = spawn

    def _own(self, segment: str) -> Any:
        return open_session_segment(self.session, segment, writable=True)


class Actor:
    """One process of the session.

    Attributes:
        poll_interval_s: `do_work` is called at least this often.
        ctx: what the runtime gives.
    """

    poll_interval_s: float = 0.02

    def __init__(self, ctx: ActorContext) -> None:
        self.ctx = ctx

    def on_start(self) -> None:
        """Prepare. Raise a `UserError` to end with its exit code and one clear line."""
        self.ctx.set_live()

    def do_work(self, now_ns: int) -> int:
        """Do what is due; called after every doorbell and at least every `poll_interval_s`.

        Args:
            now_ns: monotonic time of this duty cycle.

        Returns:
            how much was done; 0 = nothing.
        """
        return 0

    def has_news(self) -> bool:
        """Return whether what a ring of the doorbell announces is there already.

        An actor that may be rung early (runtime/early_look.py) looks: while this is False the loop goes on asking,
        for a moment. Asked after every ring, so it takes microseconds.
        """
        return True

    def on_early_ring(self) -> None:
        """A ring came before its news: wake in turn who will wait for ours."""

    def is_called_off(self) -> bool:
        """Return whether what the last early ring announced will bring us nothing."""
        return False

    async def stop(self) -> None:
        """End in order: called once on SIGTERM in actors with an event loop."""

    def on_close(self) -> None:
        """Give back what `on_start` took; called last, whatever happened."""

    @property
    def handlers(self) -> dict[type[Command], Handler]:
        """What answers each command; plain functions in blocking actors, coroutines too in async ones."""
        return {}
