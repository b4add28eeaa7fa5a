"""The recorder actor: a heartbeat, and a thread that gives way. Holds no keys, sends nothing."""

from __future__ import annotations

import os
import threading
import time

from actors.recorder.recording import Recording
from domain.clock import NS_PER_MS, NS_PER_S
from domain.codes import ActorPhase
from runtime.actor import Actor, ActorContext
from runtime.heartbeats import read_heartbeat
from runtime.parent import is_alive
from runtime.topology import EXECUTION

EXECUTION_END_S = 8.0  # of an orphan: until execution has cancelled and ended
POLL_S = 0.05


class RecorderActor(Actor):
    """Ends after execution, so that the record has its last words."""

    poll_interval_s = 0.1

    def __init__(self, ctx: ActorContext) -> None:
        super().__init__(ctx)
        self._recording: Recording | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._stopping = threading.Event()

    def on_start(self) -> None:
        self.ctx.set_live()  # before it gives way: on a busy machine the collection of garbage there took seconds
        self._thread = threading.Thread(target=self._record, name="recording", daemon=True)
        self._thread.start()

    def do_work(self, now_ns: int) -> int:
        if self._failure is not None:
            raise self._failure
        return 0

    def on_close(self) -> None:
        """Wait for execution's end, for a while, and for the thread."""
        if self._thread is None or self._failure is not None:
            return
        if EXECUTION in self.ctx.topology.actor_names:
            self._await_execution()
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _record(self) -> None:
        try:
            # This thread gives way, not the one with the heartbeat; where the kernel groups by session, to that alone.
            os.nice(self.ctx.config.recorder.nice)
            recording = Recording(self.ctx)
            pause_s = self.ctx.config.recorder.flush_ms * NS_PER_MS / NS_PER_S
            while not self._stopping.wait(pause_s):
                recording.cycle()
            recording.finish()
        except BaseException as error:
            self._failure = error

    def _await_execution(self) -> None:
        """Return once execution's process is gone: at once when the supervisor ends us last, as it does."""
        heartbeats = self.ctx.table_reader(f"heartbeats.{EXECUTION}")
        deadline_s = time.monotonic() + EXECUTION_END_S
        while time.monotonic() < deadline_s:
            heartbeat = read_heartbeat(heartbeats)
            if heartbeat.phase is ActorPhase.NONE or not is_alive(heartbeat.pid):
                return
            time.sleep(POLL_S)
