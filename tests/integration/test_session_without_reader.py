"""A session whose output nobody reads any more: `make run | head -1`, a terminal window that was closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.sessions import REPOSITORY, RunningSession, open_orders


class PipedSession(RunningSession):
    """A session that writes into a pipe."""

    def __enter__(self) -> RunningSession:
        read_fd, write_fd = os.pipe()
        self.read_fd = read_fd
        self.process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "supervisor.py"), str(self.config)],
            cwd=REPOSITORY, env=self._environ, stdout=write_fd, stderr=write_fd, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(write_fd)
        self.output.touch()
        return self


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
