"""One actor as the supervisor sees it: all its lives in this session, one after the other.

Two of a kind never run together: a child that is dead, hung or to be replaced is killed with SIGKILL (which works on
a stopped process too) and reaped before the next one starts. One in uninterruptible sleep is not waited for: each look
asks whether the system has let go of it. A start that the system refuses counts as a death. What a look at it means is
decided in runtime/lifecycle.py, what follows a death in runtime/restart_policy.py.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from typing import NamedTuple

from domain.clock import NS_PER_S
from domain.codes import ActorPhase
from domain.errors import ExitCode
from runtime.config import SupervisorConfig
from runtime.heartbeats import HeartbeatReader, erase_heartbeat
from runtime.lifecycle import TRANSITIONS, ChildState, Event, Observed, Patience, judge
from runtime.restart_policy import GiveUp, RestartAt, RestartPolicy
from runtime.supervision.deaths import Death, Trail, describe_exit
from runtime.supervision.launch import REAP_S, Launcher
from runtime.supervision.note import Note
from runtime.supervision.standby_keeping import StandbyKeeping
from runtime.topology import STRATEGY, ActorSpec, kind_of
from shm.record import TableReader
from shm.segment import Segment

REAP_S_AT_END = 2.0  # what it holds, the account's lock above all, is needed by the next session
COMPILING = "compiling kernels: their sources are new to this machine, so the first quote comes up to a minute later"
_SILENCE = {
    ChildState.DEAD: "it has died and is started again; try again in a few seconds",
    ChildState.SUSPECT: "it hangs; if it goes on it is killed and started again",
    ChildState.ENDED: "it was given up",
}
STACKS_SIGNAL = signal.SIGUSR2  # has faulthandler write what the process is doing (runtime/process.py)
PREPARE_NS_MAX = 10 * NS_PER_S  # a replacement on purpose waits so long for its successor to be prepared
END_NS_MAX = 3 * NS_PER_S  # and for the old one to end in order


class Child:
    """One actor and all its lives in this session.

    Attributes:
        life: number of the present life, or of the last one; 0 before the first.
        restarts: how often it was started again.
    """

    def __init__(
        self, spec: ActorSpec, config: SupervisorConfig, launcher: Launcher, trail: Trail, heartbeat: Segment
    ) -> None:
        """Prepare, without starting anything."""
        self.spec = spec
        self.state = ChildState.DEAD
        self.life = 0
        self.restarts = 0
        self._config = config
        self._patience = Patience(config.suspect_ms, config.dead_ms, config.start_deadline_s)
        self._launcher = launcher
        self._trail = trail
        self._heartbeat = heartbeat
        self._heartbeats = HeartbeatReader(TableReader(heartbeat))
        self._policy = RestartPolicy(
            backoff_ms_min=config.backoff_ms_min,
            backoff_ms_max=config.backoff_ms_max,
            restarts_max=config.restarts_max,
            window_s=config.restart_window_s,
            rng=random.Random(),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._pid_fd = -1
        self._started_ns = 0
        self._observed = Observed(0)
        self._start_at_ns = 0
        self._compiling = False
        self._fenced = ""  # why it was killed, as long as it is not reaped
        self._standby = StandbyKeeping(launcher, is_wanted=kind_of(spec.name) in config.standby)
        self._replacing: _Replacing | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def pid_fd(self) -> int:
        """A descriptor that is readable once the process has ended; -1 when it does not run."""
        return self._pid_fd

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_fenced(self) -> bool:
        """Whether it was killed, and the system has not let go of it yet: it answers nobody any more."""
        return bool(self._fenced)

    @property
    def is_compiling(self) -> bool:
        """Whether its start takes so long because it compiles kernels."""
        return self._compiling and self.state is ChildState.STARTING

    @property
    def why_silent(self) -> str:
        """Return why it does not answer, as far as its supervisor knows; empty when it should."""
        if self.is_fenced:
            return "it was killed, and the system has not let go of it yet: it may wait for a disk"
        if self.is_compiling:
            return "it is compiling its kernels, which takes up to a minute; try again then"
        if self.state is ChildState.STARTING:
            loads = " and loads its kernels" if kind_of(self.spec.name) == STRATEGY else ""
            return f"it is starting{loads}; try again in a few seconds"
        return _SILENCE.get(self.state, "")

    @property
    def standby(self) -> str:
        """Return `ready` or `preparing`; empty when none is kept."""
        return self._standby.words

    def spawn(self, now_ns: int) -> Note | GiveUp | None:
        """Start the next life: the standby if there is one that is ready, else a new process.

        Returns:
            None when it runs; what follows when the system refuses it.
        """
        assert self._process is None, f"{self.spec.name} is running: never two of a kind"
        self._trail.begin()
        try:
            self._process = self._standby.call(self.life + 1) or self._launcher.start(self.life + 1)
        except OSError as error:
            return self._on_refused_start(error, now_ns)
        self.life += 1
        if self.life > 1:
            self.restarts += 1
        with contextlib.suppress(OSError):  # without it a death is found by the next look
            self._pid_fd = os.pidfd_open(self._process.pid)
        self._move(Event.SPAWNED)
        self._started_ns = now_ns
        self._observed = Observed(now_ns)
        self._standby.rest(now_ns)
        return None

    def watch(self, now_ns: int, away_ns: int = 0) -> Note | GiveUp | None:
        """Take note of an exit or of silence, start what is due.

        Args:
            away_ns: how much of the time since the look before the supervisor did not run.

        Returns:
            a note when something happened, `GiveUp` when patience has ended, None otherwise.
        """
        if self.state is ChildState.ENDED:
            return None
        self._trail.bound(now_ns)
        if self._process is None:
            return self._restart_if_due(now_ns)
        exit_code = self._process.poll()
        if exit_code is not None:
            return self._on_exit(exit_code, now_ns, self._fenced)
        if self.is_fenced:
            return None
        outcome = self._look(now_ns, away_ns) or self._go_on_replacing(now_ns)
        return outcome or self._standby.look(now_ns, is_live=self.state is ChildState.LIVE)

    def replace(self, now_ns: int) -> None:
        """Begin to replace it on purpose: a successor is prepared, it is ended in order, the successor starts.

        It is no death, and does not count as one. Nothing happens to one that is dead anyway.
        """
        if self._process is not None and self._replacing is None:
            self._replacing = _Replacing(now_ns + PREPARE_NS_MAX)
            self._standby.prepare()

    def kill(self, timeout_s: float = REAP_S) -> int | None:
        """SIGKILL and reap; returns the exit code (0 when it did not run), None when it cannot be reaped in time."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGKILL)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._standby.drop()
        if self._process is not None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Reap it if it has ended; True when no process is left."""
        if self._process is not None and self._process.poll() is not None:
            self._forget_process()
        if self._process is None:
            self._move(Event.GIVEN_UP)
        return self._process is None

    def finish(self) -> None:
        """End it for good, by force if it still runs."""
        self._standby.drop()
        self.kill(REAP_S_AT_END)
        self._forget_process()
        self._move(Event.GIVEN_UP)

    # ---- a life --------------------------------------------------------------------------------------

    def _restart_if_due(self, now_ns: int) -> Note | GiveUp | None:
        if now_ns < self._start_at_ns:
            return None
        return self.spawn(now_ns) or Note(f"started again (life {self.life})")

    def _look(self, now_ns: int, away_ns: int) -> Note | GiveUp | None:
        heartbeat = self._heartbeats.read()
        self._observed.look(heartbeat.beat_time_ns, now_ns, away_ns)
        verdict = judge(heartbeat, self.pid, self._observed, self._patience)
        if verdict.event is Event.LOST:
            return self._fence(verdict.reason, now_ns)
        before = self.state
        if verdict.event is not None:
            self._move(verdict.event)
        if self.state is before:
            return self._look_at_compiling(heartbeat.pid == self.pid and heartbeat.phase is ActorPhase.COMPILING)
        if self.state is ChildState.SUSPECT:
            os.kill(self.pid, STACKS_SIGNAL)
            return Note(f"suspect: {verdict.reason}")
        if before is ChildState.SUSPECT:
            return Note("speaks again")
        return Note(f"live after {(now_ns - self._started_ns) / NS_PER_S:.2f} s", is_trouble=False)

    def _look_at_compiling(self, is_compiling: bool) -> Note | None:
        was_compiling, self._compiling = self._compiling, is_compiling
        return Note(COMPILING) if is_compiling and not was_compiling else None

    def _fence(self, why: str, now_ns: int) -> Note | GiveUp:
        """Kill it so that nothing of it can still send, and go on as after any exit once it is reaped."""
        exit_code = self.kill()
        if exit_code is None:
            self._fenced = why
            return Note(f"{why}; killed, not reaped yet: the next life starts after that")
        outcome = self._on_exit(exit_code, now_ns, why)
        return outcome if isinstance(outcome, GiveUp) else Note(f"{why}; {outcome.text}")

    def _on_exit(self, exit_code: int, now_ns: int, why: str = "") -> Note | GiveUp:
        how = f"{why}; {describe_exit(exit_code)}" if why else describe_exit(exit_code)
        if self._replacing is not None and self._replacing.is_ending:
            self._forget_process()
            self._move(Event.LOST)
            self._replacing = None
            return self._spawned(now_ns, f"ended as asked ({how})", "replaced")
        lived_s = (now_ns - self._started_ns) / NS_PER_S
        page = self._trail.keep(Death(self.spec.name, self.life, self.pid, how, lived_s, self.state.value))
        said = self._trail.last_words() if exit_code > 0 else ""
        self._forget_process()
        erase_heartbeat(self._heartbeat)  # execution and risk need not wait until it has been silent for long
        self._replacing = None
        decision = self._policy.on_exit(exit_code, now_ns)
        if isinstance(decision, GiveUp):
            self._move(Event.GIVEN_UP)
            self._standby.drop()
            if decision.exit_code is not ExitCode.GAVE_UP:
                return decision._replace(reason=said or f"{self.spec.name}: {decision.reason}")
            last = f"{how}: {said.removeprefix(f'{self.spec.name}: ')}" if said else how
            return decision._replace(reason=f"gave up: {self.spec.name} {decision.reason}, at last {last}; see {page}")
        assert isinstance(decision, RestartAt)
        self._move(Event.LOST)
        self._start_at_ns = decision.at_ns
        said = f": {said}" if said else ""
        if decision.at_ns > now_ns:
            return Note(f"ended ({how}){said}; starts again in {(decision.at_ns - now_ns) / NS_PER_S:.2f} s")
        return self._spawned(now_ns, f"ended ({how}){said}", "started again at once")

    def _spawned(self, now_ns: int, before: str, done: str) -> Note | GiveUp:
        """Start the next life and return what there is to say of it, after what was before."""
        outcome = self.spawn(now_ns) or Note(f"{done} (life {self.life})")
        return outcome if isinstance(outcome, GiveUp) else Note(f"{before}; {outcome.text}")

    def _on_refused_start(self, error: OSError, now_ns: int) -> Note | GiveUp:
        how = f"could not be started ({error.strerror})"
        decision = self._policy.on_exit(ExitCode.CRASH, now_ns)
        if isinstance(decision, GiveUp):
            self._move(Event.GIVEN_UP)
            return decision._replace(reason=f"gave up: {self.spec.name} {decision.reason}, at last {how}")
        self._start_at_ns = decision.at_ns
        return Note(f"{how}; starts again in {(decision.at_ns - now_ns) / NS_PER_S:.2f} s")

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]

    def _forget_process(self) -> None:
        if self._pid_fd >= 0:
            os.close(self._pid_fd)
        self._process, self._pid_fd, self._compiling, self._fenced = None, -1, False, ""

    # ---- replacing ---------------------------------------------------------------------------------

    def _go_on_replacing(self, now_ns: int) -> Note | GiveUp | None:
        replacing = self._replacing
        if replacing is None or self._process is None:
            return None
        if not replacing.is_ending:
            if self._standby.words == "preparing" and now_ns < replacing.deadline_ns:
                return None
            self._replacing = _Replacing(now_ns + END_NS_MAX, is_ending=True)
            self._process.terminate()
            return Note("ends, to be replaced", is_trouble=False)
        if now_ns >= replacing.deadline_ns:
            return self._fence(f"not ended within {END_NS_MAX / NS_PER_S:g} s", now_ns)
        return None


class _Replacing(NamedTuple):
    """A replacement on purpose that is under way: first its successor is prepared, then the old one ends."""

    deadline_ns: int
    is_ending: bool = False
