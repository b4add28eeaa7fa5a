"""market_data as a process of its own, with its segments and doorbells, as the supervisor would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from runtime.config import Config
from runtime.environment import ActorEnvironment
from runtime.paths import make_private, run_directory
from runtime.session import SessionSegments
from runtime.topology import ACTORS_BY_NAME
from shm.counters import Counters
from shm.doorbell import Doorbell
from shm.record import TableReader
from shm.ring import RingReader

ROOT = Path(__file__).parents[1]
DEADLINE_S = 30.0
PERPETUAL = 0


class MarketDataProcess:
    """The actor with its segments and doorbell, as the supervisor would start it."""

    def __init__(self, folder: Path, url: str, config: Config) -> None:
        self.session = config.session
        self.segments = SessionSegments(self.session, tuple(config.instruments))
        self.segments.create()
        make_private(run_directory(self.session))
        self.doorbells = {name: Doorbell.create() for name in ("strategy", "execution")}
        self.stderr_path = folder / "stderr"
        (folder / "logs").mkdir(exist_ok=True)
        config_file = folder / "config.json"
        config_file.write_bytes(msgspec.json.encode(config))
        self._told = ActorEnvironment(
            session=self.session,
            actor="market_data",
            config_file=config_file,
            artifacts_dir=folder,
            state_dir=folder,
            epoch=1,
            core=-1,
            supervisor_pid=os.getpid(),
            session_start_realtime_ns=time.time_ns(),
            doorbell_fds={name: bell.fd for name, bell in self.doorbells.items()},
        )
        self._url = url
        self.process: subprocess.Popen[bytes] | None = None
        self.book_table = TableReader(self.segments["book_table"])
        self.feed_table = TableReader(self.segments["feed"])
        self.books = RingReader(self.segments["books"], "oldest")

    def start(self) -> None:
        environ = {**os.environ, **self._told.variables(), "RINGMAKER_VENUE_URL": self._url}
        with self.stderr_path.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "actors.market_data"],
                cwd=ROOT,
                env=environ,
                pass_fds=tuple(bell.fd for bell in self.doorbells.values()),
                stderr=stderr,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for bell in self.doorbells.values():
            bell.close()
        self.segments.unlink()

    def wait_exit(self) -> tuple[int, str]:
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        return code, self.stderr_path.read_text()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, f"the actor ended: {self.stderr_path.read_text()}"
            assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
            time.sleep(0.01)

    def is_valid(self, row: int = PERPETUAL) -> bool:
        return bool(self.book_table.snapshot(row)[0]["is_valid"])

    def feed(self, field: str) -> int:
        return int(self.feed_table.snapshot(0)[0][field])

    def counter(self, name: str) -> int:
        """Return what the actor has counted so far."""
        return Counters(self.segments["counters.market_data"], ACTORS_BY_NAME["market_data"].counters).values()[name]
