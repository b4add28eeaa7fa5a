"""Margin: what is required, what is refused, what happens to an account that falls short; limits beside it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.limits import Gate, Limits
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = "BTC-PERPETUAL"


def order(direction: str, price: float, amount: float, **fields: Any) -> dict[str, Any]:
    return {"direction": direction, "instrument_name": PERPETUAL, "price": price, "amount": amount, **fields}


def required(client: Any) -> float:
    return float(client.result("private/account_summary")["required_margin"])


def test_the_worst_side_of_open_orders_counts_with_the_position(desk: Any, trader: Any) -> None:
    # Given 1 BTC long at an index of 100,000, and 1 more to buy, 3 to sell
    desk.rest(Side.SELL, 100_000, 1_000)
    trader.result("private/insert", **order("buy", 100_000, 1))
    assert required(trader) == 20_000
    trader.result("private/insert", **order("buy", 99_900, 1))
    assert required(trader) == 40_000
    trader.result("private/insert", **order("sell", 100_100, 3))
    # I expect 20 % of what the worst side leads to: 1 + 1 long, or 1 - 3 short
    assert required(trader) == 40_000
    breakdown = trader.result("private/required_margin_breakdown")["portfolio"]
    assert breakdown["required_margin"] == 40_000
    (btc,) = breakdown["underlyings"]
    assert (btc["underlying"], btc["loss_margin"]) == ("BTCUSD", 40_000)
    assert [s["underlying_change_pct"] for s in btc["scenarios"]] == [-20, 20]


def test_a_breakdown_adds_up(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_000, 1_000)
    trader.result("private/insert", **order("buy", 100_000, 1))
    trader.result("private/insert", **order("sell", 100_100, 0.3))
    account = trader.result("private/account_breakdown")
    (line,) = account["portfolio"]
    assert (line["position"], line["open_buy_amount"], line["open_sell_amount"]) == (1, 0, 0.3)
    assert line["session_fees"] == account["session_fees"] == 50
    assert account["remaining_margin"] == account["margin"] - account["required_margin"]
    assert account["cash"][0]["applied_collateral"] == 100_000


def test_an_insert_that_can_not_be_carried_is_refused_and_reducing_is_not(desk: Any, trader: Any) -> None:
    # Given 100,000 USD and 5 BTC long, which need all of it
    desk.rest(Side.SELL, 100_000, 4_900)
    trader.result("private/insert", **order("buy", 100_000, 4.9))
    assert trader.error("private/insert", **order("buy", 99_900, 1)) == 24
    assert trader.error("private/insert", **order("sell", 100_100, 11)) == 24
    trader.result("private/insert", **order("sell", 100_100, 4.9, client_order_id=1))
    # an amend that adds is checked, too
    assert trader.error("private/amend", client_order_id=1, price=100_100, amount=12) == 24


def test_margin_for_an_order_is_told_before_it_is_sent(trader: Any) -> None:
    answer = trader.result("private/required_margin_for_order", instrument_name=PERPETUAL, price=100_000, amount=2)
    assert [answer[name]["required_margin"] for name in ("current", "with_buy", "with_sell")] == [0, 40_000, 40_000]
    assert answer["with_buy"]["underlying"]["underlying"] == "BTCUSD"


def test_a_breach_cancels_what_increases_the_risk_and_leaves_what_reduces_it(desk: Any, trader: Any) -> None:
    # Given 4 BTC long with an order either way
    desk.rest(Side.SELL, 100_000, 4_000)
    trader.result("private/insert", **order("buy", 100_000, 4))
    trader.result("private/insert", **order("buy", 99_500, 0.5))
    trader.result("private/insert", **order("sell", 100_500, 1))
    trader.result("private/subscribe", channels=["session.orders"])
    # If the price falls so far that the margin is short, but above maintenance
    desk.index_price = Decimal(93_000)
    desk.scheduler.advance(2 * NS_PER_S)
    # I expect the buy gone for its reason, the sell still there, and the position kept
    assert [o["direction"] for o in trader.result("private/open_orders")] == ["sell"]
    (cancelled,) = trader.notes("session.orders")[-1]["notification"]
    assert cancelled["delete_reason"] == "margin_breach"
    assert trader.result("private/portfolio")[0]["position"] == 4


def test_below_maintenance_the_position_is_liquidated(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_000, 4_000)
    trader.result("private/insert", **order("buy", 100_000, 4))
    desk.rest(Side.BUY, 85_000, 9_000)
    desk.index_price = Decimal(85_000)
    desk.scheduler.advance(2 * NS_PER_S)
    trades = trader.result("private/trade_history")["trades"]
    assert trades[0]["trade_type"] == "liquidation"
    assert trades[0]["liquidation_fee"] == 85_000 * 4 * 0.005
    assert desk.a.position_lots(desk.perpetual) == 0


@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(open_orders_max=1), 49), (Limits(order_cash_max=Decimal(15_000)), 50)]
)
def test_limits_of_count_and_size_have_their_codes(desk: Any, trader: Any, limits: Limits, code: int) -> None:
    desk.market._check = Gate(desk.engine, limits).check
    trader.result("private/insert", **order("buy", 99_900, 0.1, client_order_id=1))
    assert trader.error("private/insert", **order("buy", 99_800, 0.1)) == code
    trader.result("private/amend", client_order_id=1, price=99_700, amount=0.1)


def test_connections_of_an_account_may_be_limited(make_desk: Any) -> None:
    desk = make_desk(connections_max=1)
    first = desk.client().login()
    second = desk.client()
    assert second.error("public/login", token=desk.token()) == 53
    first.session.on_closed()
    second.login()
