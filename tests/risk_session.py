"""A session on a market that stands still until the test moves it, and what the exchange's log says of its limits.

The background flow rests, so that every fill is the test's or the session's. Somebody else trades with a key of their
own; what is traded by hand on the session's own account goes through a connection that the session knows nothing of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from messages.commands import Flatten, Resume, SetParameter, Status
from tests.faults.stage import Operator
from tests.sessions import RunningSession, StandaloneExchange, open_orders, read_json_lines, wait_until

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
CANCEL_MS = 100.0
FLAT_S = 5.0
WIDE = "gross_notional_max_usd = 1e9\nnet_notional_max_usd = 1e9\nposition_difference_s = 60.0\n"
OWN_KEY, SECOND_KEY = "key.json", "key-2.json"
LOG_DELAY_S = 0.05  # the log is written every few milliseconds
NS_PER_MS = 1_000_000
START_TIMEOUT_S = 60.0


class Market(NamedTuple):
    """A session and the exchange that it trades on."""

    session: RunningSession
    exchange: StandaloneExchange
    operator: Operator
    strangers: list[str]

    # ---- what others do ------------------------------------------------------------------------------

    def trade(self, side: str, price: float, size: float, key_file: str = SECOND_KEY, **terms: Any) -> None:
        """Cross the book on somebody's behalf."""
        order = {
            "direction": side, "instrument_name": PERPETUAL, "amount": size, "price": price,
            "order_type": "limit", "time_in_force": "immediate_or_cancel", **terms,
        }  # fmt: skip
        self.strangers.append(self.exchange.ask("private/insert", order, key_file)["order_id"])
        time.sleep(LOG_DELAY_S)

    def trade_by_hand(self, side: str, size: float) -> int:
        """Trade on the session's own account with somebody who offers a tick inside the book; return when, monotonic.

        There no other order is in the way, of our own neither. Quotes move meanwhile: it may take several tries.
        """
        found: list[int] = []

        def is_done() -> bool:
            top = self.operator.call("public/ticker", {"instrument_name": PERPETUAL})
            price = top["best_bid_price"] + 1.0 if side == "buy" else top["best_ask_price"] - 1.0
            if top["best_bid_price"] < price < top["best_ask_price"]:
                offer = "sell" if side == "buy" else "buy"
                self.trade(offer, price, size, time_in_force="good_till_cancelled")
                self.trade(side, price, size, OWN_KEY)
                order_id = self.strangers[-1]
                found[:] = [
                    line["monotonic_ns"] for line in self.lines()
                    if line["event"] == "fill" and line["order_id"] == order_id
                ]  # fmt: skip
                self.exchange.ask("private/cancel_all", {}, SECOND_KEY)
            return bool(found)

        wait_until(is_done, 20.0, f"{side} {size} by hand")
        return found[-1]

    def do(self, method: str, **params: Any) -> int:
        """Have the operator of the exchange do something; return when the exchange began with it, monotonic ns."""
        self.operator.call(f"admin/{method}", params)
        return self.last_request_ns(f"admin/{method}")

    def jump(self, price_change: float) -> int:
        """Move the index and everything on it; return when, monotonic ns."""
        return self.do("jump", price_change=price_change)

    def become(self, side: str, size: float = SIZE) -> int:
        """Have takers hit our best bid ("buy") or ask ("sell") until `size` more is held; return when, monotonic."""
        wanted = round(self.position() + (size if side == "buy" else -size), 6)
        direction, book_side = ("sell", "bids") if side == "buy" else ("buy", "asks")

        def is_filled() -> bool:
            quotes = self.session.status()["instruments"][PERPETUAL][book_side]
            left = abs(round(wanted - self.position(), 6))
            if quotes and left:
                terms = {"instrument_name": PERPETUAL, "direction": direction, "price": quotes[0][0]}
                self.operator.call("admin/take", {**terms, "amount": 2.0})
                time.sleep(LOG_DELAY_S)
            return abs(round(wanted - self.position(), 6)) < 1e-9 or self._is_beyond(side, wanted)

        wait_until(is_filled, 20.0, f"{side} {size} of ours is filled")
        return int(self.fills()[-1]["monotonic_ns"])

    def become_long(self) -> None:
        """Have somebody sell down to our best bid until it is filled whole."""
        self.become("buy")

    def _is_beyond(self, side: str, wanted: float) -> bool:
        return self.position() > wanted if side == "buy" else self.position() < wanted

    # ---- what the exchange says ----------------------------------------------------------------------

    def lines(self) -> list[dict[str, Any]]:
        return read_json_lines(self.exchange.order_log_path)

    def log(self) -> list[dict[str, Any]]:
        """Events of our own orders."""
        return [line for line in self.lines() if "order_id" in line and line["order_id"] not in self.strangers]

    def fills(self) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == "fill"]

    def position(self) -> float:
        """Return what the session's own orders add up to."""
        return round(sum(line["fill_amount"] * (1 if line["side"] == "buy" else -1) for line in self.fills()), 6)

    def held_by_venue(self, key_file: str = OWN_KEY) -> float:
        """Return the position of an account, by default the session's, as the venue shows it, all trades included."""
        lines = self.exchange.ask("private/portfolio", {}, key_file)
        return float(sum(line["position"] for line in lines if line["instrument_name"] == PERPETUAL))

    def last_request_ns(self, method: str) -> int:
        """Return when the exchange took the newest request of that method."""
        found: list[int] = []

        def is_there() -> bool:
            found[:] = [line["monotonic_ns"] for line in self.lines() if line.get("method") == method]
            return bool(found)

        wait_until(is_there, 5.0, f"{method} in the log")
        time.sleep(LOG_DELAY_S)
        is_there()
        return found[-1]

    def told_ns(self, method: str, since_ns: int) -> int:
        """Return when the account was told something for the first time after `since_ns`, because it asked."""
        asked = [line for line in self.lines() if line.get("method") == method]
        return next((int(line["monotonic_ns"]) for line in asked if line["monotonic_ns"] > since_ns), since_ns)

    def gone_ns(self, since_ns: int, until_ns: int, side: str | None = None) -> int | None:
        """Return when, between two times, the last order of ours that may add to a position (of a side) was closed.

        None = one was still open at `until_ns`; `since_ns` = none was open in between.
        """
        live: set[str] = set()
        last_ns = since_ns
        for line in self.log():
            if line["monotonic_ns"] > until_ns:
                break
            if line["reduce_only"] or side not in (None, line["side"]):
                continue
            was_open = line["order_id"] in live
            (live.add if _is_open(line) else live.discard)(line["order_id"])
            if was_open and not live and line["monotonic_ns"] > since_ns:
                last_ns = line["monotonic_ns"]
        return None if live else last_ns

    def open_sides(self) -> set[str]:
        return {line["side"] for line in open_orders(self.log()).values()}

    # ---- what risk says ------------------------------------------------------------------------------

    def risk(self) -> dict[str, Any]:
        return self.session.send(Status(), process="risk").data

    def decisions(self) -> list[dict[str, Any]]:
        return read_json_lines(self.session.run / "risk_decisions.jsonl")

    def wait_for_state(self, state: str, reason: str, timeout_s: float = 20.0) -> float:
        def is_there() -> bool:
            told = self.risk()
            return (told["state"], told["reason"]) == (state, reason)

        return wait_until(is_there, timeout_s, f"risk is {state} for {reason}")

    def wait_for_decision(self, begun: int, is_meant: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Return the first decision after the first `begun` ones that is meant."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [line for line in self.decisions()[begun:] if is_meant(line)]
            return bool(found)

        wait_until(is_there, 8.0, what)
        return found[0]

    # ---- what the operator of the session does -------------------------------------------------------

    def limit(self, name: str, value: object) -> None:
        """Set a limit while running, looser ones too."""
        reply = self.session.send(SetParameter(name=name, value=str(value), force=True), process="risk")
        assert reply.ok, reply.text

    def calm(self) -> None:
        """Bring everything back: no fault, flat, nothing latched, a fresh book, quotes on both sides."""
        self.operator.call("admin/clear_faults")
        jumps = [line["params"]["price_change"] for line in self.lines() if line.get("method") == "admin/jump"]
        if moved := sum(jumps):
            self.jump(-moved)
        self.session.send(Resume(), 10.0)
        wait_until(lambda: self.risk()["state"] != "halted", 20.0, "risk is not halted")
        self.operator.call("admin/start_flow")
        time.sleep(0.2)
        self.close_stranger()
        self.operator.call("admin/stop_flow")

        def is_calm() -> bool:
            if self.held_by_venue():
                reply = self.session.send(Flatten(PERPETUAL), 20.0)
                assert reply.ok, reply.text
                time.sleep(LOG_DELAY_S)
                return False  # the log did not show yet what was closed
            return self.risk()["state"] == "active" and self.open_sides() == {"buy", "sell"}

        wait_until(is_calm, 20.0, "flat, active, quotes on both sides")

    def close_stranger(self) -> None:
        """Have somebody close what they hold: else a squeeze of the margin has the venue do so, at our quotes."""
        held = self.held_by_venue(SECOND_KEY)
        if held:
            top = self.operator.call("public/ticker", {"instrument_name": PERPETUAL})
            side, price = ("sell", 0.995 * top["mark_price"]) if held > 0 else ("buy", 1.005 * top["mark_price"])
            self.trade(side, round(price), abs(held))

    def wait_flat(self, since_ns: int, timeout_s: float = FLAT_S * BOUND_WIDTH) -> float:
        """Wait until the venue shows no position; return how long after `since_ns` its last fill was, in s."""
        wait_until(lambda: self.held_by_venue() == 0.0, timeout_s, "the venue shows no position")
        later = [line for line in self.fills() if line["monotonic_ns"] > since_ns]
        return (later[-1]["monotonic_ns"] - since_ns) / 1e9 if later else 0.0


def _is_open(line: dict[str, Any]) -> bool:
    return line["status"] in ("open", "partially_filled")


@contextmanager
def trading(
    folder: Path, limits: str = "", *, config: str = CONFIG, exchange_arguments: tuple[str, ...] = ()
) -> Iterator[Market]:
    """Run a session that quotes both sides on a market at rest.

    Args:
        limits: lines that follow `config`, whose last section is [risk].
    """
    arguments = ("--accounts", "2", "--admin", "--no-options", "--underlyings", "BTC", "--seed", "3")
    with (
        StandaloneExchange(folder, *arguments, "--expiries", "quarterly", *exchange_arguments) as exchange,
        RunningSession(folder, config + limits, environ=exchange.environ()) as session,
    ):
        session.wait_for_quotes(START_TIMEOUT_S)
        operator = Operator(exchange.url)
        try:
            market = Market(session, exchange, operator, [])
            market.do("stop_flow")
            session.wait_for_quotes(START_TIMEOUT_S)
            yield market
        finally:
            operator.close()
