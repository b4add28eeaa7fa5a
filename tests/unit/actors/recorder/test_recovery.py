"""What killed recorders left in earlier runs, also in such as cannot be finished."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.recorder.finishing import finish_all
from actors.recorder.finishing_apart import finish_apart
from actors.recorder.recovery import recover_runs
from domain.codes import SegmentKind
from domain.records import TRADE
from shm.segment import create_segment
from tests.unit.actors.recorder.rig import TapeRig

HOUR = "2026-11-30T11"


class Told:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []
        self.infos: list[dict[str, Any]] = []

    def error(self, _text: str, **said: Any) -> None:
        self.errors.append(said)

    def info(self, _text: str, **said: Any) -> None:
        self.infos.append(said)


@pytest.fixture
def runs(segment_name: Callable[[], str], tmp_path: Path) -> Path:
    """Four runs of a killed recorder, the oldest of them with a part of trades that is in order."""
    rig = TapeRig(create_segment(segment_name(), SegmentKind.RING, TRADE, 8), tmp_path / "runs" / "1")
    rig.publish(1.0)
    rig.tape().write()
    for name in "234":
        shutil.copytree(rig.run, rig.run.with_name(name))
    return tmp_path / "runs"


def finished(runs: Path) -> list[str]:
    return sorted(path.relative_to(runs).parts[0] for path in runs.glob("*/recordings/trades/*.parquet"))


def test_a_run_that_cannot_be_finished_keeps_no_other_from_it(runs: Path) -> None:
    # Given runs with a kind that this version does not know, a part of an odd name, and a lock that cannot be taken
    trades = runs / "1" / "recordings" / "trades"
    trades.rename(trades.with_name("auctions"))
    (runs / "2" / "recordings" / "trades" / "copy of.part").touch()
    (runs / "3" / "recordings" / ".lock").mkdir()
    log = Told()
    # If what is unfinished is finished
    count = recover_runs(runs, finish_all, lambda: False, log)  # type: ignore[arg-type]
    # I expect the newest to be, and one error for each of the others, whose parts stay
    assert (count, finished(runs)) == (1, ["4"])
    assert [Path(said["folder"]).relative_to(runs).parts[0] for said in log.errors] == ["1", "2", "3"]
    assert [said["run"] for said in log.infos] == ["4"]
    assert len(list(runs.glob(f"*/recordings/*/{HOUR}.*.part"))) == 3


def test_no_earlier_run_is_begun_once_the_own_recorder_ends(runs: Path) -> None:
    ending: list[Path] = []

    def finish(folder: Path) -> int:
        ending.append(folder)
        return finish_all(folder)

    log = Told()
    assert recover_runs(runs, finish, lambda: bool(ending), log) == 1  # type: ignore[arg-type]
    assert finished(runs) == ["1"]
    assert log.errors == []


def test_what_nobody_wants_any_more_is_broken_off_and_its_parts_stay(runs: Path) -> None:
    # Given a part that is not read to its end for a long time
    folder = runs / "1" / "recordings" / "trades"
    (part,) = folder.glob("*.part")
    part.unlink()
    os.mkfifo(part)
    began_s = time.monotonic()

    def is_given_up() -> bool:
        return any(folder.glob("*.parquet.new")) or time.monotonic() - began_s > 60.0

    # If the work is given up in the middle, I expect it to end soon, and the part to be there
    with pytest.raises(OSError, match="ended with -9"):
        finish_apart(folder, is_given_up=is_given_up)
    assert part.exists()
    assert time.monotonic() - began_s < 60.0
