"""One actor's lives, with real processes that only pretend to be actors."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

from domain.codes import ActorPhase
from domain.errors import ExitCode
from domain.records import HEARTBEAT
from runtime.affinity import SHARED, Placement
from runtime.config import SupervisorConfig
from runtime.environment import ActorEnvironment
from runtime.heartbeats import NEVER, read_heartbeat
from runtime.lifecycle import ChildState
from runtime.restart_policy import GiveUp
from runtime.session import SessionSegments
from runtime.supervision import standby_keeping
from runtime.supervision.children import Child
from runtime.supervision.deaths import Death, Trail, read_deaths
from runtime.supervision.launch import Launcher, Standby
from runtime.supervision.note import Note
from runtime.topology import spec_of
from shm import layout
from shm.record import TableReader, TableWriter

CONFIG = SupervisorConfig(
    suspect_ms=100, dead_ms=200, restarts_max=2, backoff_ms_min=1, backoff_ms_max=1, start_deadline_s=30
)
SLEEPS = "import time; time.sleep(60)"


class PretendLauncher:
    """Starts `program` instead of an actor."""

    kind: type[subprocess.Popen[bytes]] = subprocess.Popen

    def __init__(self, folder: Path, program: str) -> None:
        self.program = program
        self.stderr = folder / "logs" / "strategy.stderr"

    def start(self, _epoch: int) -> subprocess.Popen[bytes]:
        with self.stderr.open("ab") as stderr:
            return self.kind([sys.executable, "-S", "-c", self.program], stderr=stderr)

    def park(self) -> Standby:
        raise AssertionError("no standby is configured")


class StuckProcess(subprocess.Popen[bytes]):
    """A process in uninterruptible sleep: killed, it stays until what it waits for has come."""

    is_stuck = True

    def poll(self) -> int | None:
        return None if self.is_stuck else super().poll()

    def wait(self, timeout: float | None = None) -> int:
        assert timeout is not None, "nobody waits for it without end"
        if self.is_stuck:
            raise subprocess.TimeoutExpired("strategy", timeout)
        return super().wait(timeout)


@pytest.fixture
def segments() -> Iterator[SessionSegments]:
    found = SessionSegments(f"children-{os.getpid()}", ("BTC-PERPETUAL",))
    found.create()
    yield found
    found.unlink()


@pytest.fixture
def make(segments: SessionSegments, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def make_child(program: str, config: SupervisorConfig = CONFIG) -> Child:
        (tmp_path / "logs").mkdir(exist_ok=True)
        launcher = cast(Launcher, PretendLauncher(tmp_path, program))
        heartbeat = segments["heartbeats.strategy"]
        child = Child(spec_of("strategy"), config, launcher, Trail(tmp_path, "strategy"), heartbeat)
        child.spawn(time.monotonic_ns())
        made.append(child)
        return child

    yield make_child
    for child in made:
        child.finish()


def beat(segments: SessionSegments, child: Child, age_ms: int = 0, phase: ActorPhase = ActorPhase.LIVE) -> None:
    writer = TableWriter(segments["heartbeats.strategy"])
    writer.ints[HEARTBEAT.word("pid")] = child.pid
    writer.ints[HEARTBEAT.word("phase")] = phase
    writer.ints[HEARTBEAT.word("beat_time_ns")] = time.monotonic_ns() - age_ms * 1_000_000
    writer.publish(0)


def watch_until(child: Child, kind: type) -> Note | GiveUp:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        outcome = child.watch(time.monotonic_ns())
        if isinstance(outcome, kind):
            assert isinstance(outcome, Note | GiveUp)
            return outcome
        time.sleep(0.002)
    raise AssertionError(f"no {kind.__name__} came")


def test_a_child_that_keeps_dying_is_given_up_with_one_line_that_says_why(
    make: Callable[..., Child], tmp_path: Path
) -> None:
    child = make("raise SystemExit('strategy: crashed: ValueError: three is not four')")
    outcome = watch_until(child, GiveUp)
    assert isinstance(outcome, GiveUp)
    assert outcome.exit_code is ExitCode.GAVE_UP
    assert outcome.reason.startswith(
        "gave up: strategy died 3 times within 300 s, at last exit 1: crashed: ValueError: three is not four; see "
    )
    assert "\n" not in outcome.reason
    assert child.state is ChildState.ENDED
    assert len(read_deaths(tmp_path)) == 3


def test_a_child_that_cannot_answer_yet_is_told_with_what_it_does(
    make: Callable[..., Child], segments: SessionSegments
) -> None:
    child = make(SLEEPS)
    assert child.why_silent == "it is starting and loads its kernels; try again in a few seconds"
    beat(segments, child, phase=ActorPhase.COMPILING)
    child.watch(time.monotonic_ns())
    assert child.why_silent == "it is compiling its kernels, which takes up to a minute; try again then"
    beat(segments, child)
    child.watch(time.monotonic_ns())
    assert child.why_silent == ""
    beat(segments, child, age_ms=150)
    child.watch(time.monotonic_ns())
    assert child.why_silent.startswith("it hangs")


def test_what_an_earlier_life_said_is_not_said_of_a_later_one(make: Callable[..., Child], tmp_path: Path) -> None:
    mark = tmp_path / "second"
    first = "print('first life: out of ideas', file=sys.stderr)"
    child = make(f"import os, sys, pathlib\np = pathlib.Path({str(mark)!r})\nif not p.exists(): p.touch(); {first}\n"
                 "sys.exit(1)")  # fmt: skip
    said = watch_until(child, Note)
    assert isinstance(said, Note)
    assert "out of ideas" in said.text
    while (said := watch_until(child, Note)).text.startswith("started"):  # type: ignore[union-attr]
        pass
    assert isinstance(said, Note)
    assert "out of ideas" not in said.text


def test_a_death_is_told_to_whoever_reads_the_heartbeat_before_the_silence_would_be(
    make: Callable[..., Child], segments: SessionSegments
) -> None:
    child = make(SLEEPS)
    beat(segments, child)
    assert "live" in watch_until(child, Note).text  # type: ignore[union-attr]
    os.kill(child.pid, signal.SIGKILL)
    beat(segments, child)
    assert watch_until(child, Note).text.startswith("ended")  # type: ignore[union-attr]
    assert read_heartbeat(TableReader(segments["heartbeats.strategy"])) == NEVER


def test_a_row_that_its_writer_was_interrupted_in_does_not_kill_an_old_child(
    make: Callable[..., Child], segments: SessionSegments
) -> None:
    child = make(SLEEPS, structs.replace(CONFIG, start_deadline_s=0.001))
    time.sleep(0.01)
    beat(segments, child)
    assert "live" in watch_until(child, Note).text  # type: ignore[union-attr]
    segment = segments["heartbeats.strategy"]
    segment.words[layout.HEADER_BYTES >> 3] |= 1  # as long as it is odd, the row is being written
    assert watch_until(child, Note).text.startswith("suspect")  # type: ignore[union-attr]
    beat(segments, child)
    assert watch_until(child, Note).text == "speaks again"  # type: ignore[union-attr]


def test_a_stopped_child_is_suspect_then_killed_and_reaped_before_the_next_one_starts(
    make: Callable[..., Child], segments: SessionSegments, tmp_path: Path
) -> None:
    child = make(SLEEPS)
    first = child.pid
    beat(segments, child)
    assert "live" in watch_until(child, Note).text  # type: ignore[union-attr]
    os.kill(first, signal.SIGSTOP)
    beat(segments, child, age_ms=150)
    assert watch_until(child, Note).text.startswith("suspect")  # type: ignore[union-attr]
    assert child.state is ChildState.SUSPECT
    beat(segments, child, age_ms=250)
    assert "silent for" in watch_until(child, Note).text  # type: ignore[union-attr]
    assert child.pid not in (0, first)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)  # not even a zombie is left
    assert "killed by SIGKILL" in read_deaths(tmp_path)[0]


def test_a_replacement_on_purpose_is_no_death(
    make: Callable[..., Child], segments: SessionSegments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = make(SLEEPS)
    monkeypatch.setattr(PretendLauncher, "park", lambda _self: None)
    for _ in range(CONFIG.restarts_max + 2):  # more often than it might die
        beat(segments, child)
        child.watch(time.monotonic_ns())
        before = child.pid
        child.replace(time.monotonic_ns())
        while child.pid == before:
            beat(segments, child)
            outcome = child.watch(time.monotonic_ns())
            assert not isinstance(outcome, GiveUp)
    assert read_deaths(tmp_path) == []
    assert child.life == CONFIG.restarts_max + 3


def test_a_page_of_evidence_holds_exit_words_log_and_stacks(make: Callable[..., Child], tmp_path: Path) -> None:
    child = make(
        "import faulthandler, os, sys\n"
        f"faulthandler.enable(open({str(tmp_path / 'logs' / 'strategy.stacks')!r}, 'a'))\n"
        f"print('last line of the log', file=open({str(tmp_path / 'logs' / 'strategy.log')!r}, 'a'))\n"
        "print('a warning', file=sys.stderr, flush=True)\n"
        "faulthandler._sigsegv()"
    )
    watch_until(child, Note)
    page = next((tmp_path / "deaths").glob("strategy-1.txt")).read_text()
    assert "strategy, life 1" in page.splitlines()[0]
    assert "killed by SIGSEGV" in page.splitlines()[0]
    for expected in ("a warning", "last line of the log", "Fatal Python error: Segmentation fault"):
        assert expected in page


def test_a_child_that_cannot_be_reaped_holds_nobody_up_and_has_no_successor_until_it_is(
    make: Callable[..., Child], segments: SessionSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an actor in uninterruptible sleep
    monkeypatch.setattr(PretendLauncher, "kind", StuckProcess)
    monkeypatch.setattr(StuckProcess, "is_stuck", True)
    child = make(SLEEPS)
    first = child.pid
    beat(segments, child)
    assert "live" in watch_until(child, Note).text  # type: ignore[union-attr]
    beat(segments, child, age_ms=250)
    # If it is killed, I expect the supervisor to go on without waiting for it
    started_s = time.monotonic()
    assert "killed, not reaped yet" in watch_until(child, Note).text  # type: ignore[union-attr]
    assert [child.watch(time.monotonic_ns()) for _ in range(5)] == [None] * 5
    assert time.monotonic() - started_s < 10.0
    assert child.pid == first
    assert child.is_fenced
    assert child.why_silent.startswith("it was killed, and the system has not let go of it yet")
    # and the next life to start once it is gone
    monkeypatch.setattr(StuckProcess, "is_stuck", False)
    assert "killed by SIGKILL); started again at once" in watch_until(child, Note).text  # type: ignore[union-attr]
    assert not child.is_fenced
    assert child.pid not in (0, first)


def test_a_stuck_child_does_not_hold_up_the_end(make: Callable[..., Child], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PretendLauncher, "kind", StuckProcess)
    monkeypatch.setattr(StuckProcess, "is_stuck", True)
    child = make(SLEEPS)
    process = child._process
    assert process is not None
    started_s = time.monotonic()
    child.finish()
    assert time.monotonic() - started_s < 20.0
    assert child.state is ChildState.ENDED
    monkeypatch.setattr(StuckProcess, "is_stuck", False)
    process.wait(10.0)


def refused(*_: object) -> None:
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def test_a_start_that_the_system_refuses_is_tried_again_after_a_pause(
    make: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = make(SLEEPS)
    start = PretendLauncher.start
    monkeypatch.setattr(PretendLauncher, "start", refused)
    os.kill(child.pid, signal.SIGKILL)
    said = watch_until(child, Note)
    assert isinstance(said, Note)
    assert "killed by SIGKILL" in said.text
    assert "could not be started (Resource temporarily unavailable); starts again in 0.00 s" in said.text
    assert (child.state, child.pid, child.restarts) == (ChildState.DEAD, 0, 0)
    monkeypatch.setattr(PretendLauncher, "start", start)
    assert watch_until(child, Note).text == "started again (life 2)"  # type: ignore[union-attr]
    assert child.restarts == 1


def test_a_child_that_the_system_never_starts_is_given_up(
    make: Callable[..., Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = make(SLEEPS)
    monkeypatch.setattr(PretendLauncher, "start", refused)
    os.kill(child.pid, signal.SIGKILL)
    outcome = watch_until(child, GiveUp)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason == (
        "gave up: strategy died 3 times within 300 s, at last could not be started (Resource temporarily unavailable)"
    )
    assert child.state is ChildState.ENDED


def test_a_standby_that_the_system_refuses_is_done_without(
    make: Callable[..., Child], segments: SessionSegments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_keeping, "PAUSE_NS", 0)
    monkeypatch.setattr(PretendLauncher, "park", refused)
    child = make(SLEEPS, structs.replace(CONFIG, standby=["strategy"]))
    beat(segments, child)
    assert "live" in watch_until(child, Note).text  # type: ignore[union-attr]
    deadline_s = time.monotonic() + 20
    said = None
    while said is None and time.monotonic() < deadline_s:
        beat(segments, child)
        said = child.watch(time.monotonic_ns())
    assert isinstance(said, Note)
    assert said.text == (
        "its standby failed 3 times, at last: Resource temporarily unavailable; it goes on without one"
    )
    child.replace(time.monotonic_ns())  # which needs none


def test_an_actor_without_the_core_that_it_was_given_runs_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    told = ActorEnvironment(
        session="test", actor="strategy", config_file=tmp_path / "absent", artifacts_dir=tmp_path, state_dir=tmp_path,
        epoch=0, core=0, supervisor_pid=os.getpid(), session_start_realtime_ns=0, doorbell_fds={},
    )  # fmt: skip
    launcher = Launcher(spec_of("strategy"), Placement(frozenset({100_000}), SHARED), told, {})
    process = launcher.start(1)
    try:
        assert os.sched_getaffinity(process.pid) == os.sched_getaffinity(0)
    finally:
        process.kill()
        process.wait(10.0)


def test_a_page_of_evidence_holds_the_log_that_went_on_in_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    trail = Trail(tmp_path, "strategy")
    trail.log.write_text("of an earlier life\n" * 100)
    trail.begin()
    trail.log.replace(tmp_path / "logs" / "strategy.log.1")
    trail.log.write_text("last line\n")
    page = trail.keep(Death("strategy", 2, 4711, "exit 1", 1.0, "live")).read_text()
    assert "---- last lines of its log: \nlast line\n" in page
