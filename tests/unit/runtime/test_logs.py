"""Logs on a disk that refuses: lines are lost and counted, the process lives, no line is torn."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from runtime import logs
from runtime.line_file import LineFile
from runtime.logs import log_lines_lost, open_log
from runtime.supervision.log_watch import LOOK_INTERVAL_NS, TELL_INTERVAL_NS, LogWatch


class Disk:
    """Lets `room` bytes through, then refuses with `error`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 40
        self.error = errno.ENOSPC
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, content: bytes) -> int:
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        part = content[: self.room]
        self.room -= len(part)
        return self._write(fd, part)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_log_that_cannot_be_written_ends_nobody_and_says_what_is_missing(
    tmp_path: Path, disk: Disk, error: int
) -> None:
    # Given a log on a disk that refuses
    path = tmp_path / "strategy.log"
    log = open_log("strategy", path)
    log.info("before")
    disk.room, disk.error = 0, error
    # If lines are logged
    log.info("first")
    log.error("second")
    assert log_lines_lost() == 2
    # I expect the first line that the disk takes again to say how many are missing, and why
    disk.room = 1 << 20
    log.info("after")
    assert events(path) == ["before", "lines of this log were lost", "after"]
    notice = json.loads(path.read_text().splitlines()[1])
    assert (notice["count"], notice["reason"], notice["level"]) == (2, os.strerror(error), "error")


def test_a_line_that_was_torn_by_a_full_disk_is_finished_first(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "x.log"
    log = open_log("x", path)
    disk.room = 20
    log.info("torn")
    log.info("lost")
    disk.room = 1 << 20
    log.info("after")
    assert events(path) == ["torn", "lines of this log were lost", "after"]


def test_of_several_lines_only_whole_ones_stay(tmp_path: Path, disk: Disk) -> None:
    file = LineFile(tmp_path / "x")
    disk.room = 5
    assert not file.append(b"one\ntwo\nthree\n")
    disk.room = 100
    assert file.append(b"four\n")
    assert (tmp_path / "x").read_bytes() == b"one\ntwo\nfour\n"
    assert file.lost == 1


def test_a_line_that_a_killed_process_left_unfinished_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b'{"event":"whole"}\n{"event":"to')
    open_log("x", path).info("next life")
    assert events(path) == ["whole", "next life"]


def test_a_file_that_cannot_be_opened_at_first_is_opened_later(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    log = open_log("x", folder / "x.log")
    log.info("lost")
    log.info("lost, too")
    assert log_lines_lost() == 2
    folder.mkdir()
    log.info("after")
    assert events(folder / "x.log") == ["lines of this log were lost", "after"]


def test_a_log_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_log("x", tmp_path / "x.log").info("line")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.log").stat().st_mode) == 0o600


def test_the_operator_is_told_once_a_minute() -> None:
    lost = {"strategy": 0, "risk": 0}
    watch = LogWatch({name: lambda name=name: lost[name] for name in lost})  # type: ignore[misc]
    now_ns = LOOK_INTERVAL_NS
    assert watch.look(now_ns) == []
    lost["strategy"] = 3
    assert watch.look(now_ns) == []  # it looks once a second
    (note,) = watch.look(now_ns := now_ns + LOOK_INTERVAL_NS)
    assert note == "strategy: its log cannot be written, 3 lines are lost: is the disk full?"
    lost["strategy"] = 9
    assert watch.look(now_ns + LOOK_INTERVAL_NS) == []
    assert len(watch.look(now_ns + TELL_INTERVAL_NS)) == 1


def test_a_log_goes_on_in_a_new_file_at_its_size_and_keeps_the_last_few_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2000)
    path = tmp_path / "x.log"
    log = open_log("x", path)
    for number in range(200):
        log.info(str(number))
    files = [path.with_name(f"x.log.{age}") for age in range(logs.FILES_KEPT, 0, -1)] + [path]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    found = [event for file in files for event in events(file)]
    assert found == [str(number) for number in range(200 - len(found), 200)]
    assert all(file.stat().st_size < 2000 + 200 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    # and so does the next process, which finds the file full already
    path.write_bytes(path.read_bytes() + b'{"event":"more"}\n' * 200)
    open_log("x", path).info("next")
    assert events(path) == ["next"]
    assert log_lines_lost() == 0


def test_a_log_whose_file_cannot_be_put_away_goes_on_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 100)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    log = open_log("x", tmp_path / "x.log")
    for number in range(20):
        log.info(str(number))
    assert events(tmp_path / "x.log") == [str(number) for number in range(20)]
    assert log_lines_lost() == 0
