"""What cli.py and supervisor.py say of what cannot be: one line that begins with `error: `, and exit code 2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sessions import REPOSITORY


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["cli.py", "nosuch"], "no such command 'nosuch'"),
        (["cli.py", "top", "--interval", "abc"], "--interval abc: "),
        (["cli.py", "status", "-s", "nosuch"], "no session named `nosuch` is running"),
        (["cli.py", "init", "x.txt"], "x.txt: expected a name that ends in .toml"),
        (["cli.py", "record", "--venue", "local", "--seconds", "-1"], "--seconds -1: expected a number above 0"),
        (["cli.py", "export"], "no session has run from "),
        (["cli.py", "backtest", "x.gz", "--step-ms", "abc"], "--step-ms abc: expected a number; see"),
        (["cli.py", "kill", "--timeout-s", "abc"], "--timeout-s: abc: expected seconds above 0"),
        (["supervisor.py", "configs/local.toml", "--seconds", "abc"], "--seconds abc: expected a number; see"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    environ = {**os.environ, "RINGMAKER_HOME": str(tmp_path), "RINGMAKER_RUN_ROOT": str(tmp_path / "r")}
    command = [sys.executable, str(REPOSITORY / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {expected}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["status", "kill"])
@pytest.mark.parametrize("has_environment", [False, True], ids=["no .venv", "a .venv that is being filled"])
def test_before_it_is_set_up_it_says_how_to(tmp_path: Path, verb: str, has_environment: bool) -> None:
    # Given a fresh copy, before the first `make` and while that installs
    for name in ("actors", "domain", "messages", "operating", "runtime", "shm", "trading", "venues"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "cli.py", tmp_path)
    if has_environment:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    # If a verb is asked for, I expect a line that says what to do, and nothing of Python's
    command = [sys.executable, str(tmp_path / "cli.py"), verb]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: not set up yet, or still being set up: `make run` or `make test` does it")
    assert done.stderr.count("\n") == 1


def test_without_a_verb_it_shows_what_there_is() -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    for verb in ("status", "init", "doctor", "kill", "backtest"):
        assert verb in done.stdout + done.stderr
