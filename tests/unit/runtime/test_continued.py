"""Files that go on in a new one: a reader sees each line once, and a place in the whole stays what it is."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.recorder.lines import Follower
from domain.clock import NS_PER_S, SimClock
from messages.commands import Pause, Reply
from runtime import continued
from runtime.command_journal import CommandJournal
from runtime.continued import FILES_KEPT, HEADING
from runtime.line_file import LineFile
from runtime.supervision.alarm_watch import AlarmWatch

FULL_BYTES = 400
Write = Callable[[int], None]


@pytest.fixture(params=["line file", "command journal"])
def write(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a line of a number into the file `x`, in one of the two ways, each time as a new process would."""
    monkeypatch.setattr(continued, "FILE_BYTES_MAX", FULL_BYTES)
    path = tmp_path / "x"

    def by_line_file(number: int) -> None:
        file = LineFile(path, bytes_max=FULL_BYTES, kept=FILES_KEPT, is_followed=True)
        assert file.append(b'{"received_ns":%d}\n' % number)
        file.close()

    def by_journal(number: int) -> None:
        CommandJournal(path, SimClock()).note("cli", Pause(), number, Reply(ok=True))

    return by_line_file if request.param == "line file" else by_journal


def numbers(follower: Follower) -> list[int]:
    """Return what a reader finds new."""
    found: list[int] = []
    while lines := follower.read():
        found += [line.content["received_ns"] for line in lines]
    return found


def test_the_files_are_bounded_in_size_and_number(write: Write, tmp_path: Path) -> None:
    for number in range(200):
        write(number)
    assert {path.name for path in tmp_path.iterdir()} == {"x", *(f"x.{age}" for age in range(1, FILES_KEPT + 1))}
    assert all(path.stat().st_size < 2 * FULL_BYTES for path in tmp_path.iterdir())


def test_a_reader_that_keeps_up_sees_every_line_once(write: Write, tmp_path: Path) -> None:
    follower, found = Follower(tmp_path / "x"), list[int]()
    for number in range(100):
        write(number)
        if number % 3 == 0:
            found += numbers(follower)
            follower = Follower(tmp_path / "x", follower.offset)  # as after a restart
    found += numbers(follower)
    assert found == list(range(100))


def test_a_reader_from_the_beginning_sees_what_is_kept_at_the_same_places(write: Write, tmp_path: Path) -> None:
    steady, places = Follower(tmp_path / "x"), dict[int, int]()
    for number in range(200):
        write(number)
        places |= {line.content["received_ns"]: line.offset for line in steady.read()}
    late = Follower(tmp_path / "x")
    found = {}
    while lines := late.read():
        found |= {line.content["received_ns"]: line.offset for line in lines}
    assert min(found) > 0
    assert list(found) == list(range(min(found), 200))
    assert found == {number: places[number] for number in found}
    assert len(set(places.values())) == 200


def test_a_kill_before_the_new_file_is_there_loses_no_place(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(number)
    follower = Follower(tmp_path / "x")
    assert numbers(follower) == [0, 1, 2]
    continued.put_away(tmp_path / "x")
    assert numbers(follower) == []
    write(3)
    assert (tmp_path / "x").read_bytes().startswith(HEADING)
    assert numbers(follower) == [3]


def test_a_disk_that_takes_half_a_heading_gets_a_whole_one_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.with_name("x.1").write_bytes(b"a line\n")
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, content: real(fd, content[:5]))
        with path.open("ab") as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            continued.write_heading(file.fileno(), path)
    assert path.read_bytes() == b""
    with path.open("ab") as file:
        continued.write_heading(file.fileno(), path)
    assert json.loads(path.read_bytes()) == {"begins_at_byte": 7}


def test_alarms_are_told_once_across_files(tmp_path: Path) -> None:
    path = tmp_path / "risk_decisions.jsonl"
    file = LineFile(path, bytes_max=FULL_BYTES, kept=FILES_KEPT, is_followed=True)
    watch = AlarmWatch(path)
    told = []
    for number in range(40):
        line = {"decision": "alarm", "text": str(number), "alarm": "fill_rate", "instrument": "X"}
        file.append(json.dumps(line).encode() + b"\n")
        told += watch.look(number * NS_PER_S)
    assert path.with_name(f"{path.name}.4").exists()
    assert told == [f"alarm: X fill rate: {number}" for number in range(40)]
