"""Faults on demand: what the client sees, and that the venue itself stays right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exchange.core.scheduler import NS_PER_S
from exchange.gateways.thalex.faults import Fault, schedule_decoder

PERPETUAL = "BTC-PERPETUAL"
ORDER = {"direction": "buy", "instrument_name": PERPETUAL, "price": 99_990, "amount": 0.01}


@pytest.fixture
def desk(make_desk: Any) -> Any:
    return make_desk(admin=True)


def fault(desk: Any, kind: str, **fields: Any) -> Any:
    """Begin a fault over the wire and return the operator who did."""
    operator = desk.client()
    params = {"kind": kind, **fields}
    operator.session.on_frame(msgspec.json.encode({"method": "admin/fault", "params": params, "id": 1}))
    assert msgspec.json.decode(operator.frames[-1]) == {"id": 1, "result": None}
    desk.scheduler.advance(0)
    return operator


def send(client: Any, method: str, request_id: int, **params: Any) -> None:
    client.session.on_frame(msgspec.json.encode({"method": method, "params": params, "id": request_id}))


def ids(client: Any) -> list[int]:
    replies = [msgspec.json.decode(frame) for frame in client.frames]
    return [reply["id"] for reply in replies if reply.get("id", 0) >= 100]


def test_the_next_requests_of_a_method_fail_and_are_not_carried_out(desk: Any, trader: Any) -> None:
    fault(desk, "error", method="private/insert", code=20, count=2)
    assert trader.error("private/insert", **ORDER) == 20
    assert trader.result("private/open_orders") == []
    assert trader.error("private/insert", **ORDER) == 20
    assert trader.result("private/insert", **ORDER)["status"] == "open"


def test_a_rate_limit_storm_refuses_orders_and_cancels_for_its_time(desk: Any, trader: Any) -> None:
    fault(desk, "rate_limit", duration_s=2)
    assert trader.error("private/insert", **ORDER) == 4
    assert trader.error("private/cancel_all") == 4
    assert trader.result("private/open_orders") == []
    desk.scheduler.advance(2 * NS_PER_S)
    assert trader.result("private/cancel_all") == 0


def test_a_black_hole_swallows_both_ways_so_that_an_armed_session_dies(desk: Any, trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=2)
    trader.result("private/insert", **ORDER)
    fault(desk, "blackhole", duration_s=5)
    before = len(trader.frames)
    for _ in range(3):
        desk.scheduler.advance(NS_PER_S)
        trader.session.on_activity()
        send(trader, "private/open_orders", 100)
    assert len(trader.frames) == before
    assert trader.hung_up is not None
    assert desk.a.open_orders == {}


def test_a_black_hole_swallows_the_end_of_a_connection_too(desk: Any, trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=3)
    trader.result("private/insert", **ORDER)
    fault(desk, "blackhole", duration_s=2, session=trader.session.session_id)
    trader.session.on_socket_closed()
    desk.scheduler.advance(NS_PER_S)
    assert len(desk.a.open_orders) == 1
    # the venue hears of it when the hole is over, or lets the session go when its time-out is
    desk.scheduler.advance(NS_PER_S + NS_PER_S // 10)
    assert desk.a.open_orders == {}


def test_a_half_open_connection_is_let_go_and_not_told(desk: Any, trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=60)
    trader.result("private/insert", **ORDER)
    before = len(trader.frames)
    fault(desk, "half_open", account="A1")
    send(trader, "private/open_orders", 100)
    assert (trader.hung_up, len(trader.frames)) == (None, before)
    assert desk.a.open_orders == {}


def test_responses_may_overtake_each_other_and_none_is_lost(desk: Any, trader: Any) -> None:
    fault(desk, "reorder", duration_s=1, account="A1")
    for number in range(100, 105):
        send(trader, "public/index", number, underlying="BTCUSD")
    desk.scheduler.advance(2 * NS_PER_S)
    assert ids(trader) != sorted(ids(trader))
    assert sorted(ids(trader)) == [100, 101, 102, 103, 104]


@pytest.mark.parametrize(("kind", "seen"), [("drop", 0), ("duplicate", 2)])
def test_notifications_of_a_channel_are_lost_or_doubled(desk: Any, trader: Any, kind: str, seen: int) -> None:
    trader.result("private/subscribe", channels=["session.orders", "account.orders"])
    fault(desk, kind, channel="session.orders", duration_s=10)
    trader.result("private/insert", **ORDER)
    assert len(trader.notes("session.orders")) - 1 == seen
    assert len(trader.notes("account.orders")) - 1 == 1


def test_a_delay_keeps_the_order_of_frames(desk: Any, trader: Any) -> None:
    fault(desk, "delay", delay_ms=300, duration_s=0.1, account="A1")
    send(trader, "public/index", 100, underlying="BTCUSD")
    desk.scheduler.advance(NS_PER_S // 5)
    send(trader, "public/index", 101, underlying="BTCUSD")
    assert ids(trader) == []
    desk.scheduler.advance(NS_PER_S // 5)
    assert ids(trader) == [100, 101]


def test_a_disconnect_spares_the_one_who_asks_and_may_be_of_one_account(desk: Any, trader: Any) -> None:
    stranger = desk.client()
    operator = fault(desk, "disconnect", account="A1")
    assert trader.hung_up == "cut by a fault"
    assert stranger.hung_up is None
    fault(desk, "disconnect")
    assert stranger.hung_up is not None
    assert operator.hung_up is not None


def test_a_reset_lets_the_orders_fall_and_sends_no_close_frame(desk: Any, trader: Any) -> None:
    trader.result("private/set_cancel_on_disconnect", timeout_secs=60)
    trader.result("private/insert", **ORDER)
    before = len(trader.frames)
    fault(desk, "reset", account="A1")
    assert (trader.was_reset, trader.hung_up, len(trader.frames)) == (True, None, before)
    assert desk.a.open_orders == {}


def test_a_fault_may_be_of_one_session(desk: Any, trader: Any) -> None:
    other = desk.client()
    fault(desk, "disconnect", session=other.session.session_id)
    assert (other.hung_up, trader.hung_up) == ("cut by a fault", None)


def test_the_answer_of_a_request_that_was_carried_out_gets_lost(desk: Any, trader: Any) -> None:
    trader.result("private/subscribe", channels=["session.orders"])
    fault(desk, "lost_answer", method="private/insert", session=trader.session.session_id)
    send(trader, "private/insert", 100, **ORDER)
    # the venue has the order and its notification tells of it; the answer never comes
    assert len(desk.a.open_orders) == 1
    assert trader.notes("session.orders")[-1]["notification"][0]["status"] == "open"
    assert ids(trader) == []
    send(trader, "private/insert", 101, **ORDER)
    assert ids(trader) == [101]


def test_a_malformed_frame_is_no_message(desk: Any, trader: Any) -> None:
    fault(desk, "malformed", account="A1")
    frame = trader.frames[-1]
    try:
        message = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return
    assert not isinstance(message, dict) or not ({"id", "channel_name"} & message.keys())


def test_a_planned_reconnect_is_announced_and_then_happens(desk: Any, trader: Any) -> None:
    trader.result("public/subscribe", channels=["system"])
    fault(desk, "reconnect", notice_s=10)
    assert trader.notes("system") == [{"channel_name": "system", "notification": {"event": "reconnect"}}]
    desk.scheduler.advance(9 * NS_PER_S)
    assert trader.hung_up is None
    desk.scheduler.advance(NS_PER_S)
    assert trader.hung_up == "planned reconnect"


def test_a_skewed_clock_judges_tokens_and_stamps(desk: Any) -> None:
    true_s = desk.scheduler.realtime_ns() / NS_PER_S
    operator = fault(desk, "clock_skew", skew_s=60)
    assert desk.client().error("public/login", token=desk.token(iat=true_s)) == 19
    operator.result("admin/clear_faults")
    assert desk.client().result("public/login", token=desk.token(iat=true_s + 1))


def test_a_schedule_begins_each_fault_at_its_time_and_counts(desk: Any, trader: Any) -> None:
    text = b'[{"kind":"error","at_s":1,"code":20},{"kind":"disconnect","at_s":3}]'
    desk.context.faults.schedule(schedule_decoder.decode(text))
    assert trader.result("private/open_orders") == []
    desk.scheduler.advance(2 * NS_PER_S)
    assert trader.error("private/open_orders") == 20
    desk.scheduler.advance(2 * NS_PER_S)
    assert trader.hung_up is not None
    stats = desk.client().result("admin/stats")
    assert stats["faults"] == {"error": 1, "disconnect": 1}
    assert stats["errors"]["20"] == 1


def test_the_same_seed_draws_the_same_faults(make_desk: Any) -> None:
    def dropped() -> list[bool]:
        faults = make_desk(fault_seed=7).context.faults
        faults.begin(Fault(kind="drop", duration_s=9, probability=0.5))
        return [faults.find("drop", None, b"") is not None for _ in range(50)]

    first = dropped()
    assert first == dropped()
    assert len(set(first)) == 2


def test_a_crossed_book_is_told_to_its_listeners_and_is_none(desk: Any, trader: Any) -> None:
    # Given an offer, and somebody who listens to the book
    trader.result("private/insert", **{**ORDER, "direction": "sell", "price": 100_010})
    listener = desk.client()
    send(listener, "public/subscribe", 100, channels=[f"book.{PERPETUAL}.none.10.raw"])
    desk.scheduler.advance(0)
    snapshot = next(message for frame in listener.frames if (message := msgspec.json.decode(frame)).get("snapshot"))
    best_ask = min(price for price, *_ in snapshot["notification"]["ask_changes"])
    told = len(listener.frames)
    # If the book is crossed
    fault(desk, "crossed_book")
    # I expect one message of a bid above the best ask, and none of it for who comes later
    wrong = msgspec.json.decode(listener.frames[told])["notification"]
    assert [price > best_ask for price, *_ in wrong["bid_changes"]] == [True]
    another = desk.client()
    send(another, "public/subscribe", 100, channels=[f"book.{PERPETUAL}.none.10.raw"])
    desk.scheduler.advance(0)
    fresh = next(message for frame in another.frames if (message := msgspec.json.decode(frame)).get("snapshot"))
    assert fresh["notification"]["bid_changes"] == []
