"""A local exchange for integration tests, a process of its own with admin methods; and the actors that meet it."""

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
from tests.risk_process import RISK_CONFIG, RiskProcess, Trader
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


@pytest.fixture
def start_risk(
    tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., RiskProcess]]:
    """Start risk with extra lines in [risk], on an account that is flat and without orders."""
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    started: list[RiskProcess] = []

    def start(extra: str = "") -> RiskProcess:
        path = tmp_path / f"risk-{os.getpid()}.toml"
        path.write_text(RISK_CONFIG.format(extra=extra))
        risk = RiskProcess(tmp_path, exchange, load_config(path))
        started.append(risk)
        risk.start()
        return risk

    yield start
    for risk in started:
        risk.close()


@pytest.fixture
def trader(exchange: Exchange) -> Iterator[Trader]:
    """Give a client of the risk's account that leaves it flat and without orders."""
    trader = Trader(exchange)
    yield trader
    trader.calls([("cancel_all", {})])
    trader.flatten()
