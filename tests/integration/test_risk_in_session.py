"""Limits broken on a running session: what risk does, how soon, and what is held afterwards, by the exchange's log.

The background flow stands still, so that every fill is the test's or the session's; prices move when the test moves
them, and somebody else trades with a key of their own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from messages.commands import Status
from tests.sessions import RunningSession, StandaloneExchange, open_orders, read_order_log, wait_until

PERPETUAL = "BTC-PERPETUAL"
SIZE = 0.03
CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-PERPETUAL"]

[strategy]
levels = 1
order_size_base = 0.03
position_soft_base = 0.1
position_hard_base = 0.2

[execution]
flatten_passive_s = 0.5

[risk]
position_max_base = 5.0
cooldown_s = 2.0
recovery_step_s = 0.3
"""
BOUND_WIDTH = 5  # tests assert five times what is promised
FLAT_S = 5.0
WIDE = "gross_notional_max_usd = 1e9\nnet_notional_max_usd = 1e9\nposition_difference_s = 60.0\n"
SECOND_KEY = "key-2.json"


class Market(NamedTuple):
    """A session and the exchange that it trades on."""

    session: RunningSession
    exchange: StandaloneExchange
    strangers: list[str]

    def trade(self, side: str, price: float, size: float, key_file: str = SECOND_KEY) -> None:
        """Cross the book on somebody's behalf."""
        order = {
            "direction": side, "instrument_name": PERPETUAL, "amount": size, "price": price,
            "order_type": "limit", "time_in_force": "immediate_or_cancel",
        }  # fmt: skip
        self.strangers.append(self.exchange.ask("private/insert", order, key_file)["order_id"])
        time.sleep(0.05)  # the log is written every few milliseconds

    def jump(self, price_change: float) -> int:
        """Move the index and everything on it; return when, monotonic ns."""
        self.exchange.ask("admin/jump", {"price_change": price_change})
        return time.monotonic_ns()

    def log(self) -> list[dict[str, Any]]:
        """Events of our own orders."""
        lines = [line for line in read_order_log(self.exchange.order_log_path) if "order_id" in line]
        return [line for line in lines if line["order_id"] not in self.strangers]

    def position(self) -> float:
        fills = [line for line in self.log() if line["event"] == "fill"]
        return round(sum(line["fill_amount"] * (1 if line["side"] == "buy" else -1) for line in fills), 6)

    def held_by_venue(self) -> float:
        """Return the position of the session's account as the venue shows it, trades by hand included."""
        lines = self.exchange.ask("private/portfolio", {}, "key.json")
        return float(sum(line["position"] for line in lines if line["instrument_name"] == PERPETUAL))

    def become_long(self) -> None:
        """Have somebody sell down to our best bid until it is filled whole."""

        def is_filled() -> bool:
            bids = self.session.status()["instruments"][PERPETUAL]["bids"]
            if bids and self.position() < SIZE:
                self.trade("sell", bids[0][0], 2.0)
            return self.position() >= SIZE

        wait_until(is_filled, 20.0, "our bid is filled")

    def risk(self) -> dict[str, Any]:
        return self.session.send(Status(), process="risk").data

    def decisions(self) -> list[dict[str, Any]]:
        lines = (self.session.run / "risk_decisions.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def wait_for_state(self, state: str, reason: str, timeout_s: float = 20.0) -> float:
        def is_there() -> bool:
            told = self.risk()
            return (told["state"], told["reason"]) == (state, reason)

        return wait_until(is_there, timeout_s, f"risk is {state} for {reason}")


@contextmanager
def trading(folder: Path, limits: str = "") -> Iterator[Market]:
    arguments = ("--accounts", "2", "--admin", "--no-options", "--underlyings", "BTC", "--seed", "3")
    with (
        StandaloneExchange(folder, *arguments, "--expiries", "quarterly") as exchange,
        RunningSession(folder, CONFIG + limits, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes()
        market = Market(session, exchange, [])
        market.exchange.ask("admin/stop_flow", {})
        session.wait_for_quotes()
        yield market


def test_a_stop_loss_closes_the_position_and_quoting_comes_back(tmp_path: Path) -> None:
    # Given a long and a stop loss of 50 bps
    with trading(tmp_path, "stop_loss_bps = 50.0\n") as market:
        market.become_long()
        # If the market falls by 1,000 $, about 100 bps
        jumped_ns = market.jump(-1_000.0)
        market.wait_for_state("halted", "stop_loss")
        wait_until(lambda: market.position() == 0.0, FLAT_S * BOUND_WIDTH, "the position is flat")
        flat_s = (time.monotonic_ns() - jumped_ns) / 1e9
        # I expect it closed, reduce-only orders alone in the book until then, and quotes again after the cool-down
        made = {line["decision"]: line for line in market.decisions()}
        assert made["close_position"]["cause"] == "stop_loss"
        assert "stop loss 50 bps" in made["close_position"]["text"]
        market.wait_for_state("active", "none")
        market.session.wait_for_quotes()
        print(f"stop loss: flat {flat_s:.2f} s after the jump, of them 0.5 s passive; {made['close_position']['text']}")


def test_a_loss_from_the_peak_halts_and_flattens_for_good(tmp_path: Path) -> None:
    # Given a long, and 20 $ that may be lost from the peak
    limits = "stop_loss_bps = 0.0\nloss_from_peak_max_usd = 20.0\nflatten_on_halt = true\n"
    with trading(tmp_path, limits) as market:
        market.become_long()
        # If the market falls by 1,000 $
        jumped_ns = market.jump(-1_000.0)
        market.wait_for_state("halted", "loss_from_peak")
        wait_until(lambda: market.position() == 0.0, FLAT_S * BOUND_WIDTH, "the position is flat")
        flat_s = (time.monotonic_ns() - jumped_ns) / 1e9
        # I expect every order gone, the position flat, and no quote before an operator resumes
        wait_until(lambda: not open_orders(market.log()), 5.0, "no order is open")
        time.sleep(3.0)
        assert open_orders(market.log()) == {}
        assert market.risk()["latched"] == ["loss_from_peak"]
        assert market.session.cli("resume").returncode == 0
        market.session.wait_for_quotes()
        print(f"loss from peak: flat {flat_s:.2f} s after the jump")


def test_margin_in_use_leaves_only_the_reducing_side(tmp_path: Path) -> None:
    # Given that 5 % of the margin may be used
    with trading(tmp_path, WIDE + "margin_use_max = 0.05\n") as market:
        # If the position is changed by hand, on the session's own account, until 6,000 of 100,000 $ are required
        asks = market.session.status()["instruments"][PERPETUAL]["asks"]
        assert market.session.cli("pause").returncode == 0
        wait_until(lambda: not open_orders(market.log()), 10.0, "no quote of our own is in the way")

        def is_held() -> bool:
            if market.held_by_venue() < 0.3:
                market.trade("buy", asks[0][0] + 500.0, 0.05, "key.json")
            return market.held_by_venue() >= 0.3

        wait_until(is_held, 20.0, "0.3 BTC are held")
        assert market.session.cli("resume").returncode == 0
        # I expect the reason to be said with its numbers, and the reducing side alone to be quoted
        market.wait_for_state("reducing", "margin_use")
        told = next(line for line in market.decisions() if line.get("reason") == "MARGIN_USE")
        assert "limit 5%" in told["text"]
        wait_until(lambda: bool(open_orders(market.log())), 10.0, "quotes are back")
        time.sleep(1.0)
        assert {line["side"] for line in open_orders(market.log()).values()} == {"sell"}
        print(f"margin used up by hand: only asks rest; {told['text']}")


@pytest.mark.parametrize("is_risk_killed", [False, True])
def test_one_instrument_is_flattened_on_request_while_the_session_lives(tmp_path: Path, is_risk_killed: bool) -> None:
    with trading(tmp_path) as market:
        market.become_long()
        if is_risk_killed:
            os.kill(market.session.actor_pid("risk"), signal.SIGKILL)
        result = market.session.cli("flatten", "--instrument", PERPETUAL)
        assert result.returncode == 0, result.stdout
        assert market.position() == 0.0
        market.session.wait_for_quotes()
        unknown = market.session.cli("flatten", "--instrument", "DOGE-PERPETUAL")
        assert unknown.returncode != 0
        assert "DOGE-PERPETUAL" in unknown.stdout
