"""Login rules, cancel on disconnect, and the exchange's own log."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exchange.core.orders import Side
from exchange.core.scheduler import NS_PER_S

PERPETUAL = "BTC-PERPETUAL"


def insert(client: Any, **fields: Any) -> Any:
    params = {"direction": "buy", "instrument_name": PERPETUAL, "price": 99_990, "amount": 0.01, **fields}
    return client.result("private/insert", **params)


# -- login -------------------------------------------------------------------------------------


def test_a_good_token_answers_the_account(desk: Any) -> None:
    assert desk.client().result("public/login", token=desk.token()) == {"account_number": "A1"}


def test_a_token_of_another_key_is_refused(desk: Any) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = desk.client()
    assert client.error("public/login", token=desk.token(key=stranger)) == 19
    assert client.error("public/login", token=desk.token(kid="K9")) == 19
    assert client.error("public/login", token="no token") == 19
    assert client.error("public/login", token=desk.token(), account="A9") == 19
    # and the connection stays open for a better one
    assert client.result("public/login", token=desk.token())


@pytest.mark.parametrize(("offset_s", "accepted"), [(-31, False), (-29, True), (29, True), (31, False)])
def test_iat_may_be_off_by_thirty_seconds(desk: Any, offset_s: int, accepted: bool) -> None:
    now_s = desk.scheduler.realtime_ns() / NS_PER_S
    reply = desk.client().call("public/login", token=desk.token(iat=now_s + offset_s))
    assert ("result" in reply) is accepted


@pytest.mark.parametrize("iat", ["soon", None, True])
def test_iat_must_be_a_number(desk: Any, iat: Any) -> None:
    token = desk.token(iat=0) if iat is None else desk.token(iat=iat)
    assert desk.client().error("public/login", token=token) == 19


def test_iat_must_be_later_than_any_before_it_on_the_key(desk: Any) -> None:
    now_s = desk.scheduler.realtime_ns() / NS_PER_S
    desk.client().result("public/login", token=desk.token(iat=now_s))
    assert desk.client().error("public/login", token=desk.token(iat=now_s)) == 19
    assert desk.client().error("public/login", token=desk.token(iat=now_s - 1)) == 19
    assert desk.client().result("public/login", token=desk.token(iat=now_s + 0.001))


def test_a_refused_token_does_not_use_up_its_iat(desk: Any) -> None:
    now_s = desk.scheduler.realtime_ns() / NS_PER_S
    assert desk.client().error("public/login", token=desk.token(iat=now_s + 20), account="A9") == 19
    assert desk.client().result("public/login", token=desk.token(iat=now_s))


def test_a_connection_logs_in_once(desk: Any, trader: Any) -> None:
    assert trader.error("public/login", token=desk.token()) == 6


# -- cancel on disconnect ----------------------------------------------------------------------


def test_orders_die_with_an_armed_session_and_outlive_any_other(desk: Any) -> None:
    # Given one session with cancel on disconnect, one without
    armed, plain, watcher = (desk.client().login() for _ in range(3))
    armed.result("private/set_cancel_on_disconnect", timeout_secs=5)
    watcher.result("private/subscribe", channels=["account.orders"])
    doomed, kept = insert(armed), insert(plain)
    # If both connections go
    armed.session.on_closed()
    plain.session.on_closed()
    # I expect one order gone, with its reason told to the account
    assert [order["order_id"] for order in watcher.result("private/open_orders")] == [kept["order_id"]]
    (last,) = watcher.notes("account.orders")[-1]["notification"]
    assert (last["order_id"], last["delete_reason"]) == (doomed["order_id"], "session_end")


def test_silence_ends_an_armed_session_and_a_ping_keeps_it(desk: Any, trader: Any) -> None:
    # Given an armed session with an order
    trader.result("private/set_cancel_on_disconnect", timeout_secs=3)
    insert(trader)
    # If it pings every two seconds, I expect it to live
    for _ in range(5):
        desk.scheduler.advance(2 * NS_PER_S)
        trader.session.on_activity()
    assert len(desk.a.open_orders) == 1
    # If it falls silent, I expect the order gone and the connection closed after three
    desk.scheduler.advance(3 * NS_PER_S - 1)
    assert trader.hung_up is None
    desk.scheduler.advance(1)
    assert trader.hung_up == "nothing received for 3000 ms"
    assert desk.a.open_orders == {}


def test_arming_again_changes_the_time_out(desk: Any, trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=2)
    trader.result("private/set_cancel_on_disconnect", timeout_secs=10)
    desk.scheduler.advance(9 * NS_PER_S)
    assert trader.hung_up is None
    desk.scheduler.advance(2 * NS_PER_S)
    assert trader.hung_up is not None


@pytest.mark.parametrize("timeout_secs", [0, -1, 1.5, "3", None])
def test_a_time_out_is_a_whole_number_of_seconds(trader: Any, timeout_secs: Any) -> None:
    assert trader.error("private/set_cancel_on_disconnect", timeout_secs=timeout_secs) == 6


# -- the exchange's own log --------------------------------------------------------------------


def test_the_log_tells_the_life_of_a_session_and_its_orders(desk: Any, trader: Any) -> None:
    # Given a session that arms, inserts, amends, is refused and leaves
    trader.result("private/set_cancel_on_disconnect", timeout_secs=5)
    insert(trader, client_order_id=7)
    trader.result("private/amend", client_order_id=7, price=99_980, amount=0.01)
    trader.error("private/cancel", client_order_id=8)
    trader.session.on_closed()
    # If the log is read
    lines = desk.log_lines()
    # I expect all of it, stamped, in order
    events = ["connect", "login", "cancel_on_disconnect", "insert", "amend", "reject", "disconnect", "cancel"]
    assert [line["event"] for line in lines] == events
    assert all(line["session"] == "S1" and line["wall_ns"] and "monotonic_ns" in line for line in lines)
    cancel = lines[-1]
    assert (cancel["client_order_id"], cancel["side"], cancel["price"], cancel["remaining"]) == (7, "buy", 99_980, 0)
    assert (cancel["status"], cancel["delete_reason"]) == ("cancelled", "session_end")


def test_the_log_has_a_line_for_each_fill(desk: Any, trader: Any) -> None:
    desk.rest(Side.SELL, 100_001, 3)
    insert(trader, price=100_001, amount=0.01)
    desk.take(Side.SELL, 2, 99_000)
    fills = [line for line in desk.log_lines() if line["event"] == "fill"]
    assert [(line["fill_amount"], line["liquidity"]) for line in fills] == [(0.003, "taker"), (0.002, "maker")]
