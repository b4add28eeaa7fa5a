"""The risk actor as a process of its own, with its own connection to a real exchange process."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import msgspec
import pytest
import thalex

from domain.codes import ActorPhase, OrderEventKind, RiskReason
from domain.order import TradingState
from domain.records import ACCOUNT, FEED, HEARTBEAT, LIMITS, ORDER_EVENT, PNL, RISK, TICKER
from messages.commands import Command, Halt, Kill, Reduce, Reply, Resume, SetParameter, Status
from runtime.commands import send_command
from runtime.config import Config, load_config
from runtime.environment import ActorEnvironment
from runtime.paths import make_private, run_directory
from runtime.session import SessionSegments
from shm.errors import RecordBusyError
from shm.record import TableReader, TableWriter
from shm.ring import RingWriter
from tests.sessions import read_json_lines, wait_until
from trading.ledger import Pnl
from trading.risk.latch import FILE_NAME, KILL_FILE_NAME, KillMark, kill_mark_bytes

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
ORPHANED = "the supervisor is gone; risk stays"
BEAT_S = 0.03
MARK_PRICE = 100_000.0
CONFIG = """
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


def load(table: TableReader) -> bool:
    """Copy the first row; False while it was never written, or its writer is preempted inside it for long."""
    try:
        return table.load(0) > 0
    except RecordBusyError:
        return False


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
        if not load(self.limits):
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


@pytest.fixture
def start_risk(
    tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., RiskProcess]]:
    """Start risk with extra lines in [risk], on an account that is flat and without orders."""
    monkeypatch.setenv("RINGMAKER_RUN_ROOT", str(tmp_path / "r"))
    started: list[RiskProcess] = []

    def start(extra: str = "") -> RiskProcess:
        path = tmp_path / f"risk-{os.getpid()}.toml"
        path.write_text(CONFIG.format(extra=extra))
        risk = RiskProcess(tmp_path, exchange, load_config(path))
        started.append(risk)
        risk.start()
        return risk

    yield start
    for risk in started:
        risk.close()


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


@pytest.fixture
def trader(exchange: Exchange) -> Iterator[Trader]:
    trader = Trader(exchange)
    yield trader
    trader.calls([("cancel_all", {})])
    trader.flatten()


def test_limits_are_open_once_the_account_is_known_and_written_again_and_again(
    start_risk: Callable[..., RiskProcess],
) -> None:
    # Given a healthy session
    risk = start_risk()
    seconds = risk.wait_for_state(TradingState.ACTIVE)
    print(f"active after {seconds:.2f} s")
    # If its rows are read, I expect limits in lots that are fresh, and a connected account without orders
    ints, floats = risk.limits.ints, risk.limits.floats
    assert (ints[LIMITS.word("position_lots_max")], ints[LIMITS.word("order_lots_max")]) == (20, 20)
    assert floats[LIMITS.word("collar_high")] == pytest.approx(MARK_PRICE * 1.02)
    written_ns = ints[LIMITS.word("written_time_ns")]
    risk.wait_for(lambda: load(risk.limits) and ints[LIMITS.word("written_time_ns")] > written_ns, "a new row")
    risk.wait_for(lambda: load(risk.risk), "the risk row")
    assert risk.risk.ints[RISK.word("is_connected")] == 1
    assert risk.risk.ints[RISK.word("open_orders")] == 0
    assert risk.command(Status()).data["state"] == "active"


def test_stale_market_data_closes_the_gate_and_fresh_data_opens_it(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    # If the feed falls silent, I expect a halt that ends by itself when it is back
    risk.peers.is_feed_alive = False
    print(f"halted after {risk.wait_for_state(TradingState.HALTED, RiskReason.STALE_MARKET_DATA):.2f} s")
    risk.peers.is_feed_alive = True
    print(f"active after {risk.wait_for_state(TradingState.ACTIVE):.2f} s")


def test_a_mark_that_stands_still_closes_the_gate_though_the_feed_lives(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk("mark_stale_ms = 1000")
    risk.wait_for_state(TradingState.ACTIVE)
    # If the tickers stop while the rest of the feed goes on, I expect no mark to be in force, until they come again
    risk.peers.is_ticker_alive = False
    mark = LIMITS.word("mark_price")
    risk.wait_for(lambda: load(risk.limits) and math.isnan(risk.limits.floats[mark]), "no mark")
    risk.peers.is_ticker_alive = True
    risk.wait_for(lambda: load(risk.limits) and risk.limits.floats[mark] == MARK_PRICE, "the mark again")


def test_orders_of_a_silent_execution_are_cancelled_by_risk_alone(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given orders of ours at the venue
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}")
    risk.wait_for(lambda: load(risk.risk) and risk.risk.ints[RISK.word("open_orders")] == 2, "two orders seen")
    # If execution falls silent
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    # I expect the venue to show none of them soon
    risk.wait_for(lambda: trader.open_orders() == [], "an empty book")


def test_orders_of_others_do_not_wake_risk(start_risk: Callable[..., RiskProcess], trader: Trader) -> None:
    # Given an order of a person in the account
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest("mine", count=1)
    # If execution falls silent for a while
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED)
    time.sleep(1.5)
    # I expect the order to stand
    assert len(trader.open_orders()) == 1


def test_orders_that_outlive_a_halt_are_cancelled(start_risk: Callable[..., RiskProcess], trader: Trader) -> None:
    # Given an execution that lives but does not pull its orders
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}")
    # If the market data goes stale
    risk.peers.is_feed_alive = False
    # I expect risk to cancel them
    seconds = risk.wait_for(lambda: trader.open_orders() == [], "an empty book")
    print(f"cancelled after {seconds:.2f} s")


def test_a_halt_is_latched_and_survives_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a halt by the operator, kept on disk
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.is_execution_alive = False  # it cannot confirm: risk does it alone
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    reply = risk.command(Halt("enough for today"))
    assert reply.ok, reply.text
    risk.peers.is_execution_alive = True
    risk.wait_for(lambda: "enough for today" in (risk.folder / FILE_NAME).read_text(), "the latch on disk")
    # If risk is killed and started again
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect it to be halted still, until the operator resumes
    risk.wait_for_state(TradingState.HALTED, RiskReason.OPERATOR)
    reply = risk.command(Resume())
    assert reply.ok
    assert "operator_halt" in reply.text
    risk.wait_for_state(TradingState.ACTIVE)


def too_many_orders(risk: RiskProcess) -> None:
    """Let the venue answer four inserts within a second, where one is allowed."""
    events = RingWriter(risk.segments["order_events"])
    for _ in range(4):
        events.ints[ORDER_EVENT.word("kind")] = OrderEventKind.ACCEPTED
        events.ints[ORDER_EVENT.word("local_time_ns")] = time.monotonic_ns()
        events.publish()


def test_a_cool_down_and_a_recovery_survive_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a cool-down of two minutes that has begun
    risk = start_risk("order_rate_max_per_s = 1\nrecovery_steps = 2")
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(SetParameter("cooldown_s", "120")).ok
    too_many_orders(risk)
    risk.wait_for_state(TradingState.HALTED, RiskReason.ORDER_RATE)

    def kept() -> list[dict[str, Any]]:
        waiting: list[dict[str, Any]] = json.loads((risk.folder / FILE_NAME).read_text())["waiting"]
        return waiting

    risk.wait_for(lambda: any(one.get("ends_ns") for one in kept()), "the end of the cool-down on disk")
    before = kept()
    # If risk is killed and started again
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect it to be halted still, to the same end
    risk.wait_for_state(TradingState.HALTED, RiskReason.ORDER_RATE)
    time.sleep(0.3)
    assert risk.state() == (TradingState.HALTED, RiskReason.ORDER_RATE)
    assert kept() == before


def test_recovering_survives_a_kill_of_risk(start_risk: Callable[..., RiskProcess]) -> None:
    # Given the first of two steps of 100 s, after a cool-down of half a second
    risk = start_risk("order_rate_max_per_s = 1\nrecovery_steps = 2")
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(SetParameter("recovery_step_s", "100")).ok
    too_many_orders(risk)
    risk.wait_for_state(TradingState.RECOVERING)

    def bounds() -> list[int]:
        risk.wait_for(lambda: load(risk.limits), "the limits")
        return [int(risk.limits.ints[LIMITS.word(name)]) for name in ("levels_max", "order_lots_max")]

    before = bounds()
    assert before == [1, 8]  # two fifths of three levels, and of 0.02
    risk.wait_for(lambda: '"recovering"' in (risk.folder / FILE_NAME).read_text(), "the recovery on disk")
    # If risk is killed and started again, I expect the same step with the same limits
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    risk.wait_for_state(TradingState.RECOVERING)
    assert bounds() == before


def test_the_mark_of_a_kill_halts_a_running_session(start_risk: Callable[..., RiskProcess]) -> None:
    # Given an active session
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    # If the one-shot leaves its mark
    (risk.folder / KILL_FILE_NAME).write_bytes(kill_mark_bytes(KillMark(time.time_ns())))
    # I expect a halt until a resume, which removes the mark
    risk.wait_for_state(TradingState.HALTED, RiskReason.KILL)
    assert risk.command(Resume()).ok
    assert not (risk.folder / KILL_FILE_NAME).exists()
    risk.wait_for_state(TradingState.ACTIVE)


def test_a_kill_command_is_latched_with_its_own_reason(start_risk: Callable[..., RiskProcess]) -> None:
    # Given a session whose execution is gone
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.is_execution_alive = False
    risk.wait_for_state(TradingState.HALTED, RiskReason.EXECUTION_SUSPECT)
    # If the operator kills it, I expect risk to cancel and confirm alone, and to stay halted
    reply = risk.command(Kill())
    assert reply.ok
    assert "risk cancelled everything" in reply.text
    risk.peers.is_execution_alive = True
    risk.wait_for_state(TradingState.HALTED, RiskReason.KILL)


def test_a_position_over_its_limit_reduces_and_the_venues_word_is_followed(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a limit of 0.02
    risk = start_risk("position_difference_s = 60.0\nloss_from_peak_max_usd = 1000.0")
    risk.wait_for_state(TradingState.ACTIVE)
    # If 0.03 are bought behind our back
    trader.trade(0.03)
    # I expect the limits to know 30 lots, and only reducing to be allowed
    risk.wait_for_state(TradingState.REDUCING, RiskReason.POSITION_LIMIT)
    assert risk.limits.ints[LIMITS.word("position_lots")] == 30
    # and all to be free again once it is sold
    trader.flatten()
    risk.wait_for_state(TradingState.ACTIVE)


def test_profit_and_loss_in_shared_memory_adds_up_exactly(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a position bought and a part of it sold again
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.trade(0.02)
    trader.trade(-0.005)
    pnl = TableReader(risk.segments["pnl"])

    def exact(table: TableReader) -> list[Decimal]:
        return [Decimal(table.latest[f"{name}_exact"][0].decode()) for name in Pnl._fields]

    def has_settled() -> bool:
        return load(pnl) and bool(pnl.ints[PNL.word("is_known")]) and exact(pnl)[2] > 0

    # If a stranger reads it, I expect two fees of half a basis point or more, and sums that are right to the last digit
    risk.wait_for(has_settled, "the fees")
    time.sleep(0.5)
    assert load(pnl)
    realised, unrealised, fees, funding, total = exact(pnl)
    assert realised + unrealised - fees + funding == total
    assert pnl.floats[PNL.word("total")] == float(total)

    def same_moment() -> bool:
        stamps = [table.ints[record.word("written_time_ns")] for table, record in ((pnl, PNL), (risk.risk, RISK))
                  if load(table)]  # fmt: skip
        return len(set(stamps)) == 1

    # and the account's row to be the same: there is one instrument
    risk.wait_for(same_moment, "rows of one moment")
    assert exact(risk.risk) == exact(pnl)
    assert risk.risk.floats[RISK.word("equity")] == float(exact(pnl)[4])


def test_a_loss_from_the_peak_halts_and_a_restart_counts_the_same_loss(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given a limit of 1 USD
    risk = start_risk("loss_from_peak_max_usd = 1.0")
    risk.wait_for_state(TradingState.ACTIVE)
    # If trading there and back costs more than that
    since_s = time.time()
    trader.trade(0.02)
    trader.trade(-0.02)
    risk.wait_for_state(TradingState.HALTED, RiskReason.LOSS_FROM_PEAK)
    # I expect the equity that follows from the venue's trade history
    expected = pytest.approx(trader.cash_of_trades_since(since_s), abs=1e-6)

    def is_as_expected() -> bool:
        return bool(risk.command(Status()).data["equity"] == expected)

    risk.wait_for(is_as_expected, f"equity {expected}")
    # If risk is killed and started again
    risk.wait_for(lambda: "loss_from_peak" in (risk.folder / FILE_NAME).read_text(), "the latch on disk")
    risk.end(signal.SIGKILL)
    risk.start()
    risk.wait_for(lambda: risk.log().count("account read") == 2, "the second start")
    # I expect the same equity once more, and the same halt
    risk.wait_for(is_as_expected, f"equity {expected}")
    risk.wait_for_state(TradingState.HALTED, RiskReason.LOSS_FROM_PEAK)


def test_execution_with_another_position_may_only_reduce(start_risk: Callable[..., RiskProcess]) -> None:
    # Given that execution counts five lots that the venue does not know
    risk = start_risk("position_difference_s = 0.3")
    risk.wait_for_state(TradingState.ACTIVE)
    risk.peers.position_lots = 5
    # If that persists, I expect reducing, until they agree
    risk.wait_for_state(TradingState.REDUCING, RiskReason.POSITION_DIFFERS)
    risk.peers.position_lots = 0
    risk.wait_for_state(TradingState.ACTIVE)


def test_limits_tighten_at_once_and_loosen_only_by_force(start_risk: Callable[..., RiskProcess]) -> None:
    # Given 0.02 as largest position
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)

    def lots_max() -> int:
        risk.wait_for(lambda: load(risk.limits), "the limits")
        return int(risk.limits.ints[LIMITS.word("position_lots_max")])

    # If it is halved in two steps, I expect the record to show it when the answer is there
    tightened = risk.command(SetParameter("order_size_max_base", "0.01"))
    assert (tightened.ok, tightened.text) == (True, "risk.order_size_max_base: 0.02 → 0.01")
    assert risk.command(SetParameter("position_max_base", "0.01")).ok
    assert lots_max() == 10
    # If it is loosened, I expect a refusal without force, and the new limit with it
    assert not risk.command(SetParameter("risk.position_max_base", "0.05")).ok
    assert lots_max() == 10
    assert risk.command(SetParameter("risk.position_max_base", "0.05", force=True)).ok
    assert lots_max() == 50
    # and every change written down, with what it was
    lines = read_json_lines(risk.folder / "risk_decisions.jsonl")
    changes = [(one["name"], one["old"], one["new"], one["text"]) for one in lines if one["decision"] == "limit_set"]
    assert changes == [
        ("order_size_max_base", 0.02, 0.01, "tighter or equal"),
        ("position_max_base", 0.02, 0.01, "tighter or equal"),
        ("position_max_base", 0.01, 0.05, "looser"),
    ]
    # and clear words for nonsense
    assert "no limit `positions`" in risk.command(SetParameter("positions", "1")).text
    assert "0.05" in risk.command(SetParameter("order_size_max_base", "7", force=True)).text


def test_reduce_is_kept_until_resume(start_risk: Callable[..., RiskProcess]) -> None:
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    assert risk.command(Reduce()).ok
    assert risk.state() == (TradingState.REDUCING, RiskReason.OPERATOR)
    assert risk.command(Resume()).ok
    assert risk.state()[0] is TradingState.ACTIVE


def test_without_a_supervisor_risk_stays_until_the_venue_is_empty(
    start_risk: Callable[..., RiskProcess], trader: Trader
) -> None:
    # Given orders of ours, and an execution that is gone
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    trader.rest(f"rm-{risk.session}", count=3)
    # If the kernel tells risk that the supervisor died, once for each of its threads
    began = time.monotonic()
    assert risk.process is not None
    risk.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: ORPHANED in risk.log(), DEADLINE_S, "risk has heard it")
    assert risk.end(signal.SIGUSR1) == 0, risk.log()
    # I expect it to end only after the venue shows nothing, the gate to be shut, and one sweep for all it was told
    assert risk.log().count(ORPHANED) == 1
    print(f"ended after {time.monotonic() - began:.2f} s")
    assert trader.open_orders() == []
    assert risk.state() == (TradingState.HALTED, RiskReason.SESSION_ENDS)


def test_risk_lives_through_a_venue_that_falls_silent(start_risk: Callable[..., RiskProcess], exchange: Any) -> None:
    # Given an active session
    risk = start_risk("venue_silent_ms = 1500")
    risk.wait_for_state(TradingState.ACTIVE)
    # If the venue stops answering
    os.kill(exchange.pid, signal.SIGSTOP)
    try:
        risk.wait_for_state(TradingState.HALTED, RiskReason.VENUE_DISCONNECTED)
    finally:
        os.kill(exchange.pid, signal.SIGCONT)
    # I expect it to be active again once it does
    risk.wait_for_state(TradingState.ACTIVE)


def test_an_instrument_that_is_switched_off_closes_the_gate_for_itself(start_risk: Callable[..., RiskProcess]) -> None:
    risk = start_risk()
    risk.wait_for_state(TradingState.ACTIVE)
    table = TableWriter(risk.segments["instruments"])
    for name, value in {"tick_size": 1.0, "lot_size": 0.0001, "contract_multiplier": 1.0, "is_ready": 1}.items():
        table.scratch[name] = value
    table.scratch["order_lots_min"] = 10
    table.publish(0)
    # If the session counts in other lots than the venue tells risk, I expect no order to pass, and no halt
    risk.wait_for_state(TradingState.HALTED, RiskReason.INSTRUMENT_OFF)
    risk.wait_for(lambda: "restart the session to take the new grid" in risk.log(), "the reason in the log")
    risk.risk.load(0)
    assert risk.risk.ints[RISK.word("state")] == TradingState.ACTIVE
    assert "lot_size" in risk.command(Status()).data["instruments_off"]["BTC-PERPETUAL"]
