"""Combination orders: all legs in proportion or none, at a price for the whole, and what their channels show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.listing import Listing, Products
from exchange.core.orders import NewOrder, Side
from exchange.core.scheduler import NS_PER_S

LOW, HIGH = "BTC-25DEC26-95000-C", "BTC-25DEC26-100000-C"
SPREAD = [{"instrument_name": LOW, "quantity": 1}, {"instrument_name": HIGH, "quantity": -2}]
NAME = f"[{LOW}:1,{HIGH}:-2]"
INVALID, TIME_IN_FORCE, COLLAR, DUPLICATE, OFF_TICK, AMOUNT = 6, 25, 43, 2, 15, 14


@pytest.fixture
def options(desk: Any) -> Any:
    """The desk with options at 95,000 and 100,000, each with 5 lots (0.05) at the touch and 20 behind."""
    desk.engine.listing = Listing(desk.engine, Products(), {"BTCUSD": 100_000.0})
    desk.engine.markets.clear()
    desk.engine.listing.refresh()
    desk.engine.tick(0.0)
    desk.touch = {}
    for name in (LOW, HIGH):
        market = desk.engine.market(name)
        middle = round(float(market.mark.mark_price) / 5)
        desk.touch[name] = (5 * middle - 10, 5 * middle + 10)
        for lots, away in ((5, 2), (20, 4)):
            market.rest_anonymous(Side.BUY, middle - away, lots)
            market.rest_anonymous(Side.SELL, middle + away, lots)
    desk.engine.commit()
    return desk


def order(**fields: Any) -> dict[str, Any]:
    return {"legs": SPREAD, "amount": 0.02, "order_type": "market", "time_in_force": "immediate_or_cancel", **fields}


def touch_price(desk: Any, side: str) -> int:
    """Return the price of one unit at the touch: buying takes the ask of the long leg and the bids of the short."""
    (low_bid, low_ask), (high_bid, high_ask) = desk.touch[LOW], desk.touch[HIGH]
    return int(low_ask - 2 * high_bid if side == "buy" else low_bid - 2 * high_ask)


def test_a_combination_trades_all_legs_in_proportion(options: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["session.orders", "account.trade_history"])
    done = trader.result(
        "private/buy", **order(price=touch_price(options, "buy"), order_type="limit", client_order_id=7)
    )
    assert (done["status"], done["amount"], done["filled_amount"], done["remaining_amount"]) == (
        "filled",
        0.02,
        0.02,
        0,
    )
    assert "instrument_name" not in done
    assert done["legs"] == [
        {"instrument_name": LOW, "quantity": 1, "filled_amount": 0.02, "remaining_amount": 0},
        {"instrument_name": HIGH, "quantity": -2, "filled_amount": 0.04, "remaining_amount": 0},
    ]
    fills = [(fill["leg_index"], fill["price"], fill["amount"], fill["maker_taker"]) for fill in done["fills"]]
    assert fills == [(0, options.touch[LOW][1], 0.02, "taker"), (1, options.touch[HIGH][0], 0.04, "taker")]
    # the order's stream says the same, the account has both positions, the history two trades of the one order
    assert trader.notes("session.orders")[-1]["notification"] == [done]
    assert [(p.instrument.name, p.lots) for p in options.a.positions.values()] == [(LOW, 2), (HIGH, -4)]
    trades = sorted(trader.result("private/trade_history")["trades"], key=lambda trade: trade["leg_index"])
    assert [(t["trade_type"], t["order_id"], t["direction"]) for t in trades] == [
        ("combo", done["order_id"], "buy"),
        ("combo", done["order_id"], "sell"),
    ]
    (past,) = trader.result("private/order_history")["orders"]
    assert past["legs"] == [{k: v for k, v in leg.items() if k != "remaining_amount"} for leg in done["legs"]]


def test_what_the_books_do_not_give_at_the_limit_is_cancelled(options: Any, trader: Any) -> None:
    # 0.05 of the short leg stands at the touch: 0.02 units, and the rest of it is too little for another
    done = trader.result("private/buy", **order(price=touch_price(options, "buy"), order_type="limit", amount=0.1))
    assert (done["status"], done["filled_amount"]) == ("cancelled_partially_filled", 0.02)
    assert done["delete_reason"] == "immediate_cancel"
    assert (options.a.positions[LOW].lots, options.a.positions[HIGH].lots) == (2, -4)
    # one tick worse than the touch, nothing
    nothing = trader.result("private/sell", **order(price=touch_price(options, "sell") + 5, order_type="limit"))
    assert (nothing["status"], nothing["fills"]) == ("cancelled", [])


def test_an_own_order_on_a_leg_ends_the_combination_before_it(options: Any, trader: Any) -> None:
    market = options.engine.market(LOW)
    own = NewOrder(options.a, "S9", Side.SELL, Decimal("0.01"), Decimal(options.touch[LOW][1]))
    market.insert(own)
    options.engine.commit()
    done = trader.result("private/buy", **order(amount=0.07))
    assert (done["filled_amount"], done["delete_reason"]) == (0.05, "self_trade_prevention")
    assert options.a.positions[HIGH].lots == -2 * options.a.positions[LOW].lots == -10
    none = trader.result("private/buy", **order(amount=0.07, stp_action="cancel_aggressive_no_fill"))
    assert (none["filled_amount"], none["status"]) == (0, "cancelled")


def test_the_margin_is_that_of_the_whole_and_not_of_the_legs(options: Any, trader: Any) -> None:
    legs = [{"instrument_name": LOW, "quantity": 1}, {"instrument_name": HIGH, "quantity": -1}]
    whole = trader.result("private/required_margin_for_order", legs=legs, price=0, amount=1)
    naked = trader.result("private/required_margin_for_order", instrument_name=HIGH, price=0, amount=1)
    assert whole["current"]["required_margin"] == 0
    assert 0 < whole["with_buy"]["required_margin"] < naked["with_sell"]["required_margin"] / 2
    options.a.cash = Decimal(1_000)
    assert trader.error("private/sell", **order(legs=[*legs[:1], {**legs[1], "quantity": 1}], amount=0.05)) == 24


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"legs": SPREAD[:1]}, INVALID),
        ({"legs": [SPREAD[0], SPREAD[0]]}, INVALID),
        ({"legs": [SPREAD[0], {"instrument_name": "BTC-PERPETUAL", "quantity": 1}]}, INVALID),
        ({"legs": [SPREAD[0], {"instrument_name": HIGH, "quantity": 0}]}, INVALID),
        ({"legs": [SPREAD[0], {"instrument_name": HIGH, "quantity": 0.5}]}, INVALID),
        ({"legs": [SPREAD[0], {"instrument_name": "BTC-NOPE", "quantity": 1}]}, 5),
        ({"instrument_name": LOW}, INVALID),
        ({"reduce_only": True}, INVALID),
        ({"amount": 0.005}, AMOUNT),
        ({"order_type": "limit"}, 13),
        ({"order_type": "limit", "price": 3}, OFF_TICK),
        ({"order_type": "limit", "price": 0, "time_in_force": "good_till_cancelled"}, TIME_IN_FORCE),
        ({"order_type": "limit", "price": 50_000}, COLLAR),
        ({"collar": "ignore"}, 45),
    ],
)
def test_a_combination_that_can_not_be_is_refused(options: Any, trader: Any, fields: Any, code: int) -> None:
    assert trader.error("private/buy", **order(**fields)) == code
    assert not options.a.positions


def test_channels_of_a_combination_show_what_the_legs_give_together(options: Any, trader: Any) -> None:
    names = [f"ticker.{NAME}.raw", f"lwt.{NAME}.raw", f"book.{NAME}.none.all.raw"]
    assert trader.result("public/subscribe", channels=names) == names
    (first,) = trader.notes(names[0])
    ticker = first["notification"]
    assert (ticker["best_ask_price"], ticker["best_ask_amount"]) == (touch_price(options, "buy"), 0.02)
    assert (ticker["best_bid_price"], ticker["best_bid_amount"]) == (touch_price(options, "sell"), 0.02)
    marks = [options.engine.market(name).mark.mark_price for name in (LOW, HIGH)]
    assert ticker["mark_price"] == float(marks[0] - 2 * marks[1])
    assert not {"last_price", "delta", "volume_24h", "open_interest", "iv"} & ticker.keys()
    (book,) = trader.notes(names[2])
    assert book["snapshot"] is True
    assert book["notification"]["ask_changes"][0] == [touch_price(options, "buy"), 0.02, 0.02]
    # If a leg's touch is taken, I expect all three to tell
    options.engine.market(LOW).take_anonymous(Side.BUY, 5, 10**6)
    options.engine.commit()
    assert [len(trader.notes(name)) for name in names] == [2, 2, 2]
    changes = trader.notes(names[2])[-1]["notification"]["ask_changes"]
    assert changes[0] == [touch_price(options, "buy"), 0, 0]
    options.scheduler.advance(NS_PER_S)
    assert trader.result("unsubscribe", channels=names) == names
    assert trader.error("public/subscribe", channels=[f"ticker.[{LOW}:1].raw"]) == 5


def test_a_sell_of_the_combination_mirrors_a_buy(options: Any, trader: Any) -> None:
    done = trader.result("private/sell", **order())
    assert [(fill["leg_index"], fill["price"]) for fill in done["fills"]] == [
        (0, options.touch[LOW][0]),
        (1, options.touch[HIGH][1]),
    ]
    assert "price" not in done
