"""The session, tested from bytes alone: no socket, no clock."""

from __future__ import annotations

import json

import pytest

from domain.errors import ConnectivityError, ProtocolError
from venues.thalex.account_wire import decode_void
from venues.thalex.protocol import (
    ERRAND_STEPS,
    PRIVATE_STEPS,
    PUBLIC_STEPS,
    Event,
    Failed,
    Listed,
    Phase,
    Ready,
    Session,
)
from venues.thalex.requests import PENDING_MAX, Answer, Requests
from venues.thalex.wire import Envelope

TIMEOUT_NS = 1_000
PRIVATE = ["session.orders", "account.portfolio"]


def _private() -> Session:
    session = Session.private(PRIVATE, Requests(TIMEOUT_NS), token="TOKEN", account="", timeout_s=3)
    session.start(0)
    return session


def _sent(session: Session) -> list[dict[str, object]]:
    return [json.loads(frame) for frame in session.data_to_send()]


def _answer(session: Session, result: object) -> Event | None:
    """Answer the only request under way with `result`."""
    (request,) = _sent(session)
    return session.receive(json.dumps({"id": request["id"], "result": result}).encode(), 0)


def _refuse(session: Session, code: int) -> Event | None:
    (request,) = _sent(session)
    error = {"code": code, "message": "no"}
    return session.receive(json.dumps({"id": request["id"], "error": error}).encode(), 0)


def _ready_private() -> Session:
    session = _private()
    _answer(session, {"account_number": "A1"})
    _answer(session, {"message_rate": 50})
    assert isinstance(_answer(session, PRIVATE), Ready)
    return session


def test_every_step_leads_to_ready():
    for steps in (PRIVATE_STEPS, ERRAND_STEPS, PUBLIC_STEPS):
        phase = Phase.NEW
        for _ in steps:
            phase = steps[phase]
        assert phase is Phase.READY
        assert Phase.READY not in steps
        assert Phase.FAILED not in steps


def test_a_private_session_logs_in_then_arms_then_subscribes():
    session = _private()
    (login,) = _sent(session)
    assert (login["method"], login["params"]) == ("public/login", {"token": "TOKEN"})
    assert session.receive(b'{"id":1,"result":{"account_number":"A1"}}', 0) is None
    (arm,) = _sent(session)
    assert (arm["method"], arm["params"]) == ("private/set_cancel_on_disconnect", {"timeout_secs": 3})
    assert session.receive(b'{"id":2,"result":{"message_rate":50}}', 0) is None
    (subscribe,) = _sent(session)
    assert (subscribe["method"], subscribe["params"]) == ("private/subscribe", {"channels": PRIVATE})
    assert session.receive(b'{"id":3,"result":["account.portfolio","session.orders"]}', 0) == Ready()
    assert (session.phase, session.message_rate) == (Phase.READY, 50)
    assert _sent(session) == []


def test_an_errand_is_ready_as_soon_as_it_has_logged_in():
    session = Session.errand(Requests(TIMEOUT_NS), token="TOKEN", account="")
    session.start(0)
    assert not session.is_logged_in
    assert isinstance(_answer(session, {"account_number": "A1"}), Ready)
    assert session.is_logged_in
    assert _sent(session) == []


def test_a_private_session_is_logged_in_before_it_is_ready():
    session = _private()
    assert not session.is_logged_in
    assert _answer(session, {"account_number": "A1"}) is None
    assert session.is_logged_in


def test_a_void_answer_to_arming_leaves_the_careful_rate():
    session = _private()
    _answer(session, None)
    _answer(session, None)
    assert isinstance(_answer(session, PRIVATE), Ready)
    assert session.message_rate == 10


def test_an_account_is_named_when_configured():
    session = Session.private([], Requests(TIMEOUT_NS), token="T", account="A9", timeout_s=3)
    session.start(0)
    assert _sent(session)[0]["params"] == {"token": "T", "account": "A9"}


@pytest.mark.parametrize(("code", "is_login"), [(19, True), (28, True), (7, True), (20, False), (53, False)])
def test_a_refused_login_tells_whether_the_key_is_to_blame(code: int, is_login: bool):
    session = _private()
    event = _refuse(session, code)
    assert isinstance(event, Failed)
    assert event.is_login is is_login
    assert f"code {code}" in event.reason
    assert session.phase is Phase.FAILED
    assert _sent(session) == []


def test_a_missing_channel_and_an_error_are_the_same_failure():
    session = _private()
    _answer(session, None)
    _answer(session, None)
    event = _answer(session, ["session.orders"])
    assert isinstance(event, Failed)
    assert "account.portfolio" in event.reason
    session = _private()
    _answer(session, None)
    _answer(session, None)
    assert isinstance(_refuse(session, 5), Failed)


def test_a_notification_may_overtake_the_answer_to_its_subscription():
    session = _private()
    _answer(session, None)
    _answer(session, None)
    event = session.receive(b'{"channel_name":"account.portfolio","notification":[],"snapshot":true}', 0)
    assert isinstance(event, Envelope)
    assert event.snapshot is True
    assert isinstance(_answer(session, PRIVATE), Ready)


def test_a_public_session_lists_then_subscribes():
    session = Session.public(["ticker.X.raw"], Requests(TIMEOUT_NS))
    session.start(0)
    (listing,) = _sent(session)
    assert listing["method"] == "public/instruments"
    event = session.receive(
        b'{"id":1,"result":[{"instrument_name":"X","tick_size":1,"min_order_amount":1,'
        b'"underlying":"U","type":"perpetual"}]}',
        0,
    )
    assert isinstance(event, Listed)
    assert set(event.instruments) == {"X"}
    assert isinstance(_answer(session, ["ticker.X.raw"]), Ready)


def test_answers_find_their_request_in_any_order():
    session = _ready_private()
    first = session.request("private/a", {}, decode_void, 0, kind="a", client_order_id=11)
    second = session.request("private/b", {}, decode_void, 0, kind="b", client_order_id=12)
    refused = json.dumps({"id": second.request_id, "error": {"code": 1, "message": "order not found"}})
    event = session.receive(refused.encode(), 0)
    assert isinstance(event, Answer)
    assert event.pending is second
    assert event.error is not None
    assert (event.error.code, event.error.method) == (1, "private/b")
    event = session.receive(b'{"id":%d,"result":null}' % first.request_id, 0)
    assert isinstance(event, Answer)
    assert (event.pending, event.error) == (first, None)
    assert len(session.requests) == 0


def test_an_answer_to_nobody_is_counted_and_ignored():
    session = _ready_private()
    for frame in (b'{"id":999,"result":null}', b'{"id":null,"error":{"code":4}}', b'{"id":"x","result":1}'):
        assert session.receive(frame, 0) is None
    assert session.requests.unmatched == 3


def test_an_answer_that_cannot_be_read_is_not_an_answer():
    session = _private()
    (login,) = _sent(session)
    with pytest.raises(ProtocolError, match="public/login"):
        session.receive(b'{"id":1,"result":[1,2]}', 0)
    # the session still waits, and its deadline decides
    assert session.phase is Phase.LOGGING_IN
    assert [pending.method for pending in session.requests.expire(TIMEOUT_NS)] == [login["method"]]


def test_requests_expire_at_their_deadline_and_not_before():
    requests = Requests(TIMEOUT_NS)
    early = requests.register(requests.next_id(), "a", decode_void, 0)
    late = requests.register(requests.next_id(), "b", decode_void, 500)
    assert requests.expire(TIMEOUT_NS - 1) == []
    assert requests.expire(TIMEOUT_NS) == [early]
    assert requests.abandon() == [late]
    assert len(requests) == 0


def test_a_venue_that_stops_answering_is_noticed_before_memory_is():
    requests = Requests(TIMEOUT_NS)
    for _ in range(PENDING_MAX):
        requests.register(requests.next_id(), "m", decode_void, 0)
    with pytest.raises(ConnectivityError, match="unanswered"):
        requests.register(requests.next_id(), "m", decode_void, 0)
