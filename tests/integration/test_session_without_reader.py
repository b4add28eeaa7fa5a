"""A session whose output nobody reads: `make run | head -1`, a closed window, `| less`, a laptop that sleeps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from domain.errors import ExitCode
from shm.segment import list_segments
from tests.sessions import INSTRUMENT, REPOSITORY, RunningSession, open_orders, wait_until


class PipedSession(RunningSession):
    """A session that writes into a pipe."""

    def _open_pipe(self) -> tuple[int, int]:
        return os.pipe()

    def __enter__(self) -> RunningSession:
        self.read_fd, write_fd = self._open_pipe()
        self.process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "supervisor.py"), str(self.config), *self._arguments],
            cwd=REPOSITORY, env=self._environ, stdout=write_fd, stderr=write_fd, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(write_fd)
        self.output.touch()
        return self


class StalledSession(PipedSession):
    """A session that writes into a pipe that is full already, and that nobody reads."""

    def _open_pipe(self) -> tuple[int, int]:
        return full_pipe()


def full_pipe() -> tuple[int, int]:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    with suppress(BlockingIOError):
        while os.write(write_fd, b"x" * 4096):
            pass
    os.set_blocking(write_fd, True)
    return read_fd, write_fd


def test_a_session_whose_reader_has_gone_still_cancels_and_confirms(tmp_path: Path) -> None:
    with PipedSession(tmp_path) as session:
        assert isinstance(session, PipedSession)
        session.wait_for_quotes()
        os.close(session.read_fd)
        session.signal(signal.SIGINT)
        assert session.wait(30) == 0
        assert session.summary["open_orders_at_exit"] == 0
        assert open_orders(session.order_log()) == {}
        session.assert_nothing_stays()


def test_a_session_whose_output_stands_still_restarts_its_actors_and_ends_in_time(
    tmp_path: Path,
) -> None:
    # Given a terminal that takes nothing from the first line on
    with StalledSession(tmp_path, arguments=("--seconds", "20")) as session:
        assert isinstance(session, StalledSession)
        session.wait_for_quotes()
        # If an actor dies, I expect it to be started again
        first = session.actor_pid("risk")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: session.actor_pid("risk") not in (0, first), 10.0, "risk is started again")
        # and the session to end after its seconds, clean
        assert session.wait(60) == 0
        assert session.summary["open_orders_at_exit"] == 0
        session.assert_nothing_stays()


def test_a_recording_whose_output_stands_still_ends_in_time(tmp_path: Path, short_folder: Path) -> None:
    read_fd, write_fd = full_pipe()
    config = tmp_path / f"t{os.getpid()}rec.toml"
    config.write_text(INSTRUMENT)
    environ = {**os.environ, "RINGMAKER_HOME": str(tmp_path), "RINGMAKER_RUN_ROOT": str(short_folder)}
    command = [sys.executable, str(REPOSITORY / "cli.py"), "record", str(config), "--seconds", "8"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdout=write_fd, stderr=subprocess.PIPE) as recording:
        os.close(write_fd)
        try:
            assert recording.wait(60) == 0, recording.communicate()
        finally:
            recording.terminate()
            os.close(read_fd)
    assert list(tmp_path.glob("runs/*/summary.json"))


def test_a_recording_that_got_no_data_lets_go_of_everything_although_nobody_reads_why(
    tmp_path: Path, short_folder: Path
) -> None:
    # Given a venue that says nothing, and a terminal that takes nothing
    read_fd, write_fd = full_pipe()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        environ = {**os.environ, "RINGMAKER_HOME": str(tmp_path), "RINGMAKER_RUN_ROOT": str(short_folder)}
        environ.pop("THALEX_WS_URL", None)
        config = tmp_path / f"t{os.getpid()}mute.toml"
        config.write_text(f'[venue]\nkind = "thalex"\nurl = "{url}"\n\n[instruments."BTC-PERPETUAL"]\n')
        command = [sys.executable, str(REPOSITORY / "cli.py"), "record", str(config), "--seconds", "3"]
        with subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdout=write_fd, stderr=write_fd) as recording:
            os.close(write_fd)
            try:
                # If its time is over, I expect it to end, and nothing of it to stay
                assert recording.wait(60) == ExitCode.CRASH
            finally:
                recording.kill()
                os.close(read_fd)
    assert list(tmp_path.glob("runs/*/summary.json"))
    assert list(tmp_path.glob("r/*/lock")) == []
    assert list_segments(f"ringmaker.{os.getuid()}.{config.stem}-record.") == []
