"""A whole session, with all its processes, in which the venue expires one of two instruments."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.sessions import RunningSession, StandaloneExchange, wait_until

PERPETUAL = "BTC-PERPETUAL"
CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-PERPETUAL"]

[instruments."{future}"]
"""


def ask(url: str, method: str, **params: Any) -> Any:
    """Send one request to the exchange and return its result."""
    with connect(url, proxy=None) as socket:
        socket.send(json.dumps({"method": method, "id": 1, "params": params}))
        while True:
            answer = json.loads(socket.recv(10))
            if answer.get("id") == 1:
                assert "error" not in answer, answer
                return answer["result"]


def test_one_of_two_instruments_expires_and_the_other_is_quoted_on(tmp_path: Path) -> None:
    with StandaloneExchange(tmp_path, "--admin", "--no-options", "--seed", str(os.getpid() % 100)) as exchange:
        listed = ask(exchange.url, "public/instruments")
        future = min((i for i in listed if i["type"] == "future"), key=lambda i: i["expiration_timestamp"])
        name = future["instrument_name"]
        with RunningSession(tmp_path, CONFIG.format(future=name), environ=exchange.environ()) as session:
            # Given quotes in both
            session.wait_for_quotes(30)
            wait_until(lambda: bool(session.status()["instruments"][name].get("bids")), 20, "quotes in the future")
            # If the future expires
            ask(exchange.url, "admin/move_clock", seconds=future["expiration_timestamp"] - time.time() + 2)

            def off() -> bool:
                return session.status()["instruments"][name].get("bid_off") == "instrument_removed"

            wait_until(off, 20, "the future is off")
            found = session.status()["instruments"][name]
            assert "no longer lists it" in found["instrument_off"]
            wait_until(lambda: not session.status()["instruments"][name]["bids"], 20, "no order in the future")
            # I expect the other to be quoted, also after reconnects and restarts that do not find the future
            session.wait_for_quotes(30)
            ask(exchange.url, "admin/disconnect_all")
            session.wait_for_quotes(30)
            for actor in ("market_data", "execution", "risk"):
                os.kill(session.actor_pid(actor), 9)
                wait_until(lambda a=actor: session.status()["actors"][a]["restarts"] >= 1, 20, f"{actor} restarts")  # type: ignore[misc]
                time.sleep(1.0)
                session.wait_for_quotes(30)
                assert session.status()["instruments"][name]["bid_off"] == "instrument_removed"
