"""A local exchange for integration tests, a process of its own with admin methods; market_data and execution runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.config import load_config
from tests.execution_rig import Bench, Run, Scenario, play
from tests.market_process import MarketDataProcess
from trading.orders.config import ExecutionConfig

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 20.0


class Exchange(NamedTuple):
    """A running exchange. `pid` may be stopped and continued by a test."""

    url: str
    key_file: Path
    pid: int


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Run one exchange for all tests of a module."""
    folder = tmp_path_factory.mktemp("exchange")
    ready_file, key_file = folder / "ready.json", folder / "key.json"
    command = [sys.executable, "-m", "exchange", "--ready-file", str(ready_file), "--key-file", str(key_file)]
    command += ["--admin", "--die-with-parent", "--underlyings", "BTC", "--expiries", "quarterly"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready_file.exists():
            assert process.poll() is None, "the exchange ended before it was ready"
            assert time.monotonic() < deadline, "the exchange was not ready in time"
            time.sleep(0.02)
        yield Exchange(json.loads(ready_file.read_text())["url"], key_file, process.pid)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)


@pytest.fixture
def start_market_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., MarketDataProcess]]:
    """Give a function that starts the actor against a venue."""
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "run"))
    started: list[MarketDataProcess] = []

    def start_one(url: str, instruments: tuple[str, ...] = ("BTC-PERPETUAL",), **venue: Any) -> MarketDataProcess:
        lines = ['[venue]\nkind = "local"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in venue.items()]
        lines += [f'[instruments."{name}"]' for name in instruments]
        path = tmp_path / f"md{os.getpid()}.toml"
        path.write_text("\n".join(lines))
        made = MarketDataProcess(tmp_path, url, load_config(path))
        started.append(made)
        made.start()
        return made

    yield start_one
    for made in started:
        made.close()


@pytest.fixture
def run(segment_name: Callable[[], str], tmp_path: Path) -> Run:
    """Run a scenario on a fresh bench of execution."""

    def runner(scenario: Scenario, config: ExecutionConfig | None = None) -> None:
        play(Bench(segment_name, tmp_path, config), scenario)

    return runner
