"""A long recording needs no more memory than a short one."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from backtest.data.container import EventFile
from backtest.engine.run import backtest
from backtest.engine.spool import Spool
from backtest.engine.tape import tape_of
from tests.backtest_run import settings, written
from tests.conftest import REPOSITORY

ROWS = np.dtype([("a", "<i8"), ("b", "<f8")])


def test_rows_on_disk_are_those_that_were_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backtest.engine.spool.MEMORY_BYTES_MAX", 100)
    spool = Spool(ROWS)
    added = np.zeros(50, ROWS)
    added["a"], added["b"] = np.arange(50), np.arange(50) / 7
    for first in range(0, 50, 3):
        spool.add(added[first : first + 3])
        assert np.array_equal(spool.rows(), added[: first + 3])
    assert len(Spool(ROWS).rows()) == 0


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given blocks and buffers that are small against five and forty seconds of market
    monkeypatch.setattr("backtest.engine.tape.ROWS_AT_ONCE", 512)
    monkeypatch.setattr("backtest.engine.tape._ROOM", 2048)
    monkeypatch.setattr("backtest.engine.run.ANSWERS_AT_ONCE", 64)
    monkeypatch.setattr("backtest.engine.run.SAMPLES_AT_ONCE", 8)
    monkeypatch.setattr("backtest.engine.spool.MEMORY_BYTES_MAX", 4096)

    def peak(seconds: float) -> tuple[int, int]:
        file = written(tmp_path, seconds=seconds)
        tracemalloc.start()
        result = backtest(EventFile(file.path), settings())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used, len(result.answers)

    peak(1.0)  # what is made once
    short, few = peak(5.0)
    long, many = peak(40.0)
    assert many > 5 * few
    assert long < 1.02 * short
    assert tape_of(EventFile(tmp_path / "generated.events")).header.rows[0] > 3000


LONG_RUN = """
import os, resource, sys
os.environ["RINGMAKER_JIT"] = "1"
from dataclasses import replace
from pathlib import Path
from backtest.data.container import EventFile
from backtest.engine.run import backtest
from backtest.synthetic import write_session
from tests.backtest_run import MARKET, ran, settings
folder = Path(sys.argv[1])
ran(folder, settings(), seconds=5.0)  # loads the machine code
path = folder / "long.events"
limit = 400 << 20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
write_session(path, replace(MARKET, levels=20), 7 * 86_400.0)
result = backtest(EventFile(path), settings())
size = path.stat().st_size + path.with_name(path.name + ".tape").stat().st_size
print(size, result.run["decisions"][0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
"""


@pytest.mark.slow  # compiles the engine, writes some gigabytes
@pytest.mark.timeout(3600)
def test_a_week_larger_than_the_memory_it_may_have_runs(tmp_path: Path) -> None:
    """The process may have 400 MB of memory of its own (RLIMIT_DATA), a quarter of what the week takes on disk.

    Maps of files are beyond that limit, for the kernel may drop their pages; so the largest resident memory, which
    counts them too, is held to a bound of its own.
    """
    command = [sys.executable, "-c", LONG_RUN, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size, decisions, resident = (int(word) for word in done.stdout.split())
    print(f"{size >> 20} MB on disk, largest resident memory {resident >> 20} MB")
    assert size > 4 * (400 << 20)
    assert resident < 800 << 20
    assert decisions == pytest.approx(7 * 86_400 * 10, rel=0.01)
