"""What a killed command leaves in the temporary folder goes with the next one; what is in use never does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventWriter
from backtest.scratch import PURPOSES, scratch_folder
from tests.backtest_run import written
from tests.sessions import REPOSITORY

WORK = """
import sys, time
from backtest.scratch import scratch_folder
with scratch_folder("backtest") as folder:
    (folder / "converted.events").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(300)
"""
BACKTEST = """
import sys, time
from pathlib import Path
from backtest.data.convert import Options
from backtest.engine.arguments import recorded
with recorded([Path(path) for path in sys.argv[1:]], Options()) as file:
    print(file.path.parent, flush=True)
    time.sleep(300)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of our own: others run on this machine."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def in_two_parts(folder: Path) -> list[Path]:
    """Write a generated market as two files."""
    whole = written(folder, seconds=2.0)
    rows = np.concatenate([np.array(block) for block in whole.blocks(1 << 18)])
    parts = []
    for number, part in enumerate(np.array_split(rows, 2)):
        parts.append(folder / f"part{number}.events")
        with EventWriter(parts[-1]) as writer:
            writer.write(part)
            writer.finish(whole.header)
    return parts


class Commands:
    """Processes that work in a scratch folder until they are killed."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, program: str = WORK, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        """Start one; returns it once it has its folder."""
        command = [sys.executable, "-c", program, *arguments]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir()
        return process, folder


@pytest.fixture
def commands() -> Iterator[Commands]:
    started = Commands()
    yield started
    for process in started.processes:
        kill(process)
        assert process.stdout is not None
        process.stdout.close()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_the_folder_of_a_killed_command_goes_with_the_next_and_one_in_use_stays(
    temporary: Path, commands: Commands
) -> None:
    killed, left = commands.start()
    _, in_use = commands.start()
    assert (left / "converted.events").exists()
    kill(killed)
    with scratch_folder("report") as mine:
        assert set(temporary.iterdir()) == {in_use, mine}
        assert (in_use / "converted.events").stat().st_size == 1000
    assert set(temporary.iterdir()) == {in_use}


def test_a_killed_backtest_is_cleaned_up_after(tmp_path: Path, temporary: Path, commands: Commands) -> None:
    # given a backtest of two parts of a recording, which it makes one of
    parts = in_two_parts(tmp_path)
    process, left = commands.start(BACKTEST, *map(str, parts))
    assert left.parent == temporary
    # if it is killed
    kill(process)
    assert left.is_dir()
    # I expect nothing of it after the next one has begun
    _, folder = commands.start(BACKTEST, *map(str, parts))
    assert set(temporary.iterdir()) == {folder}


def test_what_is_not_surely_ours_stays(temporary: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    (temporary / "ringmaker-backtest-link").symlink_to(elsewhere)
    (temporary / "ringmaker-backtest-no-lock").mkdir()
    (temporary / "ringmaker-backtest-file").touch()
    (temporary / "ringmaker-other-1").mkdir()
    (temporary / "ringmaker-other-1" / "lock").touch()
    before = set(temporary.iterdir())
    with scratch_folder("data"):
        pass
    assert set(temporary.iterdir()) == before
    assert (elsewhere / "lock").exists()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_folder_goes_with_its_command_also_when_that_fails(purpose: str, temporary: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_inside(purpose)
    assert list(temporary.iterdir()) == []


def fail_inside(purpose: str) -> None:
    with scratch_folder(purpose) as folder:
        assert folder.name.startswith(f"ringmaker-{purpose}-")
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "sub").mkdir()
        raise ZeroDivisionError
