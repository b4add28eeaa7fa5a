from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from actors.recorder.finishing_apart import Task, finish_apart
from domain.codes import SegmentKind
from domain.records import TRADE
from runtime.recordings.files import table
from shm.segment import create_segment
from tests.conftest import REPOSITORY
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


@pytest.fixture
def busy(rig: TapeRig) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A process that has an hour finished, and the one that finishes it and waits for the rest of a part for ever."""
    part = next(rig.folder.glob(f"{HOURS[1]}.*.part"))
    part.unlink()
    os.mkfifo(part)
    code = "import sys; from pathlib import Path; from actors.recorder.finishing_apart import finish_apart\n"
    code += "finish_apart(Path(sys.argv[1]), hour=sys.argv[2])"
    parent = subprocess.Popen([sys.executable, "-c", code, str(rig.folder), HOURS[1]], cwd=REPOSITORY)
    try:
        assert wait_for(lambda: any(rig.folder.glob("*.parquet.new"))), "the hour is not being finished"
        (worker,) = psutil.Process(parent.pid).children()
        yield parent, worker
    finally:
        parent.kill()
        parent.wait()


def wait_for(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline_s = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return holds()


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_an_hour_is_finished_below_everything_else(busy: tuple[subprocess.Popen[bytes], psutil.Process]) -> None:
    _, worker = busy
    assert worker.nice() == 19
    assert os.getsid(worker.pid) == worker.pid
    group = Path(f"/proc/{worker.pid}/autogroup")
    if group.exists():
        assert group.read_text().split()[-1] == "19"


def test_what_finishes_an_hour_ends_with_its_recorder(busy: tuple[subprocess.Popen[bytes], psutil.Process]) -> None:
    parent, worker = busy
    parent.kill()
    assert wait_for(lambda: is_gone(worker))


def test_a_process_whose_recorder_is_gone_does_nothing(rig: TapeRig) -> None:
    # Given the task of a recorder that is not its parent any more
    task = Task(str(rig.folder), "", "", 9, parent_pid=os.getppid())
    done = subprocess.run(
        [sys.executable, "-m", "actors.recorder.finishing_apart", msgspec.json.encode(task).decode()], check=False
    )
    assert done.returncode != 0
    assert parquet(rig) == []
