from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actors.recorder.finishing_apart import Task, finish_apart
from domain.codes import SegmentKind
from domain.records import TRADE
from runtime.recordings.files import table
from shm.segment import create_segment
from tests.unit.actors.recorder.rig import TapeRig

HOURS = ("2026-11-30T11", "2026-11-30T12", "2026-11-30T13")


@pytest.fixture
def rig(segment_name: Callable[[], str], tmp_path: Path) -> TapeRig:
    """Three hours of a tape, a price each."""
    rig = TapeRig(create_segment(segment_name(), SegmentKind.RING, TRADE, 8), tmp_path / "runs" / "one")
    tape = rig.tape()
    for hour in range(3):
        rig.publish(float(hour), hour=hour)
    tape.write()
    tape.close()
    return rig


def parquet(rig: TapeRig) -> list[str]:
    return sorted(path.stem for path in rig.folder.glob("*.parquet"))


def test_an_hour_is_finished_by_another_process_and_the_others_wait(rig: TapeRig) -> None:
    assert finish_apart(rig.folder, hour=HOURS[1]) == 1
    assert parquet(rig) == [HOURS[1]]
    assert table(rig.run, "trades").column("price_usd").to_pylist() == [0.0, 1.0, 2.0]


def test_all_hours_but_one_are_finished_by_another_process(rig: TapeRig) -> None:
    assert finish_apart(rig.folder, but_hour=HOURS[2]) == 2
    assert parquet(rig) == list(HOURS[:2])
    assert finish_apart(rig.folder, but_hour=HOURS[2]) == 0


def test_what_goes_wrong_in_the_other_process_is_told_with_its_reason(rig: TapeRig) -> None:
    # Given a folder in the place of the file that the hour becomes
    (rig.folder / f"{HOURS[0]}.parquet").mkdir()
    # I expect the reason, and the part untouched
    with pytest.raises(OSError, match=HOURS[0]):
        finish_apart(rig.folder, hour=HOURS[0])
    assert len(list(rig.folder.glob("*.part"))) == 3


def test_a_process_whose_recorder_is_gone_does_nothing(rig: TapeRig) -> None:
    # Given the task of a recorder that is not its parent any more
    task = Task(str(rig.folder), "", "", 9, parent_pid=os.getppid())
    done = subprocess.run(
        [sys.executable, "-m", "actors.recorder.finishing_apart", msgspec.json.encode(task).decode()], check=False
    )
    assert done.returncode != 0
    assert parquet(rig) == []
