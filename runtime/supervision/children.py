"""One actor's process as the supervisor sees it: spawn, watch, fence, restart.

Two of a kind never run together: a child that is dead or hung is killed with SIGKILL (which works on a stopped
process too) and reaped before the next one starts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ActorPhase
from runtime.affinity import Placement
from runtime.config import SupervisorConfig
from runtime.environment import ActorEnvironment, actor_variables
from runtime.heartbeats import read_heartbeat
from runtime.restart_policy import GiveUp, RestartAt, RestartPolicy
from runtime.topology import ActorSpec
from shm.record import TableReader


class ChildState(Enum):
    WAITING = "waiting"  # dead, to be started again later
    STARTING = "starting"
    LIVE = "live"
    SUSPECT = "suspect"  # silent for suspect_ms: execution pulls the quotes that depend on it
    ENDED = "ended"


class Note(NamedTuple):
    """Something that happened to a child. `is_trouble` = the operator should see it."""

    text: str
    is_trouble: bool = True


class Child:
    """One actor and all its lives in this session.

    Attributes:
        restarts: how often it was started again.
        stderr_path: where its standard error goes; its last line says why it gave up.
    """

    def __init__(
        self,
        spec: ActorSpec,
        config: SupervisorConfig,
        placement: Placement,
        heartbeats: TableReader,
        told: ActorEnvironment,
        venue: Mapping[str, str],
        account_fd: int | None = None,
    ) -> None:
        """Prepare, without starting anything.

        Args:
            account_fd: the account's lock, which the actor inherits.
            told: what the actor is told; every life gets it with its own epoch.
            venue: variables of the venue, keys included; kept from actors that need none.
        """
        self.spec = spec
        self.state = ChildState.WAITING
        self.restarts = 0
        self.stderr_path = told.artifacts_dir / "logs" / f"{spec.name}.stderr"
        self._config = config
        self._placement = placement
        self._heartbeats = heartbeats
        self._told = told
        self._venue = venue
        self._inherited_fds = (*told.doorbell_fds.values(), *(() if account_fd is None else (account_fd,)))
        self._policy = RestartPolicy(
            backoff_ms_min=config.backoff_ms_min,
            backoff_ms_max=config.backoff_ms_max,
            restarts_max=config.restarts_max,
            window_s=config.restart_window_s,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._epoch = 0
        self._started_ns = 0
        self._start_at_ns = 0

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def spawn(self, now_ns: int) -> None:
        """Start the next life, in its own process session, on its cores."""
        assert self._process is None, f"{self.spec.name} is running: never two of a kind"
        self._epoch += 1
        if self._epoch > 1:
            self.restarts += 1
        with _opened(self.stderr_path) as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.spec.module],
                env=actor_variables(self.spec, msgspec.structs.replace(self._told, epoch=self._epoch), self._venue),
                pass_fds=self._inherited_fds,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # the terminal's Ctrl-C reaches only the supervisor
            )
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(self._process.pid, self._placement.cores)
        self.state = ChildState.STARTING
        self._started_ns = now_ns

    def watch(self, now_ns: int) -> Note | GiveUp | None:
        """Take note of an exit or of silence, start what is due.

        Returns:
            a note when something happened, `GiveUp` when patience has ended, None otherwise.
        """
        if self.state is ChildState.ENDED:
            return None
        if self._process is None:
            return self._restart_if_due(now_ns)
        exit_code = self._process.poll()
        if exit_code is not None:
            return self._on_exit(exit_code, now_ns)
        return self._watch_heartbeat(now_ns)

    def _restart_if_due(self, now_ns: int) -> Note | None:
        if now_ns < self._start_at_ns:
            return None
        self.spawn(now_ns)
        return Note(f"started again (life {self._epoch})")

    def _on_exit(self, exit_code: int, now_ns: int) -> Note | GiveUp:
        self._process = None
        decision = self._policy.on_exit(exit_code, now_ns)
        if isinstance(decision, GiveUp):
            self.state = ChildState.ENDED
            said = self.last_words()
            return decision._replace(reason=said or f"{self.spec.name}: {decision.reason}")
        assert isinstance(decision, RestartAt)
        self.state = ChildState.WAITING
        self._start_at_ns = decision.at_ns
        pause_s = (decision.at_ns - now_ns) / NS_PER_S
        said = f": {self.last_words()}" if exit_code > 0 and self.last_words() else ""
        return Note(f"ended ({describe_exit(exit_code)}){said}; starts again in {pause_s:.2f} s")

    def _watch_heartbeat(self, now_ns: int) -> Note | GiveUp | None:
        heartbeat = read_heartbeat(self._heartbeats)
        if heartbeat.pid != self.pid or heartbeat.phase in (ActorPhase.NONE, ActorPhase.STARTING):
            if now_ns - self._started_ns > self._config.start_deadline_s * NS_PER_S:
                return self._fence(now_ns, f"not live within {self._config.start_deadline_s:g} s of its start")
            return None
        age_ms = heartbeat.age_ns(now_ns) // NS_PER_MS
        if age_ms > self._config.dead_ms:
            return self._fence(now_ns, f"silent for {age_ms} ms")
        if age_ms > self._config.suspect_ms:
            if self.state is not ChildState.SUSPECT:
                self.state = ChildState.SUSPECT
                return Note(f"suspect: silent for {age_ms} ms")
            return None
        if self.state is not ChildState.LIVE:
            was_suspect = self.state is ChildState.SUSPECT
            self.state = ChildState.LIVE
            if was_suspect:
                return Note("speaks again")
            return Note(f"live after {(now_ns - self._started_ns) / NS_PER_S:.2f} s", is_trouble=False)
        return None

    def _fence(self, now_ns: int, why: str) -> Note | GiveUp:
        exit_code = self.kill()
        outcome = self._on_exit(exit_code, now_ns)
        return outcome if isinstance(outcome, GiveUp) else Note(f"{why}; {outcome.text}")

    def kill(self) -> int:
        """SIGKILL and reap; returns the exit code (0 when it did not run)."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGKILL)
        return self._process.wait()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        if self._process is not None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Reap it if it has ended; True when no process is left."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        if self._process is None:
            self.state = ChildState.ENDED
        return self._process is None

    def finish(self) -> None:
        """End it for good, by force if it still runs."""
        self.kill()
        self._process = None
        self.state = ChildState.ENDED

    def last_words(self) -> str:
        """Return the last line that it wrote to standard error; empty when none."""
        try:
            lines = self.stderr_path.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""


def _opened(path: Path) -> BinaryIO:
    """Return a file for last words, or nothing at all when the disk has no room for one."""
    try:
        return path.open("ab")
    except OSError:
        return open(os.devnull, "ab")


def describe_exit(exit_code: int) -> str:
    """Return an exit code of subprocess in words."""
    if exit_code >= 0:
        return f"exit {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
