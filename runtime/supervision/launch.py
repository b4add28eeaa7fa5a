"""Starts processes of one actor: a life that begins at once, or a standby that waits to be called."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.affinity import Placement
from runtime.environment import ActorEnvironment, actor_variables
from runtime.last_words import opened
from runtime.priority import give_priority
from runtime.standby import READY
from runtime.topology import ActorSpec

REAP_S = 0.25  # what is killed is gone in milliseconds, or nobody knows when


class Standby:
    """A process of an actor that waits: imported, kernels loaded, nothing of the session open."""

    def __init__(self, process: subprocess.Popen[bytes], call: socket.socket) -> None:
        self._process = process
        self._call = call
        self._is_ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has prepared everything that it can; it may be called before."""
        if not self._is_ready:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._is_ready = self._call.recv(len(READY)) == READY
        return self._is_ready

    @property
    def has_died(self) -> bool:
        return self._process.poll() is not None

    def call(self, epoch: int) -> subprocess.Popen[bytes]:
        """Have it live as life number `epoch`; from now on it is an actor's process like any other.

        Raises:
            OSError: it is dead.
        """
        self._call.sendall(b"%d\n" % epoch)
        self._call.close()
        return self._process

    def end(self) -> None:
        """Kill it, and reap it, unless the system does not let go of it: then nobody waits for it."""
        self._call.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(REAP_S)


class Launcher:
    """Everything that a process of one actor is given."""

    def __init__(
        self,
        spec: ActorSpec,
        placement: Placement,
        told: ActorEnvironment,
        venue: Mapping[str, str],
        account_fd: int | None = None,
        nice: int = 0,
    ) -> None:
        """Prepare, without starting anything.

        Args:
            account_fd: the account's lock, which the actor inherits.
            nice: its niceness; 0 = as the supervisor's. A standby prepares itself without.
            told: what the actor is told; every life gets it with its own epoch.
            venue: variables of the venue, keys included; kept from actors that need none.
        """
        self.stderr_path: Path = told.artifacts_dir / "logs" / f"{spec.name}.stderr"
        self._spec = spec
        self._placement = placement
        self._told = told
        self._venue = venue
        self._nice = nice
        self._inherited_fds = (*told.doorbell_fds.values(), *(() if account_fd is None else (account_fd,)))

    def start(self, epoch: int) -> subprocess.Popen[bytes]:
        """Start a life, in its own process session, on its cores.

        Raises:
            OSError: the system has no process, memory or descriptor left; nothing has begun.
        """
        process = self._popen(msgspec.structs.replace(self._told, epoch=epoch))
        self._place(process.pid)
        return process

    def take_over(self, standby: Standby, epoch: int) -> subprocess.Popen[bytes]:
        """Have a standby live, on the actor's cores.

        Raises:
            OSError: it is dead; nothing has begun.
        """
        self._place(standby.pid)
        return standby.call(epoch)

    def park(self) -> Standby:
        """Start a standby. It prepares itself on any core: the actor's own may be spinning.

        Raises:
            OSError: as for `start`.
        """
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as stack, theirs:
            stack.callback(ours.close)
            ours.setblocking(False)
            told = msgspec.structs.replace(self._told, standby_fd=theirs.fileno())
            process = self._popen(told, theirs.fileno())
            stack.pop_all()
        return Standby(process, ours)

    def _popen(self, told: ActorEnvironment, *fds: int) -> subprocess.Popen[bytes]:
        with opened(self.stderr_path) as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", self._spec.module],
                env=actor_variables(self._spec, told, self._venue),
                pass_fds=(*self._inherited_fds, *fds),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # the terminal's Ctrl-C reaches only the supervisor
            )

    def _place(self, pid: int) -> None:
        with contextlib.suppress(OSError):  # it has died, or a core was taken away: then it runs where it may
            os.sched_setaffinity(pid, self._placement.cores)
        if self._nice:
            give_priority(pid, self._nice)
