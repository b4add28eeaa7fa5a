"""The day's end at 08:00 UTC, expiries, listings, and the histories that tell of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.core.listing import Listing, Products
from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = "BTC-PERPETUAL"
FUTURE = "BTC-25DEC26"
ROLL = "BTC-25DEC26-PERPETUAL"


@pytest.fixture
def listed(desk: Any) -> Any:
    """The desk with rolls and options listed as a running exchange does it."""
    desk.engine.listing = Listing(desk.engine, Products(), {"BTCUSD": 100_000.0})
    desk.engine.markets.pop(FUTURE)
    desk.engine.listing.refresh()
    desk.engine.commit()
    desk.engine.tick(0.0)
    return desk


def to_settlement(desk: Any) -> float:
    return float(desk.engine.settlement.next_s - desk.scheduler.realtime_ns() / NS_PER_S)


def buy(client: Any, desk: Any, name: str, price: int, lots: int) -> Any:
    desk.engine.market(name).rest_anonymous(Side.SELL, price, lots)
    desk.engine.commit()
    grid = desk.engine.market(name).instrument.grid
    order = {"instrument_name": name, "price": grid.price_number(price), "amount": grid.amount_number(lots)}
    return client.result("private/buy", **order)


def test_a_settlement_tells_the_portfolio_and_the_histories(listed: Any, trader: Any) -> None:
    # Given a long position that has gained
    trader.result("private/subscribe", channels=["account.portfolio"])
    buy(trader, listed, PERPETUAL, 100_000, 100)
    listed.index_price = Decimal(100_100)
    listed.engine.tick(1.0)
    equity = listed.engine.equity(listed.a)
    # If the clock is moved past 08:00 UTC
    listed.engine.move_clock(to_settlement(listed) + 60)
    # I expect a line with the new start price, and what it brought in both histories
    (line,) = trader.notes("account.portfolio")[-1]["notification"]
    assert (line["start_price"], line["average_price"], line["realised_pnl"]) == (line["mark_price"], 100_000, 0)
    assert abs(listed.engine.equity(listed.a) - equity) < Decimal("0.1")
    (mark,) = trader.result("private/daily_mark_history")["daily_marks"]
    assert (mark["instrument_name"], mark["position"], mark["realized_position_pnl"]) == (PERPETUAL, 0.1, 10)
    lines = trader.result("private/transaction_history")["transactions"]
    assert sum(Decimal(str(each["amount"])) for each in lines) == listed.a.cash - 100_000
    assert lines[0]["balance_after"] == float(listed.a.cash)


def test_a_settlement_tells_what_it_realised_and_not_what_trades_did_before(listed: Any, trader: Any) -> None:
    # Given a long position of which half was sold again, with the funding that it had paid
    market = listed.engine.market(PERPETUAL)
    market.mark.forced_rate = Decimal("0.5")
    buy(trader, listed, PERPETUAL, 100_000, 100)
    listed.scheduler.advance(60 * NS_PER_S)
    market.rest_anonymous(Side.BUY, 100_050, 50)
    listed.engine.commit()
    trader.result("private/sell", instrument_name=PERPETUAL, price=100_050, amount=0.05)
    trade = trader.result("private/trade_history")["trades"][0]
    assert trade["perpetual_funding_pnl"] < 0
    (line,) = trader.result("private/portfolio")
    # If the day is settled in the next moment
    market.mark.forced_rate = Decimal(0)
    listed.engine.move_clock(to_settlement(listed))
    # I expect its line to tell what was unrealised until then, and the cash to have all of it
    (mark,) = trader.result("private/daily_mark_history")["daily_marks"]
    assert (mark["position"], mark["realized_funding_pnl"]) == (0.05, line["unrealised_perpetual_funding"])
    assert mark["realized_position_pnl"] == pytest.approx((mark["mark_price"] - 100_000) * 0.05)
    told = trader.result("private/transaction_history")["transactions"]
    (paid,) = [each["amount"] for each in told if each["transaction_type"] == "perpetual funding"]
    assert paid == pytest.approx(trade["perpetual_funding_pnl"] + mark["realized_funding_pnl"], abs=1e-9)
    # ... and nothing of what is held no more
    market.rest_anonymous(Side.BUY, 100_000, 50)
    listed.engine.commit()
    trader.result("private/sell", instrument_name=PERPETUAL, price=100_000, amount=0.05)
    listed.engine.move_clock(to_settlement(listed))
    assert len(trader.result("private/daily_mark_history")["daily_marks"]) == 1


def test_a_future_expires_at_the_average_of_the_last_half_hour(listed: Any, trader: Any) -> None:
    # Given a position and an order in the future, and the clock half an hour before its expiry
    trader.result("private/subscribe", channels=["account.portfolio", "account.orders"])
    trader.result("public/subscribe", channels=["instruments", "price_index.BTCUSD"])
    buy(trader, listed, FUTURE, 100_000, 100)
    trader.result("private/buy", instrument_name=FUTURE, price=99_500, amount=0.1)
    expiry_s = listed.engine.market(FUTURE).instrument.expiry_time
    listed.engine.move_clock(expiry_s - listed.scheduler.realtime_ns() / NS_PER_S - 1_800)
    # If the index is 100,200 for one half of it and 100,400 for the other
    for price in (100_200, 100_400):
        listed.index_price = Decimal(price)
        listed.scheduler.advance(900 * NS_PER_S)
    listed.scheduler.advance(5 * NS_PER_S)
    # I expect the order gone, the position closed near 100,300 by an expiration
    (order,) = trader.notes("account.orders")[-1]["notification"]
    assert order["delete_reason"] == "instrument_deactivated"
    trade = trader.result("private/trade_history", instrument_names=FUTURE)["trades"][0]
    assert (trade["trade_type"], trade["direction"], trade["position_after"]) == ("expiration", "sell", 0)
    assert abs(trade["price"] - 100_300) < 2
    assert trader.notes("account.portfolio")[-1]["notification"][0]["position"] == 0
    assert trader.result("private/portfolio") == []
    # and the instrument replaced by the next quarter's, both told
    changes = [item for note in trader.notes("instruments")[1:] for item in note["notification"]]
    assert FUTURE in [item["removed"]["instrument_name"] for item in changes if "removed" in item]
    assert "BTC-26MAR27" in [item["added"]["instrument_name"] for item in changes if "added" in item]
    assert trader.error("public/ticker", instrument_name=FUTURE) == 5
    assert trader.result("public/instrument", instrument_name=FUTURE)["settlement_price"] == trade["price"]
    names = {each["instrument_name"] for each in trader.result("public/instruments")}
    assert FUTURE not in names
    assert FUTURE in {each["instrument_name"] for each in trader.result("public/all_instruments")}
    # and the print told while it went on
    during = [
        n["notification"] for n in trader.notes("price_index.BTCUSD") if "expiration_progress" in n["notification"]
    ]
    assert 0 <= during[0]["expiration_progress"] < during[-1]["expiration_progress"] < 1
    assert 100_200 <= during[-1]["expiration_print_average"] <= 100_300


def test_a_roll_fills_as_one_trade_in_each_leg(listed: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["account.trade_history", "account.portfolio", "session.orders"])
    order = buy(trader, listed, ROLL, -20, 200)
    assert (order["instrument_name"], order["price"], order["status"]) == (ROLL, -20, "filled")
    listed.scheduler.advance(NS_PER_S)
    far, near = trader.notes("account.trade_history")[-1]["notification"]
    assert [(t["instrument_name"], t["direction"], t["leg_index"]) for t in (far, near)] == [
        (FUTURE, "buy", 0),
        (PERPETUAL, "sell", 1),
    ]
    assert far["price"] - near["price"] == -20
    assert far["fee_rate"] == near["fee_rate"] == 0.00025
    assert {e["instrument_name"]: e["position"] for e in trader.result("private/portfolio")} == {
        FUTURE: 0.2,
        PERPETUAL: -0.2,
    }


def test_options_are_listed_with_black_76_marks(listed: Any, trader: Any) -> None:
    options = trader.result("public/instruments", instrument_type="options")
    assert len(options) == 14
    assert {each["option_type"] for each in options} == {"call", "put"}
    by_type = {each["option_type"]: each for each in options if each["strike_price"] == 100_000}
    call, put = (trader.result("public/ticker", instrument_name=by_type[kind]["instrument_name"]) for kind in by_type)
    assert call["forward"] == put["forward"]
    # put-call parity at a zero rate
    assert abs(call["mark_price"] - put["mark_price"] - (call["forward"] - 100_000)) < 0.05
    assert 0.5 < call["delta"] < 0.7
    assert abs(call["delta"] - put["delta"] - 1) < 1e-5
    assert abs(call["collar_high"] - 1.25 * call["mark_price"]) < 5
    assert call["iv"] > 0.4


@pytest.mark.parametrize(
    ("name", "rows"),
    [("lwt_options.BTCUSD.all.1000ms", 8), ("lwt_futures.BTCUSD.raw", 8), ("lwt_future_rolls.BTCUSD.100ms", 6)],
)
def test_light_tickers_of_a_kind_come_together(listed: Any, trader: Any, name: str, rows: int) -> None:
    trader.result("public/subscribe", channels=[name])
    (first,) = trader.notes(name)
    tickers = first["notification"]["tickers"]
    assert {"lwt_options": 14, "lwt_futures": 2, "lwt_future_rolls": 1}[name.split(".")[0]] == len(tickers)
    assert len(next(iter(tickers.values()))) in (rows, 6)
    listed.index_price = Decimal(100_050)
    listed.scheduler.advance(3 * NS_PER_S)
    assert len(trader.notes(name)) >= 2


def test_streams_of_an_underlying_say_what_they_should(listed: Any, trader: Any) -> None:
    names = ["underlying_statistics.BTCUSD", "index_components.BTCUSD", "base_price.BTCUSD.2026-12-25", "banners"]
    names += ["instruments.options.BTCUSD.all", "recent_trades.BTCUSD.future_rolls", "rfqs"]
    assert trader.result("public/subscribe", channels=[*names, "base_price.BTCUSD.2026-12-26"]) == names
    buy(trader, listed, PERPETUAL, 100_000, 100)
    listed.scheduler.advance(NS_PER_S)
    statistics = trader.notes(names[0])[-1]["notification"]
    assert (statistics["delta_one_volume_24h"], statistics["open_interest"]["totals"]["delta_one"]) == (0.1, 0.1)
    components = trader.notes(names[1])[-1]["notification"]
    assert sum(components["components"].values()) / len(components["components"]) == components["index_price"]
    assert trader.notes(names[2])[0]["notification"]["base_name"] == FUTURE
    assert trader.notes("banners")[0]["notification"] == []
    assert len(trader.notes(names[4])[0]["notification"]) == 14


def test_marks_and_index_have_a_history_of_candles(listed: Any, trader: Any) -> None:
    start_s = listed.scheduler.realtime_ns() // NS_PER_S
    for price in (100_000, 100_300, 99_900, 100_100):
        listed.index_price = Decimal(price)
        listed.scheduler.advance(30 * NS_PER_S)
    span = {"from": start_s - 3_600, "to": start_s + 3_600}
    index = trader.result("public/index_price_historical_data", index_name="BTCUSD", resolution="1h", **span)
    assert index["index"][0][1:] == [100_000, 100_300, 99_900, 100_100]
    minutes = trader.result("public/index_price_historical_data", index_name="BTCUSD", resolution="1m", **span)
    assert len(minutes["index"]) in (2, 3)
    mark = trader.result("public/mark_price_historical_data", instrument_name=PERPETUAL, resolution="1m", **span)
    assert mark["instrument_type"] == "perpetual"
    assert {len(row) for row in mark["mark"]} == {7}
    assert trader.error("public/index_price_historical_data", index_name="XUSD", resolution="1m", **span) == 40
    assert trader.error("public/index_price_historical_data", index_name="BTCUSD", resolution="2m", **span) == 6
