"""A key that a real session trades with is nowhere but in the processes that need it; and what it keeps is private."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

import cli
from tests.sessions import INSTRUMENT, REPOSITORY, RunningSession, StandaloneExchange, is_gone, wait_until

HOLDERS = ("execution", "risk")
CONFIG = '[venue]\nkind = "thalex"\n' + INSTRUMENT
PROXY_PASSWORD = "canary-of-a-proxy"
OTHER_SECRET = "canary-of-another-venue"
CRASH_ON_SIGNAL = """
import os, signal

def crash(number, frame):
    key = os.environ.get("THALEX_TEST_PRIVATE_KEY", "")
    fall(key)

def fall(key):
    raise RuntimeError("forced by the test")

signal.signal(signal.SIGRTMIN, crash)
"""


class Canary:
    """What must not be found: each line of the private key, and any login token."""

    def __init__(self, key: dict[str, str]) -> None:
        body = [line for line in key["private_key"].splitlines() if "-----" not in line]
        self.private_key = key["private_key"]
        self.words = [line.encode() for line in body if len(line) >= 32] + [OTHER_SECRET.encode()]
        assert len(self.words) > 20
        self.words.append(b"eyJhbGciOiJSUzUxMiI")  # how a token begins: {"alg":"RS512"

    def found_in(self, content: bytes) -> bool:
        flat = content.replace(b"\\n", b"\n")
        return any(word in flat for word in self.words)


def files_with(canary: Canary, *folders: Path) -> list[str]:
    """Return the files under `folders` in which it stands."""
    return [
        str(path.relative_to(folder))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and canary.found_in(path.read_bytes())
    ]


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[StandaloneExchange]:
    with StandaloneExchange(tmp_path) as running:
        yield running


@pytest.fixture
def session(tmp_path: Path, exchange: StandaloneExchange) -> RunningSession:
    """A session whose keys stand in its .env alone, as make run-testnet has them, in quotes."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(CRASH_ON_SIGNAL)
    environ = {"THALEX_WS_URL": exchange.url, "PYTHONPATH": f"{REPOSITORY}:{site}", "RINGMAKER_DUMPABLE": ""}
    running = RunningSession(tmp_path, CONFIG, environ=environ)
    key = json.loads(exchange.key_file.read_text())
    env_file = running.home / ".env"
    env_file.write_text(
        f"THALEX_TEST_API_KEY_ID='{key['key_id']}'\n"
        f'THALEX_TEST_PRIVATE_KEY="{key["private_key"]}"\nBYBIT_API_SECRET={OTHER_SECRET}\n'
    )
    env_file.chmod(0o600)
    return running


@pytest.mark.skipif(os.getuid() != 0, reason="only root can look into processes that are not dumpable")
@pytest.mark.timeout(180)
def test_a_key_is_in_no_file_no_segment_no_argument_and_no_process_that_does_not_need_it(
    session: RunningSession, exchange: StandaloneExchange, tmp_path: Path
) -> None:
    canary = Canary(json.loads(exchange.key_file.read_text()))
    with session:
        # Given a session that trades with the key
        session.wait_for_quotes(60.0)
        actors: dict[str, Any] = session.status()["actors"]
        # I expect it in the environment of those that sign with it, and of no other process
        for process in session.processes():
            environ, arguments = (Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("environ", "cmdline"))
            is_holder = process.pid in {actors[name]["pid"] for name in HOLDERS}
            assert canary.found_in(environ) == is_holder, process.cmdline()
            assert not canary.found_in(arguments)
        assert not canary.found_in(_memory_of(actors["strategy"]["pid"]))
        # ... no core dump of any process
        for name, actor in actors.items():
            limits = Path(f"/proc/{actor['pid']}/limits").read_text()
            assert re.search(r"Max core file size\s+0\s+0\s", limits), name
        # ... and in no segment
        for segment in session.segments():
            assert not canary.found_in((Path("/dev/shm") / segment).read_bytes()), segment
        # If those that hold it crash, one is profiled, and the kill comes
        for name in HOLDERS:
            wait_until(partial(_has_crashed, actors[name]["pid"]), 20, f"{name} crashes")
            wait_until(lambda name=name: _is_live_again(session, name, actors), 60, f"{name} is back")  # type: ignore[misc]
        assert session.cli("profile", "execution", "1").returncode == 0
        killed = session.cli("kill")
        assert "confirmed by the venue" in killed.stdout, killed.stderr
        session.signal(signal.SIGINT)
        session.wait()
    # I expect the crashes to be told, and the key in nothing that was written
    log = (session.run / "logs" / "execution.log").read_text()
    assert "forced by the test" in log
    assert "Traceback" in log
    assert not canary.found_in((killed.stdout + killed.stderr + session.said).encode())
    assert files_with(canary, session.home, tmp_path / "r") == [".env"]


def _memory_of(pid: int) -> bytes:
    """Return what a process has in its heap and stack."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if "[heap]" in line or "[stack]" in line:
                first, last = (int(text, 16) for text in line.split()[0].split("-"))
                memory.seek(first)
                parts.append(memory.read(last - first))
    return b"".join(parts)


def _has_crashed(pid: int) -> bool:
    """Have a process crash, unless it has; an exception that a signal raises may hit code that outlives it."""
    if not is_gone(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGRTMIN)
        time.sleep(0.2)
    return is_gone(pid)


def _is_live_again(session: RunningSession, name: str, before: dict[str, Any]) -> bool:
    actor = session.status()["actors"][name]
    return actor["pid"] not in (0, before[name]["pid"]) and actor["state"] == "live"


def test_who_holds_keys_cannot_be_looked_into_and_leaves_no_core() -> None:
    program = """
import ctypes, os, resource, sys
from runtime.secrecy import keep_private
keep_private(holds_keys=sys.argv[1] == "holder")
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE), oct(os.umask(0)))
"""

    def asked(*arguments: str, **environ: str) -> str:
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            command, env={**os.environ, **environ}, cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert asked("holder", RINGMAKER_DUMPABLE="") == "0 0 0 0o77"
    assert asked("other", RINGMAKER_DUMPABLE="") == "1 0 0 0o77"
    assert asked("holder", RINGMAKER_DUMPABLE="1") == "1 0 0 0o77"


@pytest.mark.timeout(120)
def test_everything_that_a_session_makes_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with RunningSession(tmp_path, INSTRUMENT) as session:
            session.wait_for_quotes(60.0)
            run_directory = tmp_path / "r" / session.name
            sockets = list(run_directory.glob("*.sock"))
            assert len(sockets) >= 5
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in sockets}
            modes |= {Path("/dev/shm") / name: _mode(Path("/dev/shm") / name) for name in session.segments()}
            private = ("execution.journal", "config.json", "execution_state.json", "logs/execution.log")
            modes |= {session.run / name: _mode(session.run / name) for name in private}
            folders = (run_directory, session.run.resolve(), session.home / "state" / session.name)
            assert {path: f"{mode:o}" for path, mode in modes.items() if mode != 0o600} == {}
            assert {path: f"{_mode(path):o}" for path in folders if _mode(path) != 0o700} == {}
            loose = [path for path in session.run.resolve().rglob("*") if _mode(path) & 0o077]
            assert loose == []
            session.signal(signal.SIGINT)
            assert session.wait() == 0
    finally:
        os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_env_file_that_others_may_read_is_refused_with_the_command_that_mends_it(session: RunningSession) -> None:
    (session.home / ".env").chmod(0o644)
    with session:
        assert session.wait() == 3
    assert f"chmod 600 {session.home / '.env'}" in session.said


def test_the_exchange_of_a_local_session_is_not_given_the_keys_of_another_venue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THALEX_TEST_PRIVATE_KEY", OTHER_SECRET)
    monkeypatch.setenv("RINGMAKER_VENUE_PROXY", f"socks5://user:{PROXY_PASSWORD}@127.0.0.1:1")
    with RunningSession(tmp_path, INSTRUMENT, environ={"RINGMAKER_DUMPABLE": "1"}) as session:
        found: dict[str, tuple[bool, bool]] = {}

        def all_started() -> bool:
            for process in session.processes():
                environ = Path(f"/proc/{process.pid}/environ").read_bytes()
                name = next((word for word in process.cmdline() if word.startswith(("actors.", "exchange"))), "")
                found[name] = (OTHER_SECRET.encode() in environ, PROXY_PASSWORD.encode() in environ)
            return len(found) >= 6

        wait_until(all_started, 40, "all processes have started")
        assert {name for name, (has_key, _) in found.items() if has_key} <= {"", "actors.execution", "actors.risk"}
        with_proxy = {name for name, (_, has_proxy) in found.items() if has_proxy}
        assert with_proxy <= {"", "actors.execution", "actors.risk", "actors.market_data"}
        session.signal(signal.SIGINT)
        session.wait()


class Started(NamedTuple):
    """A program that a command of cli.py would have gone on as."""

    arguments: list[str]
    environ: dict[str, str]


def started_by(verb: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Return what a command of cli.py starts, with keys in the environment and others in .env."""
    env_file = home / ".env"
    env_file.write_text(f"THALEX_PROD_PRIVATE_KEY={OTHER_SECRET}\nRINGMAKER_RUN_ROOT=/from/the/file\n")
    env_file.chmod(0o600)
    monkeypatch.setattr(os, "environ", {"RINGMAKER_HOME": str(home), "THALEX_TEST_PRIVATE_KEY": OTHER_SECRET, "A": "1"})
    found: list[Started] = []

    class GoneOnError(Exception):
        """Instead of the program."""

    def go_on(arguments: list[str], environ: dict[str, str]) -> NoReturn:
        found.append(Started(arguments, dict(environ)))
        raise GoneOnError

    monkeypatch.setattr(os, "execve", lambda path, arguments, environ: go_on(arguments, environ))
    monkeypatch.setattr(subprocess, "run", lambda arguments, env, **_: go_on(arguments, env))
    (home / "run").mkdir()
    with pytest.raises(GoneOnError):
        cli.app([verb, str(home / "run")], standalone_mode=False)
    return found[0]


@pytest.mark.parametrize("verb", ["backtest", "optimize", "calibrate", "score", "explain", "report"])
def test_what_computes_on_recordings_is_given_no_key(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given keys in the environment and in .env: backtests run user's code, and sweeps run on other machines
    started = started_by(verb, tmp_path, monkeypatch)
    # I expect everything else to be passed on
    assert OTHER_SECRET not in started.environ.values(), started.arguments
    assert started.environ["A"] == "1"
    assert started.environ["RINGMAKER_RUN_ROOT"] == "/from/the/file"


def test_a_command_to_a_session_needs_no_env_file_that_is_in_order(session: RunningSession) -> None:
    # Given an .env that an editor left readable
    (session.home / ".env").chmod(0o644)
    # If a command is sent that needs no key, I expect its answer, and the command that mends the file
    told = session.cli("status")
    assert "no session named" in told.stderr
    assert f"chmod 600 {session.home / '.env'}" in told.stderr
