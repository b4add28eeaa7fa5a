"""What the doctor says of a machine."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from runtime.doctor import machine
from runtime.doctor.finding import Finding, Level, exit_code_of, fail, ok, warn
from runtime.session import SessionSegments
from runtime.topology import Topology
from shm.segment import list_segments, unlink_segment


def timex(*, status: int, error_us: int) -> bytes:
    return struct.pack("i4xqqqqi", 0, 0, 0, error_us, 0, status).ljust(256, b"\0")


@pytest.mark.parametrize(
    ("version", "processor", "level"),
    [
        ((3, 11, 0), "x86_64", Level.OK),
        ((3, 13, 1), "x86_64", Level.OK),
        ((3, 10, 12), "x86_64", Level.FAIL),
        ((3, 12, 0), "aarch64", Level.FAIL),
    ],
)
def test_an_old_python_and_another_processor_fail(version: tuple[int, ...], processor: str, level: Level) -> None:
    assert machine.look_at_python(version, processor).level is level


@pytest.mark.parametrize(("load", "level"), [(0.4, Level.OK), (1.9, Level.OK), (2.1, Level.WARN)])
def test_a_machine_that_works_for_others_is_warned_of(load: float, level: Level) -> None:
    assert machine.look_at_load(load, [0, 1, 2, 3]).level is level


@pytest.mark.parametrize(
    ("governors", "level"),
    [(["performance", "performance"], Level.OK), (["performance", "powersave"], Level.WARN), ([], None)],
)
def test_cores_that_sleep_are_warned_of_where_the_system_says_so(
    tmp_path: Path, governors: list[str], level: Level | None
) -> None:
    for core, governor in enumerate(governors):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    assert [found.level for found in machine.look_at_frequency([0, 1], tmp_path)] == ([level] if level else [])


@pytest.mark.parametrize(("limit", "level"), [(1024, Level.OK), (-1, Level.OK), (64, Level.FAIL)])
def test_too_few_descriptors_fail(limit: int, level: Level) -> None:
    assert machine.look_at_files(limit).level is level


@pytest.mark.parametrize(
    ("status", "error_us", "expected"),
    [
        (0x2001, 1500, ok("clock", "synchronised, at most 1.5 ms off")),
        (0x40, 16_000_000, warn("clock", "nothing synchronises it", "start chrony")),
        (0x2001, 450_000, warn("clock", "may be 450 ms off", "look at")),
    ],
)
def test_a_clock_that_nobody_keeps_is_warned_of(status: int, error_us: int, expected: Finding) -> None:
    found = machine.look_at_clock(timex(status=status, error_us=error_us))
    assert (found.level, found.text) == (expected.level, expected.text)
    assert found.advice.startswith(expected.advice)


def test_this_kernel_tells_of_its_clock() -> None:
    assert machine.look_at_clock().level in (Level.OK, Level.WARN)


def test_segments_of_a_killed_session_are_named_and_those_of_a_running_one_are_not() -> None:
    # Given a session that runs, and one whose owner died
    alive, dead = (f"doctor-{name}-{os.getpid()}" for name in ("alive", "dead"))
    running = SessionSegments(alive, Topology(("BTC-PERPETUAL",)))
    running.create()
    killed = SessionSegments(dead, Topology(("BTC-PERPETUAL",)))
    killed.create()
    assert killed._ownership is not None
    killed._ownership.release()  # as its death would
    try:
        # If the doctor looks
        found = machine.look_at_segments()
        # I expect the dead one, by name
        assert found.level is Level.WARN
        assert dead in found.text
        assert alive not in found.text
    finally:
        running.unlink()
        for name in list_segments(f"ringmaker.{os.getuid()}.{dead}."):
            unlink_segment(name)


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    assert exit_code_of([ok("a", ""), warn("b", "", "c")]) == 0
    assert exit_code_of([warn("b", "", "c"), fail("d", ""), fail("e", "", exit_code=3)]) == 2  # type: ignore[arg-type]


def test_a_line_says_what_was_found_and_what_to_do() -> None:
    assert warn("clock", "nobody keeps it", "start chrony").line() == "warn  clock      nobody keeps it; start chrony"
    assert ok("python", "3.11.7").line() == "ok    python     3.11.7"
