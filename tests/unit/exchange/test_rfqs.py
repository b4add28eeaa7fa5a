"""Requests for quote: what they come down to, who sees and quotes them, and the trade."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.background.rfq_maker import RfqMaker
from exchange.core.listing import Listing, Products
from exchange.core.orders import OrderRejected
from exchange.core.rfq_terms import minimal_terms
from exchange.core.scheduler import NS_PER_MS, NS_PER_S

PERPETUAL, CALL, PUT = "BTC-PERPETUAL", "BTC-25DEC26-100000-C", "BTC-25DEC26-100000-P"
LEGS = [
    {"instrument_name": CALL, "amount": 0.1},
    {"instrument_name": PUT, "amount": -0.1},
    {"instrument_name": PERPETUAL, "amount": -0.1},
]
NOT_FOUND, DUPLICATE, INVALID, AMOUNT, OFF_TICK, MARGIN, LIQUIDITY = 1, 2, 6, 14, 15, 24, 41


@pytest.fixture
def listed(desk: Any) -> Any:
    desk.engine.listing = Listing(desk.engine, Products(), {"BTCUSD": 100_000.0})
    desk.engine.markets.pop("BTC-25DEC26")
    desk.engine.listing.refresh()
    desk.engine.tick(0.0)
    return desk


@pytest.fixture
def maker(listed: Any) -> Any:
    return listed.client().login(kid="K2")


def ask(trader: Any, **fields: Any) -> Any:
    return trader.result("private/create_rfq", legs=LEGS, **fields)


def quote(maker: Any, rfq: Any, direction: str, price: float, **fields: Any) -> Any:
    params = {"rfq_id": rfq["rfq_id"], "direction": direction, "price": price, "amount": 0.1}
    return maker.result("private/mm_rfq_insert_quote", **{**params, **fields})


def test_a_request_is_brought_to_whole_quantities(listed: Any) -> None:
    # the venue's own example: 10, -10 and -3.6 become 0.4 units of 25, -25 and -9
    instrument = {name: listed.engine.market(name).instrument for name in (CALL, PUT, PERPETUAL)}
    amounts = ((CALL, "10"), (PUT, "-10"), (PERPETUAL, "-3.6"))
    terms = minimal_terms([(instrument[name], Decimal(amount)) for name, amount in amounts])
    assert [leg.quantity for leg in terms.legs] == [25, -25, -9]
    assert (terms.amount, terms.step) == (Decimal("0.4"), Decimal("0.002"))
    # and a step is a whole number of lots on each leg
    assert terms.leg_lots(terms.step) == {CALL: 5, PUT: -5, PERPETUAL: -18}


@pytest.mark.parametrize(
    ("legs", "code"),
    [
        ([], INVALID),
        ([LEGS[1]], INVALID),  # nothing is bought
        ([LEGS[0], LEGS[0]], INVALID),
        ([{"instrument_name": "BTC-25DEC26-PERPETUAL", "amount": 1}], INVALID),
        ([{"instrument_name": CALL, "amount": 0.005}], AMOUNT),
        ([{"instrument_name": CALL, "amount": 0}], AMOUNT),
        ([{"instrument_name": "BTC-28JUN24-70000-C", "amount": 0.1}], 5),
        ([{"instrument_name": PERPETUAL, "amount": 100}], MARGIN),
    ],
)
def test_a_request_that_can_not_be_is_refused(listed: Any, trader: Any, legs: Any, code: int) -> None:
    assert trader.error("private/create_rfq", legs=legs) == code
    assert trader.result("private/open_rfqs") == []


def test_makers_see_a_request_and_the_requester_alone_its_quotes(listed: Any, trader: Any, maker: Any) -> None:
    maker.result("private/subscribe", channels=["mm.rfqs", "mm.rfq_quotes"])
    trader.result("private/subscribe", channels=["account.rfqs"])
    rfq = ask(trader, label="mine")
    assert [(leg["instrument_name"], leg["quantity"]) for leg in rfq["legs"]] == [(CALL, 1), (PUT, -1), (PERPETUAL, -1)]
    assert (rfq["amount"], rfq["label"], rfq["insert_reason"]) == (0.1, "mine", "client_request")
    assert trader.notes("account.rfqs")[-1]["notification"] == [{**rfq, "event": "Created"}]
    (seen,) = maker.notes("mm.rfqs")[-1]["notification"]
    assert seen == {k: v for k, v in rfq.items() if k not in ("label", "insert_reason")}
    assert maker.result("private/mm_rfqs") == [seen]
    assert trader.result("private/mm_rfqs") == []  # one does not quote one's own
    for direction, price in (("buy", -100_200), ("buy", -100_100.5), ("sell", -99_900)):
        quote(maker, rfq, direction, price)
    (now,) = trader.result("private/open_rfqs")
    assert (now["quoted_bid"], now["quoted_ask"]) == (
        {"price": -100_100.5, "amount": 0.1},
        {"price": -99_900, "amount": 0.1},
    )
    events = [note["notification"][0]["event"] for note in maker.notes("mm.rfq_quotes")[1:]]
    assert events == ["Inserted"] * 3


def test_a_trade_fills_the_best_quotes_and_adds_up_to_their_price(listed: Any, trader: Any, maker: Any) -> None:
    for client, names in (
        (maker, ["mm.rfq_quotes", "account.trade_history"]),
        (trader, ["account.rfqs", "account.rfq_history"]),
    ):
        client.result("private/subscribe", channels=names)
    trader.result("public/subscribe", channels=["rfqs"])
    rfq = ask(trader, label="mine")
    best = quote(maker, rfq, "sell", -99_950, amount=0.04, client_order_id=5, label="mm")
    quote(maker, rfq, "sell", -99_900)
    other = ask(trader)
    quote(maker, other, "buy", -100_500)
    done = trader.result("private/trade_rfq", rfq_id=rfq["rfq_id"], direction="buy", limit_price=-99_900)
    # 0.04 at -99,950 and 0.06 at -99,900
    assert (done["price"], done["amount"], done["direction"]) == (-99_920, 0.1, "buy")
    assert [(leg["instrument_name"], leg["direction"], leg["amount"]) for leg in done["legs"]] == [
        (CALL, "buy", 0.1),
        (PUT, "sell", 0.1),
        (PERPETUAL, "sell", 0.1),
    ]
    # both accounts hold the opposite, and what one paid for the legs is the price of the units
    for account, sign in ((listed.a, 1), (listed.b, -1)):
        assert [(p.instrument.name, p.lots) for p in account.positions.values()] == [
            (CALL, 10 * sign),
            (PUT, -10 * sign),
            (PERPETUAL, -100 * sign),
        ]
        assert sum(p.start_cost for p in account.positions.values()) == sign * Decimal(-9_992)
    trades = trader.result("private/trade_history")["trades"]
    assert {(t["trade_type"], t["maker_taker"], t["label"]) for t in trades} == {("rfq", "taker", "mine")}
    assert len(trades) == 6
    theirs = [t for t in maker.result("private/trade_history")["trades"] if t["order_id"] == best["order_id"]]
    assert [(t["client_order_id"], t["label"], t["maker_taker"]) for t in theirs] == [(5, "mm", "maker")] * 3
    # everybody is told; the maker's quote on the other request is gone
    assert trader.notes("rfqs")[-1]["notification"][0]["trade_price"] == -99_920
    assert trader.notes("account.rfqs")[-1]["notification"][0]["event"] == "Traded"
    events = [
        (note["notification"][0]["event"], note["notification"][0].get("delete_reason"))
        for note in maker.notes("mm.rfq_quotes")[1:]
    ]
    assert events[-3:] == [("Filled", "filled"), ("Filled", "filled"), ("Cancelled", "mm_protection")]
    assert maker.result("private/mm_rfq_quotes") == []
    (past,) = trader.result("private/rfq_history")["rfqs"]
    assert (past["delete_reason"], past["trade_amount"]) == ("filled", 0.1)
    listed.scheduler.advance(50 * NS_PER_MS)
    assert trader.notes("account.rfq_history")[-1]["notification"] == [past]
    assert [r["rfq_id"] for r in trader.result("private/open_rfqs")] == [other["rfq_id"]]


def test_a_limit_that_nobody_quotes_trades_nothing(listed: Any, trader: Any, maker: Any) -> None:
    rfq = ask(trader)
    trade = {"rfq_id": rfq["rfq_id"], "direction": "buy"}
    assert trader.error("private/trade_rfq", **trade, limit_price=5_000) == LIQUIDITY
    quote(maker, rfq, "sell", -99_900)
    assert trader.error("private/trade_rfq", **trade, limit_price=-99_901) == LIQUIDITY
    assert not listed.a.positions
    assert maker.error("private/trade_rfq", **trade, limit_price=0) == NOT_FOUND
    assert trader.result("private/cancel_rfq", rfq_id=rfq["rfq_id"]) is None
    assert trader.error("private/cancel_rfq", rfq_id=rfq["rfq_id"]) == NOT_FOUND


def test_a_quote_is_amended_deleted_and_dies_with_its_session(listed: Any, trader: Any, maker: Any) -> None:
    rfq = ask(trader)
    first = quote(maker, rfq, "sell", 10, client_order_id=1)
    amended = maker.result("private/mm_rfq_amend_quote", client_order_id=1, price=20, amount=0.05)
    assert (amended["order_id"], amended["price"], amended["amount"]) == (first["order_id"], 20, 0.05)
    assert maker.error("private/mm_rfq_amend_quote", client_order_id=1, price=20.001, amount=0.05) == OFF_TICK
    assert maker.error("private/mm_rfq_amend_quote", order_id=first["order_id"], price=20, amount=0.001) == AMOUNT
    params = {"rfq_id": rfq["rfq_id"], "direction": "sell", "price": 1, "amount": 0.1}
    assert maker.error("private/mm_rfq_insert_quote", **params, client_order_id=1) == DUPLICATE
    assert trader.error("private/mm_rfq_insert_quote", **params) == NOT_FOUND
    assert maker.result("private/mm_rfq_delete_quote", client_order_id=1) is None
    assert maker.error("private/mm_rfq_delete_quote", order_id=first["order_id"]) == NOT_FOUND
    quote(maker, rfq, "buy", -200_000)
    maker.session.on_closed()
    assert "quoted_bid" not in trader.result("private/open_rfqs")[0]


def test_the_anonymous_maker_quotes_wide_and_follows_the_marks(listed: Any, trader: Any) -> None:
    listed.engine.add_listener(RfqMaker(listed.engine))
    rfq = trader.result("private/create_rfq", legs=LEGS[:1])
    assert "quoted_bid" not in rfq
    listed.scheduler.advance(NS_PER_S)
    (seen,) = trader.result("private/open_rfqs")
    assert seen["quoted_bid"]["price"] < seen["quoted_ask"]["price"]
    listed.index_price += 5_000
    listed.scheduler.advance(90 * NS_PER_S)
    (later,) = trader.result("private/open_rfqs")
    assert later["quoted_bid"] != seen["quoted_bid"]
    done = trader.result("private/trade_rfq", rfq_id=rfq["rfq_id"], direction="sell", limit_price=-10_000_000)
    assert done["price"] == later["quoted_bid"]["price"]
    assert listed.a.positions[CALL].lots == -10
    assert seen["quoted_bid"]["price"] < later["quoted_bid"]["price"]  # a call, and the market has risen


def test_an_expiry_closes_requests_for_what_is_no_more(listed: Any, trader: Any, maker: Any) -> None:
    rfq = ask(trader)
    quote(maker, rfq, "sell", 10)
    left_s = listed.engine.market(CALL).instrument.expiry_time - listed.scheduler.realtime_ns() / NS_PER_S
    listed.engine.move_clock(left_s + 1)
    assert trader.result("private/open_rfqs") == []
    assert maker.result("private/mm_rfq_quotes") == []


def test_terms_say_what_is_wrong_with_an_amount(listed: Any) -> None:
    instrument = listed.engine.market(CALL).instrument
    with pytest.raises(OrderRejected, match=r"0.015 of BTC-25DEC26-100000-C, expected a multiple of 0.01"):
        minimal_terms([(instrument, Decimal("0.015"))])
