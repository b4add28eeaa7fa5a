"""Real sessions for tests: a supervisor with all its actors, and standalone exchanges, each in folders of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
from thalex import Thalex

from messages.commands import Command, Reply
from runtime.commands import send_command
from runtime.continued import FILES_KEPT
from shm.segment import list_segments, unlink_segment

REPOSITORY = Path(__file__).resolve().parent.parent
LOCAL = (REPOSITORY / "configs" / "local.toml").read_text()  # what `make run` runs
INSTRUMENT = '[instruments."BTC-PERPETUAL"]\n'
_numbers = itertools.count(1)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Wait until `condition` holds and return how long it took, in s; AssertionError says what did not come."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.01)
    return time.monotonic() - started


def is_gone(pid: int) -> bool:
    """True once a process has ended, also while nobody has reaped it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class RunningSession:
    """One supervisor as a real process. Use as a context manager; whatever happens, nothing stays."""

    def __init__(
        self,
        folder: Path,
        config: str = INSTRUMENT,
        *,
        environ: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.name = f"t{os.getpid()}x{next(_numbers)}"
        self.home = folder / self.name
        self.home.mkdir()
        self.config = self.home / f"{self.name}.toml"
        self.config.write_text(config)
        self._run_root = folder / "r"
        self._environ = {
            **os.environ,
            "RINGMAKER_HOME": str(self.home),
            "RINGMAKER_RUN_ROOT": str(self._run_root),
            "PYTHONPATH": str(REPOSITORY),
            # Who is not root could not look into the processes to find what stays.
            "RINGMAKER_DUMPABLE": "" if os.getuid() == 0 else "1",
            **(environ or {}),
        }
        self._arguments = arguments
        self.output = self.home / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningSession:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "supervisor.py"), str(self.config), *self._arguments],
                cwd=REPOSITORY,
                env=self._environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.returncode < 0:
            self._clean_up()

    def _clean_up(self) -> None:
        """Take away what a killed supervisor leaves to the next session of its name, which does not come."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(10)
        for name in self.segments():
            unlink_segment(name)

    # ---- looking ---------------------------------------------------------------------------------

    @property
    def run(self) -> Path:
        return self.home / "runs" / "latest"

    @property
    def all_runs(self) -> list[Path]:
        """Folders of its runs, oldest first: more than one when it was started again."""
        return sorted(path for path in (self.home / "runs").iterdir() if not path.is_symlink())

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def summary(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.run / "summary.json").read_text())
        return content

    def send(self, command: Command, timeout_s: float = 20.0, *, process: str = "supervisor") -> Reply:
        """Send a command to the supervisor, as cli.py does, or straight to one of its actors."""
        with _environment({"RINGMAKER_RUN_ROOT": str(self._run_root)}):
            return send_command(self.name, process, command, timeout_s)

    def cli(self, *arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run cli.py for this session."""
        command = [sys.executable, str(REPOSITORY / "cli.py"), *arguments, "--session", self.name]
        return subprocess.run(
            command, env=self._environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def status(self) -> dict[str, Any]:
        from messages.commands import Status

        return self.send(Status()).data

    def segments(self) -> list[str]:
        return list_segments(f"ringmaker.{os.getuid()}.{self.name}.")

    def processes(self) -> list[psutil.Process]:
        """Every process of this session that still lives, the supervisor and the exchange included."""
        mine = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get("RINGMAKER_HOME") == str(self.home)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    mine.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return mine

    def actor_pid(self, actor: str) -> int:
        return int(self.status()["actors"][actor]["pid"])

    def order_log(self) -> list[dict[str, Any]]:
        """The local exchange's own log, as far back as it is kept."""
        return read_continued_lines(self.run / "exchange-orders.jsonl")

    # ---- doing and waiting -------------------------------------------------------------------------

    def wait_for_quotes(self, timeout_s: float = 25.0, instruments: Sequence[str] = ("BTC-PERPETUAL",)) -> float:
        """Wait until both sides of `instruments` are open at the venue, as execution knows it from the venue."""

        def is_quoting() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the session ended: {self.said}"
            try:
                found = self.status()["instruments"]
            except Exception:
                return False
            return all(found[name].get("bids") and found[name].get("asks") for name in instruments)

        return wait_until(is_quoting, timeout_s, "quotes on both sides")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for the supervisor's end and return its exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def assert_nothing_stays(self) -> None:
        """No process, no segment, no socket."""
        wait_until(lambda: self.processes() == [], 5.0, f"all processes gone, still there: {self.processes()}")
        assert self.segments() == []
        assert not (self._run_root / self.name).exists() or list((self._run_root / self.name).iterdir()) == []


class StandaloneExchange:
    """`python -m exchange` on its own, as fault tests that kill the supervisor need it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder / f"exchange{next(_numbers)}"
        self.folder.mkdir()
        self._arguments = arguments
        self.key_file = self.folder / "key.json"
        self.order_log_path = self.folder / "orders.jsonl"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> StandaloneExchange:
        ready = self.folder / "ready.json"
        command = [sys.executable, "-m", "exchange", "--ready-file", str(ready), "--key-file", str(self.key_file)]
        command += ["--order-log", str(self.order_log_path), "--underlyings", "BTC", "--expiries", "quarterly"]
        command += self._arguments
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(ready.exists, 20.0, "the exchange listens")
        self.url = json.loads(ready.read_text())["url"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)

    def environ(self) -> dict[str, str]:
        """The environment in which `make run-testnet` reaches this exchange with its key."""
        key = json.loads(self.key_file.read_text())
        return {
            "THALEX_WS_URL": self.url,
            "THALEX_TEST_API_KEY_ID": key["key_id"],
            "THALEX_TEST_PRIVATE_KEY": key["private_key"],
        }

    def open_orders(self) -> dict[str, dict[str, Any]]:
        return open_orders(read_json_lines(self.order_log_path))

    def ask(self, method: str, request: dict[str, Any], key_file: str = "") -> Any:
        """Send one request with the official client on a connection of its own, logged in if there is a key."""

        async def call() -> Any:
            thalex = Thalex(SimpleNamespace(value=self.url))
            await thalex.connect()
            if key_file:
                key = json.loads((self.folder / key_file).read_text())
                is_taken = False
                while not is_taken:  # an actor that logs in with the same key may have taken a later token's time
                    await thalex.login(key["key_id"], key["private_key"], id=1)
                    is_taken = "error" not in json.loads(await thalex.receive())
            await thalex._send(method, 2, **request)
            while (message := json.loads(await thalex.receive())).get("id") != 2:
                pass
            await thalex.disconnect()
            assert "error" not in message, f"{method} {request}: {message['error']}"
            return message["result"]

        return asyncio.run(call())


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file, without one that is still being written; none when there is no file."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def read_continued_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file and of those put away before it, oldest first; it may be put away meanwhile."""
    found: dict[int, list[dict[str, Any]]] = {}
    for age in range(FILES_KEPT + 1):  # from the youngest up: one that moves on is met twice, none is missed
        own = path.with_name(f"{path.name}.{age}") if age else path
        with suppress(FileNotFoundError), own.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode not in found:
                found[inode] = [json.loads(line) for line in file.read().split(b"\n")[:-1]]
    return [line for lines in reversed(found.values()) for line in lines]


def open_orders(log: list[dict[str, Any]], until_ns: int | None = None) -> dict[str, dict[str, Any]]:
    """Return the orders that are open at the end of a log, or at a monotonic time, by order id."""
    live: dict[str, dict[str, Any]] = {}
    for line in log:
        if until_ns is not None and line["monotonic_ns"] > until_ns:
            break
        if "order_id" not in line:
            continue
        if line["status"] in ("open", "partially_filled"):
            live[line["order_id"]] = line
        else:
            live.pop(line["order_id"], None)
    return live


class _environment:  # noqa: N801 - reads like a function
    """Set environment variables for a while."""

    def __init__(self, changes: Mapping[str, str]) -> None:
        self._changes = changes
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        for name, value in self._changes.items():
            self._before[name] = os.environ.get(name)
            os.environ[name] = value

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
