"""The kill of a running session, whatever else is dead, stopped, cut off or in flight: nothing stays open.

pytest -s tests/integration/test_kill_in_session.py     prints the table
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.clock import NS_PER_MS
from tests.risk_session import BOUND_WIDTH, CANCEL_MS, OWN_KEY, PERPETUAL, Market, trading
from tests.sessions import is_gone, wait_until

LATENCY_MS = 30  # whatever was sent before the kill's cancel lands before it, what was sent after it, after
STAYS_S = 0.7
START_MS = 2000.0  # of the interpreter and its imports, on a machine that does other things too
RECONNECT_MS = 1000.0  # to log in again, the pause before it included
TIMING = re.compile(r"cancel sent (\d+) ms after the command was read, (\d+) ms after this process began")


class Row(NamedTuple):
    """One line of the table."""

    case: str
    read_ms: int
    start_ms: int
    empty_ms: float

    @property
    def text(self) -> str:
        return f"| {self.case} | {self.read_ms} | {self.start_ms} | {self.empty_ms:.0f} | 0 |"


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    print(
        "\n| kill with | command read → cancel sent, ms | process began → cancel sent, ms | → venue empty, ms | open |"
    )
    print("|---|---|---|---|---|")
    print("\n".join(row.text for row in rows))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    arguments = ("--latency-ms", str(LATENCY_MS))
    with trading(tmp_path_factory.mktemp("kill"), exchange_arguments=arguments) as market:
        yield market


@pytest.fixture
def market(running: Market) -> Market:
    """The session, with quotes on both sides that move all the time."""
    running.calm()
    running.operator.call("admin/start_flow")
    return running


def open_at_venue(market: Market) -> int:
    """Return how many orders the venue shows on the session's account, conditional ones included."""
    orders = market.exchange.ask("private/open_orders", {}, OWN_KEY)
    conditional = market.exchange.ask("private/open_conditional_orders", {}, OWN_KEY)
    return len(orders) + len(conditional)


def kill(
    market: Market, table: list[Row], case: str, meanwhile: Callable[[], None] = lambda: None, cut_ms: float = 0.0
) -> None:
    """Kill as an operator does, and see the venue empty twice, and still after a while.

    No cancel leaves while connections are cut, for `cut_ms`, nor before one is made anew.
    """
    began_ns = time.monotonic_ns()
    with ThreadOf(meanwhile):
        done = market.session.cli("kill", "--config", str(market.session.config))
    assert done.returncode == 0, f"{case}: {done.stdout} {done.stderr}"
    assert open_at_venue(market) == 0
    found = TIMING.search(done.stdout)
    assert found is not None, done.stdout
    time.sleep(STAYS_S)
    assert open_at_venue(market) == 0, f"{case}: orders came back"
    empty_ns = market.gone_ns(began_ns, time.monotonic_ns())
    assert empty_ns is not None
    row = Row(case, int(found[1]), int(found[2]), (empty_ns - began_ns) / NS_PER_MS)
    table.append(row)
    print(row.text, done.stdout.strip().replace("\n", "; "))
    cut_ms += RECONNECT_MS if cut_ms else 0.0
    assert row.read_ms <= (CANCEL_MS + 3 * LATENCY_MS + cut_ms) * BOUND_WIDTH, row
    assert row.start_ms <= (START_MS + cut_ms) * BOUND_WIDTH, row


class ThreadOf:
    """Runs something beside a block, and ends with it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)


def test_a_kill_beside_everything_alive_leaves_inserts_in_flight_no_chance(market: Market, table: list[Row]) -> None:
    kill(market, table, "everything alive, inserts in flight")
    assert market.risk()["latched"] == ["killed"]


def test_conditional_orders_go_too(market: Market, table: list[Row]) -> None:
    order = {"direction": "sell", "instrument_name": PERPETUAL, "amount": 0.01, "stop_price": 95_000, "target": "mark"}
    market.exchange.ask("private/create_conditional_order", order, OWN_KEY)
    assert len(market.exchange.ask("private/open_conditional_orders", {}, OWN_KEY)) == 1
    kill(market, table, "a conditional order resting")


def test_disconnects_of_everybody_do_not_keep_it_from_confirming(market: Market, table: list[Row]) -> None:
    def cut() -> None:
        until_s = time.monotonic() + 1.0
        while time.monotonic() < until_s:
            market.operator.call("admin/disconnect_all")
            time.sleep(0.2)

    kill(market, table, "every connection cut, again and again", meanwhile=cut, cut_ms=1000.0)


def test_without_strategy_and_risk(market: Market, table: list[Row]) -> None:
    for actor in ("strategy", "risk"):
        os.kill(market.session.actor_pid(actor), signal.SIGKILL)
    kill(market, table, "strategy and risk dead")
    wait_until(lambda: market.session.status()["actors"]["risk"]["state"] == "live", 20.0, "risk is back")
    wait_until(lambda: market.risk()["latched"] == ["killed"], 10.0, "risk knows of the kill")


def test_with_execution_stopped(market: Market, table: list[Row]) -> None:
    pid = market.session.actor_pid("execution")
    os.kill(pid, signal.SIGSTOP)
    kill(market, table, "execution stopped")
    wait_until(lambda: is_gone(pid), 10.0, "the stopped execution is replaced")


def test_without_the_zeromq_directory(market: Market, table: list[Row]) -> None:
    # the last test on this session: nobody can command it any more
    shutil.rmtree(market.session.home.parent / "r" / market.session.name)
    kill(market, table, "ZeroMQ directory removed")


def test_without_the_supervisor(tmp_path: Path, table: list[Row]) -> None:
    with trading(tmp_path, exchange_arguments=("--latency-ms", str(LATENCY_MS))) as market:
        assert isinstance(market.session.process, subprocess.Popen)
        market.session.signal(signal.SIGKILL)
        kill(market, table, "supervisor dead")
        wait_until(lambda: market.session.processes() == [], 20.0, "every process ends")
