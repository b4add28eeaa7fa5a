"""The risk actor as a process of its own, with its own connection to a real exchange process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import msgspec
import thalex

from domain.codes import ActorPhase, RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, FEED, HEARTBEAT, LIMITS, TICKER
from messages.commands import Command, Reply
from runtime.commands import send_command
from runtime.config import Config
from runtime.environment import ActorEnvironment
from runtime.paths import make_private, run_directory
from runtime.session import SessionSegments
from shm.record import TableReader, TableWriter, load_row

ROOT = Path(__file__).parents[1]
DEADLINE_S = 30.0
BEAT_S = 0.03
MARK_PRICE = 100_000.0
RISK_CONFIG = """
[venue]
kind = "local"

[risk]
cooldown_s = 0.5
recovery_step_s = 0.2
execution_silent_ms = 400
market_data_stale_ms = 400
order_size_max_base = 0.02
position_max_base = 0.02
{extra}
[instruments."BTC-PERPETUAL"]
"""


class Exchange(Protocol):
    """What the fixture of conftest.py gives."""

    url: str
    key_file: Path


class Peers:
    """Market data and execution as risk sees them: two signs of life, a mark, an account; each can be silenced."""

    def __init__(self, segments: SessionSegments) -> None:
        self.is_feed_alive = self.is_execution_alive = self.is_ticker_alive = True
        self.position_lots = 0
        self._feed = TableWriter(segments["feed"])
        self._ticker = TableWriter(segments["ticker_table"])
        self._heartbeat = TableWriter(segments["heartbeats.execution"])
        self._account = TableWriter(segments["accounts"])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            now_ns = time.monotonic_ns()
            if self.is_feed_alive:
                self._feed.ints[FEED.word("alive_time_ns")] = now_ns
                self._feed.publish(0)
            if self.is_feed_alive and self.is_ticker_alive:
                self._ticker.ints[TICKER.word("receive_time_ns")] = now_ns
                self._ticker.floats[TICKER.word("mark_price")] = MARK_PRICE
                self._ticker.publish(0)
            if self.is_execution_alive:
                self._heartbeat.ints[HEARTBEAT.word("phase")] = ActorPhase.LIVE
                self._heartbeat.ints[HEARTBEAT.word("beat_time_ns")] = now_ns
                self._heartbeat.publish(0)
                self._account.ints[ACCOUNT.word("is_known")] = 1
                self._account.ints[ACCOUNT.word("position_lots")] = self.position_lots
                self._account.publish(0)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


class RiskProcess:
    """The actor, started as the supervisor would, and what it writes."""

    def __init__(self, folder: Path, exchange: Exchange, config: Config) -> None:
        self.session = config.session
        self.folder = folder
        self.exchange = exchange
        self.segments = SessionSegments(self.session, tuple(config.instruments))
        self.segments.create()
        make_private(run_directory(self.session))
        (folder / "logs").mkdir(exist_ok=True)
        config_file = folder / "config.json"
        config_file.write_bytes(msgspec.json.encode(config))
        self._told = ActorEnvironment(
            session=self.session,
            actor="risk",
            config_file=config_file,
            artifacts_dir=folder,
            state_dir=folder,
            epoch=1,
            core=-1,
            supervisor_pid=os.getpid(),
            session_start_realtime_ns=time.time_ns(),
            doorbell_fds={},
        )
        self.limits = TableReader(self.segments["limits"])
        self.risk = TableReader(self.segments["risk"])
        self.peers = Peers(self.segments)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        venue = {"RINGMAKER_VENUE_URL": self.exchange.url, "RINGMAKER_VENUE_KEY_FILE": str(self.exchange.key_file)}
        with (self.folder / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "actors.risk"],
                env={**os.environ, **venue, **self._told.variables()},
                cwd=ROOT,
                stderr=stderr,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self.peers.close()
        self.segments.unlink()

    # ---- what it says --------------------------------------------------------------------------------

    def command(self, command: Command) -> Reply:
        return send_command(self.session, "risk", command, 10.0)

    def state(self) -> tuple[TradingState, RiskReason]:
        """Return state and reason of the newest limits; halted when they are older than the gate allows."""
        if not load_row(self.limits, 0):
            return TradingState.HALTED, RiskReason.LIMITS_STALE
        ints = self.limits.ints
        return TradingState(ints[LIMITS.word("state")]), RiskReason(ints[LIMITS.word("reason")])

    def wait_for(self, condition: Callable[[], bool], what: str) -> float:
        """Return after how many seconds `condition` held."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < DEADLINE_S, f"{what} did not come; last {self.state()}: {self.log()}"
            assert self.process is None or self.process.poll() is None or "end" in what, f"risk ended: {self.log()}"
            time.sleep(0.02)
        return time.monotonic() - began

    def wait_for_state(self, state: TradingState, reason: RiskReason | None = None) -> float:
        def is_there() -> bool:
            found = self.state()
            return found[0] is state and (reason is None or found[1] is reason)

        return self.wait_for(is_there, f"state {state.name} {reason.name if reason else ''}")

    def log(self) -> str:
        texts = [path.read_text() for path in (self.folder / "logs" / "risk.log", self.folder / "stderr")]
        return "\n".join(texts)


class Trader:
    """The official client, connected for the length of one `with`: its orders are not ours but for the label."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def calls(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Log in, make the calls, disconnect; return the answers."""
        return asyncio.run(self._talk(calls))

    async def _talk(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        key = json.loads(self._exchange.key_file.read_text())
        client = thalex.Thalex(network=SimpleNamespace(value=self._exchange.url))
        await client.connect()
        await client.login(key["key_id"], key["private_key"], id=0)
        await client.receive()
        results = []
        for number, (method, arguments) in enumerate(calls, start=1):
            await getattr(client, method)(**arguments, id=number)
            answer = json.loads(await client.receive())
            assert "error" not in answer, answer
            results.append(answer["result"])
        await client.disconnect()
        return results

    def rest(self, label: str, count: int = 2) -> None:
        """Leave orders below the market that outlive the connection."""
        order = {"direction": thalex.Direction.BUY, "instrument_name": "BTC-PERPETUAL", "amount": 0.01}
        self.calls([("insert", {**order, "price": 99_400 - number, "label": label}) for number in range(count)])

    def open_orders(self) -> list[Any]:
        orders: list[Any] = self.calls([("open_orders", {})])[0]
        return orders

    def trade(self, size: float) -> Any:
        """Buy (or sell, when negative) at the market."""
        side = thalex.Direction.BUY if size > 0 else thalex.Direction.SELL
        order = {"direction": side, "instrument_name": "BTC-PERPETUAL", "amount": abs(size)}
        return self.calls([("insert", {**order, "order_type": thalex.OrderType.MARKET})])[0]

    def cash_of_trades_since(self, since_s: float) -> float:
        """Return what the account's trades since a Unix time brought in, after fees, USD.

        An order that takes several levels has several trades.
        """
        trades = self.calls([("trade_history", {"limit": 1000, "time_low": since_s})])[0]["trades"]
        signs = [-1 if trade["direction"] == "buy" else 1 for trade in trades]
        return sum(
            sign * trade["price"] * trade["amount"] - trade["fee"] for sign, trade in zip(signs, trades, strict=True)
        )

    def flatten(self) -> None:
        for line in self.calls([("portfolio", {})])[0]:
            if line["position"]:
                self.trade(-line["position"])
