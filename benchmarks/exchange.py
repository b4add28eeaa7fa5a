"""How fast the exchange is: orders matched and answered while notifications go out, on one core.

One client process drives an exchange process that is pinned to a single core. Half of the inserts rest and
half cross them, each is answered, and a number of subscribers listen to books, tickers and trades in raw, so
that every order makes many notifications. The exchange's own flow is stopped meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jwt
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.report import Line, environment, exit_code, show

ROOT = Path(__file__).resolve().parents[1]
PERPETUAL = "BTC-PERPETUAL"
CHANNELS = [f"book.{PERPETUAL}.none.10.raw", f"ticker.{PERPETUAL}.raw", f"recent_trades.{PERPETUAL}.single"]
ORDERS_PER_S_MIN = 2_000
NOTIFICATIONS_PER_S_MIN = 10_000
SUBSCRIBERS = 3
IN_FLIGHT_MAX = 64
START_S_MAX = 20.0
UNLIMITED_PER_S = 1_000_000


async def call(socket: ClientConnection, method: str, **params: Any) -> Any:
    """Send one request and return its result, past whatever notifications come first."""
    await socket.send(json.dumps({"method": method, "params": params, "id": 1}))
    while True:
        message = json.loads(await socket.recv())
        if message.get("id") == 1:
            assert "result" in message, message
            return message["result"]


async def listen(url: str, counts: list[int], index: int) -> None:
    async with connect(url, compression=None, max_size=None, proxy=None) as socket:
        await call(socket, "public/subscribe", channels=CHANNELS)
        async for _ in socket:
            counts[index] += 1


def request(number: int) -> str:
    """Return an insert: each pair is a resting sell and a buy that takes it."""
    side = "sell" if number % 2 else "buy"
    order = {"direction": side, "instrument_name": PERPETUAL, "amount": 0.001, "price": 100_000, "collar": "ignore"}
    disabled = {"stp_level": "disabled"}
    return json.dumps({"method": "private/insert", "params": {**order, **disabled}, "id": number + 10})


async def drive(url: str, key: dict[str, str], seconds: float) -> tuple[float, float]:
    """Return orders answered and notifications received, each a second."""
    counts = [0] * SUBSCRIBERS
    listeners = [asyncio.create_task(listen(url, counts, index)) for index in range(SUBSCRIBERS)]
    async with connect(url, compression=None, max_size=None, proxy=None) as socket:
        token = jwt.encode({"iat": time.time()}, key["private_key"], "RS512", {"kid": key["key_id"]})
        await call(socket, "public/login", token=token)
        await call(socket, "private/set_cancel_on_disconnect", timeout_secs=60)
        await call(socket, "admin/stop_flow")
        await asyncio.sleep(0.5)
        answered, sent, before = 0, 0, sum(counts)
        started_s = time.perf_counter()
        while time.perf_counter() - started_s < seconds:
            while sent - answered < IN_FLIGHT_MAX:
                await socket.send(request(sent))
                sent += 1
            message = await socket.recv(decode=False)
            assert b'"error"' not in message[:40], message
            answered += 1
        elapsed_s = time.perf_counter() - started_s
        received = sum(counts) - before
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    return answered / elapsed_s, received / elapsed_s


def measure(seconds: float) -> tuple[float, float, float]:
    """Run one exchange on one core; return orders and notifications a second, and its share of that core."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        ready_file, key_file = Path(folder) / "ready.json", Path(folder) / "key.json"
        command = [sys.executable, "-m", "exchange", "--admin", "--die-with-parent"]
        command += ["--order-rate", str(UNLIMITED_PER_S), "--ready-file", str(ready_file), "--key-file", str(key_file)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            os.sched_setaffinity(process.pid, {cores[-1]})
            deadline_s = time.monotonic() + START_S_MAX
            while not ready_file.exists():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise SystemExit("benchmarks.exchange: the exchange did not start; run `python -m exchange`")
                time.sleep(0.02)
            url, key = json.loads(ready_file.read_text())["url"], json.loads(key_file.read_text())
            before_s = cpu_s(process.pid)
            started_s = time.perf_counter()
            orders, notifications = uvloop.run(drive(url, key, seconds))
            busy = (cpu_s(process.pid) - before_s) / (time.perf_counter() - started_s)
        finally:
            process.terminate()
            process.wait(10)
    return orders, notifications, busy


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_least(name: str, values: list[float], unit: str, target: float) -> Line:
    """Return a figure that must reach `target`: the median of the rounds."""
    ordered = sorted(values)
    median = ordered[len(ordered) // 2]
    ok = median >= target
    low, high = round(ordered[0], 1), round(ordered[-1], 1)
    return Line(name=name, value=round(median, 1), unit=unit, target=target, ok=ok, low=low, high=high, is_floor=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exchange", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()
    rounds = [measure(options.seconds) for _ in range(max(1, options.rounds))]
    lines = [
        at_least("orders", [orders for orders, _, _ in rounds], "per s", ORDERS_PER_S_MIN),
        at_least("notifications", [sent for _, sent, _ in rounds], "per s", NOTIFICATIONS_PER_S_MIN),
        Line(name="busy share of the core", value=round(max(busy for _, _, busy in rounds), 3), unit="ratio"),
    ]
    show(environment(["websockets", "msgspec", "uvloop"]), lines)
    return exit_code(lines, is_check=options.check)


if __name__ == "__main__":
    sys.exit(main())
