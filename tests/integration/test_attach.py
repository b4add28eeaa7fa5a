"""An outside process, which knows nothing but five lines, on a running session."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from shm.segment import unlink_segment
from tests.sessions import REPOSITORY, RunningSession, wait_until

FIVE_LINES = """
import shm
session = shm.attach({name!r})
for tick in session.tickers.follow(timeout_s=20):
    print(tick.mark_price, flush=True)
    {ending}
"""


def run_outside(session: RunningSession, ending: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the five lines from a folder outside the repository, with the installed package."""
    code = FIVE_LINES.format(name=session.name, ending=ending)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )


def test_outsiders_follow_ticks_live_and_whatever_their_end_nothing_is_unlinked(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        before = session.segments()
        for ending in ("break", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "raise RuntimeError"):
            outside = run_outside(session, ending, tmp_path)
            assert float(outside.stdout.splitlines()[0]) > 0, outside.stderr
        assert session.segments() == before
        wait_until(lambda: bool(session.status()["instruments"]["BTC-PERPETUAL"]["bids"]), 10, "still quoting")


def test_a_follower_is_told_when_the_session_ends(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        code = FIVE_LINES.format(name=session.name, ending="pass")
        follower = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert follower.stdout is not None
        assert float(follower.stdout.readline()) > 0
        session.__exit__()
        _, errors = follower.communicate(timeout=120)
        assert "SessionClosedError" in errors


def test_the_example_of_the_readme_ends_with_one_line_when_the_session_does(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        # If it names a session that does not run, I expect a line that names those that do
        code = example.replace('"local"', '"nosuch"')
        outside = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert outside.returncode == 1
        assert outside.stderr.startswith("no session named `nosuch` is running (there are ")
        assert outside.stderr.count("\n") == 1
        # If its session ends, I expect a line that says so
        follower = subprocess.Popen(
            [sys.executable, "-uc", example.replace('"local"', repr(session.name))],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert follower.stdout is not None
        assert float(follower.stdout.readline().split()[0]) > 0
        session.__exit__()
        _, errors = follower.communicate(timeout=120)
        assert errors == f"session {session.name} has ended\n"


def test_a_follower_is_told_when_the_supervisor_was_killed(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        code = FIVE_LINES.format(name=session.name, ending="pass")
        follower = subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert follower.stdout is not None
        assert float(follower.stdout.readline()) > 0
        session.signal(signal.SIGKILL)
        try:
            _, errors = follower.communicate(timeout=120)
        finally:
            follower.kill()
            wait_until(lambda: session.processes() == [], 60, "the actors end")
            for name in session.segments():
                unlink_segment(name)
        assert "SessionClosedError" in errors
        assert "owner died" in errors


def test_an_unknown_session_names_those_that_run(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        outside = subprocess.run(
            [sys.executable, "-c", "import shm; shm.attach('nobody')"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "SessionNotFoundError" in outside.stderr
        assert session.name in outside.stderr


def test_the_example_script_runs(tmp_path: Path) -> None:
    with RunningSession(tmp_path) as session:
        session.wait_for_quotes()
        script = REPOSITORY / "scripts" / "attach_example.py"
        shown = subprocess.run(
            [sys.executable, str(script), session.name, "2"],
            cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        assert "mid " in shown.stdout
