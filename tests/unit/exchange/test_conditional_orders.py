"""Stop, stop-limit, bracket and trailing orders: when they trigger, and what they become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = "BTC-PERPETUAL"


def create(client: Any, direction: str, stop_price: float, **fields: Any) -> Any:
    order = {"direction": direction, "instrument_name": PERPETUAL, "amount": 0.1, "stop_price": stop_price}
    return client.result("private/create_conditional_order", **{**order, **fields})


def trade_at(desk: Any, price: int) -> None:
    """Let strangers trade at a price, so that it is the last one."""
    desk.rest(Side.SELL, price, 1)
    desk.take(Side.BUY, 1, price)


def the_only(client: Any) -> Any:
    (order,) = client.result("private/conditional_orders")
    return order


def test_a_created_order_is_answered_and_then_active_in_the_full_list(trader: Any) -> None:
    trader.result("private/subscribe", channels=["account.conditional_orders"])
    created = create(trader, "sell", 99_000, label="S", reduce_only=True)
    assert created["status"] == "created"
    assert created["target"] == "last"
    first, *_, last = trader.notes("account.conditional_orders")
    assert first == {"channel_name": "account.conditional_orders", "notification": []}
    assert last["notification"] == [{**created, "status": "active"}]
    assert trader.result("private/open_conditional_orders") == [{**created, "status": "active"}]


@pytest.mark.parametrize(("direction", "short_of", "reached"), [("buy", 100_099, 100_100), ("sell", 99_901, 99_900)])
def test_a_stop_waits_for_its_price_and_becomes_a_market_order(
    desk: Any, trader: Any, direction: str, short_of: int, reached: int
) -> None:
    # Given a stop 100 away, and a book around
    trader.result("private/subscribe", channels=["session.orders", "account.orders"])
    create(trader, direction, reached, label="S")
    trade_at(desk, short_of)
    assert the_only(trader)["status"] == "active"
    desk.rest(Side.BUY, 99_800, 200)
    desk.rest(Side.SELL, 100_200, 200)
    # If the last price gets there
    desk.market.print_trade(reached, 1, Side.BUY)
    desk.engine.commit()
    # I expect a filled market order that names its origin, in the account's stream and not the session's
    stop = the_only(trader)
    (order,) = trader.notes("account.orders")[-1]["notification"]
    assert (stop["status"], stop["converted_order_id"]) == ("converted", order["order_id"])
    assert (order["order_type"], order["status"], order["insert_reason"]) == ("market", "filled", "conditional_order")
    assert (order["conditional_order_id"], order["label"], order["persistent"]) == (stop["order_id"], "S", True)
    assert "price" not in order
    assert [note["notification"] for note in trader.notes("session.orders")] == [[]]
    assert trader.result("private/open_conditional_orders") == []


def test_a_stop_limit_becomes_a_resting_order(desk: Any, trader: Any) -> None:
    create(trader, "sell", 99_900, limit_price=99_950)
    trade_at(desk, 99_900)
    (order,) = trader.result("private/open_orders")
    assert (order["price"], order["order_type"], order["time_in_force"]) == (99_950, "limit", "good_till_cancelled")


@pytest.mark.parametrize("price", [99_900, 100_300])
def test_a_bracket_triggers_on_either_side(desk: Any, trader: Any, price: int) -> None:
    create(trader, "sell", 99_900, bracket_price=100_300)
    trade_at(desk, 100_000)
    assert the_only(trader)["status"] == "active"
    trade_at(desk, price)
    assert the_only(trader)["status"] == "converted"


def test_a_trailing_stop_follows_one_way_and_triggers_on_the_way_back(desk: Any, trader: Any) -> None:
    create(trader, "sell", 99_000, trailing_stop_callback_rate=0.001)
    trade_at(desk, 100_000)
    assert the_only(trader)["stop_price"] == 99_900
    trade_at(desk, 100_050)
    assert the_only(trader)["stop_price"] == 99_949
    trade_at(desk, 100_000)
    assert the_only(trader)["stop_price"] == 99_949
    trade_at(desk, 99_949)
    assert the_only(trader)["status"] == "converted"


@pytest.mark.parametrize("target", ["mark", "index"])
def test_mark_and_index_are_watched_each_second(desk: Any, trader: Any, target: str) -> None:
    create(trader, "buy", 100_500, target=target)
    trade_at(desk, 100_600)
    assert the_only(trader)["status"] == "active"
    desk.index_price = Decimal(100_501)
    desk.scheduler.advance(2 * NS_PER_S)
    assert the_only(trader)["status"] == "converted"


def test_a_reduce_only_stop_without_position_is_rejected_when_it_triggers(desk: Any, trader: Any) -> None:
    create(trader, "sell", 99_900, reduce_only=True)
    trade_at(desk, 99_900)
    stop = the_only(trader)
    assert stop["status"] == "rejected"
    assert "nothing to reduce" in stop["reject_reason"]


def test_cancelling_one_or_all(trader: Any) -> None:
    first, _ = create(trader, "sell", 99_000), create(trader, "sell", 98_000)
    assert trader.result("private/cancel_conditional_order", order_id=first["order_id"]) is None
    assert trader.error("private/cancel_conditional_order", order_id=first["order_id"]) == 1
    assert len(trader.result("private/open_conditional_orders")) == 1
    assert trader.result("private/cancel_all") == 0
    assert len(trader.result("private/open_conditional_orders")) == 1
    assert trader.result("private/cancel_all_conditional_orders") is None
    assert trader.result("private/open_conditional_orders") == []
    history = trader.result("private/conditional_order_history", sort="ascending")
    assert [order["status"] for order in history["orders"]] == ["cancelled", "cancelled"]
    assert history["bookmark"] is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"stop_price": 99_000.5}, 15),
        ({"stop_price": 0}, 13),
        ({"amount": 0.0005}, 14),
        ({"limit_price": 99_000, "bracket_price": 101_000}, 6),
        ({"bracket_price": 98_000}, 6),
        ({"trailing_stop_callback_rate": 2}, 6),
        ({"instrument_name": "BTC-NOPE"}, 5),
        ({"target": "mid"}, 6),
    ],
)
def test_what_makes_no_sense_is_refused(trader: Any, fields: Any, code: int) -> None:
    order = {"direction": "sell", "instrument_name": PERPETUAL, "amount": 0.1, "stop_price": 99_000, **fields}
    assert trader.error("private/create_conditional_order", **order) == code
