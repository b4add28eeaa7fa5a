"""The exchange as a process: start, announce, serve the official client, end."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from thalex import Thalex
from thalex.thalex import Direction, Product, Quote, SideQuote

from tests.sessions import read_json_lines

REPOSITORY = Path(__file__).resolve().parents[2]
START_S_MAX = 15.0
CODE_WITHOUT_A_CLOSE_FRAME = 1006
ANSWER_S_MAX = 10.0
PERPETUAL = "BTC-PERPETUAL"


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str
    key_id: str
    private_key: str
    ready: dict[str, Any]
    order_log: Path

    def log_events(self) -> list[dict[str, Any]]:
        return read_json_lines(self.order_log)


def launch(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "exchange", *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: object) -> tuple[int, str]:
    """Run to the end; return exit code and stderr."""
    process = launch(*arguments)
    _, errors = process.communicate(timeout=START_S_MAX)
    return process.returncode, errors


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    """Start an exchange with more arguments; it is ended after the test."""
    monkeypatch.setenv("NO_PROXY", "*")
    processes: list[subprocess.Popen[str]] = []

    def start_one(*arguments: object) -> Running:
        ready_file, order_log = tmp_path / f"ready{len(processes)}", tmp_path / f"orders{len(processes)}.jsonl"
        own = ("--ready-file", ready_file, "--key-file", tmp_path / "key.json", "--order-log", order_log)
        process = launch(*own, *arguments)
        processes.append(process)
        deadline = time.monotonic() + START_S_MAX
        while not ready_file.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the exchange did not become ready"
            time.sleep(0.01)
        ready = json.loads(ready_file.read_text())
        key = json.loads(Path(ready["key_file"]).read_text())
        return Running(process, ready["url"], key["key_id"], key["private_key"], ready, order_log)

    yield start_one
    for process in processes:
        process.terminate()
        process.communicate(timeout=ANSWER_S_MAX)


class Peer:
    """The official client with its answers sorted: responses by id, notifications by channel."""

    def __init__(self, url: str) -> None:
        self.thalex = Thalex(SimpleNamespace(value=url))
        self.notes: list[dict[str, Any]] = []

    async def answer(self, request_id: int) -> dict[str, Any]:
        while True:
            message = await self.receive()
            if message.get("id") == request_id:
                return message

    async def note(self, channel_name: str, accepts: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next notification of a channel that is accepted, those seen already included."""
        while True:
            for index, message in enumerate(self.notes):
                if message["channel_name"] == channel_name and accepts(message["notification"]):
                    return self.notes.pop(index)["notification"]
            await self.receive()

    async def receive(self) -> dict[str, Any]:
        message = json.loads(await asyncio.wait_for(self.thalex.receive(), ANSWER_S_MAX))
        assert isinstance(message, dict)
        if "channel_name" in message:
            self.notes.append(message)
        return message


async def logged_in(running: Running) -> Peer:
    peer = Peer(running.url)
    await peer.thalex.connect()
    await peer.thalex.login(running.key_id, running.private_key, id=1)
    assert (await peer.answer(1))["result"]["account_number"]
    return peer


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + ANSWER_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited {ANSWER_S_MAX} s for {what}"
        time.sleep(0.02)


# -- serving -----------------------------------------------------------------------------------


def test_the_official_client_logs_in_subscribes_and_trades(start: Callable[..., Running]) -> None:
    running = start("--seed", 3)

    async def session() -> None:
        peer = await logged_in(running)
        client = peer.thalex
        await client.set_cancel_on_disconnect(6, id=2)
        assert (await peer.answer(2))["result"] == {"message_rate": 50}
        await client.private_subscribe(["session.orders", "account.portfolio"], id=3)
        await client.public_subscribe([f"ticker.{PERPETUAL}.raw", f"book.{PERPETUAL}.none.10.100ms"], id=4)
        assert len((await peer.answer(4))["result"]) == 2
        assert await peer.note("account.portfolio") == []
        ticker = await peer.note(f"ticker.{PERPETUAL}.raw")
        assert ticker["best_bid_price"] < ticker["best_ask_price"]
        # Insert far below, amend by our own id, cancel
        price = round(ticker["mark_price"]) - 500
        order = {"instrument_name": PERPETUAL, "amount": 0.1, "price": price}
        await client.insert(Direction.BUY, client_order_id=100, post_only=True, label="P", id=100, **order)
        assert (await peer.answer(100))["result"]["status"] == "open"
        await client.amend(client_order_id=100, amount=0.2, price=price - 1, id=101)
        assert (await peer.answer(101))["result"]["price"] == price - 1
        await client.cancel(client_order_id=100, id=102)
        assert (await peer.answer(102))["result"]["delete_reason"] == "client_cancel"
        changes = [(await peer.note("session.orders", bool))[0]["change_reason"] for _ in range(3)]
        assert changes == ["insert", "amend", "cancel"]
        # Cross the spread
        await client.insert(Direction.BUY, PERPETUAL, amount=0.001, price=round(ticker["mark_price"]) + 300, id=103)
        assert (await peer.answer(103))["result"]["fills"][0]["maker_taker"] == "taker"
        assert (await peer.note("account.portfolio", bool))[0]["position"] == 0.001
        await client.disconnect()

    asyncio.run(session())


def test_orders_of_a_lost_connection_are_cancelled(start: Callable[..., Running]) -> None:
    running = start()

    async def leave_an_order() -> str:
        peer = await logged_in(running)
        await peer.thalex.set_cancel_on_disconnect(30, id=2)
        await peer.thalex.insert(Direction.BUY, PERPETUAL, amount=0.1, price=99_500, id=100)
        order_id = (await peer.answer(100))["result"]["order_id"]
        peer.thalex.ws.transport.abort()
        return str(order_id)

    order_id = asyncio.run(leave_an_order())
    cancelled = {"event": "cancel", "order_id": order_id, "delete_reason": "session_end"}
    wait_for(lambda: any(cancelled.items() <= event.items() for event in running.log_events()), "the cancel")


def test_a_silent_client_loses_its_orders_after_its_time_out(start: Callable[..., Running]) -> None:
    running = start()
    # Given a client process that arms a time-out of one second, inserts, and is stopped
    script = f"""
import asyncio, os, signal
from types import SimpleNamespace
from thalex import Thalex
from thalex.thalex import Direction
async def main():
    client = Thalex(SimpleNamespace(value={running.url!r}))
    await client.connect()
    await client.login({running.key_id!r}, {running.private_key!r}, id=1)
    await client.set_cancel_on_disconnect(1, id=2)
    await client.insert(Direction.BUY, {PERPETUAL!r}, amount=0.1, price=99_500, id=3)
    for _ in range(3): await client.receive()
    os.kill(os.getpid(), signal.SIGSTOP)
asyncio.run(main())
"""
    child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "NO_PROXY": "*"})
    try:
        # If it stays stopped, I expect its order cancelled by the exchange, about a second later
        wait_for(lambda: any(event["event"] == "cancel" for event in running.log_events()), "the cancel")
        inserted, cancelled = (
            next(event["monotonic_ns"] for event in running.log_events() if event["event"] == kind)
            for kind in ("insert", "cancel")
        )
        assert 0.5e9 <= cancelled - inserted <= 5e9
    finally:
        child.kill()
        child.wait()


def test_a_token_is_good_for_one_login(start: Callable[..., Running]) -> None:
    running = start()
    token = jwt.encode({"iat": time.time()}, running.private_key, "RS512", {"kid": running.key_id})

    async def login() -> dict[str, Any]:
        peer = Peer(running.url)
        await peer.thalex.connect()
        await peer.thalex._send("public/login", 1, token=token)
        answer = await peer.answer(1)
        await peer.thalex.disconnect()
        return answer

    assert "result" in asyncio.run(login())
    assert asyncio.run(login())["error"]["code"] == 19


def test_admin_jumps_the_market_and_cuts_connections(start: Callable[..., Running]) -> None:
    running = start("--admin")

    async def session() -> None:
        victim, operator = await logged_in(running), Peer(running.url)
        await operator.thalex.connect()
        await operator.thalex._send("admin/jump", 1, price_change=-400)
        assert (await operator.answer(1))["result"] is None
        await operator.thalex.index("BTCUSD", id=2)
        assert (await operator.answer(2))["result"]["price"] < 99_800
        await operator.thalex._send("admin/disconnect_all", 3)
        assert (await operator.answer(3))["result"] == 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(victim.thalex.ws.wait_closed(), ANSWER_S_MAX)
        assert not victim.thalex.connected()
        second = await logged_in(running)
        await operator.thalex._send("admin/fault", 4, kind="reset")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(second.thalex.ws.wait_closed(), ANSWER_S_MAX)
        assert second.thalex.ws.close_code == CODE_WITHOUT_A_CLOSE_FRAME
        await operator.thalex.disconnect()

    asyncio.run(session())


def test_a_real_recording_is_served(start: Callable[..., Running], recordings: Path) -> None:
    parts = [recordings / name for name in ("usdm_btcusdt_20230404.dat.gz", "usdm_btcusdt_20230405.dat.gz")]
    running = start("--speed", 10, "--replay", *parts)

    async def session() -> None:
        peer = Peer(running.url)
        await peer.thalex.connect()
        await peer.thalex.instruments(id=1)
        (instrument,) = (await peer.answer(1))["result"]
        assert (instrument["instrument_name"], instrument["tick_size"]) == (PERPETUAL, 0.1)
        await peer.thalex.public_subscribe([f"recent_trades.{PERPETUAL}.single"], id=2)
        await peer.note(f"recent_trades.{PERPETUAL}.single")
        trades = await peer.note(f"recent_trades.{PERPETUAL}.single", bool)
        assert 28_000 < trades[0][0] < 28_300
        await peer.thalex.disconnect()

    asyncio.run(session())


def test_accounts_have_keys_of_their_own_and_do_not_see_each_other(start: Callable[..., Running]) -> None:
    running = start("--accounts", 2)
    keys = [json.loads(Path(each["key_file"]).read_text()) for each in running.ready["accounts"]]
    assert [key["account_number"] for key in keys] == ["A000000001", "A000000002"]

    async def session() -> None:
        peers = []
        for key in keys:
            peer = Peer(running.url)
            await peer.thalex.connect()
            await peer.thalex.login(key["key_id"], key["private_key"], id=1)
            assert (await peer.answer(1))["result"]["account_number"] == key["account_number"]
            peers.append(peer)
        await peers[0].thalex.insert(Direction.BUY, PERPETUAL, amount=0.1, price=99_500, id=2)
        await peers[0].answer(2)
        for peer, count in zip(peers, (1, 0), strict=True):
            await peer.thalex.open_orders(id=3)
            assert len((await peer.answer(3))["result"]) == count
            await peer.thalex.disconnect()

    asyncio.run(session())


def test_mass_quotes_of_the_official_client_are_counted(start: Callable[..., Running], tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.json"
    running = start("--metrics-file", metrics)

    async def session() -> None:
        peer = await logged_in(running)
        await peer.thalex.set_cancel_on_disconnect(6, id=2)
        await peer.thalex.set_mm_protection(Product.BTC_FUTURES, 0.5, 1, id=3)
        assert (await peer.answer(3))["result"] is None
        quote = Quote(PERPETUAL, SideQuote(99_500, 0.1), SideQuote(100_500, 0.1))
        await peer.thalex.mass_quote([quote], post_only=True, id=4)
        assert (await peer.answer(4))["result"] == {"n_success": 2, "n_fail": 0, "errors": []}
        await asyncio.to_thread(wait_for, lambda: json.loads(metrics.read_bytes())["open_orders"] == 2, "the metrics")
        await peer.thalex.disconnect()

    asyncio.run(session())


def test_a_schedule_of_faults_cuts_the_connection(start: Callable[..., Running], tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "disconnect", "at_s": 1.5}]')
    running = start("--faults", path)

    async def session() -> None:
        peer = await logged_in(running)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(peer.thalex.ws.wait_closed(), ANSWER_S_MAX)
        assert not peer.thalex.connected()

    asyncio.run(session())


def test_a_bad_schedule_of_faults_is_one_clear_line(tmp_path: Path) -> None:
    code, errors = run("--faults", '[{"kind": "earthquake"}]')
    assert code == 2
    assert "expected a JSON list of faults; Invalid enum value 'earthquake'" in errors
    assert run("--faults", tmp_path / "none.json")[0] == 2


# -- starting and ending -----------------------------------------------------------------------


def test_it_prints_one_line_and_keeps_its_key_private_and_for_the_next_start(start: Callable[..., Running]) -> None:
    first, second = start(), start()
    assert first.process.stdout is not None
    assert first.process.stdout.readline() == f"exchange at {first.url} key file {first.ready['key_file']}\n"
    assert Path(first.ready["key_file"]).stat().st_mode & 0o777 == 0o600
    assert first.private_key == second.private_key
    assert first.ready["pid"] == first.process.pid
    assert first.ready["instruments"][0] == PERPETUAL
    # of each underlying: a perpetual, three expiries with a future, a roll and 14 options, two rolls between them
    assert len(first.ready["instruments"]) == 2 * (1 + 3 * 16 + 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_a_client_connected(start: Callable[..., Running], number: int) -> None:
    running = start()

    async def session() -> float:
        peer = await logged_in(running)
        await peer.thalex.set_cancel_on_disconnect(30, id=2)
        await peer.thalex.insert(Direction.BUY, PERPETUAL, amount=0.1, price=99_500, id=3)
        await peer.answer(3)
        started_s = time.monotonic()
        running.process.send_signal(number)
        await asyncio.to_thread(running.process.wait, ANSWER_S_MAX)
        return time.monotonic() - started_s

    took_s = asyncio.run(session())
    assert running.process.returncode == 0
    assert took_s < 2.5
    assert [event["event"] for event in running.log_events()][-2:] == ["disconnect", "cancel"]


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, errors = run("--port", port)
    assert code == 2
    assert errors.startswith(f"exchange: port {port} on 127.0.0.1 is taken")
    assert errors.count("\n") == 1


def test_a_broken_recording_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(b'1680652700000000 {"stream":"x@trade","data":{}}\n'))
    code, errors = run("--replay", path)
    assert code == 2
    assert f"{path} line 1: expected" in errors
    assert errors.count("\n") == 1


def test_a_bad_key_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("{}")
    code, errors = run("--key-file", path)
    assert code == 2
    assert f"{path}: expected JSON with key_id" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "x"),
        ("--speed", "0"),
        ("--port", "70000"),
        ("--nonsense",),
        ("--underlyings", "BTC,XRP"),
        ("--expiries", "never"),
        ("--correlation", "1.5"),
        ("--backlog-max", "0"),
    ],
)
def test_bad_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    # Given an exchange started by a process that then is killed
    ready_file = tmp_path / "ready"
    script = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "exchange", "--die-with-parent", "--ready-file", {str(ready_file)!r}])
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        wait_for(ready_file.exists, "the ready file")
        pid = json.loads(ready_file.read_text())["pid"]
    finally:
        parent.kill()
        parent.wait()
    # I expect it to end, too
    wait_for(lambda: not _runs(pid), "the exchange to end")


def _runs(pid: int) -> bool:
    """Return whether the process lives; one that has ended but is not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
