"""Questions to the venue: pages of a history, names of methods that have changed."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from domain.errors import ProtocolError, VenueError
from venues.thalex import account_requests
from venues.thalex.account_requests import AccountRequests


class Scripted(AccountRequests):
    """Answers each call with the next of `answers`; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def _call(self, method: str, params: Any, decode: Any) -> Any:
        self.asked.append((method, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return decode(msgspec.json.encode(answer))


def trade(number: int, time: float = 1.0) -> dict[str, Any]:
    return {
        "trade_id": f"t{number}", "order_id": "o", "instrument_name": "X", "direction": "buy", "price": 1, "amount": 1,
        "time": time, "position_after": 1, "fee": 0,
    }  # fmt: skip


def page(bookmark: str | None, *numbers: int) -> dict[str, Any]:
    return {"trades": [trade(number, 1.0 + number) for number in numbers], "bookmark": bookmark}


def told(requests: Scripted) -> list[str]:
    return [one.trade_id for one in asyncio.run(requests.trade_history(5_000_001_999))]


def test_a_history_is_read_to_its_last_page_and_each_trade_once() -> None:
    requests = Scripted(page("b1", 1, 2), page("b2", 2, 3), page(None, 4))
    assert told(requests) == ["t1", "t2", "t3", "t4"]
    assert [params.get("bookmark") for _, params in requests.asked] == [None, "b1", "b2"]
    assert str(requests.asked[0][1]["time_low"]) == "5.000001"  # rounded down to a microsecond


def test_pages_that_come_newest_first_are_told_oldest_first() -> None:
    assert told(Scripted(page("b1", 4, 3), page(None, 2, 1))) == ["t1", "t2", "t3", "t4"]


def test_a_bookmark_that_leads_in_a_circle_ends_the_reading() -> None:
    assert told(Scripted(page("b1", 1), page("b1", 2))) == ["t1", "t2"]


def test_a_history_without_an_end_is_a_protocol_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_requests, "PAGES_MAX", 3)
    with pytest.raises(ProtocolError, match="did not end"):
        told(Scripted(*(page(f"b{n}", n) for n in range(3))))


def test_settlements_are_read_to_the_last_page_and_told_oldest_first() -> None:
    def day(time: float) -> dict[str, Any]:
        return {"time": time, "instrument_name": "X", "mark_price": 1, "position": 1, "realized_position_pnl": 0}

    # Given a venue that tells the newest first: the method takes no order
    requests = Scripted(
        {"daily_marks": [day(3.0), day(2.0)], "bookmark": "b1"}, {"daily_marks": [day(1.0)], "bookmark": None}
    )
    settlements = asyncio.run(requests.settlements(5_000_001_999))
    assert [one.time_ns for one in settlements] == [10**9, 2 * 10**9, 3 * 10**9]
    assert [method for method, _ in requests.asked] == 2 * ["private/daily_mark_history"]
    assert requests.asked[1][1].keys() == {"limit", "time_low", "bookmark"}
    assert str(requests.asked[0][1]["time_low"]) == "5.000001"


def test_a_line_of_a_settlement_that_cannot_be_read_is_an_error_of_the_question_alone() -> None:
    # Given an answer of which a line is none; what a decoder raises costs the connection (requests.py)
    class Session(Scripted):
        async def _call(self, method: str, params: Any, decode: Any) -> Any:
            answer = await super()._call(method, params, decode)
            self.decoded = True
            return answer

    requests = Session({"daily_marks": [{"time": "yesterday"}], "bookmark": None})
    with pytest.raises(ProtocolError):
        asyncio.run(requests.settlements(1))
    assert requests.decoded


def test_settlements_that_the_venue_is_silent_about_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_requests, "SETTLEMENTS_TIMEOUT_S", 0.01)
    forgotten = []

    class Silent(Scripted):
        async def _call(self, method: str, params: Any, decode: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                forgotten.append(method)

    with pytest.raises(TimeoutError):
        asyncio.run(Silent().settlements(1))
    assert forgotten == ["private/daily_mark_history"]


def test_conditional_orders_are_asked_for_by_the_older_name_where_the_new_one_is_unknown() -> None:
    requests = Scripted(VenueError(31, "unknown method"), [])
    assert asyncio.run(requests.conditional_orders()) == []
    assert [method for method, _ in requests.asked] == ["private/open_conditional_orders", "private/conditional_orders"]
    with pytest.raises(VenueError):
        asyncio.run(Scripted(VenueError(20, "temporary failure")).conditional_orders())
