from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from actors.recorder.disk import Disk, DiskFullError
from domain.clock import NS_PER_S, SimClock
from runtime.logs import open_log


@pytest.fixture
def clock() -> SimClock:
    return SimClock(monotonic_ns=10**9, realtime_ns=10**18)


def refused(disk: Disk) -> None:
    disk.refuses(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def test_trouble_is_said_at_once_then_once_a_minute_and_its_end_too(tmp_path: Path, clock: SimClock) -> None:
    log = tmp_path / "log"
    disk = Disk(tmp_path, 0, clock, open_log("recorder", log))
    for _ in range(150):
        refused(disk)
        clock.advance(NS_PER_S)
    assert log.read_text().count("nothing is recorded") == 3
    assert (disk.trouble, disk.faults, disk.since_realtime_ns) == ("No space left on device", 1, 10**18)
    disk.takes()
    disk.takes()
    assert log.read_text().count("recorded again") == 1
    assert (disk.trouble, disk.since_realtime_ns) == ("", 0)


def test_a_disk_in_trouble_is_tried_again_each_second(tmp_path: Path, clock: SimClock) -> None:
    disk = Disk(tmp_path, 0, clock, open_log("recorder", tmp_path / "log"))
    assert disk.may_try
    refused(disk)
    assert not disk.may_try
    clock.advance(NS_PER_S)
    assert disk.may_try
    refused(disk)
    disk.look_again()
    assert disk.may_try


def test_less_room_than_is_left_to_the_journals_is_a_full_disk(tmp_path: Path, clock: SimClock) -> None:
    log = open_log("recorder", tmp_path / "log")
    Disk(tmp_path, 0, clock, log).check_room()
    with pytest.raises(DiskFullError, match=r"\d+ MB free, free_mb_min = 999999999"):
        Disk(tmp_path, 999_999_999, clock, log).check_room()
