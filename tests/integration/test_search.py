"""A search in processes of its own: a worker is killed, the whole of it is killed, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.backtest_run import written
from tests.conftest import REPOSITORY

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("distributed")
pytest.importorskip("optuna")

SPACE = "[strategy]\nrisk_aversion_per_usd = { low = 0.01, high = 0.2, log = true }\nlevels = { low = 1, high = 3 }\n"
TRIALS = 12
DEADLINE_S = 110.0


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the search; kernels are interpreted, for seconds of market need no machine code."""
    command = [sys.executable, "-m", "backtest.search", str(folder / "generated.events"), "-o", str(folder / "search")]
    options = ["--space", str(folder / "space.toml"), "--trials", str(TRIALS), "--train", "0.5", "--step-ms", "200"]
    environment = {**os.environ, "RINGMAKER_JIT": "0", "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [*command, *options], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def windows_done(folder: Path) -> int:
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{folder / 'search' / 'search.sqlite'}?mode=ro", uri=True)) as base,
    ):
        return int(base.execute("SELECT count(*) FROM window_outcomes").fetchone()[0])
    return 0


def wait_for(folder: Path, windows: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while windows_done(folder) < windows:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.05)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in _words_of(child)]


def _words_of(process: psutil.Process) -> str:
    """Return the command line; none of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie too
        return ""


@pytest.mark.timeout(300)
def test_a_killed_worker_and_a_killed_search_lose_nothing(tmp_path: Path) -> None:
    written(tmp_path, seconds=8.0)
    (tmp_path / "space.toml").write_text(SPACE)
    # Given a search that has begun, one of whose workers is killed
    first = start(tmp_path)
    wait_for(tmp_path, 2, first)
    os.kill(workers_of(first)[-1].pid, signal.SIGKILL)
    wait_for(tmp_path, 5, first)
    # If all of it is killed
    workers = workers_of(first)
    first.kill()
    first.communicate()
    done = windows_done(tmp_path)
    _gone, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive, "workers outlive their search"
    # I expect another one with the same folder to finish it, with nothing run twice
    second = start(tmp_path)
    told, errors = second.communicate(timeout=DEADLINE_S)
    assert second.returncode == 0, errors
    table = parquet.read_table(tmp_path / "search" / "trials.parquet").to_pydict()
    assert done >= 5
    assert len(table["trial"]) == TRIALS
    assert set(table["state"]) <= {"complete", "pruned"}
    assert "report: " in told
    assert (tmp_path / "search" / "best.toml").read_text().startswith("# Objective:")
    assert (tmp_path / "search" / "search.html").stat().st_size > 1_000_000
