"""The local exchange as a child of the supervisor: started first, ended last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from domain.errors import ExitCode, UserError
from runtime.config import ExchangeConfig
from runtime.environment import scrubbed
from runtime.last_words import empty_if_full

READY_TIMEOUT_S = 20.0
END_S = 2.0
ORDER_LOG_MB_MAX = 64


class Ready(msgspec.Struct):
    """What the exchange writes once it listens."""

    url: str
    key_file: str
    pid: int


class ExchangeFailedError(UserError):
    """The local exchange did not start; its own line says why."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = ExitCode.USAGE if exit_code == ExitCode.USAGE else ExitCode.CRASH


class LocalExchange:
    """`python -m exchange` on loopback, with a key file and an order log in the run's folder."""

    def __init__(self, config: ExchangeConfig, run_directory: Path, artifacts: Path) -> None:
        self._config = config
        self._ready_file = run_directory / "exchange.json"
        self._key_file = run_directory / "exchange-key.json"
        self._stderr_path = artifacts / "logs" / "exchange.stderr"
        self._order_log = artifacts / "exchange-orders.jsonl"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Ready:
        """Start it and wait until it listens.

        Raises:
            ExchangeFailedError: with the exchange's own line, e.g. a broken recording or a port that is taken.
        """
        self._ready_file.unlink(missing_ok=True)
        with self._stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                self._command(),
                env=scrubbed(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            exit_code = self._process.poll()
            if exit_code is not None:
                raise ExchangeFailedError(self.last_line(), exit_code)
            if self._ready_file.exists():
                return msgspec.json.decode(self._ready_file.read_bytes(), type=Ready)
            time.sleep(0.01)
        self.stop()
        raise ExchangeFailedError(f"the local exchange did not listen within {READY_TIMEOUT_S:g} s", ExitCode.CRASH)

    def bound(self) -> None:
        """Keep what it says from filling the disk."""
        empty_if_full(self._stderr_path)

    @property
    def has_died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def exit_code(self) -> int:
        """Exit code of the exchange that has died."""
        assert self._process is not None
        assert self._process.returncode is not None
        return self._process.returncode

    def last_line(self) -> str:
        """Return the last line that it wrote."""
        lines = self._stderr_path.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "the local exchange ended without a word"

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL when it does not answer within two seconds; nobody waits longer."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # in uninterruptible sleep
                self._process.wait(END_S)
        self._process = None

    def _command(self) -> list[str]:
        config = self._config
        command = [sys.executable, "-m", "exchange", "--die-with-parent"]
        command += ["--port", str(config.port), "--seed", str(config.seed), "--speed", str(config.speed)]
        command += ["--latency-ms", str(config.latency_ms)]
        command += ["--maker-fee-bps", str(config.maker_fee_bps), "--taker-fee-bps", str(config.taker_fee_bps)]
        command += ["--ready-file", str(self._ready_file), "--key-file", str(self._key_file)]
        command += ["--order-log", str(self._order_log), "--order-log-mb-max", str(ORDER_LOG_MB_MAX)]
        command += ["--underlyings", ",".join(config.underlyings), "--correlation", str(config.correlation)]
        command += ["--expiries", ",".join(config.expiries) or "none"]
        if config.replay:
            command += ["--replay", *config.replay]
        return command
