"""Lists of orders of which some cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import ProtocolError
from venues.thalex.order_lists import OrderLists

OWN = frozenset({"rm-live", "rm-live|stop"})


def order(order_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "order_id": order_id, "instrument_name": "X", "direction": "buy", "amount": 1, "price": 2, "status": "open",
        "label": "rm-live", "client_order_id": 7, **changed,
    }  # fmt: skip


def stop(order_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "order_id": order_id, "instrument_name": "X", "direction": "sell", "amount": 1, "stop_price": 2,
        "status": "active", "target": "mark", "label": "rm-live|stop", **changed,
    }  # fmt: skip


def payload(*orders: Any) -> bytes:
    return json.dumps(orders).encode()


@pytest.mark.parametrize(
    "changed",
    [{"status": "frozen"}, {"amount": "NaN"}, {"amount": None}, {"direction": "both", "client_order_id": None}],
)
def test_an_unreadable_order_of_somebody_else_is_left_out_and_told_once(changed: dict[str, Any]) -> None:
    told: list[str] = []
    lists = OrderLists(OWN, told.append)
    message = payload(order("1"), order("2", label="manual", **changed), order("3"))
    for _ in range(2):
        assert [report.venue_order_id for report in lists.orders(message)] == ["1", "3"]
    (line,) = told
    assert line.startswith("order 2, label 'manual': ")


def test_what_was_left_out_is_counted_until_it_is_read_or_open_no_more() -> None:
    lists, frozen = OrderLists(OWN), order("2", label="manual", status="frozen")
    lists.orders(payload(order("1"), frozen))
    lists.orders(payload(order("3")))
    assert lists.left_out == {"2"}
    lists.orders(payload({**frozen, "status": "cancelled"}))
    assert lists.left_out == set()
    assert [report.venue_order_id for report in lists.open_orders(payload(order("1"), frozen))] == ["1"]
    assert lists.left_out == {"2"}
    lists.open_orders(payload(order("1")))
    assert lists.left_out == set()


@pytest.mark.parametrize("whose", [{}, {"label": None}, {"label": ""}])
def test_an_unreadable_order_that_may_be_ours_makes_the_list_unreadable(whose: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=r"order 2, which may be ours: order status 'frozen' is not one of open"):
        OrderLists(OWN).orders(payload(order("1"), order("2", status="frozen", **whose)))


def test_who_has_no_label_of_its_own_takes_every_order_for_its_own() -> None:
    with pytest.raises(ProtocolError, match="frozen"):
        OrderLists().orders(payload(order("2", status="frozen", label="manual")))


@pytest.mark.parametrize("junk", [b"{}", b"[7]", b'[{"label": 5, "order_id": "1"}]', b"[{", b'["x"]'])
def test_what_says_not_whose_it_is_makes_the_list_unreadable(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        OrderLists(OWN).orders(junk)


def test_a_conditional_order_of_somebody_else_without_a_stop_price_is_left_out_and_ours_is_not() -> None:
    foreign, ours = stop("2", label="manual"), stop("3")
    del foreign["stop_price"]
    lists = OrderLists(OWN)
    assert [report.order_id for report in lists.conditional_orders(payload(stop("1"), foreign))] == ["1"]
    del ours["stop_price"]
    with pytest.raises(ProtocolError, match="order 3, which may be ours: unreadable message"):
        lists.conditional_orders(payload(stop("1"), ours))
