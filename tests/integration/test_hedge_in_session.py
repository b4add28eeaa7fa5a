"""A hedge in a real session: somebody sells into our bids, the future brings the net delta back.

The background flow stands still, so that every fill is the test's or the hedge's, and both are judged by the
exchange's own log. Processes are killed while the hedge rests in the book.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from thalex.thalex import Direction, OrderType, TimeInForce

from tests.sessions import RunningSession, StandaloneExchange, open_orders, read_json_lines, wait_until

PERPETUAL = "BTC-PERPETUAL"
SIZE, BAND = 0.03, 0.02
BACK_IN_BAND_S = 30.0
CONFIG = f"""
[venue]
kind = "thalex"

[instruments."{PERPETUAL}"]

[instruments."BTC-FUTURE-1"]
quote = false

[strategy]
levels = 1
order_size_base = {SIZE}
position_soft_base = 0.1
position_hard_base = 0.2

[hedge.BTCUSD]
instrument = "BTC-FUTURE-1"
band_base = {BAND}
passive_s = 2.0
collar_bps = 100.0
cooldown_s = 0.5

[risk]
position_max_base = 0.3
"""


class Market(NamedTuple):
    """A session and the exchange that it trades on."""

    session: RunningSession
    exchange: StandaloneExchange
    future: str

    def sell_into_our_bid(self) -> None:
        """Have somebody else sell down to our best bid until it is filled whole: it may move before the order comes."""
        wait_until(self._is_bid_filled, 20.0, "our bid is filled")

    def _is_bid_filled(self) -> bool:
        bids = self.session.status()["instruments"][PERPETUAL]["bids"]
        if not bids:
            return False
        order = {
            "direction": Direction.SELL.value, "instrument_name": PERPETUAL, "amount": 20.0, "price": bids[0][0],
            "order_type": OrderType.LIMIT.value, "time_in_force": TimeInForce.IOC.value,
        }  # fmt: skip
        order_id = self.exchange.ask("private/insert", order, "key-2.json")["order_id"]
        time.sleep(0.05)  # the log is written every few milliseconds
        perpetual = [line for line in self.log() if line.get("instrument") == PERPETUAL and line["event"] == "fill"]
        return any(line["order_id"] != order_id and line["status"] == "filled" for line in perpetual)

    def ours(self) -> list[dict[str, Any]]:
        """Events of our orders in the future, by the exchange's log: nobody else with an account trades it."""
        return [line for line in self.log() if line.get("instrument") == self.future]

    def log(self) -> list[dict[str, Any]]:
        return read_json_lines(self.exchange.order_log_path)

    def hedge_rests(self) -> bool:
        return any(line["instrument"] == self.future for line in open_orders(self.log()).values())

    def net(self) -> float:
        """Return what we hold by the exchange's log: our bid was filled once, the rest is hedges."""
        fills = [line for line in self.ours() if line["event"] == "fill"]
        return SIZE + sum(line["fill_amount"] * (1 if line["side"] == "buy" else -1) for line in fills)

    def wait_in_band(self) -> float:
        return wait_until(lambda: abs(self.net()) <= BAND, BACK_IN_BAND_S, "the net delta is back in its band")

    def assert_hedged_once(self) -> None:
        """The future is short exactly what the perpetual is long, with no order left, when the session has ended."""
        self.session.signal(signal.SIGINT)
        assert self.session.wait(40) == 0, self.session.said
        summary = self.session.summary
        assert summary["position"] == summary["venue_position"]
        assert {name: float(size) for name, size in summary["position"].items()} == {
            PERPETUAL: SIZE,
            self.future: -SIZE,
        }
        assert summary["open_orders_at_exit"] == 0
        assert open_orders(self.log()) == {}


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    arguments = ("--accounts", "2", "--admin", "--no-margin", "--no-options", "--underlyings", "BTC", "--seed", "3")
    with (
        StandaloneExchange(tmp_path, *arguments, "--expiries", "quarterly") as exchange,
        RunningSession(tmp_path, CONFIG, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        future = next(name for name in session.status()["instruments"] if name != PERPETUAL)
        market = Market(session, exchange, future)
        market.exchange.ask("admin/stop_flow", {})
        session.wait_for_quotes()
        yield market


def test_a_fill_beyond_the_band_is_hedged_in_the_future_first_passive_then_across(market: Market) -> None:
    assert f"BTC-FUTURE-1 is {market.future}" in market.session.said
    market.sell_into_our_bid()
    took_s = market.wait_in_band()
    print(f"net delta back in its band {took_s:.2f} s after the fill, 2 s of them passive")
    hedges = {line["order_id"]: line for line in market.ours() if line["event"] == "insert"}
    assert len(hedges) == 2
    assert took_s > 1.0, "it rested first"
    status = market.session.status()
    assert status["counters"]["strategy"]["hedges"] == status["counters"]["execution"]["hedges"] == 1
    assert status["counters"]["execution"]["hedge_orders"] == 2
    market.assert_hedged_once()


@pytest.mark.parametrize(
    "actors", [("strategy",), ("execution",), pytest.param(("strategy", "execution"), marks=pytest.mark.slow)]
)
def test_processes_killed_while_a_hedge_rests_leave_neither_an_order_nor_a_second_hedge(
    market: Market, actors: tuple[str, ...]
) -> None:
    market.sell_into_our_bid()
    wait_until(market.hedge_rests, 10.0, "the hedge rests in the book")
    pids = {actor: market.session.actor_pid(actor) for actor in actors}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    killed_ns = time.monotonic_ns()
    for actor, pid in pids.items():
        wait_until(lambda a=actor, p=pid: market.session.actor_pid(a) not in (0, p), 10.0, f"a new {actor}")  # type: ignore[misc]
    market.wait_in_band()
    back_s = (time.monotonic_ns() - killed_ns) / 1e9
    time.sleep(1.5)  # long enough for a second hedge, if there were one
    print(f"net delta back in its band {back_s:.2f} s after {actors} was killed mid-hedge")
    market.assert_hedged_once()
