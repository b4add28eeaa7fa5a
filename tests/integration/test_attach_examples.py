"""The examples for outsiders, each against one running session: Python, Polars, C and the notebook."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sessions import REPOSITORY, RunningSession

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
UNBUFFERED = {**os.environ, "PYTHONUNBUFFERED": "1"}
NOTEBOOK = REPOSITORY / "docs" / "attach.ipynb"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSession]:
    with RunningSession(tmp_path_factory.mktemp("examples")) as running:
        running.wait_for_quotes()
        yield running


def run_from(folder: Path, *command: object, **environ: str) -> str:
    """Run a command from outside the repository and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example_shows_mid_and_orders(session: RunningSession, tmp_path: Path) -> None:
    shown = run_from(tmp_path, sys.executable, REPOSITORY / "scripts" / "attach_example.py", session.name, "2")
    assert "working orders" in shown
    assert int(shown.splitlines()[-1].split()[0]) > 0


def test_the_python_example_ends_without_a_word_when_its_reader_goes_away(session: RunningSession) -> None:
    # Given the example, read by somebody who wants one line (`| head -1`)
    command = [sys.executable, REPOSITORY / "scripts" / "attach_example.py", session.name, "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=UNBUFFERED) as example:
        assert example.stdout is not None
        assert example.stdout.readline().startswith(b"mid ")
        # If the reader has it and goes away
        example.stdout.close()
        # I expect no traceback
        assert example.stderr is not None
        assert example.stderr.read() == b""
        assert example.wait(20) == -signal.SIGPIPE


def test_the_polars_example_makes_a_table_of_the_last_books(session: RunningSession, tmp_path: Path) -> None:
    shown = run_from(tmp_path, sys.executable, REPOSITORY / "scripts" / "attach_polars.py", session.name)
    assert "mean_spread" in shown
    assert "BTC-PERPETUAL" in shown


def test_the_layout_page_is_enough_for_numpy_alone(session: RunningSession, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "shm-layout.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    shown = run_from(tmp_path, sys.executable, "-I", "-c", code, session.name)
    assert " trades, volume " in shown
    assert "last price" in shown


@pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")
def test_the_c_example_follows_trades(session: RunningSession, tmp_path: Path) -> None:
    source = REPOSITORY / "scripts" / "attach_example.c"
    run_from(tmp_path, COMPILER, "-std=c11", "-O2", "-Wall", "-Werror", "-o", tmp_path / "example", source)
    shown = run_from(tmp_path, tmp_path / "example", session.name, "3").splitlines()
    assert len([line for line in shown if line.startswith("trade ") and " mid " in line]) == 3
    assert shown[-1].endswith(", 0 of them missed")


def test_the_notebook_runs_from_top_to_bottom(session: RunningSession, tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    saved = tmp_path / "quotes.png"
    code += f"\nfigure.savefig({str(saved)!r})\nassert np.isfinite(column('quote_bid_ticks')).any()"
    shown = run_from(
        tmp_path, sys.executable, "-c", code,
        RINGMAKER_SESSION=session.name, RINGMAKER_NOTEBOOK_SECONDS="2", MPLBACKEND="Agg", MPLCONFIGDIR=str(tmp_path),
    )  # fmt: skip
    assert "0 missed" in shown
    assert "shared_market_data(timestamp_ns=" in shown
    assert saved.stat().st_size > 5000
