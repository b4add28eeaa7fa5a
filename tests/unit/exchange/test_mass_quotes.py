"""Mass quotes over the wire, and the protection that takes them back."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.core.orders import Side

PERPETUAL = "BTC-PERPETUAL"
PRODUCT = "FBTCUSD"


@pytest.fixture
def quoter(desk: Any) -> Any:
    """A session that is armed, protected for 0.5 and subscribed to what happens to it."""
    client = desk.client().login()
    client.result("private/set_cancel_on_disconnect", timeout_secs=60)
    client.result("private/subscribe", channels=["session.orders", "session.mm_protection"])
    client.result("private/set_mm_protection", product=PRODUCT, trade_amount=0.5, quote_amount=1)
    return client


def quote(client: Any, bids: Any = None, asks: Any = None, **fields: Any) -> Any:
    item = {"i": PERPETUAL, **({} if bids is None else {"b": bids}), **({} if asks is None else {"a": asks})}
    return client.result("private/mass_quote", quotes=[item], **fields)


def resting(client: Any) -> list[tuple[str, float, float]]:
    orders = client.result("private/open_orders")
    return sorted((order["direction"], order["price"], order["remaining_amount"]) for order in orders)


def protection(client: Any) -> list[tuple[float, str]]:
    notes = client.notes("session.mm_protection")
    return [(item["remaining_amount"], item["reason"]) for note in notes for item in note["notification"]]


def reasons(client: Any) -> list[str]:
    notes = client.notes("session.orders")
    return [order["delete_reason"] for note in notes for order in note["notification"] if "delete_reason" in order]


def test_both_forms_of_a_side_are_quoted_and_each_quote_is_an_order(quoter: Any) -> None:
    result = quote(quoter, {"p": 99_990, "a": 0.1}, [[100_010, 0.1], [100_020, 0.2]], post_only=True, label="mm")
    assert result == {"n_success": 3, "n_fail": 0, "errors": []}
    assert resting(quoter) == [("buy", 99_990, 0.1), ("sell", 100_010, 0.1), ("sell", 100_020, 0.2)]
    order = quoter.result("private/open_orders")[0]
    assert (order["label"], order["persistent"], order["time_in_force"]) == ("mm", False, "good_till_cancelled")
    assert "client_order_id" not in order


def test_the_next_quote_replaces_the_side_and_leaves_the_omitted_one(quoter: Any) -> None:
    quote(quoter, [[99_990, 0.1]], [[100_010, 0.1]])
    quote(quoter, [[99_991, 0.1]])
    assert resting(quoter) == [("buy", 99_991, 0.1), ("sell", 100_010, 0.1)]
    assert reasons(quoter) == ["replaced"]


def test_an_identical_quote_keeps_its_order(quoter: Any) -> None:
    quote(quoter, [[99_990, 0.1], [99_980, 0.1]])
    before = {order["price"]: order["order_id"] for order in quoter.result("private/open_orders")}
    assert quote(quoter, [[99_990, 0.1], [99_970, 0.1]])["n_success"] == 2
    after = {order["price"]: order["order_id"] for order in quoter.result("private/open_orders")}
    assert after[99_990] == before[99_990]
    assert set(after) == {99_990, 99_970}


@pytest.mark.parametrize("cleared", [[], {"p": 1, "a": 0}, {"a": 0}])
def test_an_empty_list_or_an_amount_of_0_clears_a_side(quoter: Any, cleared: Any) -> None:
    quote(quoter, [[99_990, 0.1], [99_980, 0.1]])
    assert quote(quoter, cleared) == {"n_success": 1, "n_fail": 0, "errors": []}
    assert resting(quoter) == []


def test_a_quoter_that_moves_through_its_old_quotes_does_not_meet_them(quoter: Any) -> None:
    quote(quoter, [[99_990, 0.1]], [[100_010, 0.1]])
    quote(quoter, [[100_015, 0.1]], [[100_035, 0.1]])
    assert resting(quoter) == [("buy", 100_015, 0.1), ("sell", 100_035, 0.1)]


def test_the_later_of_two_quotes_for_a_side_wins(quoter: Any) -> None:
    items = [{"i": PERPETUAL, "b": {"p": 99_990, "a": 0.1}}, {"i": PERPETUAL, "b": {"p": 99_980, "a": 0.1}}]
    quoter.result("private/mass_quote", quotes=items)
    assert resting(quoter) == [("buy", 99_980, 0.1)]


def test_each_bad_quote_has_its_code_and_the_others_are_placed(quoter: Any) -> None:
    # Given one good side and bad ones beside it
    quotes = [
        {"i": PERPETUAL, "b": {"p": 99_990.5, "a": 0.1}, "a": {"p": 100_010, "a": 0.1}},
        {"i": "BTC-NOPE", "b": {"p": 1, "a": 1}},
    ]
    result = quoter.result("private/mass_quote", quotes=quotes)
    # I expect the good one at the venue and the reasons of the others
    assert (result["n_success"], result["n_fail"]) == (1, 2)
    assert [(error["code"], error["side"]) for error in result["errors"]] == [(15, "buy"), (5, "buy")]
    assert resting(quoter) == [("sell", 100_010, 0.1)]
    assert quote(quoter, {"p": 99_990, "a": 1.5})["errors"][0]["code"] == 44
    assert quote(quoter, [[99_000 - n, 0.01] for n in range(11)])["errors"][0]["code"] == 6


def test_without_protection_or_session_or_permission_there_are_no_quotes(desk: Any) -> None:
    client = desk.client().login()
    item = {"i": PERPETUAL, "b": {"p": 99_990, "a": 0.1}}
    assert client.error("private/mass_quote", quotes=[item]) == 52
    client.result("private/set_cancel_on_disconnect", timeout_secs=60)
    assert quote(client, {"p": 99_990, "a": 0.1})["errors"][0]["code"] == 23
    desk.a.may_quote = False
    assert client.error("private/mass_quote", quotes=[item]) == 51


def test_what_has_traded_uses_the_protection_up_and_the_rest_is_cancelled(desk: Any, quoter: Any) -> None:
    # Given two levels of 0.4 under a protection of 0.5
    quote(quoter, [[99_990, 0.4], [99_980, 0.4]], [[100_010, 0.4]])
    # If 0.15 trades, and then one aggressor takes 0.45
    desk.take(Side.SELL, 150, 99_990)
    assert protection(quoter) == [(0.5, "refill"), (0.35, "executions")]
    desk.take(Side.SELL, 450, 99_980)
    # I expect it overshot, all quotes gone, and no new ones until it is set again
    assert protection(quoter)[-1] == (-0.1, "executions")
    assert resting(quoter) == []
    assert reasons(quoter) == ["filled", "mm_protection", "mm_protection"]
    assert quote(quoter, {"p": 99_990, "a": 0.1})["errors"][0]["code"] == 23
    quoter.result("private/set_mm_protection", product=PRODUCT, trade_amount=0.2, quote_amount=0.2)
    assert quote(quoter, {"p": 99_990, "a": 0.1})["n_success"] == 1


def test_orders_of_the_same_session_do_not_use_the_protection(desk: Any, quoter: Any) -> None:
    order = {"direction": "buy", "instrument_name": PERPETUAL, "price": 99_990, "amount": 0.6}
    quoter.result("private/insert", **order)
    desk.take(Side.SELL, 600, 99_990)
    assert protection(quoter) == [(0.5, "refill")]


def test_cancel_mass_quote_takes_quotes_of_all_sessions_and_leaves_orders(desk: Any, quoter: Any) -> None:
    other = desk.client().login()
    other.result("private/set_cancel_on_disconnect", timeout_secs=60)
    other.result("private/set_mm_protection", product=PRODUCT, amount=1)
    quote(other, [[99_970, 0.1]])
    quote(quoter, [[99_990, 0.1]])
    quoter.result(
        "private/insert", direction="buy", instrument_name=PERPETUAL, price=99_000, amount=0.1, client_order_id=1
    )
    assert quoter.result("private/cancel_mass_quote") is None
    assert resting(quoter) == [("buy", 99_000, 0.1)]
    assert protection(quoter)[-1] == (0, "client_cancel")
    assert quote(quoter, {"p": 99_990, "a": 0.1})["errors"][0]["code"] == 23


def test_the_end_of_the_session_takes_quotes_and_groups(desk: Any, quoter: Any) -> None:
    quote(quoter, [[99_990, 0.1]])
    quoter.result("private/cancel_session")
    assert protection(quoter)[-1] == (0, "session_end")
    assert resting(quoter) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"product": "XBTCUSD", "trade_amount": 1, "quote_amount": 1}, 17),
        ({"product": PRODUCT, "trade_amount": 2, "quote_amount": 1}, 14),
        ({"product": PRODUCT, "trade_amount": 1}, 14),
    ],
)
def test_a_protection_that_makes_no_sense_is_refused(quoter: Any, fields: Any, code: int) -> None:
    assert quoter.error("private/set_mm_protection", **fields) == code
