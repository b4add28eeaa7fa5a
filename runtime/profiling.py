"""Profile a running actor from inside: a sampling profiler that writes a flame chart as one HTML page."""

from __future__ import annotations

from pathlib import Path

from pyinstrument import Profiler
from pyinstrument.renderers import HTMLRenderer

from domain.clock import NS_PER_S
from messages.commands import Profile, Reply
from runtime.commands import Request

PROFILE_S_MAX = 600.0
SAMPLE_INTERVAL_S = 0.0005


class ActorProfiler:
    """At most one profile at a time; the loop calls `poll` and the answer is given when the file is written."""

    def __init__(self, actor: str, folder: Path) -> None:
        self._actor = actor
        self._folder = folder
        self._profiler: Profiler | None = None
        self._request: Request | None = None
        self._deadline_ns = 0

    def start(self, request: Request, now_ns: int) -> None:
        """Begin to sample; refuses a second profile and absurd lengths."""
        assert isinstance(request.command, Profile)
        seconds = request.command.seconds
        if self._profiler is not None:
            request.answer(Reply(ok=False, text=f"{self._actor} is being profiled already"))
            return
        if not 0 < seconds <= PROFILE_S_MAX:
            request.answer(
                Reply(ok=False, text=f"seconds = {seconds:g}: expected more than 0 and at most {PROFILE_S_MAX:g}")
            )
            return
        self._request = request
        self._deadline_ns = now_ns + int(seconds * NS_PER_S)
        self._profiler = Profiler(interval=SAMPLE_INTERVAL_S, async_mode="disabled")
        self._profiler.start()

    def poll(self, now_ns: int) -> None:
        """Finish the profile when its time is over."""
        if self._profiler is None or now_ns < self._deadline_ns:
            return
        profiler, request = self._profiler, self._request
        self._profiler = self._request = None
        assert request is not None
        profiler.stop()
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{self._actor}-{now_ns // NS_PER_S}.html"
        path.write_text(profiler.output(HTMLRenderer()))
        request.answer(Reply(ok=True, text=f"flame chart: {path}", data={"path": str(path)}))
