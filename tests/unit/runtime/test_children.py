"""One actor's lives, with real processes that only pretend to be actors."""

from __future__ import annotations

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
from runtime.config import SupervisorConfig
from runtime.heartbeats import NEVER, read_heartbeat
from runtime.lifecycle import ChildState
from runtime.restart_policy import GiveUp
from runtime.session import SessionSegments
from runtime.supervision.children import Child, Note
from runtime.supervision.deaths import Trail, read_deaths
from runtime.supervision.launch import Launcher, Standby
from runtime.topology import spec_of
from shm import layout
from shm.record import TableReader, TableWriter

CONFIG = SupervisorConfig(
    suspect_ms=100, dead_ms=200, restarts_max=2, backoff_ms_min=1, backoff_ms_max=1, start_deadline_s=30
)
SLEEPS = "import time; time.sleep(60)"


class PretendLauncher:
    """Starts `program` instead of an actor."""

    def __init__(self, folder: Path, program: str) -> None:
        self.program = program
        self.stderr = folder / "logs" / "strategy.stderr"

    def start(self, _epoch: int) -> subprocess.Popen[bytes]:
        with self.stderr.open("ab") as stderr:
            return subprocess.Popen([sys.executable, "-S", "-c", self.program], stderr=stderr)

    def park(self) -> Standby:
        raise AssertionError("no standby is configured")


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
