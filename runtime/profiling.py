"""Profile a running actor from inside: a sampling profiler that ends in a flame chart, one HTML page.

The actor only samples: what was seen is handed over a piece a heartbeat, and rendered by runtime/flame_chart.py.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from pyinstrument import Profiler
from pyinstrument.session import Session

from domain.clock import NS_PER_S
from messages.commands import Profile, Reply
from runtime.commands import Request
from runtime.environment import scrubbed
from runtime.flame_chart import write_head, write_samples
from runtime.priority import NICE_MAX, give_priority

SAMPLE_INTERVAL_S = 0.0005
SAMPLES_MAX = 20_000  # a longer profile samples less often
PIECE_SAMPLES = 1000  # a millisecond of the work loop
RENDER_S_MAX = 30.0


class ActorProfiler:
    """At most one profile at a time; the loop calls `poll` and the answer is given when the file is written.

    Whatever goes wrong is the answer: nobody dies of being looked at.
    """

    def __init__(self, actor: str, folder: Path) -> None:
        self._actor = actor
        self._folder = folder
        self._profiler: Profiler | None = None
        self._chart: _Chart | None = None
        self._request: Request | None = None
        self._deadline_ns = 0
        self._killed: list[subprocess.Popen[bytes]] = []  # not reaped yet: one that waits for a disk takes its time

    def start(self, request: Request, now_ns: int) -> None:
        """Begin to sample; refuses a second profile and absurd lengths."""
        assert isinstance(request.command, Profile)
        seconds = request.command.seconds
        if self._request is not None:
            request.answer(Reply(ok=False, text=f"{self._actor} is being profiled already"))
            return
        if refusal := request.command.why_not():
            request.answer(Reply(ok=False, text=refusal))
            return
        self._request = request
        self._deadline_ns = now_ns + int(seconds * NS_PER_S)
        interval_s = max(SAMPLE_INTERVAL_S, seconds / SAMPLES_MAX)
        try:
            self._profiler = Profiler(interval=interval_s, async_mode="disabled")
            self._profiler.start()
        except Exception as error:
            self._end(_failed(error))

    def poll(self, now_ns: int) -> None:
        """Go on with the profile once its time is over."""
        if self._killed:
            self._killed = [process for process in self._killed if process.poll() is None]
        if self._request is None or now_ns < self._deadline_ns:
            return
        try:
            reply = self._go_on(now_ns)
        except Exception as error:
            reply = _failed(error)
        if reply is not None:
            self._end(reply)

    def _go_on(self, now_ns: int) -> Reply | None:
        """Return the answer once there is one."""
        if self._profiler is not None:
            profiler, self._profiler = self._profiler, None
            page = self._folder / f"{self._actor}-{now_ns // NS_PER_S}.html"
            self._chart = _Chart(profiler.stop(), page)
        assert self._chart is not None
        return self._chart.poll(now_ns)

    def _end(self, reply: Reply) -> None:
        request, chart = self._request, self._chart
        self._profiler = self._chart = self._request = None
        if chart is not None and (process := chart.close()) is not None:
            self._killed.append(process)
        assert request is not None
        request.answer(reply)


class _Chart:
    """A page that comes to be: its samples are handed over in pieces, then another process renders them."""

    def __init__(self, session: Session, page: Path) -> None:
        self._page = page
        self._records = session.frame_records
        self._handed_over = 0
        self._deadline_ns = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._file = os.fdopen(os.memfd_create("profile"), "w+b")  # in memory: no disk can refuse it
        write_head(self._file, session)

    def poll(self, now_ns: int) -> Reply | None:
        """Take the next step; the answer when it was the last one."""
        if self._handed_over < len(self._records):
            end = self._handed_over + PIECE_SAMPLES
            write_samples(self._file, self._records[self._handed_over : end])
            self._handed_over = end
            return None
        if self._process is None:
            self._process = self._begin_to_render()
            self._deadline_ns = now_ns + int(RENDER_S_MAX * NS_PER_S)
            return None
        exit_code = self._process.poll()
        if exit_code is None:
            late = f"not rendered within {RENDER_S_MAX:g} s: the machine is busy, or its disk hangs"
            return Reply(ok=False, text=late) if now_ns > self._deadline_ns else None
        if exit_code:
            return Reply(ok=False, text=self._last_line() or f"the flame chart failed: exit code {exit_code}")
        return Reply(ok=True, text=f"flame chart: {self._page}", data={"path": str(self._page)})

    def close(self) -> subprocess.Popen[bytes] | None:
        """Let go of everything; a process that still renders is killed, and returned to be reaped."""
        self._file.close()
        if self._process is None:
            return None
        assert self._process.stderr is not None
        self._process.stderr.close()
        if self._process.poll() is not None:
            return None
        self._process.kill()
        return self._process

    def _begin_to_render(self) -> subprocess.Popen[bytes]:
        self._file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "runtime.flame_chart", str(os.getpid()), str(self._page)],
            stdin=self._file,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=scrubbed(os.environ),
            start_new_session=True,  # whose niceness is its own
        )
        # It makes sure itself, but a tenth of a second later, when it has its imports: the actor's core is the actor's.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))
        give_priority(process.pid, NICE_MAX)
        return process

    def _last_line(self) -> str:
        assert self._process is not None
        assert self._process.stderr is not None
        lines = self._process.stderr.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")


def _failed(error: Exception) -> Reply:
    return Reply(ok=False, text=f"the profile failed: {type(error).__name__}: {error}")
