"""Requests over the wire: envelope, each error code, orders, bulk cancels, rate limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_MS, NS_PER_S

PERPETUAL = "BTC-PERPETUAL"


def insert(client: Any, price: float | None = 99_990, amount: float = 0.01, **fields: Any) -> Any:
    params = {"direction": "buy", "instrument_name": PERPETUAL, "price": price, "amount": amount, **fields}
    return client.result("private/insert", **params)


def insert_error(client: Any, price: float | None = 99_990, amount: Any = 0.01, **fields: Any) -> int:
    params = {"direction": "buy", "instrument_name": PERPETUAL, "price": price, "amount": amount, **fields}
    return int(client.error("private/insert", **params))


# -- envelope ----------------------------------------------------------------------------------


def test_a_response_starts_with_the_id_and_has_a_result_even_when_null(trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=5)
    trader.session.on_frame(b'{"method":"private/cancel_session","params":{},"id":9}')
    assert trader.frames[-1] == b'{"id":9,"result":null}'


def test_a_request_without_id_is_answered_with_null(trader: Any) -> None:
    trader.session.on_frame(b'{"method":"private/cancel_all","params":{}}')
    assert trader.frames[-1] == b'{"id":null,"result":0}'


def test_jsonrpc_in_a_request_is_tolerated_and_never_answered(trader: Any) -> None:
    trader.session.on_frame(b'{"jsonrpc":"2.0","method":"private/cancel_all","params":{},"id":"x"}')
    assert trader.frames[-1] == b'{"id":"x","result":0}'


@pytest.mark.parametrize(
    "frame",
    [
        b"nonsense",
        b"[]",
        b"",
        b'{"id":1}',
        b'{"id":1,"method":"public/instruments"}',
        b'{"id":1,"method":3,"params":{}}',
    ],
)
def test_what_is_no_request_gets_code_6(trader: Any, frame: bytes) -> None:
    trader.session.on_frame(frame)
    reply = msgspec.json.decode(trader.frames[-1])
    assert reply["error"]["code"] == 6
    assert reply["id"] == (1 if b'"id":1' in frame else None)


def test_notifications_start_with_the_channel_and_name_the_snapshot_only_when_true(desk: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["session.orders"])
    assert trader.frames[-1] == b'{"channel_name":"session.orders","notification":[],"snapshot":true}'
    insert(trader)
    (first, second) = trader.notes("session.orders")
    assert first["snapshot"] is True
    assert "snapshot" not in second


# -- errors ------------------------------------------------------------------------------------


def test_each_kind_of_bad_order_has_its_code(trader: Any) -> None:
    assert trader.error("private/cancel", order_id="nope") == 1
    assert trader.error("private/amend", client_order_id=77, price=1, amount=1) == 1
    insert(trader, client_order_id=5)
    assert insert_error(trader, client_order_id=5) == 2
    assert insert_error(trader, instrument_name="BTC-NOPE") == 5
    assert insert_error(trader, price="99990") == 6
    assert insert_error(trader, label="no spaces allowed") == 6
    assert insert_error(trader, label="x" * 65) == 6


def test_each_kind_of_bad_number_has_its_code(trader: Any) -> None:
    assert insert_error(trader, price=None) == 13
    assert insert_error(trader, price=0) == 13
    assert insert_error(trader, price=-5) == 13
    assert insert_error(trader, amount=0) == 14
    assert insert_error(trader, amount=0.0105) == 14
    assert insert_error(trader, amount=None) == 14
    assert insert_error(trader, amount=1e300) == 14
    assert insert_error(trader, price=99_990.5) == 15


def test_price_is_checked_before_amount(trader: Any) -> None:
    assert insert_error(trader, price=99_990.5, amount=0.0105) == 15


def test_flags_that_exclude_each_other_have_their_codes(trader: Any) -> None:
    assert insert_error(trader, time_in_force="immediate_or_cancel", post_only=True) == 25
    assert insert_error(trader, price=None, order_type="market", time_in_force="good_till_cancelled") == 25
    assert insert_error(trader, price=None, order_type="market", collar="ignore") == 45
    assert insert_error(trader, price=102_000) == 43
    assert insert_error(trader, reduce_only=True) == 14


def test_unknown_methods_get_31_and_admin_is_one_of_them_unless_allowed(make_desk: Any) -> None:
    client = make_desk().client()
    assert client.error("private/nonsense") == 31
    assert client.error("admin/stats") == 31
    assert make_desk(admin=True).client().result("admin/stats")["sessions"] == 1


def test_private_methods_before_login_get_7(desk: Any) -> None:
    client = desk.client()
    assert client.error("private/insert", direction="buy") == 7
    assert client.error("private/subscribe", channels=["session.orders"]) == 7


def test_float_noise_below_eight_decimals_is_forgiven(trader: Any) -> None:
    assert insert(trader, amount=0.1 + 0.2)["amount"] == 0.3
    assert insert(trader, price=99_990.0000000001)["price"] == 99_990


# -- orders ------------------------------------------------------------------------------------


def test_an_insert_answers_the_whole_order(desk: Any, trader: Any) -> None:
    order = insert(trader, amount=0.2, client_order_id=100, label="P", post_only=True)
    assert order | {"order_id": "", "create_time": 0} == {
        "order_id": "",
        "order_type": "limit",
        "time_in_force": "good_till_cancelled",
        "instrument_name": PERPETUAL,
        "direction": "buy",
        "price": 99_990,
        "amount": 0.2,
        "filled_amount": 0,
        "remaining_amount": 0.2,
        "label": "P",
        "client_order_id": 100,
        "status": "open",
        "fills": [],
        "change_reason": "insert",
        "insert_reason": "client_request",
        "create_time": 0,
        "persistent": True,
    }


def test_a_client_order_id_is_free_again_once_its_order_is_closed(trader: Any) -> None:
    insert(trader, client_order_id=2**64 - 1)
    cancelled = trader.result("private/cancel", client_order_id=2**64 - 1)
    assert (cancelled["status"], cancelled["delete_reason"]) == ("cancelled", "client_cancel")
    assert cancelled["remaining_amount"] == 0
    assert insert(trader, client_order_id=2**64 - 1)["status"] == "open"
    assert insert_error(trader, client_order_id=2**64) == 6


def test_client_order_ids_belong_to_their_session(desk: Any, trader: Any) -> None:
    other = desk.client().login()
    insert(trader, client_order_id=1)
    insert(other, client_order_id=1)
    assert other.result("private/cancel", client_order_id=1)["status"] == "cancelled"
    assert len(trader.result("private/open_orders")) == 1


def test_an_order_is_named_by_exactly_one_id(trader: Any) -> None:
    order_id = insert(trader, client_order_id=1)["order_id"]
    assert trader.error("private/cancel") == 6
    assert trader.error("private/cancel", order_id=order_id, client_order_id=1) == 6
    assert trader.result("private/amend", order_id=order_id, price=99_980, amount=0.01)["price"] == 99_980


def test_buy_and_sell_are_insert_with_a_side(trader: Any) -> None:
    assert trader.result("private/buy", instrument_name=PERPETUAL, price=99_990, amount=0.01)["direction"] == "buy"
    assert trader.result("private/sell", instrument_name=PERPETUAL, price=100_010, amount=0.01)["direction"] == "sell"


def test_an_amend_to_nothing_deletes(trader: Any) -> None:
    insert(trader, client_order_id=1)
    amended = trader.result("private/amend", client_order_id=1, price=99_990, amount=0)
    assert (amended["change_reason"], amended["status"]) == ("amend", "cancelled")


def test_a_fill_says_its_new_fills_and_existing_says_all(desk: Any, trader: Any) -> None:
    # Given an order that fills twice
    trader.result("private/subscribe", channels=["session.orders"])
    insert(trader, amount=0.01)
    desk.take(Side.SELL, 3, 99_000)
    desk.take(Side.SELL, 4, 99_000)
    # If all is asked for
    (order,) = trader.result("private/open_orders")
    # I expect each update with its own fill, the whole list in the answer
    amounts = [[f["amount"] for f in note["notification"][0]["fills"]] for note in trader.notes("session.orders")[1:]]
    assert amounts == [[], [0.003], [0.004]]
    assert [fill["amount"] for fill in order["fills"]] == [0.003, 0.004]
    assert (order["change_reason"], order["status"]) == ("existing", "partially_filled")
    assert order["remaining_amount"] == 0.003


def test_a_market_order_answers_with_its_final_state(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_001, 50)
    order = insert(trader, price=None, order_type="market")
    assert (order["status"], order["delete_reason"]) == ("filled", "filled")
    assert order["time_in_force"] == "immediate_or_cancel"
    assert "price" not in order
    assert order["fills"][0]["maker_taker"] == "taker"


def test_cancel_all_takes_every_order_of_the_account(desk: Any, trader: Any) -> None:
    other = desk.client().login()
    insert(trader)
    insert(other)
    assert trader.result("private/cancel_all") == 2
    assert trader.result("private/cancel_all") == 0
    assert other.result("private/open_orders") == []


def test_cancel_session_needs_cancel_on_disconnect_and_spares_persistent_orders(trader: Any) -> None:
    assert trader.error("private/cancel_session") == 52
    assert insert(trader)["persistent"] is True
    assert trader.result("private/set_cancel_on_disconnect", timeout_secs=5) == {"message_rate": 50}
    assert insert(trader)["persistent"] is False
    trader.result("private/cancel_session")
    (left,) = trader.result("private/open_orders")
    assert left["persistent"] is True


def test_conditional_orders_are_none(trader: Any) -> None:
    assert trader.result("private/open_conditional_orders") == []
    assert trader.result("private/cancel_all_conditional_orders") is None


@pytest.mark.parametrize("first", [True, False])
def test_notifications_come_before_or_after_the_response_as_set(make_desk: Any, first: bool) -> None:
    client = make_desk(notifications_first=first).client().login()
    client.result("private/subscribe", channels=["session.orders"])
    insert(client)
    kinds = ["note" if frame.startswith(b'{"channel_name":') else "reply" for frame in client.frames[-2:]]
    assert kinds == (["note", "reply"] if first else ["reply", "note"])


# -- rates and latency -------------------------------------------------------------------------


def test_ten_orders_a_second_without_and_fifty_with_cancel_on_disconnect(desk: Any, trader: Any) -> None:
    # Given a full bucket of 10
    for _ in range(10):
        insert(trader)
    assert insert_error(trader) == 4
    # If cancel on disconnect is armed, I expect 40 more at once, and 50 after a second
    trader.result("private/set_cancel_on_disconnect", timeout_secs=60)
    for _ in range(40):
        insert(trader)
    assert insert_error(trader) == 4
    desk.scheduler.advance(NS_PER_S)
    for _ in range(50):
        insert(trader)
    assert insert_error(trader) == 4
    # and cancels in a bucket of their own
    assert trader.result("private/cancel_all") == 100


def test_latency_delays_requests_and_keeps_their_order(make_desk: Any) -> None:
    desk = make_desk(latency_ns=5 * NS_PER_MS)
    client = desk.client()
    for number in range(3):
        client.session.on_frame(msgspec.json.encode({"method": "public/system_info", "params": {}, "id": number}))
        desk.scheduler.advance(NS_PER_MS)
    assert client.frames == []
    desk.scheduler.advance(5 * NS_PER_MS)
    assert [msgspec.json.decode(frame)["id"] for frame in client.frames] == [0, 1, 2]


def test_mark_history_tells_the_top_of_the_book_a_minute_and_says_when_there_is_nothing(desk: Any, trader: Any) -> None:
    desk.rest(Side.BUY, 99_990, 100)
    desk.scheduler.advance(61 * NS_PER_S)
    now_s = desk.scheduler.realtime_ns() / NS_PER_S
    ask = {"instrument_name": PERPETUAL, "from": 0, "to": now_s}
    minutes = trader.result("public/mark_price_historical_data", **ask, resolution="1m")
    assert minutes["instrument_type"] == "perpetual"
    assert [len(row) for row in minutes["mark"]] == [7, 7]  # time, ohlc, funding, top of the book
    assert minutes["mark"][-1][6] == [99_990, 0.1, None, None]
    assert "no_data" not in minutes
    (hour,) = trader.result("public/mark_price_historical_data", **ask, resolution="1h")["mark"]
    assert hour[6] is None
    early = trader.result(
        "public/index_price_historical_data", **{"index_name": "BTCUSD", "from": 0, "to": 60}, resolution="1m"
    )
    assert early == {"index": [], "no_data": True}


def test_only_a_trade_that_closes_tells_what_it_realised(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_000, 200)
    desk.rest(Side.BUY, 99_990, 200)
    for direction in ("buy", "sell"):
        trader.result(f"private/{direction}", instrument_name=PERPETUAL, amount=0.1, order_type="market")
    closing, opening = trader.result("private/trade_history")["trades"]
    assert (closing["position_pnl"], closing["perpetual_funding_pnl"]) == (-1, 0)
    assert not {"position_pnl", "perpetual_funding_pnl"} & opening.keys()
