"""Flattening a perpetual and a future at once in a book too thin for it: bounded, repeated, never turned round."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

from messages.commands import Flatten, Pause
from tests.risk_session import LOG_DELAY_S, OWN_KEY, PERPETUAL, SECOND_KEY, Market, trading
from tests.sessions import wait_until

CONFIG = """
[venue]
kind = "thalex"

[instruments."BTC-PERPETUAL"]
[instruments."BTC-FUTURE-1"]

[strategy]
levels = 1
order_size_base = 0.03
position_soft_base = 0.1
position_hard_base = 0.2

[execution]
flatten_passive_s = 0.4
flatten_timeout_s = 3.0

[risk]
position_max_base = 5.0
order_size_max_base = 1.0
stop_loss_bps = 0.0
"""
PIECE = 0.01
COLLAR_USD = 480.0  # 50 bps of 100,000 $ and a little less


def held(market: Market) -> dict[str, float]:
    lines = market.exchange.ask("private/portfolio", {}, OWN_KEY)
    return {line["instrument_name"]: round(line["position"], 6) for line in lines if line["position"]}


def fill_ours(market: Market, name: str, side: str) -> None:
    """Have takers hit our best bid or ask of an instrument until something of it is held."""
    direction, book_side = ("sell", "bids") if side == "buy" else ("buy", "asks")

    def is_held() -> bool:
        quotes = market.session.status()["instruments"][name][book_side]
        if quotes:
            order = {"instrument_name": name, "direction": direction, "price": quotes[0][0], "amount": 2.0}
            market.operator.call("admin/take", order)
            time.sleep(LOG_DELAY_S)
        return name in held(market)

    wait_until(is_held, 20.0, f"{name} is held")


def bid(market: Market, price: float) -> None:
    """Have somebody bid for one piece."""
    order = {"direction": "buy", "instrument_name": PERPETUAL, "amount": PIECE, "price": price, "order_type": "limit"}
    market.strangers.append(market.exchange.ask("private/insert", order, SECOND_KEY)["order_id"])


def test_two_legs_are_flattened_each_with_its_own_size_however_thin_the_book_is(tmp_path: Path) -> None:
    with trading(tmp_path, config=CONFIG) as market:
        future = re.findall(r"BTC-FUTURE-1 is (\S+)", market.session.said)[0]
        market.session.wait_for_quotes(60.0, [PERPETUAL, future])
        # Given a long perpetual, a short future, and no bid for the perpetual but one small one
        fill_ours(market, PERPETUAL, "buy")
        fill_ours(market, future, "sell")
        assert market.session.send(Pause()).ok
        wait_until(lambda: market.open_sides() == set(), 10.0, "no quote is open")
        mark = float(market.operator.call("public/ticker", {"instrument_name": PERPETUAL})["mark_price"])
        thin = {"instrument_name": PERPETUAL, "direction": "sell", "price": round(mark - COLLAR_USD), "amount": 1000.0}
        market.operator.call("admin/take", thin)
        bid(market, round(mark - 50))
        before = held(market)
        assert before[PERPETUAL] > PIECE
        assert before[future] < 0
        # If it is flattened
        began_ns = time.monotonic_ns()
        reply = market.session.send(Flatten(), 30.0)
        bounded_s = (time.monotonic_ns() - began_ns) / 1e9
        # I expect the future flat, of the perpetual what somebody wanted, and an end in time that says so
        assert not reply.ok
        assert "not flat" in reply.text
        assert held(market) == {PERPETUAL: round(before[PERPETUAL] - PIECE, 6)}
        # and if bids come piece by piece, I expect it flat after the next try
        pieces = threading.Thread(target=feed_bids, args=(market, round(mark - 50), before[PERPETUAL]))
        pieces.start()
        again_ns = time.monotonic_ns()
        reply = market.session.send(Flatten(), 30.0)
        flat_s = (time.monotonic_ns() - again_ns) / 1e9
        pieces.join(30)
        assert reply.ok, reply.text
        assert held(market) == {}
        check_orders(market, began_ns, before)
        print(
            f"\nflatten of {before}: gave up after {bounded_s:.2f} s of 3 s; with bids in pieces flat in {flat_s:.2f} s"
        )


def feed_bids(market: Market, price: float, size: float) -> None:
    for _ in range(round(size / PIECE) + 1):
        bid(market, price)
        time.sleep(0.1)


def check_orders(market: Market, since_ns: int, before: dict[str, float]) -> None:
    """Every order was reduce-only, of what was still held, first passive and then immediate; nothing turned round."""
    left = dict(before)
    inserted: dict[str, list[dict[str, Any]]] = {name: [] for name in before}
    for line in market.log():
        if line["monotonic_ns"] < since_ns:
            continue
        name = line["instrument"]
        sign = 1 if line["side"] == "buy" else -1
        assert line["reduce_only"], line
        assert sign * before[name] < 0, line
        if line["event"] == "insert":
            assert line["amount"] <= round(abs(before[name]), 6), line
            inserted[name].append(line)
        elif line["event"] == "fill":
            left[name] = round(left[name] + sign * line["fill_amount"], 6)
            assert left[name] * before[name] >= 0, f"turned round: {line}"
    assert set(left.values()) == {0.0}
    assert inserted[PERPETUAL][0]["price"] > inserted[PERPETUAL][1]["price"]  # the touch, then across it
    assert len(inserted[PERPETUAL]) > 3
