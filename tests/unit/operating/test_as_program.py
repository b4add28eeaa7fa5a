"""Programs that `cli.py` goes on as, when they are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PROGRAM = """
import atexit, sys, time
atexit.register(print, "tidied up")
try:
    print(__name__, *sys.argv[1:], flush=True)
    time.sleep(0.0 if "at once" in sys.argv else 60.0)
    sys.exit(3)
finally:
    print("left")
"""


# As from a terminal: what a shell runs in the background, the tests too, ignores Ctrl-C.
AS_TYPED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> subprocess.Popen[str]:
    (tmp_path / "a_program.py").write_text(PROGRAM)
    command = [sys.executable, "-c", AS_TYPED, "-m", "operating.as_program", "a_program", *request.param]
    environ = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{tmp_path}"}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("started", [["DATA"]], indirect=True)
def test_a_program_that_is_interrupted_leaves_in_order_and_says_so_in_a_line(started: subprocess.Popen[str]) -> None:
    assert started.stdout is not None
    assert started.stdout.readline() == "__main__ DATA\n"
    started.send_signal(signal.SIGINT)
    out, told = started.communicate(timeout=30)
    assert (started.returncode, told, out) == (130, "interrupted\n", "left\ntidied up\n")


@pytest.mark.parametrize("started", [["at once"]], indirect=True)
def test_a_program_that_ends_by_itself_has_its_own_exit_code(started: subprocess.Popen[str]) -> None:
    out, told = started.communicate(timeout=30)
    assert (started.returncode, told, out) == (3, "", "__main__ at once\nleft\ntidied up\n")
