"""Commands of the operator that take as long as the venue does: `cli.py flatten` and `stop`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from domain.errors import UserError
from messages.commands import Reply
from operating import asking, control, looking
from runtime.commands import CommandServer
from runtime.paths import run_directory
from runtime.session import SessionLock
from runtime.topology import SUPERVISOR
from tests.conftest import REPOSITORY

ANSWERS_AFTER_S = 1.0


class SlowSupervisor:
    """Answers each command after a while, if it lives for so long."""

    def __init__(self, session: str) -> None:
        self._lock = SessionLock(run_directory(session), session)
        self._server = CommandServer(session, SUPERVISOR)
        self.lives_s = 60.0
        self._has_answered = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.lives_s = 0.0
        self._thread.join()

    def _work(self) -> None:
        began_s = time.monotonic()
        requests = []
        while time.monotonic() - began_s < self.lives_s:
            requests += self._server.drain()
            if requests and time.monotonic() - began_s > ANSWERS_AFTER_S:
                requests.pop().answer(Reply(ok=True, text="flat"))
            time.sleep(0.01)
        self._server.close()
        self._lock.release()


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SlowSupervisor]:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    found = SlowSupervisor("slow")
    found.start()
    yield found
    found.close()


@pytest.mark.parametrize("command", [control.flatten, control.stop])
def test_what_may_take_long_is_waited_for_as_long_as_the_supervisor_lives(
    command: Callable[..., None],
    supervisor: SlowSupervisor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a session that answers later than any other command may take
    monkeypatch.setattr(asking, "PATIENCE_S", 0.1)
    # If it is asked, I expect its answer, and to be told once meanwhile that it is waited for
    command(session="slow")
    out, told = capsys.readouterr()
    assert out == "flat\n"
    assert told.count("\n") == 1
    assert told.startswith("session slow has not answered for 0.1 s and still lives: a flattening may take")
    assert "Ctrl-C" in told


def test_a_supervisor_that_ends_without_an_answer_ends_the_waiting(
    supervisor: SlowSupervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor.lives_s = 0.2
    with pytest.raises(UserError, match="session slow ended before it answered"):
        control.flatten(session="slow")
    assert capsys.readouterr() == ("", "")


def test_a_recording_which_takes_no_commands_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path))
    monkeypatch.setattr(asking, "ANSWER_TIMEOUT_S", 0.1)
    lock = SessionLock(run_directory("slow"), "slow")
    try:
        with pytest.raises(UserError, match=r"did not answer within 0\.1 s"):
            control.stop(session="slow")
    finally:
        lock.release()


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock of a recording and ends in order on SIGTERM, and the folder of its run."""
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    monkeypatch.setenv("RINGMAKER_HOME", str(tmp_path))
    run = tmp_path / "runs" / "20260101-000000-x-record"
    run.mkdir(parents=True)
    (run / "config.json").write_text('{"session": "x-record", "path": "x.toml", "is_market_data_only": true}')
    code = (
        "import signal, sys, time\nfrom runtime.paths import run_directory\nfrom runtime.session import SessionLock\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "lock = SessionLock(run_directory('x-record'), 'x-record')\nprint(flush=True)\n"
        "try:\n    time.sleep(60)\nfinally:\n    lock.release()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("command", [looking.status, control.pause, partial(control.stop, flatten_first=True)])
def test_a_recording_says_at_once_that_it_is_one_and_how_it_ends(
    command: Callable[..., None], recording: subprocess.Popen[str]
) -> None:
    began_s = time.monotonic()
    with pytest.raises(UserError) as raised:
        command(session="x-record")
    ends = f"Ctrl-C, `kill {recording.pid}` or `./cli.py stop -s x-record` ends it"
    assert str(raised.value) == f"session x-record is a recording: {ends}"
    assert time.monotonic() - began_s < asking.ANSWER_TIMEOUT_S / 2
    assert recording.poll() is None


def test_stop_ends_a_recording_and_waits_for_its_end(
    recording: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    control.stop(session="x-record")
    assert recording.wait(10) == 7
    assert capsys.readouterr().out == "the recording x-record has ended\n"
    # and again, I expect to be told that there is none, and not to kill anything
    with pytest.raises(UserError, match=r"the recording x-record does not run; `./cli.py record`"):
        control.stop(session="x-record")


def test_a_recording_in_another_container_is_not_ended_by_what_its_process_id_means_here(
    recording: subprocess.Popen[str], tmp_path: Path
) -> None:
    # Given a lock that names a process which lives here and has nothing to do with it
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (lock,) = tmp_path.glob("r/**/lock")
            lock.write_text(str(stranger.pid))
            # If the recording is to be ended, I expect to be told that it is not to be seen, and no id to kill
            with pytest.raises(UserError) as raised:
                control.stop(session="x-record")
            assert "a recording whose process is not visible from here" in str(raised.value)
            assert "kill" not in str(raised.value)
            assert stranger.poll() is None
            # and once the file says who it is, that it ends
            threading.Timer(0.1, lock.write_text, (str(recording.pid),)).start()
            control.stop(session="x-record")
            assert recording.wait(10) == 7
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.parametrize("seconds", [-50.0, 0.0, 1e9])
def test_a_profile_of_an_absurd_length_is_not_waited_for(seconds: float, supervisor: SlowSupervisor) -> None:
    began_s = time.monotonic()
    with pytest.raises(UserError, match="expected more than 0 and at most 600"):
        control.profile("risk", seconds, session="slow")
    assert time.monotonic() - began_s < ANSWERS_AFTER_S
