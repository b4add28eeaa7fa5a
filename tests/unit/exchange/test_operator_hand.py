"""What an operator of the exchange may do to market and accounts: takers on one side, funding, margin, jumps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.background.simulation import Background
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = "BTC-PERPETUAL"
BID = {"direction": "buy", "instrument_name": PERPETUAL, "price": 99_990, "amount": 0.02}


@pytest.fixture
def desk(make_desk: Any) -> Any:
    return make_desk(admin=True)


def test_a_taker_takes_one_side_as_far_as_his_price(desk: Any, trader: Any) -> None:
    # Given a bid at 99,990 and one below the taker's price
    order = trader.result("private/insert", **BID)
    trader.result("private/insert", **{**BID, "price": 99_900})
    # If somebody sells more than the first
    taken = desk.client().result("admin/take", instrument_name=PERPETUAL, direction="sell", amount=0.05, price=99_950)
    # I expect the first filled, the second not
    assert taken == 0.02
    assert [line["price"] for line in trader.result("private/open_orders")] == [99_900]
    fills = [line for line in desk.log_lines() if line["event"] == "fill"]
    assert [(line["order_id"], line["fill_amount"]) for line in fills] == [(order["order_id"], 0.02)]


def test_a_funding_rate_stands_until_it_is_taken_back(desk: Any, trader: Any) -> None:
    # Given a long of 0.02
    trader.result("private/insert", **BID)
    desk.take(Side.SELL, 20, 99_990)
    operator = desk.client()
    # If funding is set to its whole notional in 8 hours
    operator.result("admin/set_funding", instrument_name=PERPETUAL, rate=1.0)
    before = trader.result("private/portfolio")[0]["unrealised_perpetual_funding"]
    desk.scheduler.advance(10 * NS_PER_S)
    line = trader.result("private/portfolio")[0]
    # I expect 10 s of it to be paid, and none any more once it is taken back
    paid = Decimal(str(before)) - Decimal(str(line["unrealised_perpetual_funding"]))
    assert paid == Decimal("0.02") * 10 * (Decimal(100_000) / 28_800).quantize(Decimal("1e-8"))
    operator.result("admin/set_funding", instrument_name=PERPETUAL)
    desk.scheduler.advance(5 * NS_PER_S)
    again = trader.result("private/portfolio")[0]["unrealised_perpetual_funding"]
    assert again == line["unrealised_perpetual_funding"]


def test_only_perpetuals_have_funding(desk: Any) -> None:
    operator = desk.client()
    assert operator.error("admin/set_funding", instrument_name=desk.future.name, rate=1.0) == 6


def test_more_margin_is_asked_at_once(desk: Any, trader: Any) -> None:
    trader.result("private/insert", **BID)
    desk.take(Side.SELL, 20, 99_990)
    before = trader.result("private/account_breakdown")["required_margin"]
    desk.client().result("admin/set_margin", spot_move_ratio=0.8)
    assert trader.result("private/account_breakdown")["required_margin"] == 4 * before


def test_a_jump_is_told_at_once_in_the_ticker(desk: Any) -> None:
    # Given somebody who listens to tickers
    desk.background = desk.context.controls = Background(desk.engine, seed=1)
    client = desk.client()
    client.result("public/subscribe", channels=[f"ticker.{PERPETUAL}.raw"])
    mark = client.notes(f"ticker.{PERPETUAL}.raw")[-1]["notification"]["mark_price"]
    # If the market jumps, and no second passes
    desk.client().result("admin/jump", price_change=-500)
    # I expect the new mark to be told already, and the log to have said before what was done
    assert client.notes(f"ticker.{PERPETUAL}.raw")[-1]["notification"]["mark_price"] == mark - 500
    told = [line for line in desk.log_lines() if line["event"] == "request"]
    assert told[-1]["method"] == "admin/jump"
    assert told[-1]["params"]["price_change"] == -500


def test_cancels_of_everything_are_in_the_log_before_what_they_cancel(desk: Any, trader: Any) -> None:
    trader.result("private/insert", **BID)
    trader.result("private/cancel_all")
    events = [(line["event"], line.get("method")) for line in desk.log_lines()]
    assert events[-2:] == [("request", "private/cancel_all"), ("cancel", None)]
