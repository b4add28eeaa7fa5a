"""What an order, a quote and a conditional order may say beside price and size, in the venue's exact words."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.order import OrderType, Side, TimeInForce
from venues.conditional import NewConditionalOrder
from venues.gateway import NewOrder, SelfTradePrevention
from venues.quoting import MassQuote, QuotedSide
from venues.thalex.conditional_wire import create_params, decode_conditional_orders
from venues.thalex.quote_wire import encode_mass_quote
from venues.thalex.wire import encode_insert

IOC = TimeInForce.IMMEDIATE_OR_CANCEL
NO_FILL = SelfTradePrevention("account", "cancel_aggressive_no_fill")


def params_of(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"price": Decimal(100), **changes}
    order = NewOrder(client_order_id=1, instrument_name="BTC-PERPETUAL", side=Side.BUY, size=Decimal("0.1"), **fields)
    params: dict[str, Any] = json.loads(encode_insert(1, order))["params"]
    return params


def test_what_is_left_to_the_venue_is_not_sent() -> None:
    assert set(params_of()) == {"direction", "instrument_name", "amount", "client_order_id", "price"}


def test_an_order_that_closes_a_position_at_once() -> None:
    params = params_of(time_in_force=IOC, reduce_only=True, collar="clamp")
    assert (params["time_in_force"], params["reduce_only"], params["collar"]) == ("immediate_or_cancel", True, "clamp")
    assert "order_type" not in params


def test_self_trade_prevention_is_said_on_every_way_to_an_order() -> None:
    said = {"stp_level": "account", "stp_action": "cancel_aggressive_no_fill"}
    assert said.items() <= params_of(stp=NO_FILL).items()
    sides = (QuotedSide("X", Side.BUY, ((Decimal(1), Decimal(1)),)),)
    quote = json.loads(encode_mass_quote(1, MassQuote(quote_id=1, sides=sides, stp=NO_FILL)))
    assert said.items() <= quote["params"].items()
    assert said.items() <= create_params(stop(stp=NO_FILL)).items()
    assert params_of(stp=SelfTradePrevention(action="cancel_aggressive_no_fill")).keys().isdisjoint({"stp_level"})


@pytest.mark.parametrize("changes", [{"time_in_force": IOC}, {"order_type": OrderType.MARKET, "price": None}])
def test_an_order_that_takes_cannot_be_post_only(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="post-only"):
        params_of(post_only=True, **changes)


def stop(**changes: Any) -> NewConditionalOrder:
    return NewConditionalOrder(
        instrument_name="BTC-PERPETUAL", side=Side.SELL, size=Decimal("0.1"), stop_price=Decimal(95000), **changes
    )


def test_a_trailing_stop_in_the_venues_words() -> None:
    order = stop(callback_rate=Decimal("0.05"), target="mark", reduce_only=True, label="rm|stop")
    assert create_params(order) == {
        "direction": "sell", "instrument_name": "BTC-PERPETUAL", "amount": Decimal("0.1"),
        "stop_price": Decimal(95000), "target": "mark", "reduce_only": True,
        "trailing_stop_callback_rate": Decimal("0.05"), "label": "rm|stop",
    }  # fmt: skip


def test_kinds_that_the_venue_does_not_combine_are_refused_before() -> None:
    with pytest.raises(ValueError, match="at most one"):
        create_params(stop(limit_price=Decimal(94000), bracket_price=Decimal(101000)))


@pytest.mark.parametrize(
    ("status", "is_open"),
    [("created", True), ("active", True), ("cancel requested", True), ("converted", False), ("rejected", False),
     ("cancelled", False)],
)  # fmt: skip
def test_only_what_may_still_trigger_is_open(status: str, is_open: bool) -> None:
    payload = json.dumps([{
        "order_id": "1", "instrument_name": "X", "direction": "buy", "amount": 1, "target": "last", "stop_price": 2,
        "status": status, "create_time": 1.0, "update_time": 1.0, "reduce_only": False,
    }]).encode()  # fmt: skip
    (report,) = decode_conditional_orders(payload)
    assert report.is_open is is_open
    assert (report.side, report.label, report.callback_rate) == (Side.BUY, "", None)
