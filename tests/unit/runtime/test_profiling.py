"""A profile of a running actor: whoever is looked at goes on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pyinstrument import Profiler

from messages.commands import Profile, Reply
from runtime import profiling
from runtime.commands import Request
from runtime.priority import NICE_MAX
from runtime.profiling import ActorProfiler

DEADLINE_S = 30.0


class Scene:
    """A profiler, and a work loop that polls it."""

    def __init__(self, folder: Path) -> None:
        self.profiler = ActorProfiler("strategy", folder)
        self.replies: list[Reply] = []
        self.longest_poll_s = 0.0

    def start(self, seconds: float) -> None:
        self.profiler.start(Request(Profile("strategy", seconds), self.replies.append), time.monotonic_ns())

    def until_answered(self) -> Reply:
        deadline_s = time.monotonic() + DEADLINE_S
        while not self.replies:
            assert time.monotonic() < deadline_s, "no answer"
            began_s = time.thread_time()
            self.profiler.poll(time.monotonic_ns())
            self.longest_poll_s = max(self.longest_poll_s, time.thread_time() - began_s)
            sum(number * number for number in range(1000))
        return self.replies.pop()


def test_a_profile_is_a_page_and_the_next_one_may_follow(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "profiles")
    scene.start(0.2)
    scene.start(0.2)
    assert scene.replies.pop().text == "strategy is being profiled already"
    reply = scene.until_answered()
    assert reply.ok, reply.text
    page = Path(reply.data["path"])
    assert page.parent == tmp_path / "profiles"
    assert "until_answered" in page.read_text()
    scene.start(0.01)
    assert scene.until_answered().ok


def test_a_disk_that_takes_no_page_is_the_answer_and_nobody_dies_of_it(tmp_path: Path) -> None:
    (tmp_path / "profiles").touch()  # no folder can be made there
    scene = Scene(tmp_path / "profiles")
    scene.start(0.05)
    reply = scene.until_answered()
    assert not reply.ok
    assert "File exists" in reply.text
    scene.start(0.05)
    assert "File exists" in scene.until_answered().text


def test_a_profiler_that_cannot_begin_is_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("there is already a profiler running")

    monkeypatch.setattr(Profiler, "start", refuse)
    scene = Scene(tmp_path)
    scene.start(0.05)
    assert "already a profiler" in scene.replies.pop().text


def test_a_page_that_nobody_renders_in_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "RENDER_S_MAX", 0.0)
    scene = Scene(tmp_path)
    scene.start(0.05)
    assert "not rendered within 0 s" in scene.until_answered().text


def test_many_samples_hold_up_the_work_loop_for_a_moment_alone(tmp_path: Path) -> None:
    # Given as many samples as a profile may have, thirty calls deep
    scene = Scene(tmp_path)
    scene.start(0.05)
    assert scene.profiler._profiler is not None
    session = scene.profiler._profiler.stop()
    stack = [f"call{depth}\x00/ringmaker/file{depth}.py\x00{depth}\x01l{depth}" for depth in range(30)]
    session.frame_records[:] = [([*stack[: 1 + number % 30]], 0.0005) for number in range(profiling.SAMPLES_MAX)]
    scene.profiler._profiler.stop = lambda: session  # type: ignore[method-assign]
    reply = scene.until_answered()
    assert reply.ok, reply.text
    assert scene.longest_poll_s < 0.2, "computing in the loop; all at once took 0.36 s"


def test_a_long_profile_samples_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intervals_s: list[float] = []
    original = Profiler.__init__

    def note(self: Profiler, interval: float, **rest: Any) -> None:
        intervals_s.append(interval)
        original(self, interval=interval, **rest)

    monkeypatch.setattr(Profiler, "__init__", note)
    for seconds in (1.0, 600.0):
        scene = Scene(tmp_path)
        scene.start(seconds)
        monkeypatch.setattr(scene.profiler, "_deadline_ns", 0)
        scene.until_answered()
    assert intervals_s == [0.0005, 0.03]


def test_who_renders_gives_way_from_its_first_instruction_on_and_is_reaped_when_it_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an actor on a core of its own, and a renderer that hangs in its first imports
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(profiling, "RENDER_S_MAX", 0.2)
    cores = os.sched_getaffinity(0)
    scene = Scene(tmp_path)
    try:
        os.sched_setaffinity(0, {min(cores)})
        scene.start(0.01)
        while (chart := scene.profiler._chart) is None or chart._process is None:
            scene.profiler.poll(time.monotonic_ns())
        renderer = chart._process
        # I expect it on every core, below everything else
        assert os.sched_getaffinity(renderer.pid) >= cores
        assert os.getpriority(os.PRIO_PROCESS, renderer.pid) == NICE_MAX
    finally:
        os.sched_setaffinity(0, cores)
    # and once it is killed for its lateness, that nothing of it is left
    assert "not rendered within 0.2 s" in scene.until_answered().text
    deadline_s = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{renderer.pid}").exists():
        assert time.monotonic() < deadline_s, "a zombie"
        scene.profiler.poll(time.monotonic_ns())
